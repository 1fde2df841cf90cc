"""Whatever becomes of the shadow, shoppers get their answers and the books add up.

Times are not judged here: `make soak` prints them.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtests.soak_report import Found
from loadtests.soak_scenes import SCENES, Effort, play

pytestmark = [pytest.mark.e2e, pytest.mark.soak, pytest.mark.timeout(90)]

BRIEF = Effort(turns=1, turn_s=1.5)


def played(name: str, folder: Path) -> Found:
    found = play(SCENES[name], BRIEF, folder, lambda _line: None)
    assert found.shadowed[0].asked == found.alone[0].asked == 300
    return found


@pytest.mark.parametrize("name", [name for name in SCENES if name != "spool full"])
def test_a_shadow_in_trouble_costs_no_shopper_an_answer(name: str, tmp_path: Path) -> None:
    found = played(name, tmp_path)

    assert found.problems() == []
    assert found.shadow["spooled"] == found.mirrored_asked


def test_a_full_spool_drops_captures_for_a_reason_and_costs_no_answer(tmp_path: Path) -> None:
    found = played("spool full", tmp_path)

    assert found.problems() == []
    assert found.shadow["dropped spool_full"] > 300
    assert found.shadow["spooled"] + found.shadow["dropped spool_full"] == found.mirrored_asked
