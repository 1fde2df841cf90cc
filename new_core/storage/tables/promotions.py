"""Tables of promotions."""

from __future__ import annotations
