"""Customers in both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from new_core.domain.address import PostalAddress
from new_core.domain.customer import Customer, CustomerStatus, SavedAddress
from new_core.errors import InvalidValue
from new_core.storage import SqlDatabase, make_engine, make_reader, upgrade

pytestmark = pytest.mark.integration

THEN = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'core.sqlite3'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
async def database(url: str) -> AsyncIterator[SqlDatabase]:
    engine = make_engine(url, pool_size=2)
    await upgrade(engine)
    made = SqlDatabase(engine, make_reader(url, pool_size=1))
    yield made
    await made.dispose()


def customer(number: int, email: str, **more: object) -> Customer:
    home = PostalAddress("CA", ("1 Elm", "Unit 2"), "Ottawa", "Ann", "Bee", region="ON")
    made = Customer(
        UUID(int=number), email, CustomerStatus.ACTIVE, THEN, username=f"u{number}",
        addresses=(
            SavedAddress(UUID(int=number * 100 + 2), home, default_shipping=True),
            SavedAddress(UUID(int=number * 100 + 1), replace(home, city="Hull")),
        ),
    )  # fmt: skip
    return replace(made, **more)  # type: ignore[arg-type]


async def test_a_customer_comes_back_as_put(database: SqlDatabase) -> None:
    ann = customer(1, "ann@example.org")

    async with database.writing() as uow:
        first = await uow.customers.put(ann, THEN)
        second = await uow.customers.put(ann, THEN + timedelta(days=1))
        await uow.commit()
    async with database.reading() as uow:
        found = await uow.customers.get(ann.id)

    assert (first.version, second.version) == (1, 2)
    assert found == second
    assert found is not None
    assert found.value == ann
    async with database.reading() as uow:
        assert await uow.customers.by_email("ann@example.org") == found
        assert await uow.customers.by_username("u1") == found
        assert await uow.customers.by_email("bob@example.org") is None
    async with database.writing() as uow:
        assert await uow.customers.locked(ann.id) == found


async def test_an_address_of_mail_belongs_to_one_who_is_not_erased(database: SqlDatabase) -> None:
    async with database.writing() as uow:
        await uow.customers.put(customer(1, "ann@example.org"), THEN)
        await uow.commit()

    with pytest.raises(InvalidValue, match="email belongs"):
        async with database.writing() as uow:
            await uow.customers.put(customer(2, "ann@example.org"), THEN)
    with pytest.raises(InvalidValue, match="username belongs"):
        async with database.writing() as uow:
            await uow.customers.put(customer(2, "bob@example.org", username="u1"), THEN)
    async with database.writing() as uow:
        gone = customer(1, "", username="", status=CustomerStatus.ERASED, addresses=())
        await uow.customers.put(gone, THEN)
        await uow.customers.put(replace(gone, id=UUID(int=3)), THEN)
        await uow.customers.put(customer(2, "ann@example.org"), THEN)
        await uow.commit()
    async with database.reading() as uow:
        found = await uow.customers.by_email("ann@example.org")
    assert found is not None
    assert found.value.id == UUID(int=2)
