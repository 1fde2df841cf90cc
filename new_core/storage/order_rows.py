"""Orders as rows, and rows as orders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any
from uuid import UUID

from new_core.domain.address import PostalAddress
from new_core.domain.buyer import Buyer
from new_core.domain.order import (
    FulfilmentStatus,
    Order,
    OrderChange,
    OrderLine,
    OrderStatus,
    PaymentStatus,
)
from new_core.domain.totals import Discount, DiscountKind, PricedShipping, TaxLine
from new_core.storage.statements import Row

Json = Mapping[str, Any]


def order_row(order: Order) -> dict[str, Any]:
    """All columns but `version` and `updated_at`."""
    tax_minor = sum(one.minor for one in order.taxes)
    return {
        "id": order.id,
        "number": order.number,
        "cart_id": order.cart_id,
        "customer_id": order.buyer.customer_id,
        "account_ids": " ".join(str(one) for one in order.buyer.account_ids),
        "currency": order.buyer.currency,
        "buyer": _buyer_json(order.buyer),
        "email": order.email,
        "status": order.status.value,
        "payment_status": order.payment_status.value,
        "fulfilment_status": order.fulfilment_status.value,
        "shipping": _shipping_json(order.shipping),
        "discounts": _discounts_json(order.discounts),
        "taxes": _taxes_json(order.taxes),
        "net_minor": order.total_minor - tax_minor,
        "tax_minor": tax_minor,
        "total_minor": order.total_minor,
        "tax_included": order.tax_included,
        "shipping_address": _address_json(order.shipping_address),
        "billing_address": _address_json(order.billing_address),
        "purchase_order_number": order.purchase_order_number,
        "note": order.note,
        "cancel_reason": order.cancel_reason,
        "token_sha256": order.token_sha256,
        "token_expires_at": order.token_expires_at,
        "source": order.source,
        "created_at": order.created_at,
        "placed_at": order.placed_at,
    }


def line_rows(order: Order) -> list[dict[str, Any]]:
    """All rows of its lines."""
    return [
        {
            "id": one.id,
            "order_id": order.id,
            "position": one.position,
            "variant_id": one.variant_id,
            "product_id": one.product_id,
            "stock_level_id": one.stock_level_id,
            "sku": one.sku,
            "title": one.title,
            "quantity": one.quantity,
            "unit_micro": one.unit_micro,
            "base_minor": one.base_minor,
            "net_minor": one.net_minor,
            "gross_minor": one.gross_minor,
            "discounts": _discounts_json(one.discounts),
            "taxes": _taxes_json(one.taxes),
            "options": [list(pair) for pair in one.options],
            "cancelled_quantity": one.cancelled_quantity,
            "fulfilled_quantity": one.fulfilled_quantity,
            "returned_quantity": one.returned_quantity,
        }
        for one in order.lines
    ]


def change_row(change: OrderChange) -> dict[str, Any]:
    """All columns."""
    return {
        "order_id": change.order_id,
        "n": change.n,
        "kind": change.kind,
        "actions": [dict(one) for one in change.actions],
        "total_before_minor": change.total_before_minor,
        "total_after_minor": change.total_after_minor,
        "actor": change.actor,
        "reason": change.reason,
        "at": change.at,
    }


def order_of(row: Row, lines: Iterable[OrderLine]) -> Order:
    """An order out of its row and its lines."""
    return Order(
        id=row["id"],
        number=row["number"],
        cart_id=row["cart_id"],
        buyer=_buyer(row["buyer"]),
        status=OrderStatus(row["status"]),
        payment_status=PaymentStatus(row["payment_status"]),
        fulfilment_status=FulfilmentStatus(row["fulfilment_status"]),
        lines=tuple(lines),
        shipping=_shipping(row["shipping"]),
        discounts=_discounts(row["discounts"]),
        taxes=_taxes(row["taxes"]),
        total_minor=row["total_minor"],
        tax_included=row["tax_included"],
        created_at=row["created_at"],
        placed_at=row["placed_at"],
        email=row["email"],
        shipping_address=_address(row["shipping_address"]),
        billing_address=_address(row["billing_address"]),
        purchase_order_number=row["purchase_order_number"],
        token_sha256=row["token_sha256"],
        token_expires_at=row["token_expires_at"],
        source=row["source"],
        note=row["note"],
        cancel_reason=row["cancel_reason"],
    )


def line_of(row: Row) -> OrderLine:
    """A line out of its row."""
    return OrderLine(
        id=row["id"],
        variant_id=row["variant_id"],
        product_id=row["product_id"],
        sku=row["sku"],
        title=row["title"],
        quantity=row["quantity"],
        unit_micro=row["unit_micro"],
        base_minor=row["base_minor"],
        net_minor=row["net_minor"],
        gross_minor=row["gross_minor"],
        discounts=_discounts(row["discounts"]),
        taxes=_taxes(row["taxes"]),
        options=tuple((code, value) for code, value in row["options"]),
        position=row["position"],
        cancelled_quantity=row["cancelled_quantity"],
        fulfilled_quantity=row["fulfilled_quantity"],
        returned_quantity=row["returned_quantity"],
        stock_level_id=row["stock_level_id"],
    )


def change_of(row: Row) -> OrderChange:
    """An edit out of its row."""
    return OrderChange(**{**row, "actions": tuple(row["actions"])})


def _buyer_json(buyer: Buyer) -> dict[str, Any]:
    return {
        "currency": buyer.currency,
        "customer_id": _text(buyer.customer_id),
        "location_id": _text(buyer.location_id),
        "account_ids": [str(one) for one in buyer.account_ids],
        "group_ids": sorted(str(one) for one in buyer.group_ids),
        "channel": buyer.channel,
        "country": buyer.country,
    }


def _buyer(kept: Json) -> Buyer:
    return Buyer(
        currency=kept["currency"],
        customer_id=_uuid(kept["customer_id"]),
        location_id=_uuid(kept["location_id"]),
        account_ids=tuple(UUID(one) for one in kept["account_ids"]),
        group_ids=frozenset(UUID(one) for one in kept["group_ids"]),
        channel=kept["channel"],
        country=kept["country"],
    )


def _discounts_json(discounts: Iterable[Discount]) -> list[dict[str, Any]]:
    return [asdict(one) | {"promotion_id": str(one.promotion_id)} for one in discounts]


def _discounts(kept: Iterable[Json]) -> tuple[Discount, ...]:
    return tuple(
        Discount(
            UUID(one["promotion_id"]), one["name"], DiscountKind(one["kind"]), one["minor"],
            one["coupon"],
        )
        for one in kept
    )  # fmt: skip


def _taxes_json(taxes: Iterable[TaxLine]) -> list[dict[str, Any]]:
    return [asdict(one) for one in taxes]


def _taxes(kept: Iterable[Json]) -> tuple[TaxLine, ...]:
    return tuple(TaxLine(**one) for one in kept)


def _shipping_json(shipping: PricedShipping | None) -> dict[str, Any] | None:
    if shipping is None:
        return None
    return {
        "code": shipping.code,
        "name": shipping.name,
        "base_minor": shipping.base_minor,
        "discounts": _discounts_json(shipping.discounts),
        "net_minor": shipping.net_minor,
        "taxes": _taxes_json(shipping.taxes),
        "gross_minor": shipping.gross_minor,
    }


def _shipping(kept: Json | None) -> PricedShipping | None:
    if kept is None:
        return None
    parts = {"discounts": _discounts(kept["discounts"]), "taxes": _taxes(kept["taxes"])}
    return PricedShipping(**{**kept, **parts})


def _address_json(address: PostalAddress | None) -> dict[str, Any] | None:
    return None if address is None else asdict(address)


def _address(kept: Json | None) -> PostalAddress | None:
    return None if kept is None else PostalAddress(**{**kept, "lines": tuple(kept["lines"])})


def _text(ident: UUID | None) -> str | None:
    return None if ident is None else str(ident)


def _uuid(text: str | None) -> UUID | None:
    return None if text is None else UUID(text)
