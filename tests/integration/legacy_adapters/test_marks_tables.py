"""Our marks in the core's database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from legacy_adapters.mapping.marks import MARKS
from legacy_adapters.storage.migrate import CHAIN
from legacy_adapters.storage.tables import marks, metadata
from tests.support.databases import database_of
from tests.support.migrating import up_down_up

pytestmark = pytest.mark.integration


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with database_of(request, tmp_path_factory) as found:
        yield found


def test_the_data_halfs_tables_go_up_down_and_up_and_are_what_the_models_say(url: str) -> None:
    assert up_down_up(url, CHAIN, metadata) == []


def test_marks_have_the_columns_that_the_mapping_knows() -> None:
    known = {one.name: (set(one.columns), one.key) for one in MARKS}

    made = {
        one.name: ({str(c.name) for c in one.c}, tuple(str(c.name) for c in one.primary_key))
        for one in (marks.fence, marks.applied, marks.heartbeat)
    }

    assert made == known
