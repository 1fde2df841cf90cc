"""What a fence's triggers are called and say, and what a changed row means. Pure."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence

from legacy_adapters.mapping.marks import DRY_RUN, REPLICATOR
from legacy_adapters.mapping.rows import Table
from legacy_adapters.mapping.versions import NOBODY, Side
from legacy_adapters.ports.fences import FenceRow

FENCED = "MIG_FENCED"
FENCED_STATE = "MG001"
"""SQLSTATE of a refused write in PostgreSQL."""

EVENTS = ("insert", "update", "delete")
PREFIX = "mig_fence_"
ROLES = f"'{REPLICATOR}', '{DRY_RUN}'"
_LONGEST_NAME = 64
_DOMAIN = re.compile(r"[a-z][a-z0-9_]{0,40}")


def fenced_tables(domains: Mapping[str, Sequence[Table]]) -> dict[str, str]:
    """Table to domain, of those that have a fence.

    Raises:
        ValueError: a domain's name is none, or a table belongs to two.
    """
    found: dict[str, str] = {}
    for domain, tables in domains.items():
        if not _DOMAIN.fullmatch(domain):
            raise ValueError(f"{domain!r} is no name of a domain: a-z, 0-9 and _ only")
        for name in (table.name for table in tables if table.is_fenced):
            if found.setdefault(name, domain) != domain:
                raise ValueError(f"{name} belongs to {found[name]} and to {domain}")
    return found


def trigger_name(event: str, table: str) -> str:
    """Of a trigger, where such names are the schema's and not the table's."""
    name = f"{PREFIX}{event}_{table}"
    if len(name) <= _LONGEST_NAME:
        return name
    return f"{name[: _LONGEST_NAME - 9]}_{zlib.crc32(table.encode()):08x}"


def message(domain: str) -> str:
    """What a refused writer reads; its second word is the domain."""
    return f"{FENCED} {domain}: this store does not take writes of it now"


def lock_key(domain: str) -> int:
    """The domain's number among PostgreSQL's advisory locks: 32 bits with a sign."""
    return zlib.crc32(domain.encode()) - 2**31


def is_closed(row: FenceRow | None, term: int) -> bool:
    """Whether `close_gate` of `term` was done."""
    return row is not None and (row.owner, row.term) == (NOBODY, term + 1)


def is_open(row: FenceRow | None, owner: Side, term: int) -> bool:
    """Whether `open_gate` of `term` was done."""
    return row is not None and (row.owner, row.term) == (owner.value, term)
