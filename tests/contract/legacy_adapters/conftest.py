"""A lab of each way of capturing, and a source on it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from legacy_adapters.ports.capture import ChangeSource
from tests.contract.legacy_adapters.capture_labs import Lab
from tests.contract.legacy_adapters.capture_registry import LABS


@pytest.fixture(params=list(LABS))
async def lab(
    request: pytest.FixtureRequest, tmp_path: Path, postgres_port: int
) -> AsyncIterator[Lab]:
    """One after another, all databases that changes are captured from."""
    async with LABS[request.param](tmp_path, postgres_port) as opened:
        yield opened


@pytest.fixture
async def source(lab: Lab) -> AsyncIterator[ChangeSource]:
    """A prepared source."""
    found = lab.source()
    await found.prepare()
    yield found
    await found.close()
