"""The commands that the adapters give to `banyan`: `core`, `backfill`, `preflight`."""

from __future__ import annotations

from legacy_adapters.cli.commands import backfill, core
from legacy_adapters.cli.preflight import preflight

__all__ = ["backfill", "core", "preflight"]
