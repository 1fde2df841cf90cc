"""How lines come into a cart: the same variant with the same options is one line."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from uuid import UUID

from new_core.domain.cart import MOST_LINES, MOST_UNITS_OF_A_LINE, CartLine
from new_core.errors import InvalidValue

Options = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class QuantityRule:
    """How many units of a variant a line may hold.

    Attributes:
        maximum: None for no bound but the house's.
        step: a line holds a multiple of it.
    """

    variant_id: UUID
    minimum: int = 1
    maximum: int | None = None
    step: int = 1

    def __post_init__(self) -> None:
        """Refuse a rule that no quantity keeps to.

        Raises:
            InvalidValue: there is no such quantity.
        """
        most = MOST_UNITS_OF_A_LINE if self.maximum is None else self.maximum
        first = -(-self.minimum // self.step) * self.step
        if not 1 <= first <= most:
            raise InvalidValue("maximum", "leaves no quantity that is a multiple of the step")


@dataclass(frozen=True, slots=True)
class Goods:
    """What a cart needs to know of a variant.

    Attributes:
        is_for_sale: whether shoppers may buy it, stock and price aside.
        parent_id, type_id: of its product, for assortments.
        quantity_max: most units of one line; None for no bound but the house's.
        quantity_step: a line holds a multiple of it.
    """

    variant_id: UUID
    product_id: UUID
    sku: str
    title: str
    is_for_sale: bool
    requires_shipping: bool
    quantity_min: int = 1
    quantity_max: int | None = None
    quantity_step: int = 1
    parent_id: UUID | None = None
    type_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Beside:
    """What of a cart a change of some lines depends on.

    Attributes:
        lines: those that may be the ones asked for.
        count: how many lines the whole cart has.
        next_position: of the next new line.
    """

    lines: tuple[CartLine, ...]
    count: int
    next_position: int


@dataclass(frozen=True, slots=True)
class Wish:
    """So many more units of a variant, known by its id or its SKU.

    Attributes:
        options: sorted by code.
    """

    quantity: int
    variant_id: UUID | None = None
    sku: str | None = None
    options: Options = ()


class RowRefusal(StrEnum):
    """Why a wish did not become a line."""

    UNKNOWN_VARIANT = "unknown_variant"
    UNKNOWN_SKU = "unknown_sku"
    AMBIGUOUS_SKU = "ambiguous_sku"
    NOT_FOR_SALE = "not_for_sale"
    QUANTITY_BELOW_MINIMUM = "quantity_below_minimum"
    QUANTITY_ABOVE_MAXIMUM = "quantity_above_maximum"
    QUANTITY_NOT_A_STEP = "quantity_not_a_step"
    TOO_MANY_LINES = "too_many_lines"


@dataclass(frozen=True, slots=True)
class Placed:
    """What became of one wish.

    Attributes:
        line: as it is after all wishes; None when this one was refused.
        is_new: whether this wish made the line.
    """

    line: CartLine | None
    is_new: bool = False
    refusal: RowRefusal | None = None


class Shelf:
    """Finds goods by what a wish calls them."""

    def __init__(self, goods: Iterable[Goods]) -> None:
        self._by_id: dict[UUID, Goods] = {}
        self._by_sku: dict[str, list[Goods]] = {}
        for one in goods:
            self._by_id[one.variant_id] = one
            self._by_sku.setdefault(one.sku, []).append(one)

    def find(self, wish: Wish) -> Goods | RowRefusal:
        """The one thing that a wish means, or why there is none."""
        if wish.variant_id is not None:
            return self._by_id.get(wish.variant_id) or RowRefusal.UNKNOWN_VARIANT
        found = self._by_sku.get(wish.sku or "", [])
        if len(found) > 1:
            return RowRefusal.AMBIGUOUS_SKU
        return found[0] if found else RowRefusal.UNKNOWN_SKU


def options_hash(options: Options) -> str:
    """What tells two lines of one variant apart."""
    return hashlib.sha256(json.dumps(options, separators=(",", ":")).encode()).hexdigest()


def refused_quantity(goods: Goods, quantity: int) -> RowRefusal | None:
    """Whether a line of these goods may hold so many units."""
    most = MOST_UNITS_OF_A_LINE if goods.quantity_max is None else goods.quantity_max
    if quantity < max(goods.quantity_min, 1):
        return RowRefusal.QUANTITY_BELOW_MINIMUM
    if quantity > min(most, MOST_UNITS_OF_A_LINE):
        return RowRefusal.QUANTITY_ABOVE_MAXIMUM
    return RowRefusal.QUANTITY_NOT_A_STEP if quantity % goods.quantity_step else None


def place(
    beside: Beside, wishes: Sequence[Wish], shelf: Shelf, new_id: Callable[[], UUID]
) -> tuple[Placed, ...]:
    """Put wishes into a cart, in their order; one that is refused changes nothing.

    Quantities of one line add up: those of earlier wishes count for the rules of later ones.
    """
    lines = {(one.variant_id, one.options): one for one in beside.lines}
    count, position = beside.count, beside.next_position
    made: list[tuple[UUID, Options] | RowRefusal] = []
    fresh: set[int] = set()
    for index, wish in enumerate(wishes):
        goods = shelf.find(wish)
        if isinstance(goods, RowRefusal):
            made.append(goods)
            continue
        key = (goods.variant_id, wish.options)
        before = lines.get(key)
        quantity = (before.quantity if before else 0) + wish.quantity
        refusal = _refusal(goods, quantity, is_full=before is None and count >= MOST_LINES)
        if refusal is not None:
            made.append(refusal)
            continue
        if before is None:
            lines[key] = CartLine(new_id(), goods.variant_id, quantity, position, wish.options)
            count, position = count + 1, position + 1
            fresh.add(index)
        else:
            lines[key] = replace(before, quantity=quantity)
        made.append(key)
    return tuple(_placed(one, lines, is_new=index in fresh) for index, one in enumerate(made))


def changed_lines(beside: Beside, placed: Iterable[Placed]) -> tuple[CartLine, ...]:
    """Each line that is not as it was, once, by position."""
    before = {one.id: one for one in beside.lines}
    after = {one.line.id: one.line for one in placed if one.line is not None}
    changed = (line for line in after.values() if before.get(line.id) != line)
    return tuple(sorted(changed, key=lambda line: line.position))


def _refusal(goods: Goods, quantity: int, *, is_full: bool) -> RowRefusal | None:
    if not goods.is_for_sale:
        return RowRefusal.NOT_FOR_SALE
    if is_full:
        return RowRefusal.TOO_MANY_LINES
    return refused_quantity(goods, quantity)


def _placed(
    made: tuple[UUID, Options] | RowRefusal,
    lines: Mapping[tuple[UUID, Options], CartLine],
    *,
    is_new: bool,
) -> Placed:
    if isinstance(made, RowRefusal):
        return Placed(None, refusal=made)
    return Placed(lines[made], is_new)


REFUSALS: Mapping[RowRefusal, str] = {
    RowRefusal.UNKNOWN_VARIANT: "there is no such variant",
    RowRefusal.UNKNOWN_SKU: "there is nothing of this SKU",
    RowRefusal.AMBIGUOUS_SKU: "several things have this SKU; name one by its variant id",
    RowRefusal.NOT_FOR_SALE: "this is not for sale",
    RowRefusal.QUANTITY_BELOW_MINIMUM: "a line must hold more units",
    RowRefusal.QUANTITY_ABOVE_MAXIMUM: "a line must hold fewer units",
    RowRefusal.QUANTITY_NOT_A_STEP: "units are sold in packs of another size",
    RowRefusal.TOO_MANY_LINES: f"a cart has at most {MOST_LINES} lines",
}
"""Each refusal, for people."""
