"""The table of what is done, so that a frame that comes twice counts once."""

from __future__ import annotations

import sqlalchemy as sa

from shadow_compare.storage.tables import metadata

# Spans of sequence numbers per run. One span that ends at `spans.ALL` is a closed run.
done = sa.Table(
    "done",
    metadata,
    sa.Column("run", sa.Text, primary_key=True),
    sa.Column("first", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("last", sa.BigInteger, nullable=False),
    sa.Column("at_s", sa.Double, nullable=False),
)
