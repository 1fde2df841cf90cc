"""What modules hold of a person, and how it is handed out and taken away."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, replace
from uuid import UUID

from new_core.domain.cart import Cart
from new_core.domain.catalog import Stored
from new_core.domain.consent import DataAccess
from new_core.domain.customer import Customer, anonymised, anonymised_address
from new_core.domain.identity_tokens import SubjectKind
from new_core.domain.order import Order, OrderStatus
from new_core.errors import Detail
from new_core.ports import UnitOfWork
from new_core.ports.carts import CartQuery
from new_core.ports.orders import OrderQuery
from new_core.service.doing import Doing

_AT_A_TIME = 100
_CODE = re.compile(r"[a-z_]{0,40}")
_OPEN = frozenset(
    {
        OrderStatus.PENDING_APPROVAL,
        OrderStatus.PENDING_PAYMENT,
        OrderStatus.PLACED,
        OrderStatus.PROCESSING,
        OrderStatus.ON_HOLD,
    }
)


@dataclass(frozen=True, slots=True)
class Holder:
    """A module that holds personal data.

    Attributes:
        export: all that it holds of a customer, as JSON.
        erase: takes out what leads to the person and leaves what books need; done once.
        objects: why it cannot let go yet; empty when it can.
    """

    export: Callable[[UnitOfWork, Customer], Awaitable[object]]
    erase: Callable[[UnitOfWork, Customer, Doing], Awaitable[None]]
    objects: Callable[[UnitOfWork, Customer], Awaitable[tuple[Detail, ...]]]


async def no_objection(_uow: UnitOfWork, _customer: Customer) -> tuple[Detail, ...]:
    """Nothing speaks against it."""
    return ()


def customers_holder() -> Holder:
    """Accounts, addresses, logins."""

    async def export(_uow: UnitOfWork, customer: Customer) -> object:
        said = asdict(customer)
        del said["password_hash"]
        return said

    async def erase(uow: UnitOfWork, customer: Customer, doing: Doing) -> None:
        await uow.customers.put(anonymised(customer), doing.at)
        await uow.customers.leave_accounts(customer.id)
        await uow.customers.drop_tokens(customer.id)
        await uow.identity.revoke_of(SubjectKind.CUSTOMER, customer.id, "erased", doing.at)
        await uow.idempotency.forget_of(f"customer:{customer.id}")

    return Holder(export, erase, no_objection)


def consent_holder() -> Holder:
    """Decisions, and who looked."""

    async def export(uow: UnitOfWork, customer: Customer) -> object:
        records = await uow.consent.records(customer.id)
        return {
            "decisions": [asdict(one) for one in records],
            "accesses": [asdict(one) async for one in _accesses(uow, customer.id)],
        }

    async def erase(uow: UnitOfWork, customer: Customer, _doing: Doing) -> None:
        await uow.consent.forget_evidence(customer.id)
        await uow.consent.forget_reasons(customer.id)

    return Holder(export, erase, no_objection)


def carts_holder() -> Holder:
    """Carts. Those of an erased customer stay as empty shells, so that orders find theirs."""

    async def export(uow: UnitOfWork, customer: Customer) -> object:
        return [asdict(one) async for one in _carts(uow, customer.id)]

    async def erase(uow: UnitOfWork, customer: Customer, doing: Doing) -> None:
        async for one in _carts(uow, customer.id):
            empty = replace(
                one, lines=(), coupons=(), email="", shipping_address=None,
                billing_address=None, token_sha256="",
            )  # fmt: skip
            await uow.carts.put(empty, doing.at)

    return Holder(export, erase, no_objection)


def orders_holder() -> Holder:
    """Orders: money, taxes and lines stay; who and where exactly goes."""

    async def export(uow: UnitOfWork, customer: Customer) -> object:
        return [asdict(one.value) async for one in _orders(uow, customer.id)]

    async def erase(uow: UnitOfWork, customer: Customer, doing: Doing) -> None:
        async for stored in _orders(uow, customer.id):
            await uow.orders.put(anonymised_order(stored.value), doing.at)
            await uow.orders.forget_texts(stored.value.id)

    async def objects(uow: UnitOfWork, customer: Customer) -> tuple[Detail, ...]:
        return tuple(
            [
                Detail(
                    "/orders",
                    "order_open",
                    f"order {one.value.number} is {one.value.status}: it still needs its address",
                    {"order_id": str(one.value.id)},
                )
                async for one in _orders(uow, customer.id)
                if one.value.status in _OPEN
            ]
        )

    return Holder(export, erase, objects)


def anonymised_order(order: Order) -> Order:
    """An order of nobody: its money is the same to the cent."""
    shipping, billing = order.shipping_address, order.billing_address
    return replace(
        order,
        email="",
        note="",
        token_sha256="",
        purchase_order_number="",
        cancel_reason=order.cancel_reason if _CODE.fullmatch(order.cancel_reason) else "erased",
        shipping_address=None if shipping is None else anonymised_address(shipping),
        billing_address=None if billing is None else anonymised_address(billing),
        # What somebody had engraved is theirs; that they had something engraved is the shop's.
        lines=tuple(
            replace(line, options=tuple((code, "") for code, _ in line.options))
            for line in order.lines
        ),
    )


async def _orders(uow: UnitOfWork, customer_id: UUID) -> AsyncIterator[Stored[Order]]:
    """A customer's orders, oldest first, each with its lines."""
    ids: list[UUID] = []
    after = None
    while True:
        # Read to the end before one is changed: a changed one moves to the end.
        page = await uow.orders.page(
            OrderQuery(_AT_A_TIME, after=after, newest_first=True, customer_id=customer_id)
        )
        ids += [one.value.id for one in page]
        if len(page) < _AT_A_TIME:
            break
        after = (page[-1].value.created_at, page[-1].value.id)
    for one in sorted(ids):
        stored = await uow.orders.locked(one)
        if stored is not None:
            yield stored


async def _carts(uow: UnitOfWork, customer_id: UUID) -> AsyncIterator[Cart]:
    ids: list[UUID] = []
    after = None
    while True:
        page = await uow.carts.page(CartQuery(_AT_A_TIME, after=after, customer_id=customer_id))
        ids += [one.value.id for one in page]
        if len(page) < _AT_A_TIME:
            break
        after = (page[-1].updated_at, page[-1].value.id)
    for one in sorted(ids):
        stored = await uow.carts.locked(one)
        if stored is not None:
            yield stored.value


async def _accesses(uow: UnitOfWork, customer_id: UUID) -> AsyncIterator[DataAccess]:
    after: UUID | None = None
    while True:
        page = await uow.consent.accesses(customer_id, after, _AT_A_TIME)
        for one in page:
            yield one
        if len(page) < _AT_A_TIME:
            return
        after = page[-1].id


Holders = Mapping[str, Holder]
"""By the module's name, in the order in which they let go."""
