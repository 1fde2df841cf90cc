"""Ways of shipping, and what they cost."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ShippingQuote:
    """One way of shipping a cart to a place, with its price before discounts and taxes."""

    code: str
    name: str
    description: str
    minor: int
    currency: str
    tax_class: str = "standard"
