"""Which part of the catalogue somebody may see."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class RuleKind(StrEnum):
    """What a rule speaks of."""

    ALL = "all"
    CATEGORY = "category"
    TYPE = "type"
    PRODUCT = "product"


@dataclass(frozen=True, slots=True)
class AssortmentRule:
    """Takes products in, or leaves them out.

    Attributes:
        target_id: None for all; a category takes those below it too.
    """

    includes: bool
    kind: RuleKind
    target_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Assortment:
    """A part of the catalogue that some buyers see: what any rule takes in and none leaves
    out.
    """

    id: UUID
    code: str
    name: str
    rules: tuple[AssortmentRule, ...]


class AssignedTo(StrEnum):
    """Who sees only an assortment."""

    ACCOUNT = "account"
    CUSTOMER = "customer"
    GROUP = "group"


@dataclass(frozen=True, slots=True)
class Visible:
    """What a buyer may see: products of any of the assortments; everything when None.

    Attributes:
        assortments: with every category of a rule replaced by it and all below it.
    """

    assortments: tuple[tuple[AssortmentRule, ...], ...] | None = None

    def shows(self, product_id: UUID, type_id: UUID | None, category_ids: Collection[UUID]) -> bool:
        """Whether a product is among what the buyer may see."""
        if self.assortments is None:
            return True
        named = {product_id, type_id, *category_ids}

        def speaks(rule: AssortmentRule) -> bool:
            return rule.kind is RuleKind.ALL or rule.target_id in named

        return any(
            any(rule.includes and speaks(rule) for rule in rules)
            and not any(not rule.includes and speaks(rule) for rule in rules)
            for rules in self.assortments
        )


EVERYTHING = Visible()
