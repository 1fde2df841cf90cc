"""What the use cases of checkout need."""

from __future__ import annotations

from typing import Protocol


class CheckoutStore(Protocol):
    """Rows of checkout."""
