"""Tables of the data half in the core's database, and our marks in both."""

from __future__ import annotations

from legacy_adapters.storage.migrate import upgrade_sync

__all__ = ["upgrade_sync"]
