"""The data half's tables. The migrations make exactly these; a test compares."""

from __future__ import annotations

from legacy_adapters.storage.tables import backfill, flips, marks, retirement, streams
from legacy_adapters.storage.tables.schema import metadata

__all__ = ["backfill", "flips", "marks", "metadata", "retirement", "streams"]
