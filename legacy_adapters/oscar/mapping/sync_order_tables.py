"""Oscar's tables of orders, column by column, and what becomes of each."""

from __future__ import annotations

from collections.abc import Mapping

from legacy_adapters.mapping.aggregates import Child, Pointed, Shape
from legacy_adapters.mapping.columns import Fate, Ignored, Mapped
from legacy_adapters.mapping.rows import Column, ColumnKind, Table

_INTEGER, _TEXT = Column(ColumnKind.INTEGER), Column(ColumnKind.TEXT)
_TRUTH, _MOMENT = Column(ColumnKind.BOOLEAN), Column(ColumnKind.MOMENT)
_NUMBER = Column(ColumnKind.NUMBER)
_JSON, _MONEY = Column(ColumnKind.JSON), Column(ColumnKind.DECIMAL, 2)


def _table(name: str, columns: Mapping[str, Column]) -> Table:
    return Table(name, ("id",), {"id": _INTEGER, **columns})


_ADDRESS = {
    "title": _TEXT, "first_name": _TEXT, "last_name": _TEXT, "line1": _TEXT, "line2": _TEXT,
    "line3": _TEXT, "line4": _TEXT, "state": _TEXT, "postcode": _TEXT, "search_text": _TEXT,
    "country_id": _TEXT, "code": _TEXT,
}  # fmt: skip
ORDER = _table("order_order", {
    "number": _TEXT, "currency": _TEXT, "total_incl_tax": _MONEY, "total_excl_tax": _MONEY,
    "shipping_incl_tax": _MONEY, "shipping_excl_tax": _MONEY, "shipping_method": _TEXT,
    "shipping_code": _TEXT, "status": _TEXT, "guest_email": _TEXT, "date_placed": _MOMENT,
    "basket_id": _INTEGER, "billing_address_id": _INTEGER, "shipping_address_id": _INTEGER,
    "site_id": _INTEGER, "user_id": _INTEGER, "shipping_tax_code": _TEXT,
    "analytics_tracked": _TRUTH,
})  # fmt: skip
SHIP_TO = _table("order_shippingaddress", {**_ADDRESS, "phone_number": _TEXT, "notes": _TEXT})
BILL_TO = _table("order_billingaddress", _ADDRESS)
LINE = _table("order_line", {
    "partner_name": _TEXT, "partner_sku": _TEXT, "partner_line_reference": _TEXT,
    "partner_line_notes": _TEXT, "title": _TEXT, "upc": _TEXT, "quantity": _INTEGER,
    "line_price_incl_tax": _MONEY, "line_price_excl_tax": _MONEY,
    "line_price_before_discounts_incl_tax": _MONEY,
    "line_price_before_discounts_excl_tax": _MONEY, "unit_price_incl_tax": _MONEY,
    "unit_price_excl_tax": _MONEY, "status": _TEXT, "order_id": _INTEGER,
    "partner_id": _INTEGER, "product_id": _INTEGER, "stockrecord_id": _INTEGER,
    "tax_code": _TEXT, "allocation_cancelled": _TRUTH, "num_allocated": _INTEGER,
})  # fmt: skip
# A third of a price has no end: SQLite keeps what oscar worked out, the others its cents.
LINE_PRICE = _table("order_lineprice", {
    "quantity": _INTEGER, "price_incl_tax": _NUMBER, "price_excl_tax": _NUMBER,
    "shipping_incl_tax": _NUMBER, "shipping_excl_tax": _NUMBER, "line_id": _INTEGER,
    "order_id": _INTEGER, "tax_code": _TEXT,
})  # fmt: skip
LINE_ATTRIBUTE = _table(
    "order_lineattribute",
    {"type": _TEXT, "line_id": _INTEGER, "option_id": _INTEGER, "value": _JSON},
)
DISCOUNT = _table("order_orderdiscount", {
    "category": _TEXT, "offer_id": _INTEGER, "offer_name": _TEXT, "voucher_id": _INTEGER,
    "voucher_code": _TEXT, "frequency": _INTEGER, "amount": _MONEY, "message": _TEXT,
    "order_id": _INTEGER,
})  # fmt: skip
LINE_DISCOUNT = _table(
    "order_orderlinediscount",
    {"is_incl_tax": _TRUTH, "amount": _MONEY, "line_id": _INTEGER, "order_discount_id": _INTEGER},
)
SURCHARGE = _table("order_surcharge", {
    "name": _TEXT, "code": _TEXT, "incl_tax": _MONEY, "excl_tax": _MONEY, "order_id": _INTEGER,
    "tax_code": _TEXT,
})  # fmt: skip
NOTE = _table("order_ordernote", {
    "note_type": _TEXT, "message": _TEXT, "date_created": _MOMENT, "date_updated": _MOMENT,
    "order_id": _INTEGER, "user_id": _INTEGER,
})  # fmt: skip
STATUS_CHANGE = _table("order_orderstatuschange", {
    "old_status": _TEXT, "new_status": _TEXT, "order_id": _INTEGER, "date_created": _MOMENT,
})  # fmt: skip
COMMUNICATION = _table("order_communicationevent", {
    "event_type_id": _INTEGER, "order_id": _INTEGER, "date_created": _MOMENT,
})  # fmt: skip
SHIPPING_EVENT = _table("order_shippingevent", {
    "notes": _TEXT, "event_type_id": _INTEGER, "order_id": _INTEGER, "date_created": _MOMENT,
})  # fmt: skip
_OF_LINES = {"quantity": _INTEGER, "event_id": _INTEGER, "line_id": _INTEGER}
SHIPPING_QUANTITY = _table("order_shippingeventquantity", _OF_LINES)
PAYMENT_EVENT = _table("order_paymentevent", {
    "amount": _MONEY, "reference": _TEXT, "event_type_id": _INTEGER, "order_id": _INTEGER,
    "shipping_event_id": _INTEGER, "date_created": _MOMENT,
})  # fmt: skip
PAYMENT_QUANTITY = _table("order_paymenteventquantity", _OF_LINES)
SOURCE = _table("payment_source", {
    "currency": _TEXT, "amount_allocated": _MONEY, "amount_debited": _MONEY,
    "amount_refunded": _MONEY, "label": _TEXT, "order_id": _INTEGER, "source_type_id": _INTEGER,
    "reference": _TEXT,
})  # fmt: skip
TRANSACTION = _table("payment_transaction", {
    "txn_type": _TEXT, "amount": _MONEY, "reference": _TEXT, "status": _TEXT,
    "source_id": _INTEGER, "date_created": _MOMENT,
})  # fmt: skip
VOUCHER_USE = _table("voucher_voucherapplication", {
    "order_id": _INTEGER, "user_id": _INTEGER, "voucher_id": _INTEGER, "date_created": _MOMENT,
})  # fmt: skip

OF_LINES = (LINE_PRICE, LINE_ATTRIBUTE, LINE_DISCOUNT, SHIPPING_QUANTITY, PAYMENT_QUANTITY)
"""Their rows name a line in `line_id`, and go when it goes."""

SHAPE = Shape(
    "order",
    ORDER,
    (
        Pointed(SHIP_TO, "shipping_address_id"),
        Pointed(BILL_TO, "billing_address_id"),
        Child(LINE, "order_id"),
        Child(LINE_PRICE, "line_id", LINE.name),
        Child(LINE_ATTRIBUTE, "line_id", LINE.name),
        Child(DISCOUNT, "order_id"),
        Child(LINE_DISCOUNT, "line_id", LINE.name),
        Child(SURCHARGE, "order_id"),
        Child(NOTE, "order_id"),
        Child(STATUS_CHANGE, "order_id"),
        Child(COMMUNICATION, "order_id"),
        Child(SHIPPING_EVENT, "order_id"),
        Child(SHIPPING_QUANTITY, "event_id", SHIPPING_EVENT.name),
        Child(PAYMENT_EVENT, "order_id"),
        Child(PAYMENT_QUANTITY, "event_id", PAYMENT_EVENT.name),
        Child(SOURCE, "order_id"),
        Child(TRANSACTION, "source_id", SOURCE.name),
        Child(VOUCHER_USE, "order_id"),
    ),
)

_REF = Mapped("external_ref.external_id")
_KEPT = Ignored("the core has no place for it; kept aside, and put back on the way to oscar")
_LINK = Ignored("says which row it hangs on")
_DERIVED = Ignored("follows from other columns; written anew when those change")
_TYPE = Ignored("kept aside; the types of events and sources are the shop's own words")


def _kept(table: Table) -> Mapping[str, Fate]:
    links = {"order_id", "line_id", "event_id", "source_id", "shipping_event_id"}
    types = {"event_type_id", "source_type_id"}
    return {
        name: _LINK if name in links else _TYPE if name in types else _KEPT
        for name in table.columns
    }


def _address(to: str) -> dict[str, Fate]:
    return {
        "id": _REF, "title": Mapped(to), "first_name": Mapped(to), "last_name": Mapped(to),
        "line1": Mapped(to), "line2": Mapped(to), "line3": Mapped(to), "line4": Mapped(to),
        "state": Mapped(to), "postcode": Mapped(to), "country_id": Mapped(to),
        "search_text": _DERIVED, "code": _KEPT,
    }  # fmt: skip


_SHIP_TO, _BILL_TO = "sales_order.shipping_address", "sales_order.billing_address"
_OFFERS = Mapped("sales_order.discounts")

COLUMNS: Mapping[str, Mapping[str, Fate]] = {
    ORDER.name: {
        "id": _REF,
        "number": Mapped("sales_order.number"),
        "currency": Mapped("sales_order.currency"),
        "total_incl_tax": Mapped("sales_order.total_minor"),
        "total_excl_tax": Mapped("sales_order.net_minor"),
        "shipping_incl_tax": Mapped("sales_order.shipping"),
        "shipping_excl_tax": Mapped("sales_order.shipping"),
        "shipping_method": Mapped("sales_order.shipping"),
        "shipping_code": Mapped("sales_order.shipping"),
        "status": Mapped("sales_order.status"),
        "guest_email": Mapped("sales_order.email"),
        "date_placed": Mapped("sales_order.placed_at"),
        "basket_id": Mapped("sales_order.cart_id"),
        "billing_address_id": Mapped(_BILL_TO),
        "shipping_address_id": Mapped(_SHIP_TO),
        "user_id": Mapped("sales_order.customer_id"),
        "site_id": _KEPT,
        "shipping_tax_code": _KEPT,
        "analytics_tracked": _KEPT,
    },
    SHIP_TO.name: {
        **_address(_SHIP_TO),
        "phone_number": Mapped(_SHIP_TO),
        "notes": Mapped(_SHIP_TO),
    },
    BILL_TO.name: _address(_BILL_TO),
    LINE.name: {
        "id": _REF,
        "partner_sku": Mapped("order_line.sku"),
        "title": Mapped("order_line.title"),
        "quantity": Mapped("order_line.quantity"),
        "line_price_incl_tax": Mapped("order_line.gross_minor"),
        "line_price_excl_tax": Mapped("order_line.net_minor"),
        "line_price_before_discounts_incl_tax": Mapped("order_line.base_minor"),
        "line_price_before_discounts_excl_tax": Mapped("order_line.base_minor"),
        "unit_price_incl_tax": _DERIVED,
        "unit_price_excl_tax": _DERIVED,
        "order_id": Mapped("order_line.order_id"),
        "product_id": Mapped("order_line.product_id"),
        "stockrecord_id": Mapped("order_line.stock_level_id"),
        "partner_id": _KEPT,
        "partner_name": _KEPT,
        "partner_line_reference": _KEPT,
        "partner_line_notes": _KEPT,
        "upc": _KEPT,
        "status": _KEPT,
        "tax_code": _KEPT,
        "allocation_cancelled": _KEPT,
        "num_allocated": _KEPT,
    },
    LINE_PRICE.name: _kept(LINE_PRICE),
    LINE_ATTRIBUTE.name: {
        "id": Ignored("the core's options have no id of their own"),
        "line_id": Mapped("order_line.options"),
        "type": Mapped("order_line.options"),
        "value": Mapped("order_line.options"),
        "option_id": _KEPT,
    },
    DISCOUNT.name: {
        "id": Ignored("the core's discounts have no id of their own"),
        "category": _OFFERS,
        "offer_id": _OFFERS,
        "offer_name": _OFFERS,
        "voucher_id": _OFFERS,
        "voucher_code": _OFFERS,
        "amount": _OFFERS,
        "order_id": _OFFERS,
        "frequency": _KEPT,
        "message": _KEPT,
    },
    LINE_DISCOUNT.name: {
        "id": Ignored("the core's discounts have no id of their own"),
        "amount": Mapped("order_line.discounts"),
        "line_id": Mapped("order_line.discounts"),
        "order_discount_id": Mapped("order_line.discounts"),
        "is_incl_tax": _KEPT,
    },
    SOURCE.name: {
        **_kept(SOURCE),
        "amount_allocated": Mapped("sales_order.payment_status"),
        "amount_debited": Mapped("sales_order.payment_status"),
        "amount_refunded": Mapped("sales_order.payment_status"),
    },
    **{
        table.name: _kept(table)
        for table in (
            SURCHARGE, NOTE, STATUS_CHANGE, COMMUNICATION, SHIPPING_EVENT, SHIPPING_QUANTITY,
            PAYMENT_EVENT, PAYMENT_QUANTITY, TRANSACTION, VOUCHER_USE,
        )
    },
}  # fmt: skip
