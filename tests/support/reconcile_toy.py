"""A little shop on both sides in memory: rows with a log, documents, and a stage between."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self, cast
from uuid import UUID

import msgspec

from legacy_adapters.errors import RowCorrupt, SourceUnavailable
from legacy_adapters.mapping.aggregates import AggregateKey, AggregateRows, Loss, Shape
from legacy_adapters.mapping.rows import Broken, Row, Table, key_text
from legacy_adapters.mapping.versions import Position, Side, Version
from legacy_adapters.ports.capture import ChangeSource
from legacy_adapters.ports.documents import CoreDocuments, Kind, Own, Translation
from legacy_adapters.ports.stage import Checkpoint, Rogue, Stage, Waiting
from new_core.domain.identity import ExternalRef, core_id
from new_core.ports import UnitOfWork
from shadow_compare.service.reconciling_sides import Stores
from tests.fakes.toy_shop import CUSTOMERS, LINE, OPTION, ORDER, ORDERS, TABLES

SYSTEM = "toy"
AT = datetime(2026, 1, 1, tzinfo=UTC)


class Line(msgspec.Struct, frozen=True):
    """A line with its words."""

    id: UUID
    what: str
    words: tuple[str, ...]


class Order(msgspec.Struct, frozen=True):
    """An order with its lines and where the bill goes."""

    id: UUID
    customer: UUID
    total_minor: int
    street: str | None
    lines: tuple[Line, ...]


class Customer(msgspec.Struct, frozen=True):
    """Somebody with addresses."""

    id: UUID
    name: str
    streets: tuple[str, ...]


def id_of(kind: str, key: object) -> UUID:
    return core_id(SYSTEM, kind, str(key))


class OrderTranslation:
    """Rows of an order as a document."""

    shape: Shape = ORDERS
    entity_type = "order"
    columns: Mapping[str, Any] = {}
    losses: Sequence[Loss] = ()

    def forward(self, rows: AggregateRows, known: Mapping[tuple[str, str], UUID]) -> Order:
        (root,) = rows[ORDER.name]
        total = root["total"]
        if not isinstance(total, int):
            raise RowCorrupt("shop_order.total", "is no amount")
        lines = tuple(
            Line(id_of("line", one["id"]), str(one["what"]), self._words(rows, one))
            for one in rows.get(LINE.name, ())
        )
        bills = rows.get("shop_billing", ())
        street = str(bills[0]["street"]) if bills else None
        key, customer = str(root["id"]), str(root["customer_id"])
        return Order(
            known.get(("order", key), id_of("order", key)),
            known.get(("customer", customer), id_of("customer", customer)),
            total,
            street,
            lines,
        )

    @staticmethod
    def _words(rows: AggregateRows, line: Row) -> tuple[str, ...]:
        options = rows.get(OPTION.name, ())
        return tuple(str(one["word"]) for one in options if one["line_id"] == line["id"])

    def refers(self, rows: AggregateRows) -> Collection[tuple[str, str]]:
        (root,) = rows[ORDER.name]
        return [("order", str(root["id"])), ("customer", str(root["customer_id"]))]

    def points_at(self, doc: Order) -> Sequence[Own]:
        return [Own("customer", doc.customer)]

    def money(self, doc: Order) -> tuple[int, str] | None:
        return doc.total_minor, "EUR"


class CustomerTranslation:
    """Rows of a customer as a document."""

    shape: Shape = CUSTOMERS
    entity_type = "customer"
    columns: Mapping[str, Any] = {}
    losses: Sequence[Loss] = ()

    def forward(self, rows: AggregateRows, known: Mapping[tuple[str, str], UUID]) -> Customer:
        (root,) = rows["shop_customer"]
        key = str(root["id"])
        streets = tuple(str(one["street"]) for one in rows.get("shop_address", ()))
        return Customer(
            known.get(("customer", key), id_of("customer", key)), str(root["name"]), streets
        )

    def refers(self, rows: AggregateRows) -> Collection[tuple[str, str]]:
        return [("customer", str(rows["shop_customer"][0]["id"]))]

    def points_at(self, doc: Customer) -> Sequence[Own]:
        return [Own("customer", doc.id)] if doc.name == "" else []

    def money(self, doc: Customer) -> tuple[int, str] | None:
        return None if doc.name else (0, "EUR")


@dataclass
class Documents:
    """One kind of documents in the core."""

    shape: Shape
    held: dict[UUID, Any] = field(default_factory=dict)

    @property
    def shapes(self) -> Sequence[Shape]:
        return (self.shape,)

    async def read(self, uow: UnitOfWork, ids: Collection[UUID]) -> Mapping[UUID, Any]:
        return {one: self.held[one] for one in ids if one in self.held}

    async def page(self, uow: UnitOfWork, after: UUID | None, size: int) -> Sequence[UUID]:
        return sorted(one for one in self.held if after is None or one > after)[:size]


@dataclass
class Refs:
    """External references in memory."""

    known: dict[tuple[str, str], UUID] = field(default_factory=dict)

    async def internal(
        self, system: str, entity_type: str, external_ids: Collection[str]
    ) -> dict[str, ExternalRef]:
        assert system == SYSTEM
        return {
            key: ExternalRef(system, entity_type, key, self.known[entity_type, key], "")
            for key in external_ids
            if (entity_type, key) in self.known
        }

    async def external(
        self, system: str, internal_ids: Collection[UUID], *, entity_type: str = ""
    ) -> dict[UUID, str]:
        assert system == SYSTEM
        return {
            one: key
            for (of, key), one in self.known.items()
            if one in set(internal_ids) and entity_type in ("", of)
        }


@dataclass
class ToyStage:
    """The stage in memory; what is touched is applied when somebody asks who waits."""

    toy: Toy
    rows_of: dict[AggregateKey, dict[str, tuple[Row, ...]]] = field(default_factory=dict)
    dirty: set[AggregateKey] = field(default_factory=set)
    rogue: list[Rogue] = field(default_factory=list)

    async def rows(self, keys: Collection[AggregateKey]) -> Mapping[AggregateKey, AggregateRows]:
        return {key: self.rows_of[key] for key in keys if self.rows_of.get(key)}

    async def checkpoint(self, stream: str) -> Checkpoint | None:
        terms = dict.fromkeys(("sales", "people"), ("legacy", 3))
        place = Position(self.toy.order)
        return Checkpoint(stream, place, terms, None, AT, "", None)

    async def waiting(self, stream: str, domain: str) -> Waiting:
        assert stream
        assert domain
        return Waiting(len(self.dirty), 0, self.toy.order if self.dirty else None)

    async def still_waiting(
        self, stream: str, keys: Collection[AggregateKey]
    ) -> frozenset[AggregateKey]:
        assert stream
        waited = frozenset(keys) & self.dirty
        for key in sorted(waited):
            self.toy.project(key)
        self.dirty -= waited
        return waited

    async def touch(self, stream: str, keys: Collection[AggregateKey], reason: str) -> int:
        assert stream
        assert reason
        self.dirty |= set(keys)
        return len(keys)

    async def deliver(self, table: Table, rows: Sequence[Row], version: Version) -> int:
        assert version == Version(3, self.toy.order)
        for row in rows:
            self._put(table, key_text(table, row), row)
        return len(rows)

    async def bury(self, table: Table, keys: Collection[str], version: Version) -> int:
        assert version == Version(3, self.toy.order)
        for key in keys:
            self._put(table, key, None)
        return len(keys)

    async def rogues(self, limit: int) -> Sequence[Rogue]:
        return self.rogue[:limit]

    def _put(self, table: Table, key: str, row: Row | None) -> None:
        for some in self.rows_of.values():
            kept = tuple(one for one in some.get(table.name, ()) if key_text(table, one) != key)
            if table.name in some:
                some[table.name] = kept
        if row is None:
            for name in [of for of, some in self.rows_of.items() if not some.get(_root(of.kind))]:
                self.rows_of[name] = {}
            return
        home = self.toy.home_of(table, row)
        some = self.rows_of.setdefault(home, {})
        rows = (*some.get(table.name, ()), row)
        some[table.name] = tuple(sorted(rows, key=lambda one: int(str(one["id"]))))


def _root(kind: str) -> str:
    return f"shop_{kind}"


class ToySnapshot:
    """One state of the legacy, or a place in the core's log."""

    def __init__(self, rows: dict[str, dict[str, Row]], order: int) -> None:
        self._rows = rows
        self.low = self.high = Position(order)
        self.statements = 0

    async def count(self, table: Table) -> int:
        return len(self._rows.get(table.name, {}))

    async def page(
        self, table: Table, after: str | None, size: int, *, to: str | None = None
    ) -> Sequence[Row]:
        rows = self._rows[table.name]
        low, high = int(after or 0), int(to or 10**9)
        return [rows[key] for key in sorted(rows, key=int) if low < int(key) <= high][:size]

    async def some(self, table: Table, column: str, values: Collection[str]) -> Sequence[Row]:
        self.statements += 1
        rows = self._rows[table.name]
        return [rows[key] for key in sorted(rows, key=int) if str(rows[key][column]) in values]

    async def splits(self, table: Table, parts: int) -> Sequence[str]:
        keys = sorted(self._rows[table.name], key=int)
        return [keys[len(keys) * n // parts] for n in range(1, parts)]


@dataclass
class ToySource:
    """A database whose log is a number."""

    toy: Toy
    has_rows: bool
    is_away: bool = False

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[ToySnapshot]:
        if self.is_away:
            raise SourceUnavailable("the database is away")
        rows = self.toy.rows if self.has_rows else {"shop_order": {}}
        self.toy.last = ToySnapshot({name: dict(some) for name, some in rows.items()}, self.order)
        yield self.toy.last

    @property
    def order(self) -> int:
        return self.toy.order

    async def here(self) -> Position:
        return Position(self.order)


@dataclass
class Versions:
    """What was applied to one side."""

    known: dict[tuple[str, UUID], int] = field(default_factory=dict)

    async def orders(self, kind: str, ids: Collection[UUID]) -> Mapping[UUID, int]:
        return {one: self.known[kind, one] for one in ids if (kind, one) in self.known}

    async def behind(self, kind: str, order: int, after: UUID | None, size: int) -> Sequence[UUID]:
        found = [one for (of, one), at in self.known.items() if of == kind and at > order]
        return sorted(one for one in found if after is None or one > after)[:size]


@dataclass
class _Unit:
    refs: Refs

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        return None


class Toy:
    """Both sides, with `orders` orders of two lines, each equal on both."""

    def __init__(self, orders: int = 3) -> None:
        self.order = 1
        self.last: ToySnapshot | None = None
        self.rows: dict[str, dict[str, Row]] = {name: {} for name in TABLES}
        self.refs = Refs()
        self.customers = Documents(CUSTOMERS)
        self.orders = Documents(ORDERS)
        self.stage = ToyStage(self)
        self.legacy, self.core = ToySource(self, True), ToySource(self, False)
        self.core_versions, self.legacy_versions = Versions(), Versions()
        self.kinds: tuple[Kind[Any], ...] = (
            _kind("customer", "people", CustomerTranslation(), self.customers),
            _kind("order", "sales", OrderTranslation(), self.orders),
        )
        self._add("shop_customer", id=1, name="Ada")
        self._add("shop_address", id=1, customer_id=1, street="Hof 1")
        for number in range(1, orders + 1):
            self._order(number)
        for kind in self.kinds:
            root = kind.translation.shape.root
            for key in self.rows[root.name]:
                self.bring(AggregateKey(kind.name, key))

    def _order(self, number: int) -> None:
        self._add("shop_billing", id=number, street=f"Weg {number}")
        self._add("shop_order", id=number, customer_id=1, billing_id=number, total=1_000, memo="x")
        for line in (2 * number, 2 * number + 1):
            self._add("shop_line", id=line, order_id=number, what="tea", quantity=1)
        self._add("shop_option", id=number, line_id=2 * number, word="green")

    def _add(self, table: str, **row: Any) -> None:
        self.rows[table][str(row["id"])] = row

    def stores(self) -> Stores:
        return Stores(
            SYSTEM,
            cast(ChangeSource, self.legacy),
            cast(ChangeSource, self.core),
            cast(Stage, self.stage),
            self.core_versions,
            self.legacy_versions,
            lambda: cast(UnitOfWork, _Unit(self.refs)),
        )

    def of(self, domain: str) -> tuple[Kind[Any], ...]:
        return tuple(kind for kind in self.kinds if kind.domain == domain)

    def bring(self, key: AggregateKey) -> None:
        """Stage an aggregate as the legacy has it, and project it."""
        self.stage.rows_of[key] = self.legacy_rows(key)
        self.project(key)

    def project(self, key: AggregateKey) -> None:
        """What the applier does."""
        kind = next(one for one in self.kinds if one.name == key.kind)
        documents = cast(Documents, kind.documents)
        rows = self.stage.rows_of.get(key)
        one = self.refs.known.get((key.kind, key.key), id_of(key.kind, key.key))
        if rows and rows.get(_root(key.kind)):
            documents.held[one] = kind.translation.forward(rows, self.refs.known)
            self.refs.known[key.kind, key.key] = one
        else:
            documents.held.pop(one, None)
        self.core_versions.known[key.kind, one] = self.order

    def legacy_rows(self, key: AggregateKey) -> dict[str, tuple[Row, ...]]:
        found = {
            name: tuple(row for row in some.values() if self.home_of(TABLES[name], row) == key)
            for name, some in self.rows.items()
        }
        return {name: rows for name, rows in found.items() if rows}

    def home_of(self, table: Table, row: Row) -> AggregateKey:
        if table.name == "shop_address":
            return AggregateKey("customer", str(row["customer_id"]))
        if table.name == "shop_customer":
            return AggregateKey("customer", str(row["id"]))
        if table.name == "shop_line":
            return AggregateKey("order", str(row["order_id"]))
        if table.name == "shop_option":
            line = self.rows["shop_line"][str(row["line_id"])]
            return AggregateKey("order", str(line["order_id"]))
        return AggregateKey("order", str(row["id"]))

    def breaks(self, key: str) -> None:
        """A total that is none."""
        self.rows["shop_order"][key] = {**self.rows["shop_order"][key], "total": Broken("x")}

    def is_rogue(self, side: Side, table: str, key: str) -> None:
        self.stage.rogue.append(Rogue(str(side), "sales", table, key, AT))


def _kind(name: str, domain: str, translation: object, documents: object) -> Kind[Any]:
    return Kind(
        name,
        domain,
        cast("Translation[Any]", translation),
        cast("CoreDocuments[Any]", documents),
    )
