"""A core with gateways that play, for tests of checkout and orders, without a socket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from fastapi import FastAPI

from new_core.api import problems
from new_core.api.auth import Gate
from new_core.api.dry_runs import DryRuns
from new_core.api.house import House
from new_core.api.observe import Metrics
from new_core.api.paying_till import till_of
from new_core.app import MODULES
from new_core.domain.actor import Actor, ActorKind
from new_core.domain.catalog import BundleComponent
from new_core.domain.customer import Customer, CustomerStatus
from new_core.domain.promotions import PercentOff, Promotion
from new_core.domain.totals import DiscountKind
from new_core.gateways import ManualGateway
from new_core.service.gateway_calls import Gateways, Offered
from new_core.service.paying import Till
from new_core.service.paying_recovery import recover
from new_core.settings import CoreSettings
from new_core.storage import SqlDatabase, make_engine
from new_core.storage.ids import new_id
from tests.support.asgi import Answered
from tests.support.cart_client import Door, Shopper
from tests.support.cart_shop import sku, stock_shop, variant_id
from tests.support.core import SetClock, core_database
from tests.support.paying import PlayedGateway

ADDRESS = {"country": "CA", "region": "ON", "lines": ["1 Main St"], "city": "Ottawa"}
DESK = Actor(
    ActorKind.STAFF,
    "desk",
    frozenset({"carts:read", "carts:write", "checkout:write", "orders:read", "orders:write"}),
)
VIEWER = Actor(ActorKind.STAFF, "viewer", frozenset({"orders:read"}))


@dataclass
class Shop:
    """A core's application with all that a test turns on it."""

    app: FastAPI
    url: str
    database: SqlDatabase
    clock: SetClock
    gateway: PlayedGateway
    till: Till
    door: Door = field(default_factory=Door)

    @property
    def anybody(self) -> Shopper:
        return Shopper(self.app)

    @property
    def desk(self) -> Shopper:
        return self.anybody.known_as("desk")

    async def sql(self, statement: str, **values: object) -> list[Any]:
        """All rows of a statement of the test's own, committed."""
        engine = make_engine(self.url, pool_size=1)
        typed = sa.text(statement).bindparams(
            *(sa.bindparam(name, type_=sa.Uuid()) for name in values if name == "id")
        )
        try:
            async with engine.begin() as connection:
                result = await connection.execute(typed, values)
                return list(result.all()) if result.returns_rows else []
        finally:
            await engine.dispose()

    async def cart(self, *things: tuple[int, int], who: Shopper | None = None) -> Basket:
        """A cart of (thing, quantity) that can be ordered, with its checkout begun."""
        path, holder = await (who or self.anybody).begin(email="a@example.test")
        for number, quantity in things:
            added = await holder.post(f"{path}/lines", {"sku": sku(number), "quantity": quantity})
            assert added.status in (200, 201), added.text
        sent = await holder.send("PATCH", path, {"shipping_address": ADDRESS}, if_match="*")
        assert sent.status == 200, sent.text
        basket = Basket(path, holder)
        await basket.begin()
        return basket


@dataclass
class Basket:
    """A cart on its way."""

    path: str
    who: Shopper
    checkout: str = ""
    total: dict[str, str] = field(default_factory=dict)

    @property
    def cart_id(self) -> str:
        return self.path.rsplit("/", 1)[-1]

    async def begin(self) -> Answered:
        begun = await self.who.post("/v1/checkouts", {"cart_id": self.cart_id})
        if begun.status == 200:
            told = begun.json()
            self.checkout, self.total = f"/v1/checkouts/{told['id']}", told["expected_total"]
        return begun

    async def complete(self, key: str = "", **more: Any) -> Answered:
        body = {"expected_total": self.total, **more}
        keyed = {"idempotency_key": key} if key else {}
        return await self.who.post(f"{self.checkout}/complete", body, **keyed)

    async def state(self) -> str:
        return str((await self.who.get(self.path)).json()["state"])


CARD = {"kind": "card", "token": "tok_visa"}


@asynccontextmanager
async def checkout_shop(
    url: str, *plays: str, things: int = 10, pay_later: bool = True, **stock: Any
) -> AsyncIterator[Shop]:
    """The core on a database with things in it, and one gateway for cards."""
    await stock_shop(url, things, **stock)
    clock = SetClock()
    gateway = PlayedGateway("played", *plays)
    by_hand = [Offered(ManualGateway(), frozenset({"manual"}))] if pay_later else []
    gateways = Gateways([*by_hand, Offered(gateway, frozenset({"card"}))], deadline_s=5.0)
    door = Door()
    door.people |= {"desk": DESK, "viewer": VIEWER}
    async with core_database(url) as database:
        house = House(database, clock, new_id, CoreSettings(), Metrics(), gateways)
        yield Shop(_app(house, door), url, database, clock, gateway, till_of(house), door)


def _app(house: House, door: Door) -> FastAPI:
    app = FastAPI()
    app.state.gate = Gate(door.identify)
    problems.install(app)
    known = []
    for name in ("carts", "checkout", "orders"):
        make: Callable[..., Any] | None = MODULES[name].routes
        assert make is not None
        router = make(house)
        app.include_router(router)
        known.extend(router.routes)
    app.add_middleware(DryRuns, database=house.database, routes=known, metrics=house.metrics)
    return app


async def customer(shop: Shop, name: str, customer_id: UUID) -> Shopper:
    """Somebody who is known here and logged in."""
    known = Customer(customer_id, f"{name}@example.test", CustomerStatus.ACTIVE, shop.clock())
    async with shop.database.writing() as uow:
        await uow.customers.put(known, shop.clock())
        await uow.commit()
    return shop.anybody.known_as(shop.door.customer(name, customer_id))


async def recovered(shop: Shop) -> None:
    """What the workers of payments do when their time has come, until nothing is left."""
    shop.clock.forward(minutes=10)
    while await recover(shop.till):
        pass


async def set_stock(url: str, number: int, units: int) -> None:
    """So many units of a thing lie there."""
    engine = make_engine(url, pool_size=1)
    statement = sa.text("UPDATE stock_level SET on_hand = :units WHERE variant_id = :id")
    try:
        async with engine.begin() as connection:
            await connection.execute(
                statement.bindparams(sa.bindparam("id", type_=sa.Uuid())),
                {"units": units, "id": variant_id(number)},
            )
    finally:
        await engine.dispose()


async def put_coupon(url: str, code: str, uses: int) -> None:
    """A coupon for a tenth off any order, so many times."""
    promotion = Promotion(
        new_id(), "A tenth off", DiscountKind.ORDER, PercentOff(100_000), code=code,
        usage_limit=uses,
    )  # fmt: skip
    async with core_database(url) as database, database.writing() as uow:
        await uow.promotions.put(promotion, SetClock().at)
        await uow.commit()


async def make_bundle(url: str, bundle: int, component: int) -> None:
    """Thing `bundle` is made of one unit of thing `component` from now on."""
    parts = [BundleComponent(variant_id(component), 1)]
    async with core_database(url) as database, database.writing() as uow:
        await uow.catalog.put_components(variant_id(bundle), parts, SetClock().at)
        await uow.commit()
