"""What shoppers set out to do. Pure: a seed gives the same visits for ever."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from types import MappingProxyType


class Step(StrEnum):
    """One thing that a shopper does: one request."""

    PRODUCT_LIST = "product_list"
    PRODUCT_DETAIL = "product_detail"
    PRICE = "price"
    AVAILABILITY = "availability"
    STOCK_RECORDS = "stock_records"
    CATEGORIES = "categories"
    SEARCH = "search"
    BASKET = "basket"
    BASKET_ADD = "basket_add"
    BASKET_LINES = "basket_lines"
    BASKET_CHANGE = "basket_change"
    BASKET_REMOVE = "basket_remove"
    SHIPPING_METHODS = "shipping_methods"
    CHECKOUT = "checkout"


DOMAINS: Mapping[Step, str] = MappingProxyType(
    {
        Step.PRODUCT_LIST: "catalog",
        Step.PRODUCT_DETAIL: "catalog",
        Step.CATEGORIES: "catalog",
        Step.SEARCH: "catalog",
        Step.PRICE: "price",
        Step.AVAILABILITY: "stock",
        Step.STOCK_RECORDS: "stock",
        Step.BASKET: "cart",
        Step.BASKET_ADD: "cart",
        Step.BASKET_LINES: "cart",
        Step.BASKET_CHANGE: "cart",
        Step.BASKET_REMOVE: "cart",
        Step.SHIPPING_METHODS: "cart",
        Step.CHECKOUT: "checkout",
    }
)
"""The business domain of each step, unless the run is told another one."""


class Journey(StrEnum):
    """Why a shopper came."""

    BROWSE = "browse"
    COMPARE = "compare"
    SEARCH = "search"
    BASKET = "basket"
    BUY = "buy"


Weights = Mapping[Journey, float]
"""How often each kind of visit is, against the others."""

WEIGHTS: Weights = MappingProxyType(
    {
        Journey.BROWSE: 50,
        Journey.COMPARE: 20,
        Journey.SEARCH: 18,
        Journey.BASKET: 8,
        Journey.BUY: 4,
    }
)
"""Of a hundred visits, how many are of each kind: most look, few buy."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A step and the shopper's whim for it.

    Attributes:
        pick: in [0, 1); which of the things on offer is taken, whatever their number.
    """

    step: Step
    pick: float


@dataclass(frozen=True, slots=True)
class Visit:
    """A journey and its steps, in order."""

    journey: Journey
    steps: tuple[Planned, ...]


def with_buyers(percent: float) -> Weights:
    """Weights of which so many in a hundred buy; the others keep their shares of the rest."""
    others = 100 - WEIGHTS[Journey.BUY]
    rest = (100 - percent) / others
    shares = {journey: weight * rest for journey, weight in WEIGHTS.items()}
    return MappingProxyType({**shares, Journey.BUY: percent})


def visits(seed: int, shopper_number: int, weights: Weights = WEIGHTS) -> Iterator[Visit]:
    """All visits of one shopper, without end."""
    whim = Random(f"{seed}/{shopper_number}")  # noqa: S311 - repeatable on purpose
    while True:
        yield plan_visit(whim, weights)


def plan_visit(whim: Random, weights: Weights = WEIGHTS) -> Visit:
    """One visit: a journey by its weight, then its steps."""
    journey = whim.choices(list(weights), weights=list(weights.values()))[0]
    steps = tuple(Planned(step, whim.random()) for step in _STEPS[journey](whim))
    return Visit(journey, steps)


def _look(whim: Random) -> list[Step]:
    """A product page: most shops show the price on it, many the availability."""
    steps = [Step.PRODUCT_DETAIL, Step.PRICE]
    if whim.random() < 0.6:
        steps.append(Step.AVAILABILITY)
    return steps


def _browse(whim: Random) -> list[Step]:
    steps = [Step.PRODUCT_LIST]
    for _ in range(whim.randint(1, 4)):
        steps += _look(whim)
    return steps


def _compare(whim: Random) -> list[Step]:
    steps = [Step.CATEGORIES, Step.PRODUCT_LIST]
    for _ in range(whim.randint(2, 3)):
        steps += [*_look(whim), Step.STOCK_RECORDS]
    return steps


def _search(whim: Random) -> list[Step]:
    steps = [Step.SEARCH]
    for _ in range(whim.randint(1, 2)):
        steps += _look(whim)
    return steps


def _fill(whim: Random, products: int) -> list[Step]:
    steps = [Step.PRODUCT_LIST, Step.BASKET]
    for _ in range(products):
        steps += [*_look(whim), Step.BASKET_ADD]
    return steps


def _basket(whim: Random) -> list[Step]:
    steps = _fill(whim, whim.randint(1, 2))
    steps += [Step.BASKET_LINES, Step.BASKET_CHANGE]
    # A basket that only ever grew would be a different load at the end of a long run.
    steps += [Step.BASKET_LINES, Step.BASKET_REMOVE] * whim.randint(1, 3)
    return [*steps, Step.BASKET]


def _buy(whim: Random) -> list[Step]:
    return [*_fill(whim, whim.randint(1, 3)), Step.SHIPPING_METHODS, Step.CHECKOUT]


_STEPS: Mapping[Journey, Callable[[Random], list[Step]]] = MappingProxyType(
    {
        Journey.BROWSE: _browse,
        Journey.COMPARE: _compare,
        Journey.SEARCH: _search,
        Journey.BASKET: _basket,
        Journey.BUY: _buy,
    }
)
