"""Wires what serves, syncs and copies.

Next to empty, so that who syncs does not load a web server.
"""

from __future__ import annotations

from legacy_adapters.app.clock import utc_now

__all__ = ["utc_now"]
