"""A little shop of two domains, as tables and shapes, to try the sync engine with."""

from __future__ import annotations

from legacy_adapters.mapping.aggregates import Child, Pointed, Shape, SyncDomain
from legacy_adapters.mapping.membership import membership
from legacy_adapters.mapping.rows import Column, ColumnKind, Table

INT, TEXT = Column(ColumnKind.INTEGER), Column(ColumnKind.TEXT)

CUSTOMER = Table("shop_customer", ("id",), {"id": INT, "name": TEXT})
ADDRESS = Table("shop_address", ("id",), {"id": INT, "customer_id": INT, "street": TEXT})
ORDER = Table(
    "shop_order",
    ("id",),
    {"id": INT, "customer_id": INT, "billing_id": INT, "total": INT, "memo": TEXT},
)
LINE = Table("shop_line", ("id",), {"id": INT, "order_id": INT, "what": TEXT, "quantity": INT})
OPTION = Table("shop_option", ("id",), {"id": INT, "line_id": INT, "word": TEXT})
BILLING = Table("shop_billing", ("id",), {"id": INT, "street": TEXT})
VISIT = Table("shop_visit", ("id",), {"id": INT, "seen": TEXT}, is_fenced=False)

CUSTOMERS = Shape("customer", CUSTOMER, (Child(ADDRESS, "customer_id"),))
ORDERS = Shape(
    "order",
    ORDER,
    (Child(LINE, "order_id"), Child(OPTION, "line_id", of="shop_line"),
     Pointed(BILLING, "billing_id")),
)  # fmt: skip
VISITS = Shape("visit", VISIT)

DOMAINS = (
    SyncDomain("people", ("customer",), ("account",)),
    SyncDomain("sales", ("order", "visit"), ("checkout",), needs=("people",)),
)
OF_KIND = {kind: domain.name for domain in DOMAINS for kind in domain.kinds}
SHAPES = (CUSTOMERS, ORDERS, VISITS)
TABLES = {table.name: table for shape in SHAPES for table in shape.tables}
HOMES = membership((shape, OF_KIND[shape.kind]) for shape in SHAPES)
