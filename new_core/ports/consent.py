"""What the use cases of consent need."""

from __future__ import annotations

from typing import Protocol


class ConsentStore(Protocol):
    """Rows of consent."""
