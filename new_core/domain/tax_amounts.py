"""What taxes come to, rounded on the line, the order or the unit. Integers only."""

from __future__ import annotations

from collections.abc import Sequence

from new_core.domain.money import Rounding, divide, spread
from new_core.domain.tax import Levy, Taxable, Taxed, TaxRounding, tax_lines


def tax_all(items: Sequence[Taxable], on: TaxRounding, rounding: Rounding) -> list[Taxed]:
    """The taxes of amounts that are charged together, in their order.

    Rounded on the order, each tax is that of the sum, and its shares add up to it. A price
    that contains taxes which its buyer does not pay is lowered by them.
    """
    nets = _nets(items, on, rounding)
    if on is TaxRounding.ORDER:
        minors = _charged_on_order(items, nets, rounding)
    else:
        minors = [_charged(item, net, on, rounding) for item, net in zip(items, nets, strict=True)]
    return [
        tax_lines(net, item.levies.charged, some)
        for item, net, some in zip(items, nets, minors, strict=True)
    ]


def _nets(items: Sequence[Taxable], on: TaxRounding, rounding: Rounding) -> list[int]:
    """Each amount without the taxes that it contains."""
    if on is not TaxRounding.ORDER:
        return [item.minor - _contained(item, on, rounding) for item in items]
    nets = [item.minor for item in items]
    groups: dict[tuple[int, int], list[int]] = {}
    for index, item in enumerate(items):
        if item.included and item.levies.contained:
            weight = _weight(item.levies.contained)
            groups.setdefault((weight, item.levies.contained[0].whole), []).append(index)
    for (weight, whole), members in groups.items():
        amounts = [items[index].minor for index in members]
        tax = divide(sum(amounts) * weight, whole + weight, rounding)
        for index, share in zip(members, spread(tax, amounts), strict=True):
            nets[index] -= share
    return nets


def _contained(item: Taxable, on: TaxRounding, rounding: Rounding) -> int:
    levies = item.levies.contained
    if not item.included or not levies:
        return 0
    weight, whole = _weight(levies), levies[0].whole
    if on is TaxRounding.LINE:
        return divide(item.minor * weight, whole + weight, rounding)
    of_unit = divide(item.minor * weight, item.quantity * (whole + weight), rounding)
    return min(of_unit * item.quantity, item.minor)


def _charged(item: Taxable, net: int, on: TaxRounding, rounding: Rounding) -> list[int]:
    levies = item.levies
    if _keeps_its_total(item):
        return spread(item.minor - net, [one.weight for one in levies.charged])
    if on is TaxRounding.LINE:
        return [divide(net * one.weight, one.whole, rounding) for one in levies.charged]
    units = item.quantity
    return [divide(net * one.weight, one.whole * units, rounding) * units for one in levies.charged]


def _charged_on_order(
    items: Sequence[Taxable], nets: Sequence[int], rounding: Rounding
) -> list[list[int]]:
    """Each tax is worked out once, on the sum of all that it is taken on."""
    minors = [[0] * len(item.levies.charged) for item in items]
    shared: dict[tuple[str, str, int, int], list[tuple[int, int]]] = {}
    for index, item in enumerate(items):
        if _keeps_its_total(item):
            weights = [one.weight for one in item.levies.charged]
            minors[index] = spread(item.minor - nets[index], weights)
            continue
        for place, levy in enumerate(item.levies.charged):
            key = (levy.rule.jurisdiction, levy.rule.code, levy.weight, levy.whole)
            shared.setdefault(key, []).append((index, place))
    for (_, _, weight, whole), members in shared.items():
        amounts = [nets[index] for index, _ in members]
        tax = divide(sum(amounts) * weight, whole, rounding)
        for (index, place), share in zip(members, spread(tax, amounts), strict=True):
            minors[index][place] = share
    return minors


def _keeps_its_total(item: Taxable) -> bool:
    """Whether the price is what the buyer pays: its taxes are in it, and all are paid."""
    return item.included and item.levies.charged == item.levies.contained


def _weight(levies: Sequence[Levy]) -> int:
    return sum(one.weight for one in levies)
