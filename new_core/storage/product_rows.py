"""Products as rows of several tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from new_core.domain.catalog import (
    Asset,
    AttributeValue,
    Product,
    Recommendation,
    Status,
    Structure,
)
from new_core.storage import tables as t
from new_core.storage.statements import Row


class Satellites:
    """What hangs on one product in other tables, collected row by row."""

    def __init__(self) -> None:
        self.categories: list[UUID] = []
        self.options: list[UUID] = []
        self.assets: list[Asset] = []
        self.recommendations: list[Recommendation] = []

    def add(self, row: Row) -> None:
        match row["kind"]:
            case "category":
                self.categories.append(row["id"])
            case "option":
                self.options.append(row["id"])
            case "recommendation":
                self.recommendations.append(Recommendation(row["id"], row["rank"]))
            case _:
                fields = ("id", "uri", "caption", "rank", "code", "created_at")
                self.assets.append(Asset(*(row[name] for name in fields)))


def product_row(product: Product) -> dict[str, Any]:
    row = {
        name: getattr(product, name)
        for name in t.product.c.keys()  # noqa: SIM118 - a column collection is no mapping
        if name not in ("attributes", "version", "updated_at")
    }
    values = [[one.attribute_id.hex, one.content] for one in product.attributes]
    return {
        **row,
        "structure": product.structure.value,
        "status": product.status.value,
        "attributes": values,
    }


def satellite_rows(
    products: Sequence[Product],
) -> tuple[tuple[sa.Column[Any], list[dict[str, Any]]], ...]:
    """The rows of the other tables, by the column that points at the product."""
    return (
        (
            t.product_category.c.product_id,
            [{"product_id": p.id, "category_id": c} for p in products for c in p.category_ids],
        ),
        (
            t.product_option.c.product_id,
            [{"product_id": p.id, "option_id": o} for p in products for o in p.option_ids],
        ),
        (
            t.product_recommendation.c.product_id,
            [
                {"product_id": p.id, "recommended_id": r.product_id, "rank": r.rank}
                for p in products
                for r in p.recommendations
            ],
        ),
        (
            t.asset.c.product_id,
            [{"product_id": p.id, **asdict(a)} for p in products for a in p.assets],
        ),
    )


def product_of(row: Row, parts: Satellites) -> Product:
    return Product(
        id=row["id"],
        structure=Structure(row["structure"]),
        parent_id=row["parent_id"],
        type_id=row["type_id"],
        status=Status(row["status"]),
        code=row["code"],
        gtin=row["gtin"],
        title=row["title"],
        slug=row["slug"],
        description=row["description"],
        seo_title=row["seo_title"],
        seo_description=row["seo_description"],
        discountable=row["discountable"],
        priority=row["priority"],
        created_at=row["created_at"],
        attributes=tuple(_attribute_value(one) for one in row["attributes"]),
        category_ids=tuple(sorted(parts.categories)),
        assets=tuple(sorted(parts.assets, key=lambda one: (one.rank, one.id))),
        option_ids=tuple(sorted(parts.options)),
        recommendations=tuple(
            sorted(parts.recommendations, key=lambda one: (-one.rank, one.product_id))
        ),
    )


def _attribute_value(stored: list[Any]) -> AttributeValue:
    key, content = stored
    return AttributeValue(UUID(key), tuple(content) if isinstance(content, list) else content)


def without(row: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != name}
