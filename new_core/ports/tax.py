"""What the use cases of tax need."""

from __future__ import annotations

from typing import Protocol


class TaxStore(Protocol):
    """Rows of tax."""
