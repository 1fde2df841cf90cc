"""Tables of search: read models of the catalogue, which may be dropped at any time.

Beside them stand indexes that each database keeps in its own way: `search_index` and
`search_word_index`, two FTS5 tables, on SQLite; GIN indexes on PostgreSQL.
"""

from __future__ import annotations

import sqlalchemy as sa

from new_core.storage.tables.schema import metadata

search_document = sa.Table(
    "search_document",
    metadata,
    sa.Column("id", sa.Integer(), primary_key=True, autoincrement=True),
    sa.Column("product_id", sa.Uuid(), nullable=False, unique=True),
    sa.Column("title", sa.Text(), nullable=False),
    sa.Column("keys", sa.Text(), nullable=False),
    sa.Column("labels", sa.Text(), nullable=False),
    sa.Column("body", sa.Text(), nullable=False),
)

search_facet = sa.Table(
    "search_facet",
    metadata,
    sa.Column("product_id", sa.Uuid(), primary_key=True),
    sa.Column("name", sa.String(80), primary_key=True),
    sa.Column("value", sa.String(100), primary_key=True),
    sa.Index("ix_search_facet_name_value", "name", "value"),
)

search_word = sa.Table(
    "search_word",
    metadata,
    sa.Column("id", sa.Integer(), primary_key=True, autoincrement=True),
    sa.Column("word", sa.String(64), nullable=False, unique=True),
)

# Products whose documents are old; the mark tells whether they became old once more since.
search_stale = sa.Table(
    "search_stale",
    metadata,
    sa.Column("product_id", sa.Uuid(), primary_key=True),
    sa.Column("mark", sa.BigInteger(), nullable=False),
)

_BY_DATABASE = (
    "search_index",
    "search_word_index",
    "ix_search_document_words",
    "ix_search_word_alike",
)


def is_modelled(_thing: object, name: str | None, *_rest: object) -> bool:
    """Whether a table or an index is the same in both databases; for Alembic's comparison.

    FTS5 keeps tables of its own under its table's name and an underscore.
    """
    return name is None or not any(
        name == own or name.startswith(f"{own}_") for own in _BY_DATABASE
    )
