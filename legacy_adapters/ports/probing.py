"""What a preflight asks of a legacy database."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from legacy_adapters.mapping.preflight import ForeignKey, LogFacts, TableFacts
from legacy_adapters.mapping.rows import Table


@dataclass(frozen=True, slots=True)
class Probed:
    """What the database told of itself.

    Attributes:
        kind: "sqlite", "postgresql" or "mariadb".
        events: scheduled events and routines with rights of their own.
        cluster: what makes it a multi-writer cluster; "" for one that is none.
    """

    kind: str
    log: LogFacts
    tables: tuple[TableFacts, ...]
    foreign_keys: tuple[ForeignKey, ...]
    events: tuple[str, ...] = ()
    cluster: str = ""


class Probe(Protocol):
    """Looks at a database and changes nothing."""

    async def look(self, contents: Collection[Table]) -> Probed:
        """Ask for its settings, tables and references.

        Args:
            contents: tables whose rows are searched for dates and texts that are none; each is
                read once from end to end.

        Raises:
            SourceUnavailable: the database does not answer, or refuses to tell.
        """
        ...
