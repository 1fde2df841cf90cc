"""Rows of the core's orders as documents, and documents as rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid5

from legacy_adapters.oscar.mapping.orders import no_cart, no_product
from legacy_adapters.oscar.mapping.records import SYSTEM
from legacy_adapters.oscar.mapping.sync_customer_addresses import Address
from legacy_adapters.oscar.mapping.sync_order_documents import (
    FIRST_STATUS,
    STAGE,
    Line,
    OrderDoc,
    Reduction,
    Settled,
    Share,
    Shipping,
    Stage,
    placed_in_oscar,
    sums,
    told,
)
from new_core.domain.currency import decimals
from new_core.domain.money import MICRO, divide
from new_core.domain.order import FulfilmentStatus, OrderStatus, PaymentStatus
from new_core.domain.totals import DiscountKind

Json = dict[str, Any]
CoreRow = Mapping[Any, Any]

_SHIPPING = DiscountKind.SHIPPING.value
_SETTLED = {one.value: one for one in Settled if one}
_PPM = 1_000_000


@dataclass(frozen=True, slots=True)
class Around:
    """What the core knows of orders outside of their rows.

    Attributes:
        promised: (order, variant) to the place that holds the goods.
        billed: carts with a billing address of their own.
    """

    promised: Mapping[tuple[UUID, UUID], UUID] = field(default_factory=dict)
    billed: frozenset[UUID] = frozenset()


def document(row: CoreRow, lines: Sequence[CoreRow], around: Around) -> OrderDoc:
    """The document of an order's rows; `lines` by position."""
    ident, customer_id = row["id"], row["customer_id"]
    tax_included, bases = told(
        sums(
            one["base_minor"], one["net_minor"], one["gross_minor"],
            tax_included=row["tax_included"],
        )
        for one in lines
    )  # fmt: skip
    stage = STAGE[OrderStatus(row["status"])]
    return OrderDoc(
        id=ident,
        number=row["number"],
        cart_id=None if row["cart_id"] == no_cart(ident) else row["cart_id"],
        customer_id=customer_id,
        email="" if customer_id is not None else row["email"],
        currency=row["currency"],
        stage=stage,
        settled=_settled(ident, stage, row["payment_status"]),
        placed_at=row["placed_at"] or row["created_at"],
        lines=tuple(_line(one, base, around) for one, base in zip(lines, bases, strict=True)),
        shipping=_shipping(row["shipping"]),
        reductions=tuple(_reduction(one) for one in row["discounts"]),
        tax_included=tax_included,
        net_minor=row["net_minor"],
        total_minor=row["total_minor"],
        shipping_address=address_of(row["shipping_address"]),
        billing_address=_billing(row, around),
    )


def address_of(kept: Json | None) -> Address | None:
    """An address out of its JSON."""
    if kept is None:
        return None
    return Address(
        country=kept["country"], lines=tuple(kept["lines"]), city=kept["city"],
        title=kept["title"], first_name=kept["first_name"], last_name=kept["last_name"],
        region=kept["region"], postcode=kept["postcode"], phone=kept["phone"],
        notes=kept["notes"],
    )  # fmt: skip


def _billing(row: CoreRow, around: Around) -> Address | None:
    """The core bills the shipping address where nobody gave another, and oscar nobody."""
    own, ship_to = row["billing_address"], row["shipping_address"]
    is_told = placed_in_oscar(row["id"]) or own != ship_to or row["cart_id"] in around.billed
    return _unreached(address_of(own)) if is_told else None


def _unreached(one: Address | None) -> Address | None:
    """Nobody is called or sent to where a bill goes, in oscar."""
    if one is None or not (one.phone or one.notes):
        return one
    return address_of(address_json(one) | {"phone": "", "notes": ""})


def _settled(ident: UUID, stage: Stage, status: str) -> Settled:
    if stage is Stage.CANCELLED or not placed_in_oscar(ident):
        return Settled.UNSAID
    return _SETTLED.get(status, Settled.UNSAID)


def _shipping(kept: Json | None) -> Shipping | None:
    if kept is None:
        return None
    return Shipping(kept["code"], kept["name"], kept["net_minor"], kept["gross_minor"])


def _reduction(kept: Json) -> Reduction:
    return Reduction(
        UUID(kept["promotion_id"]), kept["name"], kept["coupon"], kept["kind"] == _SHIPPING,
        kept["minor"],
    )  # fmt: skip


def _line(row: CoreRow, base: int, around: Around) -> Line:
    ident, product_id = row["id"], row["product_id"]
    promised = around.promised.get((row["order_id"], row["variant_id"]))
    return Line(
        id=ident,
        product_id=None if product_id == no_product(ident) else product_id,
        stock_level_id=row["stock_level_id"] or promised,
        sku=row["sku"],
        title=row["title"],
        quantity=row["quantity"],
        base_minor=base,
        net_minor=row["net_minor"],
        gross_minor=row["gross_minor"],
        shares=tuple(
            Share(UUID(one["promotion_id"]), one["coupon"], one["minor"])
            for one in row["discounts"]
        ),
        options=tuple((code, value) for code, value in row["options"]),
    )


def address_json(one: Address, company: str = "") -> Json:
    """An address as the core keeps it."""
    return {
        "country": one.country, "lines": list(one.lines), "city": one.city,
        "first_name": one.first_name, "last_name": one.last_name, "title": one.title,
        "company": company, "region": one.region, "postcode": one.postcode, "phone": one.phone,
        "notes": one.notes,
    }  # fmt: skip


def fresh_row(doc: OrderDoc, email: str) -> Json:
    """The columns of an order of which the core knows nothing yet, but version and time."""
    tax = doc.total_minor - doc.net_minor
    ship_to, bill_to = doc.shipping_address, doc.billing_address
    if not placed_in_oscar(doc.id):
        bill_to = bill_to or ship_to
    return {
        "id": doc.id,
        "number": doc.number,
        "cart_id": doc.cart_id or no_cart(doc.id),
        "customer_id": doc.customer_id,
        "account_ids": "",
        "currency": doc.currency,
        "buyer": _buyer(doc),
        "email": email,
        "status": FIRST_STATUS[doc.stage].value,
        "payment_status": _payment(doc).value,
        "fulfilment_status": _fulfilment(doc.stage).value,
        "shipping": _shipping_json(doc),
        "discounts": [_reduction_json(one) for one in doc.reductions],
        "taxes": _taxes(doc.net_minor, tax),
        "net_minor": doc.net_minor,
        "tax_minor": tax,
        "total_minor": doc.total_minor,
        "tax_included": doc.tax_included,
        "shipping_address": None if ship_to is None else address_json(ship_to),
        "billing_address": None if bill_to is None else address_json(bill_to),
        "purchase_order_number": "",
        "note": "",
        "cancel_reason": SYSTEM if doc.stage is Stage.CANCELLED else "",
        "token_sha256": "",
        "token_expires_at": None,
        "source": SYSTEM if placed_in_oscar(doc.id) else "core",
        "created_at": doc.placed_at,
        "placed_at": doc.placed_at,
    }


def fresh_line(doc: OrderDoc, position: int, line: Line, variants: Mapping[UUID, UUID]) -> Json:
    """The columns of a line of which the core knows nothing yet."""
    product_id = line.product_id or no_product(line.id)
    finer = int(MICRO // 10 ** decimals(doc.currency))
    return {
        "id": line.id,
        "order_id": doc.id,
        "position": position,
        "variant_id": variants.get(product_id) or uuid5(product_id, "variant"),
        "product_id": product_id,
        "stock_level_id": line.stock_level_id,
        "sku": line.sku,
        "title": line.title,
        "quantity": line.quantity,
        "unit_micro": divide(line.base_minor * finer, line.quantity) if line.quantity else 0,
        "base_minor": line.base_minor,
        "net_minor": line.net_minor,
        "gross_minor": line.gross_minor,
        "discounts": _shares(doc, line),
        "taxes": _taxes(line.net_minor, line.gross_minor - line.net_minor),
        "options": [list(pair) for pair in line.options],
        "cancelled_quantity": 0,
        "fulfilled_quantity": line.quantity if doc.stage is Stage.COMPLETED else 0,
        "returned_quantity": 0,
    }


def _buyer(doc: OrderDoc) -> Json:
    return {
        "currency": doc.currency,
        "customer_id": None if doc.customer_id is None else str(doc.customer_id),
        "location_id": None,
        "account_ids": [],
        "group_ids": [],
        "channel": "",
        "country": "",
    }


def _payment(doc: OrderDoc) -> PaymentStatus:
    if doc.settled:
        return PaymentStatus(doc.settled.value)
    return PaymentStatus.UNPAID if doc.total_minor else PaymentStatus.NOT_REQUIRED


def _fulfilment(stage: Stage) -> FulfilmentStatus:
    """Oscar's orders are complete when they are sent."""
    is_sent = stage is Stage.COMPLETED
    return FulfilmentStatus.SHIPPED if is_sent else FulfilmentStatus.UNFULFILLED


def _shipping_json(doc: OrderDoc) -> Json | None:
    one = doc.shipping
    if one is None:
        return None
    off = [each for each in doc.reductions if each.of_shipping]
    paid = one.gross_minor if doc.tax_included else one.net_minor
    return {
        "code": one.code,
        "name": one.name,
        "base_minor": paid + sum(each.minor for each in off),
        "discounts": [_reduction_json(each) for each in off],
        "net_minor": one.net_minor,
        "taxes": _taxes(one.net_minor, one.gross_minor - one.net_minor),
        "gross_minor": one.gross_minor,
    }


def _reduction_json(one: Reduction) -> Json:
    kind = DiscountKind.SHIPPING if one.of_shipping else DiscountKind.ORDER
    return {
        "promotion_id": str(one.promotion_id), "name": one.name, "kind": kind.value,
        "minor": one.minor, "coupon": one.coupon,
    }  # fmt: skip


def _shares(doc: OrderDoc, line: Line) -> list[Json]:
    if not line.shares:
        return []
    names = {(one.promotion_id, one.coupon): one.name for one in doc.reductions}
    return [
        {
            "promotion_id": str(one.promotion_id),
            "name": names.get((one.promotion_id, one.coupon), ""),
            "kind": DiscountKind.ORDER.value, "minor": one.minor, "coupon": one.coupon,
        }
        for one in line.shares
    ]  # fmt: skip


def _taxes(net: int, tax: int) -> list[Json]:
    """One tax: oscar knows no more of it than its sum."""
    if not tax:
        return []
    return [
        {
            "code": SYSTEM, "name": "Tax", "jurisdiction": "",
            "ppm": divide(tax * _PPM, net) if net > 0 else 0, "base_minor": net, "minor": tax,
        }
    ]  # fmt: skip
