"""What the use cases of promotions need."""

from __future__ import annotations

from typing import Protocol


class PromotionStore(Protocol):
    """Rows of promotions."""
