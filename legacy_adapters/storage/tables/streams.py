"""The stage and the streams' books. Times are microseconds since 1970 in UTC."""

from __future__ import annotations

import sqlalchemy as sa

from legacy_adapters.storage.tables.schema import metadata
from new_core.storage import UtcDateTime
from new_core.storage.types import BigNumber

checkpoint = sa.Table(
    "mig_checkpoint",
    metadata,
    sa.Column("stream", sa.String(32), primary_key=True),
    sa.Column("position", sa.BigInteger(), nullable=False),
    sa.Column("token", sa.Text(), nullable=False),
    sa.Column("terms", sa.Text(), nullable=False),
    sa.Column("source_at", UtcDateTime()),
    sa.Column("moved_at", UtcDateTime(), nullable=False),
    sa.Column("problem", sa.Text(), nullable=False),
    sa.Column("lag_ms", sa.Float()),
    sa.Column("beat_at", UtcDateTime()),
)
"""How far a stream has read its source."""

progress = sa.Table(
    "mig_progress",
    metadata,
    sa.Column("stream", sa.String(32), primary_key=True),
    sa.Column("domain", sa.String(64), primary_key=True),
    sa.Column("position", sa.BigInteger(), nullable=False),
    sa.Column("applied", sa.BigInteger(), nullable=False),
    sa.Column("failed", sa.BigInteger(), nullable=False),
    sa.Column("applied_at", UtcDateTime(), nullable=False),
)
"""How far a domain is applied. Apart from the checkpoint, so that nobody waits for its row."""

stage = sa.Table(
    "mig_stage",
    metadata,
    sa.Column("tbl", sa.String(64), primary_key=True),
    sa.Column("pk", sa.Text(), primary_key=True),
    sa.Column("kind", sa.String(64), nullable=False),
    sa.Column("key", sa.Text()),
    sa.Column("link", sa.Text()),
    sa.Column("row", sa.Text()),
    sa.Column("term", sa.BigInteger(), nullable=False),
    sa.Column("position", sa.BigInteger(), nullable=False),
    sa.Column("is_deleted", sa.Boolean(), nullable=False),
    sa.Index("ix_mig_stage_aggregate", "kind", "key"),
    sa.Index("ix_mig_stage_link", "tbl", "link"),
)
"""The legacy's rows as they are there. `key` is NULL until it is known whose a row is; `link` is
the key of the row that it names as the one it hangs on. Deleted rows stay as tombstones.
"""

claim = sa.Table(
    "mig_claim",
    metadata,
    sa.Column("tbl", sa.String(64), primary_key=True),
    sa.Column("pk", sa.Text(), primary_key=True),
    sa.Column("by_tbl", sa.String(64), primary_key=True),
    sa.Column("by_pk", sa.Text(), primary_key=True),
    sa.Index("ix_mig_claim_by", "by_tbl", "by_pk"),
)
"""Rows that another row points at, and so has in its aggregate."""

emptied = sa.Table(
    "mig_emptied",
    metadata,
    sa.Column("tbl", sa.String(64), primary_key=True),
    sa.Column("term", sa.BigInteger(), nullable=False),
    sa.Column("position", sa.BigInteger(), nullable=False),
)
"""When a table lost all rows at once, those too of which the stage had not heard yet."""

dirty = sa.Table(
    "mig_dirty",
    metadata,
    sa.Column("stream", sa.String(32), primary_key=True),
    sa.Column("kind", sa.String(64), primary_key=True),
    sa.Column("key", sa.Text(), primary_key=True),
    sa.Column("domain", sa.String(64), nullable=False),
    sa.Column("term", sa.BigInteger(), nullable=False),
    sa.Column("position", sa.BigInteger(), nullable=False),
    sa.Column("name", sa.Text(), nullable=False),
    sa.Column("marks", sa.BigInteger(), nullable=False),
    sa.Column("first_us", sa.BigInteger(), nullable=False),
    sa.Column("tries", sa.Integer(), nullable=False),
    sa.Column("not_before_us", sa.BigInteger(), nullable=False),
    sa.Index("ix_mig_dirty_next", "stream", "kind", "position"),
)
"""Aggregates that were read and not applied yet. `marks` goes up with each change, so that who
applied one takes away what they saw and nothing newer; `name` is the newest transaction.
"""

late = sa.Table(
    "mig_late",
    metadata,
    sa.Column("stream", sa.String(32), primary_key=True),
    sa.Column("kind", sa.String(64), primary_key=True),
    sa.Column("key", sa.Text(), primary_key=True),
    sa.Column("domain", sa.String(64), nullable=False),
    sa.Column("term", sa.BigInteger(), nullable=False),
    sa.Column("position", sa.BigInteger(), nullable=False),
    sa.Column("name", sa.Text(), nullable=False),
)
"""Aggregates that were written where no fence stands while the stream's side did not own them;
dirty once it does.
"""

parked = sa.Table(
    "mig_parked",
    metadata,
    sa.Column("stream", sa.String(32), primary_key=True),
    sa.Column("kind", sa.String(64), primary_key=True),
    sa.Column("key", sa.Text(), primary_key=True),
    sa.Column("domain", sa.String(64), nullable=False),
    sa.Column("reason", sa.Text(), nullable=False),
    sa.Column("is_waiting", sa.Boolean(), nullable=False),
    sa.Column("term", sa.BigInteger(), nullable=False),
    sa.Column("position", sa.BigInteger(), nullable=False),
    sa.Column("since_us", sa.BigInteger(), nullable=False),
    sa.Column("tried_us", sa.BigInteger(), nullable=False),
    sa.Index("ix_mig_parked_domain", "stream", "domain"),
)
"""Aggregates that cannot be taken across. `is_waiting`: another aggregate may help."""

rogue = sa.Table(
    "mig_rogue",
    metadata,
    sa.Column("id", BigNumber, primary_key=True, autoincrement=True),
    sa.Column("side", sa.String(16), nullable=False),
    sa.Column("domain", sa.String(64), nullable=False),
    sa.Column("tbl", sa.String(64), nullable=False),
    sa.Column("pk", sa.Text(), nullable=False),
    sa.Column("position", sa.BigInteger(), nullable=False),
    sa.Column("at_us", sa.BigInteger(), nullable=False),
    sa.Column("settled_us", sa.BigInteger()),
    sa.Index("ix_mig_rogue_open", "settled_us", "domain"),
)
"""Writes of the side that does not own the domain."""

definition = sa.Table(
    "mig_definition",
    metadata,
    sa.Column("stream", sa.String(32), primary_key=True),
    sa.Column("tbl", sa.String(64), primary_key=True),
    sa.Column("fingerprint", sa.Text(), nullable=False),
    sa.Column("altered", sa.Text(), nullable=False),
)
"""Digests of the source's tables as they were declared; `altered` is the one seen since."""
