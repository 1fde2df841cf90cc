"""Edits of an order that was placed: fewer units, another address, another note.

Prices, discounts and taxes stay as they were agreed. A line with fewer units keeps its share
of each, so an edit never makes an order dearer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TypeVar
from uuid import UUID

from new_core.domain.address import PostalAddress
from new_core.domain.money import UnitPrice, divide
from new_core.domain.order import Order, OrderLine
from new_core.domain.order_states import check_editable
from new_core.domain.totals import Discount, TaxLine
from new_core.errors import Conflict, Detail, NotFound

T = TypeVar("T", Discount, TaxLine)


@dataclass(frozen=True, slots=True)
class SetQuantity:
    """So many units of a line are wanted still; 0 takes it out."""

    line_id: UUID
    quantity: int


@dataclass(frozen=True, slots=True)
class SetAddress:
    """Send it there instead."""

    address: PostalAddress


@dataclass(frozen=True, slots=True)
class SetNote:
    """A note for whoever packs it."""

    note: str


Edit = SetQuantity | SetAddress | SetNote


def edited(order: Order, edits: Sequence[Edit]) -> tuple[Order, tuple[Mapping[str, object], ...]]:
    """The order after all edits, and what was done, as JSON.

    Raises:
        Conflict: `order_not_editable`, `quantity_not_lower`, `order_would_be_empty` or
            `destination_differs`.
        NotFound: it has no such line.
    """
    check_editable(order)
    now, done = order, []
    for one in edits:
        now, said = _apply(now, one)
        done.append(said)
    if not any(line.quantity for line in now.lines):
        raise Conflict("order_would_be_empty", "nothing would be left; cancel the order instead")
    return _added_up(now), tuple(done)


def with_quantity(line: OrderLine, quantity: int, currency: str) -> OrderLine:
    """A line of fewer units, with its share of all its money.

    Its unit price holds; each discount and each tax keeps its proportion to what it was taken
    on. Where a tax was taken on the net amount, it is worked out again by its rate.
    """
    base = UnitPrice(line.unit_micro, currency).times(quantity).minor
    discounts = tuple(
        replace(one, minor=_share(one.minor, base, line.base_minor)) for one in line.discounts
    )
    due_before = line.base_minor - sum(one.minor for one in line.discounts)
    due = base - sum(one.minor for one in discounts)
    net, taxes = _taxed(line, due, due_before)
    return replace(
        line,
        quantity=quantity,
        cancelled_quantity=line.cancelled_quantity + line.quantity - quantity,
        base_minor=base,
        discounts=tuple(one for one in discounts if one.minor),
        net_minor=net,
        taxes=taxes,
        gross_minor=net + sum(one.minor for one in taxes),
    )


def _apply(order: Order, edit: Edit) -> tuple[Order, Mapping[str, object]]:
    if isinstance(edit, SetNote):
        return replace(order, note=edit.note), {"action": "set_note", "before": order.note}
    if isinstance(edit, SetAddress):
        return _readdressed(order, edit.address)
    return _reduced(order, edit)


def _readdressed(order: Order, address: PostalAddress) -> tuple[Order, Mapping[str, object]]:
    before = order.shipping_address
    if before is not None and (before.country, before.region) != (address.country, address.region):
        raise Conflict(
            "destination_differs",
            "taxes and shipping depend on country and region; cancel and order again",
        )
    said = {"action": "set_address", "before": None if before is None else asdict(before)}
    return replace(order, shipping_address=address), said


def _reduced(order: Order, edit: SetQuantity) -> tuple[Order, Mapping[str, object]]:
    line = next((one for one in order.lines if one.id == edit.line_id), None)
    if line is None:
        raise NotFound("order line", str(edit.line_id))
    if not 0 <= edit.quantity < line.quantity:
        detail = Detail(
            f"/lines/{line.id}", "quantity_not_lower", f"it has {line.quantity} units now",
            {"quantity": line.quantity},
        )  # fmt: skip
        raise Conflict(
            "quantity_not_lower", "an order only gets smaller; order more anew", (detail,)
        )
    fewer = with_quantity(line, edit.quantity, order.buyer.currency)
    lines = tuple(fewer if one.id == line.id else one for one in order.lines)
    said: dict[str, object] = {
        "action": "set_quantity",
        "line_id": str(line.id),
        "sku": line.sku,
        "before": line.quantity,
        "after": edit.quantity,
    }
    return replace(order, lines=lines), said


def _taxed(line: OrderLine, due: int, due_before: int) -> tuple[int, tuple[TaxLine, ...]]:
    """Net amount and taxes of what is due after discounts."""
    if due_before == 0:
        return 0, tuple(replace(one, base_minor=0, minor=0) for one in line.taxes)
    if line.gross_minor == due_before:
        # The tax is in the price: what the shopper pays is exact, the net is what is left.
        taxes = _scaled(line.taxes, due, due_before)
        return due - sum(one.minor for one in taxes), taxes
    if line.net_minor == due_before:
        return due, tuple(_by_rate(one, line.net_minor, due) for one in line.taxes)
    return divide(line.net_minor * due, due_before), _scaled(line.taxes, due, due_before)


def _by_rate(tax: TaxLine, net_before: int, net: int) -> TaxLine:
    if tax.base_minor != net_before:
        return _scaled([tax], net, net_before)[0]
    # Where taxes were rounded over the whole order, a line may bear less than its rate says.
    return replace(tax, base_minor=net, minor=min(divide(net * tax.ppm, 1_000_000), tax.minor))


def _scaled(taxes: Iterable[TaxLine], part: int, whole: int) -> tuple[TaxLine, ...]:
    return tuple(
        replace(
            one,
            base_minor=divide(one.base_minor * part, whole),
            minor=divide(one.minor * part, whole),
        )
        for one in taxes
    )


def _share(amount: int, part: int, whole: int) -> int:
    """Rounded down: discounts on a line are never more than the line."""
    return amount * part // whole if whole else 0


def _added_up(order: Order) -> Order:
    shipping = order.shipping
    discounts = [d for line in order.lines for d in line.discounts]
    taxes = [t for line in order.lines for t in line.taxes]
    if shipping is not None:
        discounts += shipping.discounts
        taxes += shipping.taxes
    total = sum(one.gross_minor for one in order.lines)
    return replace(
        order,
        discounts=_summed_discounts(order.discounts, discounts),
        taxes=_summed_taxes(order.taxes, taxes),
        total_minor=total + (shipping.gross_minor if shipping else 0),
    )


def _summed_discounts(known: Iterable[Discount], parts: Sequence[Discount]) -> tuple[Discount, ...]:
    def key(one: Discount) -> tuple[UUID, str]:
        return one.promotion_id, one.coupon

    summed = (replace(one, minor=_sum(parts, one, key)) for one in known)
    return tuple(one for one in summed if one.minor)


def _summed_taxes(known: Iterable[TaxLine], parts: Sequence[TaxLine]) -> tuple[TaxLine, ...]:
    def key(one: TaxLine) -> tuple[str, str, int]:
        return one.code, one.jurisdiction, one.ppm

    return tuple(
        replace(
            one,
            minor=_sum(parts, one, key),
            base_minor=sum(part.base_minor for part in parts if key(part) == key(one)),
        )
        for one in known
    )


def _sum(parts: Sequence[T], like: T, key: Callable[[T], object]) -> int:
    return sum(one.minor for one in parts if key(one) == key(like))
