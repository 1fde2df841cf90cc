"""Every defect that reaches a compared answer is reported, on a real store.

The short form of `python -m tests.recall`, which seeds at 0.1 % and 1 % into 20,000 requests
and asks a store against itself as often.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.recall.house import laboratory
from tests.recall.verdict import recall_problems

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

REQUESTS, SHARE = 240, 0.5


async def test_every_seeded_defect_is_reported_in_a_group_that_names_its_place(
    tmp_path: Path,
) -> None:
    async with laboratory(tmp_path / "var", SHARE, lambda _told: None) as lab:
        await lab.shop(REQUESTS)
        journal, found = lab.journal(), await lab.found()

    assert len(journal) > REQUESTS * SHARE * 0.7
    assert len({entry.kind for entry in journal}) > 30
    assert found.losses == {}
    assert recall_problems(journal, found) == []
