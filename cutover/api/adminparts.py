"""What the admin API works with, and what its addresses have in common."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse

from cutover.api.adminbodies import Problem
from cutover.api.adminproblems import CODES, MEDIA_TYPE, AdminProblem
from cutover.core.access import Via, Who
from cutover.core.plan_file import MadeFrom
from cutover.service.books import Books
from cutover.service.hands import Hands
from cutover.storage.answers import Answers
from cutover.storage.kept_plans import KeptPlans

_MOST_WAITING = 32


@dataclass(slots=True)
class Lane:
    """How many do something at once; belongs to one event loop."""

    at_once: int
    waiting: int = 0
    slots: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self.slots = asyncio.Semaphore(self.at_once)

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[None]:
        """Wait for a slot. Raises AdminProblem when too many wait already."""
        if self.waiting >= _MOST_WAITING:
            raise AdminProblem("busy", "too many steps are at work; try again")
        self.waiting += 1
        try:
            await self.slots.acquire()
        finally:
            self.waiting -= 1
        try:
            yield
        finally:
            self.slots.release()


@dataclass(frozen=True, slots=True)
class AdminParts:
    """What the admin API works with.

    Attributes:
        hands: None where nothing may be done from here.
        actor: who acts where nobody says who they are.
        steps: plans, applications and approvals, which wait for each other anyway.
        rollbacks: by themselves: a rollback never waits for an apply.
        waits: those who wait for the proxy's answer.
    """

    books: Books
    hands: Hands | None
    answers: Answers
    plans: KeptPlans
    actor: str
    steps: Lane = field(default_factory=lambda: Lane(4))
    rollbacks: Lane = field(default_factory=lambda: Lane(8))
    waits: Lane = field(default_factory=lambda: Lane(8))

    def acting(self) -> Hands:
        """The hands. Raises AdminProblem where there are none."""
        if self.hands is None:
            raise AdminProblem("read_only", "the room was started with --read-only")
        return self.hands

    def actor_of(self, who: Who, said: str | None) -> str:
        """Who the ledger names. Raises AdminProblem for somebody else's name."""
        if who.via is Via.OPEN and not who.name:
            return said or self.actor
        if said is not None and said != who.name:
            raise AdminProblem("other_actor", f"you are {who.name}; leave actor out")
        return who.name


def json_only(request: Request) -> None:
    """No page of another origin can send JSON without being asked first."""
    _refuse_kind(request, ("application/json",))


def json_or_yaml(request: Request) -> None:
    """The same of what takes a routing file as it is."""
    _refuse_kind(request, ("application/json", "application/yaml"))


def _refuse_kind(request: Request, kinds: tuple[str, ...]) -> None:
    found = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if found not in kinds:
        raise AdminProblem("unsupported_media_type", f"send {' or '.join(kinds)}")


def etag_of(made_from: MadeFrom) -> str:
    """What If-Match says of what is in force."""
    return f'"{made_from.revision or 0}-{(made_from.table_sha256 or "none")[:12]}"'


def documented(
    model: type, *codes: str, status: int = 200, **headers: str
) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI entry of an address's answers: one that is good, and every problem."""
    named = {k.replace("_", "-"): v for k, v in headers.items()}
    good: dict[str, Any] = {"model": model, "description": "Done"}
    if named:
        good["headers"] = {
            name: {"description": told, "schema": {"type": "string"}}
            for name, told in named.items()
        }
    by_status: dict[int, list[str]] = {}
    for code in ("not_signed_in", "not_allowed", "invalid_request", "internal", *codes):
        by_status.setdefault(CODES[code][0], []).append(code)
    found: dict[int | str, dict[str, Any]] = {status: good}
    for one, named_codes in sorted(by_status.items()):
        found[one] = {
            "description": f"`{'`, `'.join(named_codes)}`",
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    return found


def schemas(openapi: dict[str, Any]) -> dict[str, Any]:
    """Add what answers refer to by name."""
    known = openapi.setdefault("components", {}).setdefault("schemas", {})
    known["Problem"] = Problem.model_json_schema()
    return openapi


def said(value: Mapping[str, Any], status: int = 200, **headers: str) -> JSONResponse:
    """A good answer."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return JSONResponse(dict(value), status, headers=named)
