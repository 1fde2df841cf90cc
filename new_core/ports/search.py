"""What the use cases of search need."""

from __future__ import annotations

from typing import Protocol


class SearchStore(Protocol):
    """Rows of search."""
