"""All cases."""

from __future__ import annotations

from tests.conformance import (
    cases_answers,
    cases_doubt,
    cases_framing,
    cases_heads,
    cases_hops,
    cases_life,
    cases_lines,
    cases_upgrades,
)
from tests.conformance.case import Case

_MODULES = (
    cases_framing,
    cases_lines,
    cases_heads,
    cases_hops,
    cases_answers,
    cases_doubt,
    cases_life,
    cases_upgrades,
)

CASES: tuple[Case, ...] = tuple(
    case for module in _MODULES for shelf in module.SHELVES for case in shelf.cases
)
