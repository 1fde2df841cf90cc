"""What every table here is made of."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from new_core.storage.types import UtcDateTime

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def id_column() -> sa.Column[UUID]:
    """The primary key of a thing."""
    return sa.Column("id", sa.Uuid(), primary_key=True)


def written_columns() -> tuple[sa.Column[int], sa.Column[datetime]]:
    """Which change this is, counted from 1, and when it was written."""
    return (
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
    )


def refers(target: str, *, cascade: bool = False) -> sa.ForeignKey:
    """A foreign key on another table's id; within a module only."""
    return sa.ForeignKey(f"{target}.id", ondelete="CASCADE" if cascade else None)
