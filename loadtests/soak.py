"""What shoppers feel of a shadow in trouble: nothing, or this exits with 1.

    python -m loadtests.soak [--short] [--scene NAME ...] [--minutes N] [--json]

Two proxies take turns under a steady, open-loop load: one without a shadow, one whose
shadow hangs, floods, resets and so on, with a real comparer at work. A failed request, a
dead worker, memory that grows, or captures that do not add up are errors. The p99 of both
is printed side by side; on a busy machine it says little, and so it never decides the exit
status.

With --minutes, one scene runs that long and memory is printed while it does.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from loadtests.bench_processes import BenchError
from loadtests.soak_report import HEADER, Found, line
from loadtests.soak_scenes import SCENES, Effort, play

# Many short turns: what disturbs the machine for a moment spoils few of them.
SHORT = Effort(turns=4, turn_s=1.5)
FULL = Effort(turns=12, turn_s=2.0)


def run(options: argparse.Namespace) -> list[Found]:
    """Play the scenes one after the other.

    Raises:
        BenchError: something did not come up.
    """
    effort = SHORT if options.short else FULL
    names = options.scene or list(SCENES)
    is_long = bool(options.minutes) and not options.json
    if options.minutes:
        names = options.scene or ["shadow answers"]
        effort = Effort(max(1, round(options.minutes * 60 / 20)), 10.0)
    effort = Effort(effort.turns, effort.turn_s, options.rate)
    all_found: list[Found] = []
    for n, name in enumerate(names):
        with tempfile.TemporaryDirectory(prefix="banyan-soak-") as folder:
            found = play(SCENES[name], effort, Path(folder), _say if is_long else _progress)
        all_found.append(found)
        _progress("")
        if not options.json:
            lines = [HEADER] * (n == 0) + [line(found)]
            lines += [f"  ERROR: {problem}" for problem in found.problems()]
            print(*lines, sep="\n", flush=True)
    return all_found


def _say(text: str) -> None:
    print(text, flush=True)


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def main() -> int:
    """Run the soak; 1 when shoppers were hurt or the books do not add up."""
    parser = argparse.ArgumentParser(
        prog="python -m loadtests.soak", description=(__doc__ or "").partition("\n")[0]
    )
    add = parser.add_argument
    add("--short", action="store_true", help="less of everything, under 3 minutes")
    add("--scene", action="append", choices=list(SCENES), help="one; may come more than once")
    add("--rate", type=float, default=200.0, help="requests per second (200)")
    add("--minutes", type=float, help="one scene for that long, to watch memory")
    add("--json", action="store_true", help="JSON instead of a table")
    options = parser.parse_args()
    try:
        all_found = run(options)
    except BenchError as exc:
        print(f"soak: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    if options.json:
        print(json.dumps({found.scene: found.as_json() for found in all_found}))
    return 1 if any(found.problems() for found in all_found) else 0


if __name__ == "__main__":
    sys.exit(main())
