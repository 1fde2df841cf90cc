"""Promotions' conditions and actions as JSON, the same in the tables and in the API.

Money in it is {"amount": "5.00", "currency": "CAD"}, in the promotion's own currency.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, assert_never
from uuid import UUID

from new_core.domain.money import Money, minor_of
from new_core.domain.promotions import (
    EVERYTHING,
    WHOLE_PPM,
    Action,
    AllOf,
    AmountOff,
    AnyOf,
    AtTime,
    BuyXGetY,
    Condition,
    FixedPrice,
    InChannel,
    InCountry,
    InGroup,
    Items,
    Measure,
    NotThat,
    PercentOff,
    QuantityFrom,
    SubtotalFrom,
    Tier,
    Tiered,
)
from new_core.errors import InvalidValue

Json = dict[str, Any]

MOST_NODES = 100
DEEPEST = 8


def items_json(items: Items) -> Json:
    """Some of a cart's lines."""
    named = {
        "variants": items.variant_ids,
        "products": items.product_ids,
        "categories": items.category_ids,
        "types": items.type_ids,
    }
    return {name: sorted(map(str, ids)) for name, ids in named.items() if ids}


def items_of(data: Mapping[str, Any] | None) -> Items:
    """The items that JSON names."""
    if not data:
        return EVERYTHING
    return Items(*(_ids(data.get(name, ())) for name in _ITEMS))


_ITEMS = ("variants", "products", "categories", "types")


def _ids(values: Iterable[Any]) -> frozenset[UUID]:
    return frozenset(UUID(str(one)) for one in values)


def condition_json(condition: Condition, currency: str) -> Json:
    """A condition, its node named by "node"."""
    match condition:
        case AllOf() | AnyOf():
            node = "all" if isinstance(condition, AllOf) else "any"
            found: Json = {
                "node": node,
                "of": [condition_json(one, currency) for one in condition.of],
            }
        case NotThat():
            found = {"node": "not", "of": condition_json(condition.of, currency)}
        case SubtotalFrom():
            found = {
                "node": "subtotal",
                "min": _money(condition.min_minor, currency),
                "items": items_json(condition.items),
            }
        case QuantityFrom():
            items = items_json(condition.items)
            found = {"node": "quantity", "min": condition.min_quantity, "items": items}
        case InGroup():
            found = {"node": "customer_group", "ids": sorted(map(str, condition.group_ids))}
        case InChannel():
            found = {"node": "channel", "codes": sorted(condition.channels)}
        case InCountry():
            found = {"node": "country", "codes": sorted(condition.countries)}
        case AtTime():
            found = {
                "node": "time",
                "weekdays": sorted(condition.weekdays),
                "from_minute": condition.from_minute,
                "to_minute": condition.to_minute,
            }
        case _:
            assert_never(condition)
    return found


def condition_of(data: Mapping[str, Any], currency: str) -> Condition:
    """The condition that JSON says.

    Raises:
        InvalidValue: it is too large, or its money is in another currency.
    """
    if _count(data) > MOST_NODES:
        raise InvalidValue("conditions", f"have more than {MOST_NODES} nodes")
    return _condition(data, currency, 1)


def _count(data: Mapping[str, Any]) -> int:
    of = data.get("of", ())
    return 1 + sum(map(_count, [of] if isinstance(of, Mapping) else of))


def _condition(data: Mapping[str, Any], currency: str, depth: int) -> Condition:
    if depth > DEEPEST:
        raise InvalidValue("conditions", f"are more than {DEEPEST} levels deep")
    node = data.get("node")
    if node in ("all", "any"):
        parts = tuple(_condition(one, currency, depth + 1) for one in data["of"])
        return AllOf(parts) if node == "all" else AnyOf(parts)
    if node == "not":
        return NotThat(_condition(data["of"], currency, depth + 1))
    read = _LEAVES.get(str(node))
    if read is None:
        raise InvalidValue("conditions", f"know no node {node!r}")
    return read(data, currency)


def _subtotal(data: Mapping[str, Any], currency: str) -> Condition:
    return SubtotalFrom(_minor(data["min"], currency), items_of(data.get("items")))


def _quantity(data: Mapping[str, Any], _currency: str) -> Condition:
    return QuantityFrom(data["min"], items_of(data.get("items")))


def _time(data: Mapping[str, Any], _currency: str) -> Condition:
    return AtTime(
        frozenset(data.get("weekdays", ())), data.get("from_minute", 0), data.get("to_minute", 1440)
    )


_LEAVES: Mapping[str, Callable[[Mapping[str, Any], str], Condition]] = {
    "subtotal": _subtotal,
    "quantity": _quantity,
    "customer_group": lambda data, _: InGroup(_ids(data["ids"])),
    "channel": lambda data, _: InChannel(frozenset(data["codes"])),
    "country": lambda data, _: InCountry(frozenset(data["codes"])),
    "time": _time,
}


def action_json(action: Action, currency: str) -> Json:
    """An action, its kind named by "type"."""
    match action:
        case PercentOff():
            found: Json = {"type": "percent_off", "ppm": action.ppm}
        case AmountOff():
            found = {"type": "amount_off", "amount": _money(action.minor, currency)}
        case FixedPrice():
            found = {"type": "fixed_price", "amount": _money(action.minor, currency)}
        case BuyXGetY():
            found = {"type": "buy_x_get_y", "buy": action.buy, "get": action.get, "ppm": action.ppm}
        case Tiered():
            by_worth = action.measure is Measure.SUBTOTAL
            tiers = [
                {
                    "from": _money(one.least, currency) if by_worth else one.least,
                    "gives": action_json(one.gives, currency),
                }
                for one in action.tiers
            ]
            found = {"type": "tiered", "measure": action.measure.value, "tiers": tiers}
        case _:
            assert_never(action)
    return found


def action_of(data: Mapping[str, Any], currency: str) -> Action:
    """The action that JSON says.

    Raises:
        InvalidValue: its money is in another currency, or a tier's measure is not its own.
    """
    kind = data.get("type")
    if kind == "buy_x_get_y":
        return BuyXGetY(data["buy"], data["get"], data.get("ppm", WHOLE_PPM))
    if kind == "fixed_price":
        return FixedPrice(_minor(data["amount"], currency))
    if kind == "tiered":
        measure = Measure(data["measure"])
        tiers = (_tier(one, measure, currency) for one in data["tiers"])
        return Tiered(measure, tuple(sorted(tiers, key=lambda one: one.least)))
    return _off(data, currency)


def _off(data: Mapping[str, Any], currency: str) -> PercentOff | AmountOff:
    kind = data.get("type")
    if kind == "percent_off":
        return PercentOff(data["ppm"])
    if kind == "amount_off":
        return AmountOff(_minor(data["amount"], currency))
    raise InvalidValue("action", f"knows no type {kind!r}")


def _tier(data: Mapping[str, Any], measure: Measure, currency: str) -> Tier:
    least = data["from"]
    if isinstance(least, int) is not (measure is Measure.QUANTITY):
        raise InvalidValue("action", f"has a tier whose `from` is no {measure}")
    if not isinstance(least, int):
        least = _minor(least, currency)
    return Tier(least, _off(data["gives"], currency))


def _money(minor: int, currency: str) -> Json:
    return {"amount": Money(minor, currency).text, "currency": currency}


def _minor(money: Mapping[str, Any], currency: str) -> int:
    if money["currency"] != currency:
        raise InvalidValue("currency", f"of an amount is not the promotion's, {currency or 'none'}")
    return minor_of(money["amount"], currency)
