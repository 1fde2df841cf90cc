"""What a cart may hold: rules of quantity, assortments, and prices of a customer's groups."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from uuid import UUID

import pytest
import sqlalchemy as sa

from new_core.domain.actor import ANONYMOUS
from new_core.domain.assortment import AssignedTo, Assortment, AssortmentRule, RuleKind
from new_core.domain.customer import Customer, CustomerStatus
from new_core.service.assorting import assign
from new_core.service.doing import Doing
from new_core.storage import SqlDatabase, make_engine, make_reader
from new_core.storage.ids import new_id
from new_core.storage.tables import metadata
from tests.support.cart_client import Door, Shopper, carts_core
from tests.support.cart_shop import THEN, product_id, sku, stock_shop, variant_id
from tests.support.databases import fresh_database

pytestmark = pytest.mark.integration

PACKED = 3
RULE = f"/v1/quantity-rules/{variant_id(PACKED)}"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with contextlib.ExitStack() as stack:
        found = f"sqlite:///{tmp_path_factory.mktemp('core')}/core.sqlite3"
        if request.param == "postgresql":
            port = request.getfixturevalue("postgres_port")
            found = stack.enter_context(fresh_database(port))
        asyncio.run(stock_shop(found))
        yield found


@pytest.fixture
async def shopper(url: str) -> AsyncIterator[Shopper]:
    door = Door()
    async with carts_core(url, door) as app:
        yield Shopper(app)


async def test_a_line_keeps_to_the_rule_and_one_that_did_has_a_problem(shopper: Shopper) -> None:
    staff = shopper.known_as("staff")
    cart, guest = await shopper.begin()
    await guest.post(f"{cart}/lines", {"sku": sku(PACKED), "quantity": 5})

    none = await staff.get(RULE)
    blind = await staff.send("PUT", RULE, {"minimum": 6, "maximum": 18, "step": 6})
    made = await staff.send("PUT", RULE, {"minimum": 6, "maximum": 18, "step": 6}, if_match="*")
    problems = [one["code"] for one in (await guest.get(cart)).json()["problems"]]
    step = await guest.post(f"{cart}/lines", {"sku": sku(PACKED), "quantity": 2})
    more = await guest.post(f"{cart}/lines", {"sku": sku(PACKED), "quantity": 7})
    over = await guest.post(
        f"{cart}/lines:batch",
        {"mode": "partial", "lines": [{"sku": sku(PACKED), "quantity": 12}, {"sku": sku(0)}]},
    )
    late = await staff.send("DELETE", RULE, if_match='"v9"')
    gone = await staff.send("DELETE", RULE, if_match=made.headers["etag"])

    assert (none.status, blind.status, made.status) == (404, 428, 200)
    assert made.json()["step"] == 6
    assert "quantity_below_minimum" in problems
    assert (step.status, step.json()["code"]) == (409, "quantity_not_a_step")
    assert (more.status, more.json()["line"]["quantity"]) == (200, 12)
    assert [one["code"] for one in over.json()["rows"]] == ["quantity_above_maximum", None]
    assert (late.status, gone.status) == (412, 204)


@pytest.mark.parametrize(
    "rule",
    [{"minimum": 0}, {"step": 0}, {"minimum": 5, "maximum": 4}, {"step": 6, "maximum": 5},
     {"minimum": 13, "maximum": 17, "step": 6}, {"more": 1}],
)  # fmt: skip
async def test_a_rule_that_no_quantity_keeps_to_is_refused(
    shopper: Shopper, rule: dict[str, object]
) -> None:
    answer = await shopper.known_as("staff").send("PUT", RULE, rule, if_match="*")

    assert answer.status == 422, answer.text


async def test_rules_are_kept_for_what_there_is_by_whom_may(shopper: Shopper) -> None:
    nothing = f"/v1/quantity-rules/{UUID(int=1)}"
    staff = shopper.known_as("staff")

    assert (await staff.send("PUT", nothing, {}, if_match="*")).status == 404
    assert (await staff.send("DELETE", nothing, if_match="*")).status == 404
    assert (await shopper.send("PUT", RULE, {}, if_match="*")).status == 401


async def test_outside_of_a_customers_assortment_nothing_is_for_sale(
    shopper: Shopper, url: str
) -> None:
    customer_id = new_id()
    token = await a_limited_customer(shopper, url, customer_id)
    ann = shopper.known_as(token)
    cart, _ = await ann.begin()

    inside = await ann.post(f"{cart}/lines", {"sku": sku(1)})
    outside = await ann.post(f"{cart}/lines", {"sku": sku(2)})

    assert inside.status == 201, inside.text
    assert (outside.status, outside.json()["code"]) == (409, "not_for_sale")


async def a_limited_customer(shopper: Shopper, url: str, customer_id: UUID) -> str:
    """Somebody who sees thing 1 alone, by the group they are in."""
    database = SqlDatabase(make_engine(url), make_reader(url))
    group = new_id()
    customer = Customer(
        customer_id, "ann@example.org", CustomerStatus.ACTIVE, THEN, group_ids=frozenset({group})
    )
    rules = (AssortmentRule(True, RuleKind.PRODUCT, product_id(1)),)
    engine = make_engine(url, pool_size=1)
    async with engine.begin() as connection:
        row = {"id": group, "code": "few", "name": "Few", "version": 1, "updated_at": THEN}
        await connection.execute(sa.insert(metadata.tables["customer_group"]), row)
    await engine.dispose()
    async with database.writing() as uow:
        await uow.customers.put(customer, THEN)
        await uow.assortments.put(Assortment(new_id(), "few", "Few", rules), THEN)
        await uow.commit()
    async with database.writing() as uow:
        doing = Doing(ANONYMOUS, THEN, new_id)
        await assign(uow, "few", AssignedTo.GROUP, group, doing, given=True)
    await database.dispose()
    door = shopper.app.state.gate.identify.__self__
    assert isinstance(door, Door)
    return door.customer("ann", customer_id)
