"""Tables of consent."""

from __future__ import annotations
