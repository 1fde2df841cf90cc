"""Value at risk: how much money a mismatched exchange was about, and by how much it differs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Any, NoReturn

from proxy.routing import Side, ValueRule
from proxy.routing.jsonpath import JsonStep, StepKind, parse_json_path

#: ISO 4217 currencies whose smallest unit is not a hundredth.
_NO_DIGITS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_DIGITS = {
    **dict.fromkeys(_NO_DIGITS.split(), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
_AMOUNT = re.compile(r"[+-]?\d{1,15}(\.\d{1,15})?", re.ASCII)
_MOST_MINOR = 10**15
_MOST_AMOUNTS = 1_000


@dataclass(frozen=True, slots=True)
class Stake:
    """Money of one exchange or of a whole group, in minor units of one currency.

    Attributes:
        affected_minor: what the live answer named.
        over_minor: how much more the core names than legacy, where it names more.
        under_minor: how much less the core names, where it names less; not negative.
        exchanges: exchanges whose amount could be read.
        compared: those of them where both sides named an amount, so that there is a
            difference to speak of.
    """

    currency: str
    affected_minor: int
    over_minor: int = 0
    under_minor: int = 0
    exchanges: int = 1
    compared: int = 1

    def __add__(self, other: Stake) -> Stake:
        if other.currency != self.currency:
            raise ValueError(f"{other.currency} cannot be added to {self.currency}")
        return Stake(
            self.currency,
            self.affected_minor + other.affected_minor,
            self.over_minor + other.over_minor,
            self.under_minor + other.under_minor,
            self.exchanges + other.exchanges,
            self.compared + other.compared,
        )

    @property
    def gap_minor(self) -> int:
        """What is over and what is under together; they do not cancel out."""
        return self.over_minor + self.under_minor


@dataclass(frozen=True, slots=True)
class Amount:
    """What one answer names: the sum of all amounts at the rule's path."""

    minor: int
    currency: str


def rule_for(rules: Sequence[ValueRule], path: str) -> ValueRule | None:
    """The rule that says where a route's money stands: one that names it, or one for all."""
    named = next((rule for rule in rules if path in rule.routes), None)
    return named or next((rule for rule in rules if not rule.routes), None)


def stake_of(rule: ValueRule, legacy: bytes, core: bytes, live: Side) -> Stake | None:
    """What a mismatched exchange was about; None when the live answer names no amount."""
    ours, theirs = amount_in(rule, legacy), amount_in(rule, core)
    answered = ours if live is Side.LEGACY else theirs
    if answered is None:
        return None
    if ours is None or theirs is None or ours.currency != theirs.currency:
        return Stake(answered.currency, answered.minor, compared=0)
    more = theirs.minor - ours.minor
    return Stake(answered.currency, answered.minor, max(more, 0), max(-more, 0))


def amount_in(rule: ValueRule, body: bytes) -> Amount | None:
    """The sum of the amounts at the rule's path; None unless every one of them is money."""
    try:
        document = json.loads(body, parse_float=Decimal, parse_constant=_no_number)
        found = list(_some(_at(document, parse_json_path(rule.path))))
        currencies = _currencies(rule, document)
    except (ValueError, RecursionError):
        return None
    if not found or len(currencies) != 1:
        return None
    currency = currencies.pop()
    parts = [minor_of(value, currency, in_minor=rule.in_minor) for value in found]
    known = [part for part in parts if part is not None]
    return Amount(sum(known), currency) if len(known) == len(parts) else None


def minor_of(value: object, currency: str, *, in_minor: bool = False) -> int | None:
    """A JSON value as minor units; None when it is no amount.

    What is finer than the currency's smallest unit is rounded, halves to the even one.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    if isinstance(value, str) and not _AMOUNT.fullmatch(value):
        return None
    try:
        amount = Decimal(value)
        minor = amount if in_minor else amount.scaleb(digits_of(currency))
        if not minor.is_finite() or abs(minor) > _MOST_MINOR:
            return None
        return int(minor.quantize(Decimal(1), rounding=ROUND_HALF_EVEN))
    except InvalidOperation:
        return None


def digits_of(currency: str) -> int:
    """Digits behind the point: 2 of most currencies, 0 of JPY, 3 of KWD."""
    return _DIGITS.get(currency, 2)


def money(minor: int, currency: str) -> str:
    """(123456, "EUR") -> "1,234.56 EUR"."""
    digits = digits_of(currency)
    sign = "-" if minor < 0 else ""
    whole, rest = divmod(abs(minor), 10**digits)
    return f"{sign}{whole:,}{f'.{rest:0{digits}d}' if digits else ''} {currency}"


def _currencies(rule: ValueRule, document: Any) -> set[str]:
    if not rule.currency.startswith("$"):
        return {rule.currency}
    found = set(map(str, _some(_at(document, parse_json_path(rule.currency)))))
    return {name for name in found if _CURRENCY.fullmatch(name)} if len(found) == 1 else set()


def _some(values: Iterator[Any]) -> Iterator[Any]:
    for number, value in enumerate(values):
        if number >= _MOST_AMOUNTS:
            raise ValueError("too many amounts to add up")
        yield value


def _at(value: Any, steps: Sequence[JsonStep]) -> Iterator[Any]:
    """Every value at a path, in document order."""
    if not steps:
        yield value
        return
    step, rest = steps[0], steps[1:]
    if step.kind is StepKind.MEMBER:
        if isinstance(value, dict) and step.name in value:
            yield from _at(value[step.name], rest)
        return
    members = _members(value)
    if step.kind is StepKind.EVERY:
        for _, member in members:
            yield from _at(member, rest)
        return
    for name, member in members:
        if name == step.name:
            yield from _at(member, rest)
        yield from _at(member, steps)


def _members(value: Any) -> list[tuple[str | None, Any]]:
    if isinstance(value, dict):
        return list(value.items())
    return [(None, item) for item in value] if isinstance(value, list) else []


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no amount")
