"""What a stream hands to its books: rows to stage, aggregates to take across, and the like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from legacy_adapters.mapping.aggregates import AggregateKey
from legacy_adapters.mapping.rows import Row
from legacy_adapters.mapping.versions import NEVER, Position, Version

Terms = Mapping[str, tuple[str, int]]
"""Domain to (owner, term), as a database's fence rows say."""


@dataclass(frozen=True, slots=True)
class Landing:
    """A row on its way into the stage.

    Attributes:
        row: None for a deletion; `before` may then say whose it was.
        is_dirtying: whether its aggregate is to be taken across.
        name: of the source's transaction, "" for none.
        is_late: whether its aggregate is to be taken across once its side owns the domain: it
            was written where no fence stands, while that side did not own.
    """

    table: str
    key: str
    row: Row | None
    before: Row | None
    version: Version
    is_dirtying: bool
    name: str = ""
    is_late: bool = False


@dataclass(frozen=True, slots=True)
class Emptied:
    """A table that lost all rows at once."""

    table: str
    version: Version
    is_dirtying: bool
    name: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """An aggregate that is to be taken across.

    Attributes:
        version: of what made it so.
        name: of the source's transaction; a reader waits until it is seen.
        is_late: it waits until its side owns the domain.
    """

    key: AggregateKey
    version: Version
    name: str = ""
    is_late: bool = False


@dataclass(frozen=True, slots=True)
class Dirty:
    """An aggregate that waits to be taken across.

    Attributes:
        marks: how often it was marked; who applied it takes away no newer mark.
        tries: that failed since.
    """

    key: AggregateKey
    version: Version
    name: str
    marks: int
    tries: int


@dataclass(frozen=True, slots=True)
class RogueWrite:
    """A change by the side that does not own the domain."""

    domain: str
    table: str
    key: str
    order: int


@dataclass(frozen=True, slots=True)
class Step:
    """What one batch of a stream changes in its books, all or nothing.

    Attributes:
        expected: where the stream must stand; None: nowhere yet.
        regained: domains that the stream's side did not own before, and owns now.
        wrote: domains that each commit of the store's own wrote, beside what it writes where
            it only reads.
    """

    stream: str
    expected: Position | None
    position: Position
    terms: Terms
    source_at: datetime | None
    landings: tuple[Landing, ...] = ()
    emptied: tuple[Emptied, ...] = ()
    marks: tuple[Mark, ...] = ()
    rogues: tuple[RogueWrite, ...] = ()
    wrote: tuple[frozenset[str], ...] = ()
    regained: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Staged:
    """What the stage has of one aggregate.

    Attributes:
        rows: those that are there, by table.
        names: by table, every row that was ever there, or may be.
        version: of the newest; of a deletion too.
        is_gone: its root is known to be deleted.
    """

    key: AggregateKey
    rows: Mapping[str, tuple[Row, ...]]
    names: Mapping[str, tuple[str, ...]]
    version: Version = NEVER
    is_gone: bool = False
