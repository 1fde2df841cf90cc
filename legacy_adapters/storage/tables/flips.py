"""Who owns a domain, and every flip with its journal."""

from __future__ import annotations

import sqlalchemy as sa

from legacy_adapters.storage.tables.schema import metadata
from new_core.storage import UtcDateTime

domain = sa.Table(
    "mig_domain",
    metadata,
    sa.Column("domain", sa.String(64), primary_key=True),
    sa.Column("phase", sa.String(16), nullable=False),
    sa.Column("owner", sa.String(16), nullable=False),
    sa.Column("term", sa.BigInteger(), nullable=False),
    sa.Column("flip", sa.Integer(), nullable=False),
    sa.Column("holder", sa.String(128), nullable=False),
    sa.Column("beat", sa.BigInteger(), nullable=False),
)
"""The row that decides. `beat` is counted by the holder while it lives."""

flip = sa.Table(
    "mig_flip",
    metadata,
    sa.Column("id", sa.Integer(), primary_key=True),
    sa.Column("domain", sa.String(64), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("source", sa.String(16), nullable=False),
    sa.Column("target", sa.String(16), nullable=False),
    sa.Column("term", sa.BigInteger(), nullable=False),
    sa.Column("actor", sa.Text(), nullable=False),
    sa.Column("reason", sa.Text(), nullable=False),
    sa.Column("facts", sa.JSON(), nullable=False),
    sa.Column("began_at", UtcDateTime(), nullable=False),
    sa.Column("ended_at", UtcDateTime()),
    sa.Column("outcome", sa.String(16), nullable=False),
    sa.Column("freeze_us", sa.BigInteger()),
    sa.Column("problem", sa.Text(), nullable=False),
    sa.Index("ix_mig_flip_domain", "domain", "id"),
)

journal = sa.Table(
    "mig_journal",
    metadata,
    sa.Column("id", sa.Integer(), primary_key=True),
    sa.Column("flip", sa.Integer(), sa.ForeignKey("mig_flip.id"), nullable=False),
    sa.Column("step", sa.String(16), nullable=False),
    sa.Column("mark", sa.String(16), nullable=False),
    sa.Column("holder", sa.String(128), nullable=False),
    sa.Column("facts", sa.JSON(), nullable=False),
    sa.Column("at", UtcDateTime(), nullable=False),
    sa.Index("ix_mig_journal_flip", "flip", "id"),
)
