"""Tables of customers."""

from __future__ import annotations
