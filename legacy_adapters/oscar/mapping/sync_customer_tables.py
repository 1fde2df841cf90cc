"""Oscar's tables of customers, column by column, and what becomes of each."""

from __future__ import annotations

from collections.abc import Mapping

from legacy_adapters.mapping.aggregates import Child, Shape
from legacy_adapters.mapping.columns import Fate, Ignored, Mapped
from legacy_adapters.mapping.rows import Column, ColumnKind, Table

_INTEGER, _TEXT = Column(ColumnKind.INTEGER), Column(ColumnKind.TEXT)
_TRUTH, _MOMENT = Column(ColumnKind.BOOLEAN), Column(ColumnKind.MOMENT)

USER = Table("auth_user", ("id",), {
    "id": _INTEGER, "password": _TEXT, "last_login": _MOMENT, "is_superuser": _TRUTH,
    "username": _TEXT, "last_name": _TEXT, "email": _TEXT, "is_staff": _TRUTH,
    "is_active": _TRUTH, "date_joined": _MOMENT, "first_name": _TEXT,
})  # fmt: skip
ADDRESS = Table("address_useraddress", ("id",), {
    "id": _INTEGER, "title": _TEXT, "first_name": _TEXT, "last_name": _TEXT, "line1": _TEXT,
    "line2": _TEXT, "line3": _TEXT, "line4": _TEXT, "state": _TEXT, "postcode": _TEXT,
    "search_text": _TEXT, "phone_number": _TEXT, "notes": _TEXT,
    "is_default_for_shipping": _TRUTH, "is_default_for_billing": _TRUTH, "hash": _TEXT,
    "date_created": _MOMENT, "country_id": _TEXT, "user_id": _INTEGER,
    "num_orders_as_shipping_address": _INTEGER, "num_orders_as_billing_address": _INTEGER,
    "code": _TEXT,
})  # fmt: skip
GROUPS = Table(
    "auth_user_groups", ("id",), {"id": _INTEGER, "user_id": _INTEGER, "group_id": _INTEGER}
)
PERMISSIONS = Table(
    "auth_user_user_permissions",
    ("id",),
    {"id": _INTEGER, "user_id": _INTEGER, "permission_id": _INTEGER},
)

SHAPE = Shape(
    "customer",
    USER,
    (Child(ADDRESS, "user_id"), Child(GROUPS, "user_id"), Child(PERMISSIONS, "user_id")),
)

_REF = Mapped("external_ref.external_id")
_KEPT = Ignored("the core has no place for it; kept aside, and put back on the way to oscar")
_RIGHTS = Ignored("rights in oscar's dashboard; people of the house have accounts of the core")
_DERIVED = Ignored("follows from other columns; written anew when those change")
_BOOK = Mapped("customer_address.lines")

COLUMNS: Mapping[str, Mapping[str, Fate]] = {
    USER.name: {
        "id": _REF,
        "password": Mapped("customer.password_hash"),
        "username": Mapped("customer.username"),
        "first_name": Mapped("customer.first_name"),
        "last_name": Mapped("customer.last_name"),
        "email": Mapped("customer.email"),
        "is_active": Mapped("customer.status"),
        "date_joined": Mapped("customer.created_at"),
        "last_login": _KEPT,
        "is_superuser": _RIGHTS,
        "is_staff": _RIGHTS,
    },
    ADDRESS.name: {
        "id": _REF,
        "title": Mapped("customer_address.title"),
        "first_name": Mapped("customer_address.first_name"),
        "last_name": Mapped("customer_address.last_name"),
        "line1": _BOOK,
        "line2": _BOOK,
        "line3": _BOOK,
        "line4": Mapped("customer_address.city"),
        "state": Mapped("customer_address.region"),
        "postcode": Mapped("customer_address.postcode"),
        "phone_number": Mapped("customer_address.phone"),
        "notes": Mapped("customer_address.notes"),
        "is_default_for_shipping": Mapped("customer_address.default_shipping"),
        "is_default_for_billing": Mapped("customer_address.default_billing"),
        "country_id": Mapped("customer_address.country"),
        "user_id": Mapped("customer_address.customer_id"),
        "search_text": _DERIVED,
        "hash": _DERIVED,
        "date_created": _KEPT,
        "num_orders_as_shipping_address": _KEPT,
        "num_orders_as_billing_address": _KEPT,
        "code": _KEPT,
    },
    GROUPS.name: dict.fromkeys(GROUPS.columns, _RIGHTS),
    PERMISSIONS.name: dict.fromkeys(PERMISSIONS.columns, _RIGHTS),
}
