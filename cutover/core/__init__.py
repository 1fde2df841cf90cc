"""The pure half: which steps are legal, what a plan holds, what a gate says. No I/O."""
