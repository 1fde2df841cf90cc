"""A flip asks how long others have been writing."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from legacy_adapters.storage import flips_probing
from legacy_adapters.storage.flips_probing import oldest_transaction
from new_core.storage import make_engine

pytestmark = pytest.mark.integration


def asked(path: Path) -> float:
    async def ask() -> float:
        engine = make_engine(f"sqlite:///{path}")
        try:
            return await oldest_transaction(engine)
        finally:
            await engine.dispose()

    return asyncio.run(ask())


def test_a_file_that_nobody_writes_has_no_open_transaction(tmp_path: Path) -> None:
    path = tmp_path / "core.sqlite3"

    assert (asked(path), asked(path)) == (0.0, 0.0)


def test_a_writer_who_keeps_others_out_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "core.sqlite3"
    asked(path)
    monkeypatch.setattr(flips_probing, "_BUSY_S", 0.2)

    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")

        assert asked(path) == 0.2
