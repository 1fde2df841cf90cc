"""Carts as the replicator reads and writes them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from legacy_adapters.mapping.aggregates import Child, Shape
from legacy_adapters.oscar.mapping.sync_cart import CartDocument
from legacy_adapters.oscar.mapping.sync_cart_lines import CartLine, merged
from legacy_adapters.oscar.storage import tables as own
from legacy_adapters.oscar.storage.core_shapes import core_table
from new_core.domain.cart import CUSTOMER_LIFE, GUEST_LIFE, CartState
from new_core.domain.cart_lines import options_hash
from new_core.ports import UnitOfWork
from new_core.storage import connection_of
from new_core.storage import tables as t
from new_core.storage.statements import Row, fetch, one_of, replace_children, upsert

_CART, _LINE = t.carts.cart, t.carts.cart_line
_LEVEL = t.stock_level.c
_HEADS = sa.select(
    _CART.c.id, _CART.c.state, _CART.c.customer_id, _CART.c.currency, _CART.c.coupons,
    _CART.c.created_at,
).where(one_of(_CART.c.id))  # fmt: skip
_NAMED = t.stock_level.alias("named")
_FIRST = (
    sa.select(_LEVEL.id)
    .where(_LEVEL.variant_id == _LINE.c.variant_id)
    .order_by(_LEVEL.rank, _LEVEL.id)
    .limit(1)
    .correlate(_LINE)
    .scalar_subquery()
)
_LINES = (
    sa.select(
        _LINE.c.id, _LINE.c.cart_id, _LINE.c.quantity, _LINE.c.options,
        t.variant.c.product_id, sa.func.coalesce(_NAMED.c.id, _FIRST).label("stock_level_id"),
    )
    .select_from(
        _LINE.join(t.variant, t.variant.c.id == _LINE.c.variant_id)
        .outerjoin(own.line, own.line.c.line_id == _LINE.c.id)
        .outerjoin(_NAMED, _NAMED.c.id == own.line.c.stock_level_id)
    )
    .where(one_of(_LINE.c.cart_id))
    .order_by(_LINE.c.position, _LINE.c.id)
)  # fmt: skip
_LOCKED = _HEADS.order_by(_CART.c.id).with_for_update()
_PLACED = (_LINE.c.id, _LINE.c.cart_id, _LINE.c.variant_id, _LINE.c.options_hash)
_LINES_THERE = sa.select(*_PLACED).where(one_of(_LINE.c.cart_id))
_CODES = sa.select(own.voucher.c.id, own.voucher.c.code).where(one_of(own.voucher.c.code))
_VOUCHERS = sa.select(own.voucher.c.id, own.voucher.c.code).where(one_of(own.voucher.c.id))
_OPTIONS_BY_CODE = sa.select(t.option.c.id, t.option.c.code).where(one_of(t.option.c.code))
_OPTIONS = sa.select(t.option.c.id, t.option.c.code).where(one_of(t.option.c.id))
_VARIANTS = sa.select(t.variant.c.product_id, t.variant.c.id).where(one_of(t.variant.c.product_id))
_LEVELS = sa.select(_LEVEL.id).where(one_of(_LEVEL.id))
_MEMBER = t.customers.customer_group_member
_GROUPS = sa.select(_MEMBER.c.customer_id, _MEMBER.c.group_id).where(one_of(_MEMBER.c.customer_id))


@dataclass(frozen=True, slots=True)
class _Known:
    """What documents point at, as far as it is there.

    Attributes:
        theirs: codes in the carts as they are that oscar knows, too.
    """

    variants: Mapping[UUID, UUID]
    levels: frozenset[UUID]
    options: Mapping[UUID, str]
    vouchers: Mapping[UUID, str]
    groups: Mapping[UUID, list[str]]
    theirs: frozenset[str]

    def refusal(self, doc: CartDocument) -> str | None:
        """Why a cart cannot be written; None when it can."""
        if any(one not in self.vouchers for one in doc.vouchers):
            return "needs a voucher that is not in the core: copy it with `banyan backfill`"
        for line in doc.lines:
            if line.product_id not in self.variants:
                return f"needs product {line.product_id}, which is not there"
            if line.stock_level_id is not None and line.stock_level_id not in self.levels:
                return f"needs stock record {line.stock_level_id}, which is not there"
            if any(option not in self.options for option, _ in line.options):
                return "needs an option that is not there"
        return None


class SqlCartDocuments:
    """Carts in the core's tables."""

    shapes: Sequence[Shape] = (
        Shape("cart", core_table(_CART), (Child(core_table(_LINE), by="cart_id"),)),
    )

    def __init__(self, currency: str) -> None:
        """Begin.

        Args:
            currency: the shop's, in which a cart without lines is.
        """
        self._currency = currency

    async def read(self, uow: UnitOfWork, ids: Collection[UUID]) -> Mapping[UUID, CartDocument]:
        """Carts as they are now."""
        connection = connection_of(uow)
        return await _read(connection, await fetch(connection, _HEADS, ids))

    async def page(self, uow: UnitOfWork, after: UUID | None, size: int) -> Sequence[UUID]:
        """The next ids, ascending."""
        chosen = sa.select(_CART.c.id).order_by(_CART.c.id).limit(size)
        if after is not None:
            chosen = chosen.where(_CART.c.id > after)
        return list((await connection_of(uow).execute(chosen)).scalars())

    async def write(
        self, uow: UnitOfWork, docs: Sequence[CartDocument], now: datetime
    ) -> Mapping[UUID, str]:
        """Make carts hold these lines; addresses and the like stay as the core has them."""
        connection = connection_of(uow)
        heads = await fetch(connection, _LOCKED, [one.id for one in docs])
        before = await _read(connection, heads)
        changed = [one for one in docs if before.get(one.id) != one]
        known = await _known(connection, changed, heads)
        reasons = {one.id: why for one in changed if (why := known.refusal(one)) is not None}
        taken = [one for one in changed if one.id not in reasons]
        if taken:
            kept = {row["id"]: row for row in heads}
            await self._write_heads(connection, taken, kept, known, now)
            await _write_lines(connection, taken, known, now)
        return reasons

    async def remove(self, uow: UnitOfWork, ids: Collection[UUID], now: datetime) -> None:  # noqa: ARG002 - the port's
        """Delete carts with their lines."""
        connection = connection_of(uow)
        for column in (own.line.c.cart_id, _LINE.c.cart_id, _CART.c.id):
            await replace_children(connection, column, ids, [])

    async def _write_heads(
        self,
        connection: AsyncConnection,
        docs: Sequence[CartDocument],
        before: Mapping[UUID, Row],
        known: _Known,
        now: datetime,
    ) -> None:
        """A cart that is there keeps what only the core knows of it."""
        new = [self._new(one, known, now) for one in docs if one.id not in before]
        await upsert(connection, _CART, new, now)
        changes = [
            {
                "one": one.id,
                "to": one.state.value,
                "of": one.customer_id,
                "in": one.currency or before[one.id]["currency"],
                "codes": _codes(one, before[one.id]["coupons"], known),
                "begun": one.created_at,
                "until": now + _life(one),
            }
            for one in docs
            if one.id in before
        ]
        if changes:
            await connection.execute(
                sa.update(_CART)
                .where(_CART.c.id == sa.bindparam("one"))
                .values(
                    state=sa.bindparam("to"), customer_id=sa.bindparam("of"),
                    currency=sa.bindparam("in"), coupons=sa.bindparam("codes"),
                    created_at=sa.bindparam("begun"), expires_at=sa.bindparam("until"),
                    version=_CART.c.version + 1, updated_at=now,
                ),
                changes,
            )  # fmt: skip

    def _new(self, doc: CartDocument, known: _Known, now: datetime) -> dict[str, Any]:
        groups = known.groups.get(doc.customer_id, []) if doc.customer_id is not None else []
        return {
            "id": doc.id, "state": doc.state.value, "customer_id": doc.customer_id,
            "location_id": None, "account_ids": [], "group_ids": sorted(groups),
            "currency": doc.currency or self._currency, "channel": "", "country": "",
            "coupons": _codes(doc, [], known), "token_sha256": "", "email": "",
            "shipping_code": "", "shipping_address": None, "billing_address": None,
            "merged_into": None, "created_at": doc.created_at, "expires_at": now + _life(doc),
        }  # fmt: skip


def _life(doc: CartDocument) -> Any:
    return GUEST_LIFE if doc.customer_id is None else CUSTOMER_LIFE


def _codes(doc: CartDocument, before: Sequence[str], known: _Known) -> list[str]:
    """The codes in the cart: in its own order, and with those that only the core knows."""
    wanted = {known.vouchers[one] for one in doc.vouchers}
    there = {one.upper() for one in before}
    kept = [one for one in before if one.upper() in wanted or one.upper() not in known.theirs]
    return [*kept, *sorted(wanted - there)]


async def _read(connection: AsyncConnection, heads: Sequence[Row]) -> dict[UUID, CartDocument]:
    rows = await fetch(connection, _LINES, [row["id"] for row in heads])
    codes = {code.upper() for row in heads for code in row["coupons"]}
    vouchers = {row["code"]: row["id"] for row in await fetch(connection, _CODES, codes)}
    names = {code for row in rows for code, _ in row["options"]}
    options = {row["code"]: row["id"] for row in await fetch(connection, _OPTIONS_BY_CODE, names)}
    lines: dict[UUID, list[CartLine]] = {}
    for row in rows:
        chosen = ((options[code], value) for code, value in row["options"] if code in options)
        line = CartLine(
            row["id"], row["product_id"], row["stock_level_id"], row["quantity"],
            tuple(sorted(chosen)),
        )  # fmt: skip
        lines.setdefault(row["cart_id"], []).append(line)
    return {
        row["id"]: CartDocument(
            id=row["id"],
            state=CartState(row["state"]),
            customer_id=row["customer_id"],
            currency=row["currency"] if row["id"] in lines else "",
            vouchers=tuple(
                sorted({vouchers[one.upper()] for one in row["coupons"] if one.upper() in vouchers})
            ),
            lines=merged(lines.get(row["id"], ())),
            created_at=row["created_at"],
        )
        for row in heads
    }


async def _known(
    connection: AsyncConnection, docs: Sequence[CartDocument], heads: Sequence[Row]
) -> _Known:
    lines = [line for one in docs for line in one.lines]
    variants = await fetch(connection, _VARIANTS, {one.product_id for one in lines})
    levels = await fetch(connection, _LEVELS, {one.stock_level_id for one in lines})
    options = await fetch(connection, _OPTIONS, {one for line in lines for one, _ in line.options})
    vouchers = await fetch(connection, _VOUCHERS, {one for doc in docs for one in doc.vouchers})
    owners = {one.customer_id for one in docs if one.customer_id is not None}
    codes = {code.upper() for row in heads for code in row["coupons"]}
    theirs = await fetch(connection, _CODES, codes)
    groups: dict[UUID, list[str]] = {}
    for row in await fetch(connection, _GROUPS, owners):
        groups.setdefault(row["customer_id"], []).append(str(row["group_id"]))
    return _Known(
        variants={row["product_id"]: row["id"] for row in variants},
        levels=frozenset(row["id"] for row in levels),
        options={row["id"]: row["code"] for row in options},
        vouchers={row["id"]: row["code"] for row in vouchers},
        groups=groups,
        theirs=frozenset(row["code"] for row in theirs),
    )


async def _write_lines(
    connection: AsyncConnection, docs: Sequence[CartDocument], known: _Known, now: datetime
) -> None:
    """Lines that go, go first: a new one may be of the same goods. A line that moved from one
    cart into another, as at a login, stays the same line.
    """
    carts = [one.id for one in docs]
    rows, places = [], []
    for doc in docs:
        for position, line in enumerate(doc.lines):
            rows.append(_line_row(doc.id, line, position, known))
            if line.stock_level_id is not None:
                place = {"line_id": line.id, "cart_id": doc.id}
                places.append({**place, "stock_level_id": line.stock_level_id})
    wanted = {tuple(row[column.name] for column in _PLACED) for row in rows}
    there = {tuple(row.values()) for row in await fetch(connection, _LINES_THERE, carts)}
    await replace_children(connection, _LINE.c.id, {one[0] for one in there - wanted}, [])
    await upsert(connection, _LINE, rows, now)
    await replace_children(connection, own.line.c.cart_id, carts, [])
    await upsert(connection, own.line, places, now)


def _line_row(cart_id: UUID, line: CartLine, position: int, known: _Known) -> dict[str, Any]:
    options = tuple(sorted((known.options[option], value) for option, value in line.options))
    return {
        "id": line.id,
        "cart_id": cart_id,
        "variant_id": known.variants[line.product_id],
        "options_hash": options_hash(options),
        "options": [list(pair) for pair in options],
        "quantity": line.quantity,
        "position": position,
        # Oscar shows the price of the day, and holds nobody to the one they saw first.
        "shown_micro": None,
    }
