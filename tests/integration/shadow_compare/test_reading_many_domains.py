"""Of how many domains evidence is read does not change how often the store is asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from proxy.routing import Domain
from shadow_compare.core.batch import Batch, Timing
from shadow_compare.core.verdict import Outcome
from shadow_compare.storage.engine import parse, writer_engine
from shadow_compare.storage.reader import SqlEvidenceReader
from shadow_compare.storage.schema import migrate
from shadow_compare.storage.writer import SqlEvidenceWriter
from tests.support.comparing import NOW_S, domain, epoch, finding, judged

pytestmark = pytest.mark.integration


@contextmanager
def statements() -> Iterator[list[str]]:
    """Every statement that any engine runs meanwhile."""
    seen: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)


async def store_of(file: Path, domains: list[Domain]) -> str:
    """Evidence of each domain: one equal, one not."""
    url = f"sqlite+aiosqlite:///{file}"
    engine = writer_engine(parse(url))
    await migrate(engine)
    timings = (Timing("core", "shadow", 3_000),)
    frames = tuple(
        judged(2 * place + turn, outcome, of=one.name, epoch_key=epoch(one).key, timings=timings,
               found=finding(f"v1:{place:016}") if outcome is Outcome.MISMATCH else None)
        for place, one in enumerate(domains)
        for turn, outcome in enumerate((Outcome.MATCH, Outcome.MISMATCH), 1)
    )  # fmt: skip
    epochs = tuple(epoch(one) for one in domains)
    await SqlEvidenceWriter(engine).commit(Batch(NOW_S, frames, epochs))
    await engine.dispose()
    return url


async def test_all_domains_are_read_in_as_many_statements_as_one(tmp_path: Path) -> None:
    domains = [domain(f"d{n:03}") for n in range(120)]
    reader = SqlEvidenceReader(
        parse(await store_of(tmp_path / "evidence.sqlite3", domains)), lambda: NOW_S
    )
    await reader.readings(domains[:1], points=60, groups=50)  # the first looks at the schema

    with statements() as of_one:
        await reader.readings(domains[:1], points=60, groups=50)
    with statements() as of_all:
        found = await reader.readings(domains, points=60, groups=50)
    await reader.close()

    assert len(of_all) == len(of_one) <= 16
    assert all(
        (len(one.trend), len(one.latency), len(one.groups)) == (1, 1, 1) for one in found.values()
    )
