"""What the use cases of webhooks need."""

from __future__ import annotations

from typing import Protocol


class WebhookStore(Protocol):
    """Rows of webhooks."""
