"""What the use cases of identity need."""

from __future__ import annotations

from typing import Protocol


class IdentityStore(Protocol):
    """Rows of identity."""
