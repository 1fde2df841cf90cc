"""Bundles, assortments and search."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_TABLES = (
    "bundle_component",
    "assortment",
    "assortment_rule",
    "assortment_assignment",
    "search_document",
    "search_facet",
    "search_word",
    "search_stale",
)


def upgrade() -> None:
    """Make the tables, and mark every product for the search."""
    _make_bundles()
    _make_assortments()
    _make_search()
    if op.get_bind().dialect.name == "sqlite":
        _index_by_fts5()
    else:
        _index_by_gin()
    op.add_column(
        "reference_version",
        sa.Column("products", sa.BigInteger(), nullable=False, server_default="0"),
    )
    op.execute("INSERT INTO search_stale (product_id, mark) SELECT id, 1 FROM product")


def downgrade() -> None:
    """Drop them. The extension stays: others may use it."""
    # With their triggers, which would name indexes that are gone.
    for name in reversed(_TABLES):
        op.drop_table(name)
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TABLE search_word_index")
        op.execute("DROP TABLE search_index")
    with op.batch_alter_table("reference_version") as batch:
        batch.drop_column("products")


def _make_bundles() -> None:
    op.create_table(
        "bundle_component",
        sa.Column(
            "variant_id",
            sa.Uuid(),
            sa.ForeignKey("variant.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column(
            "component_variant_id",
            sa.Uuid(),
            sa.ForeignKey("variant.id"),
            primary_key=True,
            index=True,
        ),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.CheckConstraint("quantity >= 1", name="quantity"),
        sa.CheckConstraint("variant_id <> component_variant_id", name="not_itself"),
    )


def _make_assortments() -> None:
    def of_assortment() -> sa.Column[object]:
        target = sa.ForeignKey("assortment.id", ondelete="CASCADE")
        return sa.Column("assortment_id", sa.Uuid(), target, primary_key=True)

    op.create_table(
        "assortment",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("code", sa.Text(), nullable=False, unique=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "assortment_rule",
        of_assortment(),
        sa.Column("position", sa.Integer(), primary_key=True),
        sa.Column("includes", sa.Boolean(), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("target_id", sa.Uuid()),
        sa.CheckConstraint("kind IN ('all', 'category', 'type', 'product')", name="kind"),
        sa.CheckConstraint("(kind = 'all') = (target_id IS NULL)", name="target"),
    )
    op.create_table(
        "assortment_assignment",
        of_assortment(),
        sa.Column("scope", sa.String(10), primary_key=True),
        sa.Column("scope_id", sa.Uuid(), primary_key=True, index=True),
        sa.CheckConstraint("scope IN ('account', 'customer', 'group')", name="scope"),
    )


def _make_search() -> None:
    op.create_table(
        "search_document",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=True),
        sa.Column("product_id", sa.Uuid(), nullable=False, unique=True),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("keys", sa.Text(), nullable=False),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
    )
    op.create_table(
        "search_facet",
        sa.Column("product_id", sa.Uuid(), primary_key=True),
        sa.Column("name", sa.String(80), primary_key=True),
        sa.Column("value", sa.String(100), primary_key=True),
    )
    op.create_index("ix_search_facet_name_value", "search_facet", ["name", "value"])
    op.create_table(
        "search_word",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=True),
        sa.Column("word", sa.String(64), nullable=False, unique=True),
    )
    op.create_table(
        "search_stale",
        sa.Column("product_id", sa.Uuid(), primary_key=True),
        sa.Column("mark", sa.BigInteger(), nullable=False),
    )


def _index_by_fts5() -> None:
    # The words are folded before they come here (new_core.domain.search), so ASCII will do.
    op.execute(
        "CREATE VIRTUAL TABLE search_index USING fts5("
        "title, keys, labels, body, content='search_document', content_rowid='id', "
        "tokenize='unicode61', prefix='2 3')"
    )
    op.execute(
        "CREATE VIRTUAL TABLE search_word_index USING fts5("
        "word, content='search_word', content_rowid='id', tokenize='trigram')"
    )
    for table, columns in (("document", ("title", "keys", "labels", "body")), ("word", ("word",))):
        _keep_by_triggers(table, columns)


def _keep_by_triggers(table: str, columns: tuple[str, ...]) -> None:
    """An FTS5 table with outside content is told of each change (sqlite.org/fts5, 4.4.3)."""
    index = "search_index" if table == "document" else "search_word_index"
    names = ", ".join(columns)
    old, new = (", ".join(f"{side}.{one}" for one in columns) for side in ("old", "new"))
    forget = f"INSERT INTO {index}({index}, rowid, {names}) VALUES ('delete', old.id, {old});"  # noqa: S608 - names of ours
    learn = f"INSERT INTO {index}(rowid, {names}) VALUES (new.id, {new});"  # noqa: S608 - as above
    for event, does in (
        ("INSERT", learn),
        ("DELETE", forget),
        ("UPDATE", forget + learn),
    ):
        op.execute(
            f"CREATE TRIGGER search_{table}_{event.lower()} "
            f"AFTER {event} ON search_{table} BEGIN {does} END"
        )


def _index_by_gin() -> None:
    op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    op.execute(
        "CREATE INDEX ix_search_document_words ON search_document USING gin (("
        "setweight(to_tsvector('simple', title), 'A') || "
        "setweight(to_tsvector('simple', keys), 'A') || "
        "setweight(to_tsvector('simple', labels), 'B') || "
        "setweight(to_tsvector('simple', body), 'D')))"
    )
    op.execute("CREATE INDEX ix_search_word_alike ON search_word USING gin (word gin_trgm_ops)")
