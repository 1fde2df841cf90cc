"""From which ranges each side draws the numbers that both know, so that none is drawn twice."""

from __future__ import annotations

FIRST_OWN = 1_000_000_000
"""The first that the core gives to what was born in it. Below it is what the legacy had."""

FIRST_FREE = 1_500_000_000
"""The first that the legacy gives once data is synced. Both fit into 31 bits."""
