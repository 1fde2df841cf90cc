"""Amounts that people write and read."""

from __future__ import annotations

import re
from collections.abc import Mapping

from shadow_compare.core.stake import minor_of

_AMOUNT = re.compile(r"(?P<amount>\d[\d,]*(?:\.\d+)?)\s*(?P<currency>[A-Z]{3})")


def amounts(text: str) -> Mapping[str, int]:
    """Read "1000.00 EUR, 50 GBP" as minor units by currency; "" is nothing at all.

    Raises:
        ValueError: it is no such list; the message says which part.
    """
    found: dict[str, int] = {}
    for part in re.split(r",\s+|;\s*", text.strip()) if text.strip() else []:
        read = _AMOUNT.fullmatch(part.strip())
        if read is None:
            raise ValueError(f"{part!r} is no amount such as 1000.00 EUR")
        minor = minor_of(read["amount"].replace(",", ""), read["currency"])
        if minor is None:
            raise ValueError(f"{part!r} is no amount such as 1000.00 EUR")
        found[read["currency"]] = found.get(read["currency"], 0) + minor
    return found
