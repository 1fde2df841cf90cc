"""The commands that the adapters give to `banyan`: `core` and `backfill`."""

from __future__ import annotations

from legacy_adapters.cli.commands import backfill, core

__all__ = ["backfill", "core"]
