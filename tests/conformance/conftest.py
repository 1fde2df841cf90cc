"""A proxy with a raw store behind it, for the tests that play with it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conformance import peers
from tests.conformance.lab import Lab


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    laboratory = Lab()
    folder = tmp_path_factory.mktemp("conformance")
    try:
        with peers.ours(folder, (laboratory.slot.store.port,)) as subject:
            laboratory.subject = subject
            yield laboratory
    finally:
        laboratory.close()
