"""What the use cases of shipping need."""

from __future__ import annotations

from typing import Protocol


class ShippingStore(Protocol):
    """Rows of shipping."""
