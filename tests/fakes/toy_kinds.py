"""Kinds of the little shop: documents, their mapping, and a table of the core that keeps them."""

# ruff: noqa: S608 - its own tables

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from legacy_adapters.errors import RowCorrupt
from legacy_adapters.mapping.aggregates import AggregateRows, Loss, Shape
from legacy_adapters.mapping.columns import Fate
from legacy_adapters.mapping.rows import Column, ColumnKind, Row, Table
from legacy_adapters.ports.documents import Kind, Own
from new_core.domain.identity import core_id
from new_core.ports import UnitOfWork
from new_core.storage import connection_of
from tests.fakes.toy_shop import CUSTOMERS, OF_KIND, ORDERS, VISITS

SYSTEM = "toy"


class Part(msgspec.Struct, frozen=True):
    id: UUID
    text: str
    parts: tuple[Part, ...] = ()


class Doc(msgspec.Struct, frozen=True):
    """A customer, an order or a visit."""

    id: UUID
    text: str
    points_at: UUID | None = None
    pointed: Part | None = None
    parts: tuple[Part, ...] = ()


Known = Mapping[tuple[str, str], UUID]


class ToyTranslation:
    """Copies text; what is called "bad" cannot be read."""

    columns: Mapping[str, Mapping[str, Fate]] = {}
    losses: Sequence[Loss] = ()

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.entity_type = shape.kind

    def forward(self, rows: AggregateRows, known: Known) -> Doc:
        def uid(entity_type: str, key: object) -> UUID:
            name = (entity_type, str(key))
            return known.get(name) or core_id(SYSTEM, *name)

        root = rows[self.shape.root.name][0]
        text = str(root.get("name", root.get("memo", root.get("seen"))))
        if text == "bad":
            raise RowCorrupt(f"{self.shape.root.name}.text", "is bad")
        own = uid(self.shape.kind, root["id"])
        if self.shape.kind == "customer":
            parts = tuple(
                Part(uid("address", row["id"]), str(row["street"]))
                for row in rows.get("shop_address", ())
            )
            return Doc(own, text, parts=parts)
        if self.shape.kind == "visit":
            return Doc(own, text)
        who = root["customer_id"]
        bill = next(iter(rows.get("shop_billing", ())), None)
        return Doc(
            own,
            str(root["total"]),
            None if who is None else uid("customer", who),
            None if bill is None else Part(uid("billing", bill["id"]), str(bill["street"])),
            tuple(
                Part(
                    uid("line", line["id"]),
                    f"{line['what']}:{line['quantity']}",
                    tuple(
                        Part(uid("option", one["id"]), str(one["word"]))
                        for one in rows.get("shop_option", ())
                        if one["line_id"] == line["id"]
                    ),
                )
                for line in rows.get("shop_line", ())
            ),
        )

    def refers(self, rows: AggregateRows) -> Collection[tuple[str, str]]:
        points = [
            ("customer", str(row["customer_id"]))
            for row in rows.get("shop_order", ())
            if row["customer_id"] is not None
        ]
        return [*self._own(rows), *points]

    def _own(self, rows: AggregateRows) -> list[tuple[str, str]]:
        return [
            (name.removeprefix("shop_"), str(row["id"]))
            for name, some in rows.items()
            for row in some
        ]

    def names(self, rows: AggregateRows, known: Known) -> Known:
        return {one: known.get(one) or core_id(SYSTEM, *one) for one in self._own(rows)}

    def owns(self, doc: Doc) -> Sequence[Own]:
        kind = self.shape.kind
        part, deeper = ("address", "") if kind == "customer" else ("line", "option")
        owned = [Own(kind, doc.id)]
        if doc.pointed is not None:
            owned.append(Own("billing", doc.pointed.id))
        for one in doc.parts:
            owned.append(Own(part, one.id))
            owned += [Own(deeper, inner.id) for inner in one.parts]
        return owned

    def points_at(self, doc: Doc) -> Sequence[Own]:
        return [] if doc.points_at is None else [Own("customer", doc.points_at)]

    def reverse(
        self, doc: Doc, sidecar: AggregateRows, numbers: Mapping[UUID, str]
    ) -> AggregateRows:
        def number(uid: UUID) -> int:
            return int(numbers[uid])

        kind = self.shape.kind
        if kind == "customer":
            addresses = [
                {"id": number(one.id), "customer_id": number(doc.id), "street": one.text}
                for one in doc.parts
            ]
            return _rows(
                shop_customer=[{"id": number(doc.id), "name": doc.text}], shop_address=addresses
            )
        if kind == "visit":
            return _rows(shop_visit=[{"id": number(doc.id), "seen": doc.text}])
        before: Row = next(iter(sidecar.get("shop_order", ())), {})
        bill = doc.pointed
        root = {
            "id": number(doc.id),
            "customer_id": None if doc.points_at is None else number(doc.points_at),
            "billing_id": None if bill is None else number(bill.id),
            "total": int(doc.text),
            "memo": before.get("memo", "from the core"),
        }
        lines, options = [], []
        for one in doc.parts:
            what, _, quantity = one.text.partition(":")
            lines.append(
                {"id": number(one.id), "order_id": number(doc.id), "what": what,
                 "quantity": int(quantity)}
            )  # fmt: skip
            options += [
                {"id": number(inner.id), "line_id": number(one.id), "word": inner.text}
                for inner in one.parts
            ]
        bills = [] if bill is None else [{"id": number(bill.id), "street": bill.text}]
        return _rows(shop_order=[root], shop_line=lines, shop_option=options, shop_billing=bills)

    def money(self, doc: Doc) -> tuple[int, str] | None:
        return None


def _rows(**tables: list[dict[str, Any]]) -> AggregateRows:
    return {
        name: tuple(sorted(rows, key=lambda row: int(str(row["id"]))))
        for name, rows in tables.items()
        if rows
    }


class ToyDocuments:
    """Keeps documents as JSON, and refuses what points at nothing.

    Attributes:
        on_write: told of what was written or removed, as a database's log would be.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.on_write: list[tuple[str, UUID]] = []
        text = Column(ColumnKind.TEXT)
        table = Table(
            f"core_{kind}", ("id",), {"id": text, "body": text}, is_fenced=kind != "visit"
        )
        self.shapes: Sequence[Shape] = (Shape(kind, table),)

    async def read(self, uow: UnitOfWork, ids: Collection[UUID]) -> Mapping[UUID, Doc]:
        rows = await _fetch(uow, f"SELECT body FROM core_{self.kind} WHERE id IN :ids", ids)
        docs = [msgspec.json.decode(body, type=Doc) for (body,) in rows]
        return {doc.id: doc for doc in docs}

    async def page(self, uow: UnitOfWork, after: UUID | None, size: int) -> Sequence[UUID]:
        found = await connection_of(uow).execute(
            sa.text(f"SELECT id FROM core_{self.kind} WHERE id > :after ORDER BY id LIMIT :size"),
            {"after": "" if after is None else str(after), "size": size},
        )
        return [UUID(one) for (one,) in found]

    async def write(
        self, uow: UnitOfWork, docs: Sequence[Doc], now: datetime
    ) -> Mapping[UUID, str]:
        points = {doc.points_at for doc in docs if doc.points_at is not None}
        rows = await _fetch(uow, "SELECT id FROM core_customer WHERE id IN :ids", points)
        missing = points - {UUID(one) for (one,) in rows}
        refused = {
            doc.id: f"customer {doc.points_at} is not there"
            for doc in docs
            if doc.points_at in missing
        }
        if any(doc.text == "poison" for doc in docs):
            raise ValueError("poison")
        taken = [doc for doc in docs if doc.id not in refused]
        await put_docs(uow, self.kind, taken)
        self.on_write += [(self.kind, doc.id) for doc in taken]
        return refused

    async def remove(self, uow: UnitOfWork, ids: Collection[UUID], now: datetime) -> None:
        for uid in ids:
            await drop_doc(uow, self.kind, uid)
            self.on_write.append((self.kind, uid))


async def _fetch(uow: UnitOfWork, statement: str, ids: Collection[UUID]) -> Sequence[Any]:
    if not ids:
        return []
    bound = sa.text(statement).bindparams(sa.bindparam("ids", expanding=True))
    return (await connection_of(uow).execute(bound, {"ids": [str(one) for one in ids]})).all()


async def put_docs(uow: UnitOfWork, kind: str, docs: Sequence[Doc]) -> None:
    if docs:
        await connection_of(uow).execute(
            sa.text(
                f"INSERT INTO core_{kind} (id, body) VALUES (:id, :body)"
                " ON CONFLICT (id) DO UPDATE SET body = excluded.body"
            ),
            [{"id": str(doc.id), "body": msgspec.json.encode(doc).decode()} for doc in docs],
        )


async def drop_doc(uow: UnitOfWork, kind: str, uid: UUID) -> None:
    await connection_of(uow).execute(
        sa.text(f"DELETE FROM core_{kind} WHERE id = :id"), {"id": str(uid)}
    )


async def make_core_tables(connection: AsyncConnection) -> None:
    for kind in OF_KIND:
        await connection.execute(
            sa.text(f"CREATE TABLE core_{kind} (id VARCHAR(36) PRIMARY KEY, body TEXT NOT NULL)")
        )


def toy_kinds() -> tuple[Kind[Doc], ...]:
    """In the order in which they may be applied."""
    return tuple(
        Kind(shape.kind, OF_KIND[shape.kind], ToyTranslation(shape), ToyDocuments(shape.kind))
        for shape in (CUSTOMERS, ORDERS, VISITS)
    )
