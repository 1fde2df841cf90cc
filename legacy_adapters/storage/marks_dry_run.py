"""Lets dry runs of the core through its fences: they are rolled back anyway."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from legacy_adapters.mapping.marks import DRY_RUN
from legacy_adapters.storage.marks_writing import say_role
from legacy_adapters.storage.opening import SQLITE
from legacy_adapters.storage.tables import marks as t

_HAS_ROLES = sa.text("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = :name")


async def say_dry_run(connection: AsyncConnection) -> None:
    """Say in a transaction that it is a dry run's.

    A fenced core still answers them as it would if it owned the domain.
    """
    if connection.dialect.name == SQLITE:
        found = await connection.scalar(_HAS_ROLES, {"name": t.role.name})
        if found is None:
            return
    await say_role(connection, DRY_RUN)
