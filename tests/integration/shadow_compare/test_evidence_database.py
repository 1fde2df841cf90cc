"""The evidence database: made, upgraded, read while written, and not there at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.ext.asyncio import AsyncEngine

from shadow_compare.app import open_evidence
from shadow_compare.core.batch import Batch, Checkpoint
from shadow_compare.core.verdict import Outcome
from shadow_compare.errors import EvidenceUnavailable
from shadow_compare.storage import groups as groups_module
from shadow_compare.storage import writer as writer_module
from shadow_compare.storage.engine import parse, writer_engine
from shadow_compare.storage.schema import alembic_config, current_revision, migrate
from shadow_compare.storage.tables import metadata
from shadow_compare.storage.writer import SqlEvidenceWriter
from tests.support.comparing import LIST, NOW_S, domain, epoch, finding, judged

pytestmark = pytest.mark.integration


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite+aiosqlite:///{tmp_path}/evidence.sqlite3"


@pytest.fixture
async def engine(url: str) -> AsyncIterator[AsyncEngine]:
    engine = writer_engine(parse(url))
    yield engine
    await engine.dispose()


def batch(*seqs: int) -> Batch:
    return Batch(at_s=NOW_S, judged=tuple(judged(seq) for seq in seqs), epochs=(epoch(),))


async def test_the_migrations_build_the_tables_that_the_code_uses(engine: AsyncEngine) -> None:
    await migrate(engine)

    def differences(connection: sa.Connection) -> list[object]:
        options = {"version_table": "evidence_version"}
        return list(
            compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
        )

    async with engine.connect() as connection:
        found = await connection.run_sync(differences)

    assert found == []


async def test_migrations_go_up_down_and_up_again(engine: AsyncEngine) -> None:
    await migrate(engine)

    def down(connection: sa.Connection) -> list[str]:
        config = alembic_config()
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
        return sa.inspect(connection).get_table_names()

    async with engine.begin() as connection:
        left = await connection.run_sync(down)
    await migrate(engine)
    await SqlEvidenceWriter(engine).commit(batch(1))

    assert left == ["evidence_version"]


def test_there_is_one_newest_revision() -> None:
    assert len(ScriptDirectory.from_config(alembic_config()).get_heads()) == 1


async def test_two_comparers_that_start_together_both_find_the_tables(
    url: str, engine: AsyncEngine
) -> None:
    other = writer_engine(parse(url))

    await asyncio.gather(migrate(engine), migrate(other))

    async with other.connect() as connection:
        assert await connection.run_sync(current_revision) is not None
    await other.dispose()


async def test_a_database_of_a_newer_release_is_neither_read_nor_written(
    url: str, engine: AsyncEngine
) -> None:
    await migrate(engine)
    async with engine.begin() as connection:
        await connection.execute(sa.text("UPDATE evidence_version SET version_num = '9999'"))

    with pytest.raises(EvidenceUnavailable, match="newer release"):
        await migrate(engine)
    async with open_evidence(url) as evidence:
        with pytest.raises(EvidenceUnavailable, match="9999"):
            await evidence.domain(domain())


async def test_a_database_without_evidence_is_empty_evidence_and_stays_as_it_is(
    url: str, engine: AsyncEngine
) -> None:
    async with open_evidence(url) as evidence:
        found = await evidence.domain(domain())
        groups = await evidence.groups()

    async with engine.connect() as connection:
        tables = await connection.run_sync(lambda c: sa.inspect(c).get_table_names())
    assert (found.overall.compared, len(groups), tables) == (0, 0, [])


async def test_a_file_that_is_not_there_is_not_made_by_reading_and_is_found_later(
    tmp_path: Path,
) -> None:
    file = tmp_path / "deep" / "evidence.sqlite3"
    url = f"sqlite+aiosqlite:///{file}"
    async with open_evidence(url) as evidence:
        before = await evidence.domain(domain())
        made = file.parent.exists()
        file.parent.mkdir()
        engine = writer_engine(parse(url))
        await migrate(engine)
        await SqlEvidenceWriter(engine).commit(batch(1))
        after = await evidence.domain(domain())
        await engine.dispose()

    assert (before.overall.compared, made, after.overall.compared) == (0, False, 1)


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


async def test_a_file_that_was_deleted_and_made_anew_is_read_anew(tmp_path: Path) -> None:
    file = tmp_path / "evidence.sqlite3"
    url = f"sqlite+aiosqlite:///{file}"
    counts = []
    async with open_evidence(url) as evidence:
        for seqs in ((1, 2, 3), (1,)):
            engine = writer_engine(parse(url))
            await migrate(engine)
            await SqlEvidenceWriter(engine).commit(batch(*seqs))
            counts.append((await evidence.domain(domain())).overall.compared)
            await engine.dispose()
            _empty(tmp_path)
            counts.append((await evidence.domain(domain())).overall.compared)

    assert counts == [3, 0, 1, 0]


async def test_a_file_that_is_no_database_is_a_clear_error(tmp_path: Path) -> None:
    file = tmp_path / "evidence.sqlite3"
    file.write_bytes(b"not a database, but long enough to be looked at" * 100)

    async with open_evidence(f"sqlite+aiosqlite:///{file}") as evidence:
        with pytest.raises(EvidenceUnavailable, match="did not answer"):
            await evidence.domain(domain())


async def test_a_server_that_is_down_is_a_clear_error() -> None:
    async with open_evidence("postgresql+asyncpg://postgres@127.0.0.1:1/x") as evidence:
        with pytest.raises(EvidenceUnavailable, match="did not answer"):
            await evidence.groups()


@pytest.mark.parametrize(
    "wrong", ["", "nonsense", "mysql://x/y", "sqlite+aiosqlite://", "sqlite:///x"]
)
async def test_a_url_that_is_not_supported_is_refused_at_once(wrong: str) -> None:
    with pytest.raises(EvidenceUnavailable):
        async with open_evidence(wrong):
            pass


async def test_a_reader_cannot_write(url: str, engine: AsyncEngine) -> None:
    await migrate(engine)
    async with open_evidence(url) as evidence:
        await evidence.groups()
        readers = evidence._engine  # type: ignore[attr-defined]
        with pytest.raises(sa.exc.SQLAlchemyError, match=r"read-?only"):
            async with readers.begin() as connection:
                await connection.execute(sa.text("DELETE FROM runs"))


@pytest.mark.soak
async def test_reading_and_writing_at_once_neither_fails_nor_shows_half_a_batch(
    url: str, engine: AsyncEngine
) -> None:
    await migrate(engine)
    other = writer_engine(parse(url))
    done = asyncio.Event()

    async def write(which: AsyncEngine, run: str) -> None:
        writer = SqlEvidenceWriter(which)
        for seq in range(1, 61):
            account = {f"mirrored|catalog|{LIST}": seq + 3}
            await writer.commit(
                Batch(
                    at_s=NOW_S + seq,
                    judged=(judged(seq, Outcome.MISMATCH, run=run),),
                    epochs=(epoch(),),
                    checkpoints={run: Checkpoint(1, seq)},
                    accounts={run: account},
                )
            )

    async def read() -> int:
        reads = 0
        async with open_evidence(url) as evidence:
            while not done.is_set():
                found = await evidence.domain(domain())
                groups = await evidence.groups()
                books = found.accounting
                assert books.mirrored == books.compared + books.lost + books.pending
                assert books.compared == found.overall.mismatched
                assert books.pending in (0, 3, 6)
                assert not groups or groups[0].count >= found.overall.mismatched
                reads += 1
        return reads

    async with asyncio.TaskGroup() as group_of_tasks:
        readers = [group_of_tasks.create_task(read()) for _ in range(2)]
        async with asyncio.TaskGroup() as writers:
            writers.create_task(write(engine, "run-1"))
            writers.create_task(write(other, "run-2"))
        done.set()
    async with open_evidence(url) as evidence:
        found = await evidence.domain(domain())
        [group] = await evidence.groups()
    await other.dispose()

    assert min(reader.result() for reader in readers) > 3
    assert found.overall.mismatched == group.count == 120


async def test_too_many_kinds_of_mismatch_join_one_group_and_none_is_lost(
    engine: AsyncEngine, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(groups_module, "GROUPS_PER_EPOCH", 5)
    await migrate(engine)
    writer = SqlEvidenceWriter(engine)
    for start in (0, 10, 20):
        frames = [
            judged(seq, Outcome.MISMATCH, found=finding(f"v1:{seq:016x}"))
            for seq in range(start, start + 10)
        ]
        await writer.commit(Batch(at_s=NOW_S, judged=tuple(frames), epochs=(epoch(),)))

    async with open_evidence(url) as evidence:
        groups = await evidence.groups()

    assert sorted(group.count for group in groups) == [1, 1, 1, 1, 1, 25]
    assert groups[0].title == "many other differences, each of its own kind"


async def test_the_trend_is_kept_for_a_month(engine: AsyncEngine, url: str) -> None:
    await migrate(engine)
    month_s = writer_module.KEEP_TREND_S
    await SqlEvidenceWriter(engine).commit(batch(1))
    later = Batch(
        at_s=NOW_S + month_s + 10,
        judged=(judged(2, at_s=NOW_S + month_s),),
        epochs=(epoch(),),
    )
    await SqlEvidenceWriter(engine).commit(later)

    async with open_evidence(url) as evidence:
        known = await evidence.readings([domain()], points=60, groups=0)

    found = known["catalog"]
    assert [point.equal for point in found.trend] == [1]
    assert found.evidence.overall.matched == 2
