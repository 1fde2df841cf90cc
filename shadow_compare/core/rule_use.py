"""What a rule is called, and when it was last of use."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from proxy.routing.model import CompareRule

DAY_S = 86_400.0
_SAYS_NOTHING = frozenset(("owner", "reason", "expires"))


@dataclass(frozen=True, slots=True)
class RuleUse:
    """How often a rule accepted something.

    Attributes:
        since_s: when a comparer first judged by it, seconds since 1970.
        last_s: when the last exchange that it accepted something in was answered; None
            when there was none.
        uses: exchanges in which it accepted something.
    """

    since_s: float
    last_s: float | None = None
    uses: int = 0


@dataclass(frozen=True, slots=True)
class Unused:
    """A rule that accepted nothing for so long. `use` is None when nobody judged by it yet."""

    rule: CompareRule
    use: RuleUse | None
    idle_days: int | None


def rule_id(rule: CompareRule) -> str:
    """12 hex digits over what a rule does: path, kind, routes and bounds.

    Owner, reason and last day may be edited; it stays the same rule.
    """
    does = {
        field.name: getattr(rule, field.name)
        for field in dataclasses.fields(rule)
        if field.name not in _SAYS_NOTHING
    }
    does["routes"] = sorted(rule.routes)
    text = json.dumps(does, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


def unused(
    rules: Sequence[CompareRule], uses: Mapping[str, RuleUse], now_s: float, days: int
) -> tuple[Unused, ...]:
    """The rules that accepted nothing in so many days, though they were in force that long.

    A rule that nobody has judged by yet is told too, without a number of days.
    """
    found = []
    for rule in rules:
        use = uses.get(rule_id(rule))
        if use is None:
            found.append(Unused(rule, None, None))
            continue
        idle_days = int((now_s - (use.since_s if use.last_s is None else use.last_s)) // DAY_S)
        if idle_days >= days:
            found.append(Unused(rule, use, idle_days))
    return tuple(found)
