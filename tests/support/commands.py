"""Run `banyan` in this process: what a new one costs is measured elsewhere."""

from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass

from cutover.cli import main


@dataclass(frozen=True, slots=True)
class Ended:
    """A finished command."""

    code: int
    out: str
    err: str


def run_banyan(*words: object) -> Ended:
    """Run a command to its end. One at a time: both streams are the process's own."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with redirect_stdout(out), redirect_stderr(err):
        try:
            main([str(word) for word in words])
        except SystemExit as exc:
            code = int(exc.code or 0)
    return Ended(code, out.getvalue(), err.getvalue())
