"""Somebody who shops over /v1, without a socket."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI

from new_core.api.auth import Gate
from new_core.app import build_core
from new_core.domain.actor import Actor, ActorKind
from new_core.errors import Unauthenticated
from new_core.settings import CoreSettings
from tests.support.asgi import Answered, send_to

STAFF = Actor(
    ActorKind.STAFF,
    "desk",
    frozenset({"carts:read", "carts:write", "prices:write", "orders:read", "catalog:write"}),
)


@dataclass
class Door:
    """Tells who a bearer token is; a test writes names into it."""

    people: dict[str, Actor] = field(default_factory=lambda: {"staff": STAFF})

    async def identify(self, token: str) -> Actor:
        if token not in self.people:
            raise Unauthenticated("this token does not hold")
        return self.people[token]

    def customer(self, name: str, customer_id: uuid.UUID) -> str:
        actor = Actor(ActorKind.CUSTOMER, str(customer_id), customer_id=customer_id)
        self.people[name] = actor
        return name


@asynccontextmanager
async def carts_core(url: str, door: Door) -> AsyncIterator[FastAPI]:
    """The core's carts on a database, with a door of the test."""
    settings = CoreSettings(core_database=url, core_auth="required", core_modules="carts,shipping")
    app = build_core(settings)
    app.state.gate = Gate(door.identify)
    async with app.router.lifespan_context(app):
        yield app


@dataclass
class Shopper:
    """Sends requests; every POST has a key of its own unless it is given one."""

    app: FastAPI
    headers: Mapping[str, str] = field(default_factory=dict)

    def known_as(self, token: str) -> Shopper:
        return Shopper(self.app, {**self.headers, "authorization": f"Bearer {token}"})

    def holding(self, cart_token: str) -> Shopper:
        return Shopper(self.app, {**self.headers, "cart-token": cart_token})

    async def send(self, method: str, path: str, body: Any = None, **headers: str) -> Answered:
        sent = {**self.headers, **{name.replace("_", "-"): h for name, h in headers.items()}}
        if method == "POST":
            sent.setdefault("idempotency-key", f'"{uuid.uuid4()}"')
        content = b"" if body is None else json.dumps(body).encode()
        if content:
            sent["content-type"] = "application/json"
        return await send_to(self.app, method, path, content, sent)

    async def get(self, path: str, **headers: str) -> Answered:
        return await self.send("GET", path, **headers)

    async def post(self, path: str, body: Any = None, **headers: str) -> Answered:
        return await self.send("POST", path, body, **headers)

    async def begin(self, **more: Any) -> tuple[str, Shopper]:
        """A new cart: its path, and whoever holds its secret."""
        made = await self.post("/v1/carts", {"currency": "CAD", **more})
        assert made.status == 201, made.text
        told = made.json()
        who = self.holding(told["token"]) if told["token"] else self
        return f"/v1/carts/{told['id']}", who
