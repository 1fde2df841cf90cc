"""Tables of checkout."""

from __future__ import annotations
