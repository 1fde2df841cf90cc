"""What the use cases of payments need."""

from __future__ import annotations

from typing import Protocol


class PaymentStore(Protocol):
    """Payments, their attempts and the events of these."""
