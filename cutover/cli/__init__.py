"""The `banyan` command.

Each command is a plain function somewhere in the house, named in `tree` by its address and
imported when it is called: `banyan rollback` does not load what `banyan compare` needs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

_OURS = frozenset(
    f"{package}.errors"
    for package in ("cutover", "proxy", "shadow_compare", "legacy_adapters", "new_core")
)


def main(args: Sequence[str] | None = None) -> None:
    """Run a command and exit: 0 done, 1 failed (one line says why), 2 wrong usage.

    Codes of single commands stand in their help.
    """
    given = list(sys.argv[1:] if args is None else args)
    try:
        if given[:1] == ["rollback"]:
            _roll_back_quickly(given[1:])
        if given[:1] == ["kill"]:
            _kill_quickly(given[1:])
        from cutover.cli.tree import build

        build(given[0] if given else None)(args=given, prog_name="banyan")
    except BrokenPipeError:
        # Whoever read our output has gone, as `head` does. The flush at exit would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as exc:
        if not _is_expected(exc):
            raise
        print(_told(exc), file=sys.stderr)
        sys.exit(1)


def _roll_back_quickly(args: list[str]) -> None:
    """Roll back without the command line's library, whose loading takes as long as the rest.

    Returns when the arguments want explaining, which that library does better.
    """
    from cutover.cli.taking_back import read_wish, take_back

    wish = read_wish(args)
    if wish is not None:
        sys.exit(take_back(wish))


def _kill_quickly(args: list[str]) -> None:
    """Kill without that library too. Returns when the arguments want explaining."""
    from cutover.cli.killing import do_kill, read_kill_wish

    wish = read_kill_wish(args)
    if wish is not None:
        sys.exit(do_kill(wish))


def _is_expected(exc: Exception) -> bool:
    """Errors that the house raises on purpose, and what the system refuses."""
    return isinstance(exc, OSError) or any(kind.__module__ in _OURS for kind in type(exc).__mro__)


def _told(exc: Exception) -> str:
    problems = getattr(exc, "problems", None)
    if problems:  # of a routing file: each line begins with file and line, as compilers do
        return "\n".join(str(problem) for problem in problems)
    return f"banyan: {exc}"
