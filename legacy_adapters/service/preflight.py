"""Asks a legacy database whether it can be kept in step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from legacy_adapters.mapping.preflight import Facts, Finding, Severity, judge
from legacy_adapters.mapping.rows import Table
from legacy_adapters.ports.documents import Kind
from legacy_adapters.ports.probing import Probe
from new_core.errors import CoreError


class Cowrites(Protocol):
    """What the streams saw of transactions that wrote two domains."""

    async def seen(self) -> tuple[Mapping[tuple[str, str], int], int]:
        """Pairs of domains to transactions that wrote both, and transactions in all.

        Raises:
            CoreError: no stream ever ran, or the core does not answer.
        """
        ...


@dataclass(frozen=True, slots=True)
class Preflight:
    """What came of it.

    Attributes:
        database: "sqlite", "postgresql" or "mariadb".
        tables: how many it has; `moved` of them move, `ignored` stay for a reason.
        watched: transactions that the co-write matrix rests on.
    """

    database: str
    tables: int
    moved: int
    ignored: int
    watched: int
    cowritten: Mapping[tuple[str, str], int]
    findings: tuple[Finding, ...]

    @property
    def is_clear(self) -> bool:
        """Whether nothing refuses."""
        return all(one.severity is not Severity.REFUSE for one in self.findings)


async def preflight(
    probe: Probe,
    kinds: Sequence[Kind[Any]],
    ignored: Mapping[str, str],
    cowrites: Cowrites,
    *,
    deep: bool = True,
) -> Preflight:
    """Look and judge; nothing is changed.

    Args:
        probe: of the legacy database.
        kinds: what moves.
        ignored: tables that stay, each with its reason.
        cowrites: what the streams have seen; none of it is needed.
        deep: also read the rows of every table that moves, for dates and texts that are none.

    Raises:
        SourceUnavailable: the database does not answer.
    """
    moved: dict[str, tuple[Table, str]] = {
        table.name: (table, kind.domain)
        for kind in kinds
        for table in kind.translation.shape.tables
    }
    probed = await probe.look([table for table, _ in moved.values()] if deep else [])
    pairs, watched = await _seen(cowrites)
    facts = Facts(
        kind=probed.kind,
        log=probed.log,
        tables=probed.tables,
        foreign_keys=probed.foreign_keys,
        domains={name: domain for name, (_, domain) in moved.items()},
        known={name: frozenset(table.columns) for name, (table, _) in moved.items()},
        ignored={name: why for name, why in ignored.items() if name not in moved},
        cowritten=pairs,
        watched=watched,
        events=probed.events,
        cluster=probed.cluster,
    )
    real = {table.name for table in probed.tables}
    return Preflight(
        database=probed.kind,
        tables=len(real),
        moved=len(real & moved.keys()),
        ignored=len(real & facts.ignored.keys()),
        watched=watched,
        cowritten=pairs,
        findings=judge(facts),
    )


async def _seen(cowrites: Cowrites) -> tuple[Mapping[tuple[str, str], int], int]:
    try:
        return await cowrites.seen()
    except CoreError:
        return {}, 0
