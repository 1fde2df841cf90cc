"""Tables of carts."""

from __future__ import annotations
