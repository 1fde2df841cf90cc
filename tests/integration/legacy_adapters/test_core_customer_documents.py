"""Customers are written into the core's tables as documents, and read from them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace as replaced
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
import sqlalchemy as sa

from legacy_adapters.mapping.canonical import canonical_bytes
from legacy_adapters.oscar.mapping.sync_customer import (
    BookEntry,
    CustomerDoc,
    CustomerTranslation,
    Standing,
)
from legacy_adapters.oscar.mapping.sync_customer_addresses import Address
from legacy_adapters.oscar.storage.core_customers import CustomerDocuments
from new_core.domain.catalog import Stored
from new_core.domain.customer import Customer, anonymised
from new_core.storage import SqlDatabase
from new_core.storage.tables.customers import customer_address, customer_token
from new_core.storage.tables.outbox import outbox_event
from tests.support.core import BOTH, core_database

pytestmark = pytest.mark.integration

NOW, LATER = datetime(2026, 5, 4, 12, tzinfo=UTC), datetime(2026, 5, 5, 12, tzinfo=UTC)
TRANSLATION, DOCUMENTS = CustomerTranslation(), CustomerDocuments()
THERE = Address("GB", ("", "1 Book Street"), "London", "Ms", "Ada", "📚" * 300, "", "EN1", "1", "n")
replace = msgspec.structs.replace


@pytest.fixture(params=BOTH)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path / 'core.sqlite3'}"


@pytest.fixture
async def core(url: str) -> AsyncIterator[SqlDatabase]:
    async with core_database(url) as database:
        yield database


def person(at: int, **changed: Any) -> CustomerDoc:
    return CustomerDoc(
        **{
            "id": UUID(int=at), "standing": Standing.ACTIVE, "email": f"p{at}@example.com",
            "username": f"name-{at}", "first_name": "Ada", "last_name": "",
            "password_hash": "pbkdf2_sha256$1$s$h",
            "created_at": datetime(1969, 7, 20, 20, 17, 40, 7, tzinfo=UTC),
            "book": tuple(
                BookEntry(UUID(int=1000 * at + one), THERE, one == 1, one == 2) for one in (1, 2)
            ),
            **changed,
        }
    )  # fmt: skip


async def write(core: SqlDatabase, *docs: CustomerDoc, at: datetime = NOW) -> Mapping[UUID, str]:
    async with core.writing() as uow:
        refused = await DOCUMENTS.write(uow, docs, at)
        await uow.commit()
    return refused


async def read(core: SqlDatabase, *ids: UUID) -> Mapping[UUID, CustomerDoc]:
    async with core.reading() as uow:
        return await DOCUMENTS.read(uow, ids)


async def customer(core: SqlDatabase, ident: UUID) -> Stored[Customer]:
    async with core.reading() as uow:
        found = await uow.customers.get(ident)
    assert found is not None
    return found


async def count(core: SqlDatabase, table: sa.Table) -> int:
    async with core.reading() as uow:
        statement = sa.select(sa.func.count()).select_from(table)
        return int((await uow.connection.execute(statement)).scalar_one())


async def test_what_is_written_is_read_again(core: SqlDatabase) -> None:
    erased = person(3, standing=Standing.ERASED, email="", username="")
    docs = [person(1), person(2, standing=Standing.DISABLED, book=(), username=""), erased]

    refused = await write(core, *docs)

    assert refused == {}
    found = await read(core, *(one.id for one in docs))
    assert [canonical_bytes(found[one.id]) for one in docs] == [
        canonical_bytes(one) for one in docs
    ]
    assert await count(core, outbox_event) == 0


async def test_what_the_core_alone_knows_stays(core: SqlDatabase) -> None:
    await write(core, person(1))
    before = (await customer(core, UUID(int=1))).value
    kept = replaced(before, phone="+4420", locale="en-GB", addresses=before.addresses[::-1])
    async with core.writing() as uow:
        await uow.customers.put(kept, NOW)
        await uow.commit()

    await write(core, person(1, last_name="Lovelace"), at=LATER)

    found = await customer(core, UUID(int=1))
    assert found.value == replaced(kept, last_name="Lovelace")
    assert found.updated_at == LATER


async def test_what_says_nothing_new_is_not_written(core: SqlDatabase) -> None:
    await write(core, person(1))

    await write(core, person(1), at=LATER)

    found = await customer(core, UUID(int=1))
    assert (found.version, found.updated_at) == (1, NOW)


async def test_an_address_that_is_gone_goes(core: SqlDatabase) -> None:
    await write(core, person(1))

    await write(core, person(1, book=person(1).book[1:]), at=LATER)

    assert await count(core, customer_address) == 1


async def test_two_customers_do_not_share_an_address_of_mail(core: SqlDatabase) -> None:
    first, second = person(1), person(2, email="p1@example.com")

    refused = await write(core, first, second)
    later = await write(core, second)

    assert set(refused) == set(later) == {second.id}
    assert "email" in refused[second.id]
    assert set(await read(core, first.id, second.id)) == {first.id}


async def test_two_customers_exchange_what_is_theirs(core: SqlDatabase) -> None:
    first, second = person(1), person(2)
    await write(core, first, second)
    changed = [
        replace(first, email=second.email, username=second.username),
        replace(second, email=first.email, username=first.username),
    ]

    refused = await write(core, *changed, at=LATER)

    assert refused == {}
    assert (await read(core, first.id))[first.id] == changed[0]


async def test_who_is_refused_keeps_what_they_had(core: SqlDatabase) -> None:
    await write(core, person(1), person(2))
    wants_a_taken_one = person(1, email="p2@example.com")
    wants_that_of_the_first = person(3, email="p1@example.com")

    refused = await write(core, wants_a_taken_one, wants_that_of_the_first, at=LATER)

    assert set(refused) == {UUID(int=1), UUID(int=3)}
    assert (await read(core, UUID(int=1)))[UUID(int=1)] == person(1)


async def test_the_erased_are_not_brought_back(core: SqlDatabase) -> None:
    await write(core, person(1))
    async with core.writing() as uow:
        await uow.customers.put(anonymised((await customer(core, UUID(int=1))).value), NOW)
        await uow.commit()

    refused = await write(core, person(1), at=LATER)

    assert "erased" in refused[UUID(int=1)]
    assert (await customer(core, UUID(int=1))).value.email == ""


async def test_a_new_password_ends_the_ways_to_set_one(core: SqlDatabase) -> None:
    await write(core, person(1), person(2))
    async with core.writing() as uow:
        for at in (1, 2):
            ends = NOW + timedelta(hours=1)
            await uow.customers.add_token(f"{at}" * 64, UUID(int=at), "reset", NOW, ends)
        await uow.commit()

    await write(core, person(1, password_hash=""), person(2, first_name="B"), at=LATER)

    assert await count(core, customer_token) == 1


async def test_customers_are_told_in_pages_and_removed(core: SqlDatabase) -> None:
    await write(core, *(person(at) for at in (1, 2, 3)))

    async with core.writing() as uow:
        await DOCUMENTS.remove(uow, [UUID(int=2), UUID(int=9)], LATER)
        await uow.commit()

    async with core.reading() as uow:
        assert await DOCUMENTS.page(uow, None, 1) == [UUID(int=1)]
        assert await DOCUMENTS.page(uow, UUID(int=1), 5) == [UUID(int=3)]
    assert await count(core, customer_address) == 4


async def test_many_are_written_with_as_few_statements_as_one(core: SqlDatabase) -> None:
    async def statements(*docs: CustomerDoc) -> int:
        seen = 0

        def note(*_: Any) -> None:
            nonlocal seen
            seen += 1

        async with core.writing() as uow:
            engine = uow.connection.engine.sync_engine
            sa.event.listen(engine, "before_cursor_execute", note)
            await DOCUMENTS.write(uow, docs, NOW)
            sa.event.remove(engine, "before_cursor_execute", note)
        return seen

    many = [person(at) for at in range(1, 41)]
    assert await statements(*many) == await statements(person(77))
