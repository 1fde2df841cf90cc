"""How far compare rules go."""

from __future__ import annotations

from dataclasses import dataclass, fields
from decimal import Decimal
from enum import StrEnum


class Same(StrEnum):
    """What two dates must share."""

    INSTANT = "instant"
    DAY = "day"


class Ignore(StrEnum):
    """What a text rule overlooks: case, white space, or the Unicode form (NFC)."""

    CASE = "case"
    SPACE = "space"
    NFC = "nfc"


class Minor(StrEnum):
    """The side that writes amounts in minor units: 1250 for 12.50."""

    LEGACY = "legacy"
    CORE = "core"


ANY_HOST = "any"


@dataclass(frozen=True, slots=True)
class RuleTerms:
    """How far a rule goes; which of these a kind knows, `docs/reference/routing.md` says.

    Attributes:
        by: members that name an element (keyed).
        within: the greatest difference that is forgiven: seconds between two times, or
            between two numbers or amounts; None is no bound for times and no tolerance
            for amounts.
        same: what two dates share.
        formats: further forms of dates, in the letters of strptime.
        hosts: `("any",)`, or the hosts that stand for each other (url).
        minor: the side that writes amounts in minor units; None when neither does.
        digits: how many decimals the currency has.
        ignore: what two texts may differ in.
    """

    by: tuple[str, ...] = ()
    within: Decimal | None = None
    same: Same = Same.INSTANT
    formats: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    minor: Minor | None = None
    digits: int = 2
    ignore: tuple[Ignore, ...] = ()

    def stated(self) -> tuple[tuple[str, str], ...]:
        """What differs from the defaults, as names and texts in a fixed order."""
        found = []
        for field in fields(self):
            value = getattr(self, field.name)
            if value != getattr(USUAL_TERMS, field.name):
                text = ", ".join(value) if isinstance(value, tuple) else str(value)
                found.append((field.name, text))
        return tuple(found)


USUAL_TERMS = RuleTerms()
