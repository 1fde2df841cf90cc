"""Customers in the core's tables, read and written as documents."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from legacy_adapters.mapping.aggregates import Shape
from legacy_adapters.oscar.mapping.sync_customer import BookEntry, CustomerDoc, Standing
from legacy_adapters.oscar.storage.core_orders_rows import CoreRow, address_json, address_of
from legacy_adapters.oscar.storage.core_orders_tables import CUSTOMERS
from new_core.domain.identity_logins import scheme_of
from new_core.ports import UnitOfWork
from new_core.storage import connection_of
from new_core.storage.statements import chunks, fetch, one_of, upsert
from new_core.storage.tables.customers import customer, customer_address, customer_token

_C, _A = customer.c, customer_address.c
_PEOPLE = sa.select(customer).where(one_of(_C.id))
_LOCKED = _PEOPLE.with_for_update()
_BOOKS = (
    sa.select(customer_address).where(one_of(_A.customer_id)).order_by(_A.customer_id, _A.position)
)
_NOT_ERASED = _C.status != Standing.ERASED.value
_MAILBOXES = sa.select(_C.id, _C.email).where(one_of(_C.email), _NOT_ERASED)
_NAMES = sa.select(_C.id, _C.username).where(one_of(_C.username))


class CustomerDocuments:
    """Customers of the core as documents."""

    @property
    def shapes(self) -> Sequence[Shape]:
        """Their rows."""
        return (CUSTOMERS,)

    async def read(self, uow: UnitOfWork, ids: Collection[UUID]) -> Mapping[UUID, CustomerDoc]:
        """Documents as they are now."""
        connection = connection_of(uow)
        rows = await fetch(connection, _PEOPLE, ids)
        books = await _books(connection, [row["id"] for row in rows])
        return {row["id"]: document(row, books.get(row["id"], ())) for row in rows}

    async def page(self, uow: UnitOfWork, after: UUID | None, size: int) -> Sequence[UUID]:
        """The next ids, ascending."""
        wanted = sa.select(_C.id).order_by(_C.id).limit(size)
        if after is not None:
            wanted = wanted.where(_C.id > after)
        return (await connection_of(uow).execute(wanted)).scalars().all()

    async def write(
        self, uow: UnitOfWork, docs: Sequence[CustomerDoc], now: datetime
    ) -> Mapping[UUID, str]:
        """Write customers and their addresses. Groups, accounts, telephone number and language
        stay, and so does who says what they said. A password that is another ends the ways to
        set one.
        """
        connection = connection_of(uow)
        held = {row["id"]: row for row in await fetch(connection, _LOCKED, _ids(docs))}
        books = await _books(connection, held)
        changed = [
            one
            for one in docs
            if one.id not in held or document(held[one.id], books.get(one.id, ())) != one
        ]
        refused = await _refused(connection, changed, held)
        taken = [one for one in changed if one.id not in refused]
        # 1. One customer leaves an address of mail, 2. another takes it in the same batch: it
        # is free before it is taken.
        await _make_room(connection, taken, held)
        await upsert(connection, customer, [_row(one, held.get(one.id)) for one in taken], now)
        await _put_books(connection, taken, books, now)
        lost = [
            one.id
            for one in taken
            if one.id in held and held[one.id]["password_hash"] != one.password_hash
        ]
        for part in chunks(lost):
            mine = customer_token.c.customer_id.in_(part)
            await connection.execute(sa.delete(customer_token).where(mine))
        return refused

    async def remove(self, uow: UnitOfWork, ids: Collection[UUID], now: datetime) -> None:  # noqa: ARG002 - nothing of them stays that a time could be kept in
        """Take customers out, with addresses, groups and memberships; orders stay."""
        connection = connection_of(uow)
        for part in chunks(ids):
            await connection.execute(sa.delete(customer).where(_C.id.in_(part)))


def document(row: CoreRow, book: Sequence[CoreRow]) -> CustomerDoc:
    """The document of a customer's rows."""
    entries = [_entry(one) for one in book]
    return CustomerDoc(
        id=row["id"],
        standing=Standing(row["status"]),
        email=row["email"],
        username=row["username"],
        first_name=row["first_name"],
        last_name=row["last_name"],
        password_hash=row["password_hash"],
        created_at=row["created_at"],
        book=tuple(sorted(entries, key=lambda one: one.id)),
    )


def _entry(row: CoreRow) -> BookEntry:
    address = address_of(dict(row))
    assert address is not None  # noqa: S101 - a row is there
    return BookEntry(row["id"], address, row["default_shipping"], row["default_billing"])


def _ids(docs: Sequence[CustomerDoc]) -> list[UUID]:
    return [one.id for one in docs]


async def _books(connection: AsyncConnection, ids: Collection[UUID]) -> dict[UUID, list[CoreRow]]:
    found: dict[UUID, list[CoreRow]] = {}
    for row in await fetch(connection, _BOOKS, ids):
        found.setdefault(row["customer_id"], []).append(row)
    return found


def _row(doc: CustomerDoc, held: CoreRow | None) -> dict[str, Any]:
    return {
        "id": doc.id,
        "email": doc.email,
        "status": doc.standing.value,
        "username": doc.username,
        "first_name": doc.first_name,
        "last_name": doc.last_name,
        "phone": "" if held is None else held["phone"],
        "locale": "" if held is None else held["locale"],
        "password_hash": doc.password_hash,
        "password_scheme": scheme_of(doc.password_hash),
        "created_at": doc.created_at,
    }


async def _put_books(
    connection: AsyncConnection,
    docs: Sequence[CustomerDoc],
    books: Mapping[UUID, Sequence[CoreRow]],
    now: datetime,
) -> None:
    rows: list[dict[str, Any]] = []
    gone: list[UUID] = []
    for doc in docs:
        held = {one["id"]: one for one in books.get(doc.id, ())}
        gone += held.keys() - {one.id for one in doc.book}
        last = max((one["position"] for one in held.values()), default=-1)
        for one in doc.book:
            old = held.get(one.id)
            last += old is None
            company = "" if old is None else old["company"]
            rows.append(
                {
                    "id": one.id, "customer_id": doc.id,
                    "position": last if old is None else old["position"],
                    "default_shipping": one.default_shipping,
                    "default_billing": one.default_billing,
                    **address_json(one.address, company),
                }
            )  # fmt: skip
    for part in chunks(gone):
        await connection.execute(sa.delete(customer_address).where(_A.id.in_(part)))
    await upsert(connection, customer_address, rows, now)


async def _make_room(
    connection: AsyncConnection, docs: Sequence[CustomerDoc], held: Mapping[UUID, CoreRow]
) -> None:
    moved = [
        one
        for one in docs
        if one.id in held
        and (held[one.id]["email"], held[one.id]["username"]) != (one.email, one.username)
    ]
    if not moved:
        return
    parts = {"email": sa.bindparam("held"), "username": ""}
    statement = sa.update(customer).where(_C.id == sa.bindparam("key")).values(parts)
    rows = [{"key": one.id, "held": f"{one.id.hex}@moving.invalid"} for one in moved]
    await connection.execute(statement, rows)


async def _refused(
    connection: AsyncConnection, docs: Sequence[CustomerDoc], held: Mapping[UUID, CoreRow]
) -> dict[UUID, str]:
    """Reasons of those that the core cannot take."""
    mailboxes, names = {one.email for one in docs}, {one.username for one in docs if one.username}
    rows: dict[tuple[str, str], UUID] = {}
    for column, found in (
        ("email", await fetch(connection, _MAILBOXES, mailboxes)),
        ("username", await fetch(connection, _NAMES, names)),
    ):
        rows |= {(column, row[column]): row["id"] for row in found}
    refused: dict[UUID, str] = {}
    while True:
        # Who is written says anew what is theirs; who is refused keeps what they had.
        moved = {one.id for one in docs if one.id in held and one.id not in refused}
        taken = {what: ident for what, ident in rows.items() if ident not in moved}
        more = _clashes([one for one in docs if one.id not in refused], held, taken)
        if not more:
            return refused
        refused |= more


def _clashes(
    docs: Sequence[CustomerDoc],
    held: Mapping[UUID, CoreRow],
    taken: dict[tuple[str, str], UUID],
) -> dict[UUID, str]:
    found = {}
    for doc in docs:
        reason = _reason(doc, held.get(doc.id), taken)
        if reason is not None:
            found[doc.id] = reason
        else:
            taken |= dict.fromkeys(_theirs(doc), doc.id)
    return found


def _theirs(doc: CustomerDoc) -> list[tuple[str, str]]:
    if doc.standing is Standing.ERASED:
        return []
    return [("email", doc.email), *([("username", doc.username)] if doc.username else [])]


def _reason(
    doc: CustomerDoc, held: CoreRow | None, taken: Mapping[tuple[str, str], UUID]
) -> str | None:
    was_erased = held is not None and held["status"] == Standing.ERASED.value
    if was_erased and doc.standing is not Standing.ERASED:
        return "was erased in the core, and nobody brings them back"
    for what, value in _theirs(doc):
        other = taken.get((what, value))
        if other is not None and other != doc.id:
            return f"has the {what} of the customer {other}, who is in the core"
    return None
