"""The pure half: read two answers, judge them, and say how sure we are. No I/O, no clock."""
