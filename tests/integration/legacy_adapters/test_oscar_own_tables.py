"""The facade's own tables, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from legacy_adapters.mapping.number_ranges import FIRST_OWN
from legacy_adapters.oscar.facade import sweep_sessions
from legacy_adapters.oscar.storage import CHAIN, Session, SqlNumbers, SqlSessions
from legacy_adapters.oscar.storage.tables import metadata
from new_core.storage import SqlDatabase, make_engine, make_reader, upgrade
from tests.support.databases import database_of
from tests.support.migrating import up_down_up

pytestmark = pytest.mark.integration

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with database_of(request, tmp_path_factory) as found:
        yield found


def test_they_go_up_down_and_up_beside_the_cores_and_are_what_the_models_say(url: str) -> None:
    assert up_down_up(url, CHAIN, metadata) == []


def test_things_that_are_numbered_at_once_get_numbers_of_their_own(url: str) -> None:
    async def number() -> tuple[set[str], dict[str, str]]:
        engine = make_engine(url)
        database = SqlDatabase(engine, make_reader(url))
        try:
            await upgrade(engine)
            await upgrade(engine, chain=CHAIN)

            async def one() -> list[str]:
                ids = [uuid4() for _ in range(3)]
                async with database.writing() as uow:
                    given = await SqlNumbers(uow).give("basket", ids, NOW)
                    again = await SqlNumbers(uow).give("basket", ids, NOW)
                    await uow.commit()
                assert given == again
                return list(given.values())

            drawn = await asyncio.gather(*(one() for _ in range(8)))
            async with database.reading() as uow:
                following = await SqlNumbers(uow).next("basket")
            return {n for some in drawn for n in some}, {"next": following}
        finally:
            await database.dispose()

    numbers, told = asyncio.run(number())
    assert numbers == {str(FIRST_OWN + n) for n in range(24)}
    assert told["next"] == str(FIRST_OWN + 24)


def test_a_session_is_there_until_it_ends_or_expires(url: str) -> None:
    async def live() -> list[Session | None]:
        engine = make_engine(url)
        database = SqlDatabase(engine, make_reader(url))
        ends, later = NOW + timedelta(days=14), NOW + timedelta(days=15)
        session, other = Session("a" * 64, uuid4(), uuid4()), Session("b" * 64)
        try:
            await upgrade(engine)
            await upgrade(engine, chain=CHAIN)
            async with database.writing() as uow:
                sessions = SqlSessions(uow)
                for one in (session, other, session):
                    await sessions.put(one, NOW, ends)
                seen = [await sessions.get(one.key_sha256, NOW) for one in (session, other)]
                assert seen == [session, other]
                await sessions.end(other.key_sha256)
                gone = [await sessions.get(other.key_sha256, NOW)]
                gone.append(await sessions.get(session.key_sha256, later))
                await uow.commit()
            assert await sweep_sessions(database, lambda: NOW) == 0
            assert await sweep_sessions(database, lambda: later) == 1
            async with database.reading() as uow:
                gone.append(await SqlSessions(uow).get(session.key_sha256, NOW))
            return gone
        finally:
            await database.dispose()

    assert asyncio.run(live()) == [None, None, None]
