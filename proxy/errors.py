"""Errors that this package raises on purpose."""

from __future__ import annotations

from dataclasses import dataclass

from typing_extensions import override


class ProxyError(Exception):
    """Root of this package's errors. Callers catch this one or a leaf."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a configuration file, with its way out.

    Attributes:
        file: path as the user gave it.
        line: 1-based line in that file.
        key: dotted key, e.g. "domains.catalog.stage".
        what: what is wrong, one sentence.
        fix: what to write instead, one sentence.
    """

    file: str
    line: int
    key: str
    what: str
    fix: str

    @override
    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.key}: {self.what} {self.fix}".rstrip()


class RoutingFileError(ProxyError):
    """The routing file does not load; the last good table stays in force.

    Attributes:
        problems: all that is wrong, in file order, so one round of editing mends it.
    """

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(p) for p in problems))
        self.problems = problems


class UpstreamError(ProxyError):
    """A store gave no usable answer.

    Attributes:
        side: "legacy" or "core".
        sent: True when request bytes reached the store, so that a retry of a
            POST could place an order twice.
    """

    def __init__(self, side: str, problem: str, *, sent: bool) -> None:
        super().__init__(f"{side}: {problem}")
        self.side = side
        self.sent = sent


class SpoolBusy(ProxyError):
    """Another reader holds this spool."""
