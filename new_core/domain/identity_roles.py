"""What may be allowed, and the roles that allow it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

SCOPES: Mapping[str, str] = {
    "catalog:write": "change products, categories and assortments",
    "prices:write": "change price lists, prices and contracts",
    "promotions:write": "change promotions and coupons",
    "taxes:write": "change tax rates",
    "stock:read": "read stock levels, reservations and movements",
    "stock:write": "count, receive and move stock",
    "carts:read": "read everybody's carts",
    "carts:write": "change everybody's carts",
    "checkout:write": "place orders for others",
    "orders:read": "read everybody's orders",
    "orders:write": "change, hold and cancel orders",
    "payments:read": "read payments",
    "payments:write": "capture, void and refund payments",
    "customers:read": "read customers; every read is logged",
    "customers:write": "change customers",
    "consent:read": "read consents, the access log and data requests",
    "consent:write": "record consents, decide on data requests",
    "events:read": "read and replay events",
    "webhooks:write": "change webhook endpoints",
    "audit:read": "read the audit",
    "identity:write": "change clients, staff and roles",
}
"""Every scope there is, with what it lets somebody do."""

_BUYERS = {"carts", "checkout", "orders", "payments", "customers", "consent"}

OF_BUYERS = frozenset(scope for scope in SCOPES if scope.partition(":")[0] in _BUYERS)
"""Scopes over rows that belong to somebody; a partner has them over its own accounts only."""

OPEN = frozenset({"stock:read", "stock:write"})
"""What a request without a token may do where the setting is `open`: what it always could."""


@dataclass(frozen=True, slots=True)
class Role:
    """A name for some scopes."""

    code: str
    name: str
    scopes: frozenset[str]
    built_in: bool = False


def _role(code: str, name: str, scopes: Iterable[str]) -> Role:
    return Role(code, name, frozenset(scopes), built_in=True)


_READS = frozenset(scope for scope in SCOPES if scope.endswith(":read"))

BUILT_IN: Mapping[str, Role] = {
    role.code: role
    for role in (
        _role("viewer", "Viewer", {"stock:read", "carts:read", "orders:read", "payments:read"}),
        _role(
            "catalogue-manager", "Catalogue manager",
            {"catalog:write", "prices:write", "promotions:write", "stock:read", "stock:write"},
        ),
        _role(
            "order-desk", "Order desk",
            {"stock:read", "carts:read", "carts:write", "checkout:write", "orders:read",
             "orders:write", "payments:read", "customers:read", "customers:write",
             "consent:read"},
        ),
        _role(
            "finance", "Finance",
            {"prices:write", "taxes:write", "orders:read", "payments:read", "payments:write",
             "audit:read"},
        ),
        _role("admin", "Admin", SCOPES),
        _role("partner", "Partner", {"stock:read", "orders:read", "carts:read", "carts:write"}),
        _role("service", "Service", _READS - {"audit:read"} | {"stock:write"}),
    )
}  # fmt: skip
"""Roles that are always there and never change, by code."""


def allowed(roles: Collection[Role]) -> frozenset[str]:
    """All that some roles allow together."""
    return frozenset[str]().union(*(role.scopes for role in roles))
