"""Tables of tax."""

from __future__ import annotations
