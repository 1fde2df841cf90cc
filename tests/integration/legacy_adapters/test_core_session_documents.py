"""Sessions in the facade's table, on both databases."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
import sqlalchemy as sa

from legacy_adapters.oscar.mapping.records import oscar_id
from legacy_adapters.oscar.mapping.session_ids import digest
from legacy_adapters.oscar.mapping.sync_session import SessionDocument
from legacy_adapters.oscar.mapping.sync_session_data import auth_hash
from legacy_adapters.oscar.storage import Session, SqlSessions
from legacy_adapters.oscar.storage.core_sessions import SqlSessionDocuments
from new_core.domain.customer import Customer, CustomerStatus
from new_core.storage import SqlDatabase
from tests.integration.legacy_adapters.documents import NOW, core_url, counted, little_core

pytestmark = pytest.mark.integration

DOCS = SqlSessionDocuments("secret")


@pytest.fixture(params=["sqlite", "postgresql"], scope="module")
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    yield from core_url(request, tmp_path_factory)


def session(name: str, **changed: Any) -> SessionDocument:
    key = hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()
    whole = SessionDocument(
        oscar_id("session", key), key, None, UUID(int=5), "", NOW + timedelta(days=14)
    )
    return msgspec.structs.replace(whole, **changed)


async def put(database: SqlDatabase, *docs: SessionDocument) -> None:
    async with database.writing() as uow:
        assert await DOCS.write(uow, docs, NOW) == {}
        await uow.commit()


async def read(database: SqlDatabase, *docs: SessionDocument) -> list[SessionDocument]:
    async with database.reading() as uow:
        found = await DOCS.read(uow, [one.id for one in docs])
    return [found[one.id] for one in docs if one.id in found]


def test_what_was_written_is_read_and_the_facade_finds_it(url: str) -> None:
    docs = [session("a"), session("b", customer_id=UUID(int=1), auth_hash="x", cart_id=None)]

    async def run() -> tuple[list[SessionDocument], Session | None]:
        async with little_core(url) as database:
            await put(database, *docs)
            await put(database, *docs)
            async with database.reading() as uow:
                found = await SqlSessions(uow).get(digest(docs[0].session_key), NOW)
            return await read(database, *docs), found

    found, kept = asyncio.run(run())

    assert found == docs
    assert kept is not None
    assert (kept.cart_id, kept.session_key) == (UUID(int=5), docs[0].session_key)


def test_a_session_of_the_facade_is_a_document_only_where_its_key_is_kept(url: str) -> None:
    key = session("c").session_key

    async def run() -> list[list[SessionDocument]]:
        found = []
        ends = NOW + timedelta(days=14)
        async with little_core(url) as database:
            for kept in (Session(digest(key), cart_id=UUID(int=6)), Session(digest(key), None)):
                now = Session(kept.key_sha256, None, UUID(int=6), "" if kept.cart_id else key)
                async with database.writing() as uow:
                    await SqlSessions(uow).put(now, NOW, ends)
                    await uow.commit()
                found.append(await read(database, session("c")))
        return found

    assert asyncio.run(run()) == [[], [session("c", cart_id=UUID(int=6))]]


def test_a_session_that_was_kept_by_its_digest_alone_is_the_one_that_oscar_has(url: str) -> None:
    doc = session("d")

    async def run() -> list[SessionDocument]:
        async with little_core(url) as database:
            async with database.writing() as uow:
                old = Session(digest(doc.session_key), None, UUID(int=9))
                await SqlSessions(uow).put(old, NOW, NOW + timedelta(days=1))
                await uow.commit()
            await put(database, doc)
            return await read(database, doc)

    assert asyncio.run(run()) == [doc]


def test_who_logged_in_here_is_told_as_django_tells_it(url: str) -> None:
    active = CustomerStatus.ACTIVE
    person = Customer(UUID(int=41), "ada@example.com", active, NOW, password_hash="pbk")
    doc = session("e", customer_id=person.id)

    async def run() -> list[SessionDocument]:
        async with little_core(url) as database:
            async with database.writing() as uow:
                await uow.customers.put(person, NOW)
                await uow.commit()
            await put(database, doc)
            return await read(database, doc)

    (found,) = asyncio.run(run())

    assert found.auth_hash == auth_hash("pbk", "secret")


def test_sessions_are_turned_over_and_taken_out(url: str) -> None:
    docs = [session(f"f{one}") for one in range(3)]

    async def run() -> tuple[list[UUID], list[SessionDocument]]:
        async with little_core(url) as database:
            await put(database, *docs)
            found: list[UUID] = []
            async with database.reading() as uow:
                while page := await DOCS.page(uow, found[-1] if found else None, 2):
                    found += page
            async with database.writing() as uow:
                await DOCS.remove(uow, [docs[0].id, UUID(int=3)], NOW)
                await uow.commit()
            return found, await read(database, *docs)

    found, left = asyncio.run(run())

    assert {one.id for one in docs} <= set(found)
    assert found == sorted(set(found))
    assert left == docs[1:]


def test_a_thousand_sessions_take_as_many_statements_as_ten(url: str) -> None:
    async def run() -> list[int]:
        counts = []
        async with little_core(url) as database:
            for size in (10, 1000):
                docs = [session(f"{size} {one}") for one in range(size)]
                with counted() as statements:
                    await put(database, *docs)
                counts.append(len(statements))
        return counts

    few, many = asyncio.run(run())

    assert few == many


def test_migrating_keeps_the_sessions_that_are_there(url: str) -> None:
    from legacy_adapters.oscar.storage import CHAIN  # noqa: PLC0415 - only here
    from new_core.storage import downgrade, make_engine, upgrade  # noqa: PLC0415 - only here

    async def run() -> list[Any]:
        async with little_core(url) as database, database.writing() as uow:
            old = Session(digest("kept"), UUID(int=1), UUID(int=9))
            await SqlSessions(uow).put(old, NOW, NOW + timedelta(days=1))
            await uow.commit()
        engine = make_engine(url)
        try:
            await downgrade(engine, "oscar0001", chain=CHAIN)
            await upgrade(engine, chain=CHAIN)
            async with engine.connect() as connection:
                chosen = sa.text("SELECT key_sha256, expires_at FROM oscar_session")
                return list(await connection.execute(chosen))
        finally:
            await engine.dispose()

    rows = asyncio.run(run())

    assert digest("kept") in {row.key_sha256 for row in rows}
