"""Search in tables: FTS5 on SQLite, full text and trigrams on PostgreSQL.

The words are folded before they come here, so that both databases find the same; only the
order of equally good products may differ.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from new_core.domain.assortment import RuleKind, Visible
from new_core.domain.search import SearchDocument, SearchQuery, Term
from new_core.ports.search import FacetCount
from new_core.storage import tables as t
from new_core.storage.statements import chunks, fetch, one_of
from new_core.storage.tables.search import (
    search_document,
    search_facet,
    search_stale,
    search_word,
)

_MOST_ALIKE = 100
_MOST_VALUES = 500
_WEIGHTS = "10.0, 10.0, 4.0, 1.0"
_VECTOR: sa.ColumnElement[Any] = sa.literal_column(
    "(setweight(to_tsvector('simple', title), 'A') || "
    "setweight(to_tsvector('simple', keys), 'A') || "
    "setweight(to_tsvector('simple', labels), 'B') || "
    "setweight(to_tsvector('simple', body), 'D'))"
)
"""The expression of the index, letter for letter: else PostgreSQL reads every row."""


class SqlSearch:
    """The read models of search, in one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._is_sqlite = connection.dialect.name == "sqlite"

    async def stale(self, limit: int) -> Mapping[UUID, int]:
        # Two workers at a time would write the same documents twice, one after the other.
        chosen = (
            sa.select(search_stale.c.product_id, search_stale.c.mark)
            .order_by(search_stale.c.product_id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        rows = (await self._connection.execute(chosen)).mappings()
        return {row["product_id"]: row["mark"] for row in rows}

    async def replace(
        self, documents: Sequence[SearchDocument], gone: Collection[UUID], marks: Mapping[UUID, int]
    ) -> None:
        ids = [*(one.product_id for one in documents), *gone]
        for table in (search_document, search_facet):
            for part in chunks(ids):
                await self._connection.execute(sa.delete(table).where(table.c.product_id.in_(part)))
        if documents:
            columns = ("product_id", "title", "keys", "labels", "body")
            rows = [{name: getattr(one, name) for name in columns} for one in documents]
            await self._connection.execute(sa.insert(search_document), rows)
        facets = [
            {"product_id": one.product_id, "name": name, "value": value}
            for one in documents
            for name, value in sorted(one.facets)
        ]
        if facets:
            await self._connection.execute(sa.insert(search_facet), facets)
        await self._learn(sorted({word for one in documents for word in one.words}))
        settled = sa.delete(search_stale).where(
            search_stale.c.product_id == sa.bindparam("stale_id"),
            search_stale.c.mark == sa.bindparam("stale_mark"),
        )
        if marks:
            pairs = [{"stale_id": one, "stale_mark": mark} for one, mark in marks.items()]
            await self._connection.execute(settled, pairs)

    async def known(self, words: Collection[str]) -> frozenset[str]:
        return frozenset(row["word"] for row in await fetch(self._connection, _KNOWN, words))

    async def begun(self, word: str) -> bool:
        statement = sa.select(search_word.c.id).where(
            search_word.c.word >= word, search_word.c.word < word + chr(0x10FFFF)
        )
        if not self._is_sqlite:
            statement = sa.select(search_word.c.id).where(
                search_word.c.word.like(sa.bindparam("start"))
            )
            found = await self._connection.execute(statement.limit(1), {"start": f"{word}%"})
        else:
            found = await self._connection.execute(statement.limit(1))
        return found.first() is not None

    async def alike(self, word: str) -> tuple[str, ...]:
        if self._is_sqlite:
            # Words of which at least one part of three letters is the same.
            parts = " OR ".join(f'"{word[at : at + 3]}"' for at in range(len(word) - 2))
            if not parts:
                return ()
            statement = sa.text(
                "SELECT word FROM search_word_index WHERE search_word_index MATCH :parts "
                "ORDER BY rank LIMIT :most"
            )
            rows = await self._connection.execute(statement, {"parts": parts, "most": _MOST_ALIKE})
        else:
            statement = sa.text(
                "SELECT word FROM search_word WHERE word % :word "
                "ORDER BY similarity(word, :word) DESC, word LIMIT :most"
            )
            rows = await self._connection.execute(statement, {"word": word, "most": _MOST_ALIKE})
        return tuple(rows.scalars())

    async def find(self, query: SearchQuery, visible: Visible) -> tuple[UUID, ...]:
        statement = sa.select(search_document.c.product_id).where(*self._found(query, visible))
        order: list[Any] = [search_document.c.title, search_document.c.product_id]
        if query.terms and self._is_sqlite:
            index = sa.table("search_index", sa.column("rowid"))
            statement = statement.join(index, index.c.rowid == search_document.c.id).where(
                sa.text("search_index MATCH :ranked").bindparams(ranked=_fts5(query.terms))
            )
            order.insert(0, sa.literal_column(f"bm25(search_index, {_WEIGHTS})"))
        elif query.terms:
            asked = sa.func.to_tsquery("simple", _tsquery(query.terms))
            order.insert(0, sa.func.ts_rank(_VECTOR, asked).desc())
        statement = statement.order_by(*order).limit(query.limit).offset(query.offset)
        return tuple((await self._connection.execute(statement)).scalars())

    async def count(self, query: SearchQuery, visible: Visible) -> int:
        statement = sa.select(sa.func.count()).select_from(search_document)
        found = await self._connection.execute(statement.where(*self._found(query, visible)))
        return int(found.scalar_one())

    async def facets(
        self, query: SearchQuery, visible: Visible, names: Collection[str] | None
    ) -> tuple[FacetCount, ...]:
        found = sa.select(search_document.c.product_id).where(*self._found(query, visible))
        products = sa.func.count().label("products")
        statement = (
            sa.select(search_facet.c.name, search_facet.c.value, products)
            .where(search_facet.c.product_id.in_(found))
            .group_by(search_facet.c.name, search_facet.c.value)
            .order_by(products.desc(), search_facet.c.name, search_facet.c.value)
            .limit(_MOST_VALUES)
        )
        if names is not None:
            statement = statement.where(search_facet.c.name.in_(sorted(names)))
        rows = (await self._connection.execute(statement)).mappings()
        return tuple(FacetCount(row["name"], row["value"], row["products"]) for row in rows)

    def _found(self, query: SearchQuery, visible: Visible) -> list[sa.ColumnElement[bool]]:
        product_id = search_document.c.product_id
        conditions: list[sa.ColumnElement[bool]] = []
        if query.terms and self._is_sqlite:
            match = sa.text("SELECT rowid FROM search_index WHERE search_index MATCH :words")
            rows = match.bindparams(words=_fts5(query.terms)).columns(rowid=sa.Integer())
            conditions.append(search_document.c.id.in_(rows))
        elif query.terms:
            asked = sa.func.to_tsquery("simple", _tsquery(query.terms))
            conditions.append(_VECTOR.op("@@")(asked))
        for name, values in sorted(query.facets.items()):
            having = sa.select(search_facet.c.product_id).where(
                search_facet.c.name == name, search_facet.c.value.in_(sorted(values))
            )
            conditions.append(product_id.in_(having))
        shown = may_be_seen(product_id, visible)
        return conditions if shown is None else [*conditions, shown]

    async def _learn(self, words: Sequence[str]) -> None:
        make = sqlite.insert if self._is_sqlite else postgresql.insert
        for part in chunks(words):
            statement = make(search_word).on_conflict_do_nothing(index_elements=["word"])
            await self._connection.execute(statement, [{"word": one} for one in part])


def may_be_seen(
    product_id: sa.ColumnElement[Any], visible: Visible
) -> sa.ColumnElement[bool] | None:
    """The condition on a product that `Visible.shows` is; None when all may be seen."""
    if visible.assortments is None:
        return None

    def speaks(kind: RuleKind, ids: Collection[UUID]) -> sa.ColumnElement[bool]:
        match kind:
            case RuleKind.ALL:
                return sa.true()
            case RuleKind.PRODUCT:
                return product_id.in_(ids)
            case RuleKind.TYPE:
                return product_id.in_(sa.select(t.product.c.id).where(t.product.c.type_id.in_(ids)))
            case RuleKind.CATEGORY:
                link = t.product_category.c
                return product_id.in_(sa.select(link.product_id).where(link.category_id.in_(ids)))

    def any_of(rules: Sequence[tuple[RuleKind, UUID | None]]) -> sa.ColumnElement[bool]:
        by_kind: dict[RuleKind, list[UUID]] = {}
        for kind, target in rules:
            by_kind.setdefault(kind, []).extend([] if target is None else [target])
        return sa.or_(sa.false(), *(speaks(kind, ids) for kind, ids in by_kind.items()))

    return sa.or_(
        sa.false(),
        *(
            sa.and_(
                any_of([(one.kind, one.target_id) for one in rules if one.includes]),
                sa.not_(any_of([(one.kind, one.target_id) for one in rules if not one.includes])),
            )
            for rules in visible.assortments
        ),
    )


async def mark_stale(connection: AsyncConnection, product_ids: Collection[UUID]) -> None:
    """The documents of these products, and of those that gather them, are old from now on."""
    make = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    for part in chunks(sorted(product_ids)):
        above = sa.select(t.product.c.parent_id).where(
            t.product.c.id.in_(part), t.product.c.parent_id.is_not(None)
        )
        gathering = (await connection.execute(above)).scalars()
        insert = make(search_stale)
        statement = insert.on_conflict_do_update(
            index_elements=["product_id"], set_={"mark": search_stale.c.mark + 1}
        )
        rows = [{"product_id": one, "mark": 1} for one in sorted({*part, *gathering})]
        await connection.execute(statement, rows)


async def mark_all_stale(connection: AsyncConnection) -> None:
    """All documents are old: what they all name has changed."""
    await connection.execute(sa.delete(search_stale))
    every = sa.select(t.product.c.id, sa.literal(1))
    await connection.execute(sa.insert(search_stale).from_select(["product_id", "mark"], every))


_KNOWN = sa.select(search_word.c.word).where(one_of(search_word.c.word))


def _fts5(terms: Sequence[Term]) -> str:
    def one(term: Term) -> str:
        star = " *" if term.is_prefix else ""
        return "(" + " OR ".join(f'"{word}"{star}' for word in term.alternatives) + ")"

    return " AND ".join(map(one, terms))


def _tsquery(terms: Sequence[Term]) -> str:
    def one(term: Term) -> str:
        star = ":*" if term.is_prefix else ""
        return "(" + " | ".join(f"'{word}'{star}" for word in term.alternatives) + ")"

    return " & ".join(map(one, terms))
