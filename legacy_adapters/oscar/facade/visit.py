"""One request of one client, as the views see it."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, tzinfo
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

from starlette.requests import Request

from legacy_adapters.oscar.mapping.answers import Shop
from legacy_adapters.oscar.mapping.fields import InvalidForm
from legacy_adapters.oscar.mapping.links import Links
from legacy_adapters.oscar.mapping.session_ids import SessionName, digest
from legacy_adapters.oscar.storage import Session, SqlSessions
from new_core.api.house import House
from new_core.domain.actor import Actor, ActorKind
from new_core.domain.order_placing import Terms
from new_core.ports import UnitOfWork
from new_core.service.doing import Doing
from new_core.service.identity_logins import Logins

SESSION_COOKIE, CSRF_COOKIE = "sessionid", "csrftoken"
SESSION_LIFE = timedelta(days=14)
_SCOPES = frozenset(
    {
        "carts:read", "carts:write", "checkout:write", "orders:read", "customers:read",
        "customers:write",
    }
)  # fmt: skip
_FORM, _JSON = "application/x-www-form-urlencoded", "application/json"


@dataclass(frozen=True, slots=True)
class ShopTerms:
    """What an oscar shop has in its settings file, and the house it moved into.

    Attributes:
        secret_key: with which the shop names sessions; "" where they are not carried.
    """

    house: House
    zone: tzinfo
    media_url: str
    currency: str
    checkout: Terms
    logins: Logins
    secret_key: str = ""

    def named(self, name: SessionName) -> Session:
        """The session of a client that named it, new."""
        if not self.secret_key:
            return Session(name.key_sha256)
        return self.keyed(name.session_key(self.secret_key))

    def keyed(self, key: str) -> Session:
        """The session of a client with a cookie, new."""
        return Session(digest(key), session_key=key if self.secret_key else "")


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; `headers` come on top of what every answer has."""

    status: int
    body: object
    headers: tuple[tuple[str, str], ...] = ()


class Refused(Exception):
    """The answer is no."""

    def __init__(self, status: int, body: object) -> None:
        super().__init__(str(body))
        self.reply = Reply(status, body)


def refused(status: int, detail: str) -> Refused:
    """A refusal as Django REST framework writes it."""
    return Refused(status, {"detail": detail})


def missing(what: str) -> Refused:
    """There is none, in oscar's words."""
    return refused(404, f"No {what} matches the given query.")


@dataclass(slots=True)
class Visit:
    """One request. Of one task; the session changes while it is answered.

    Attributes:
        name: under which the client keeps its session; None for one with cookies.
        session: as it is now.
        cookies: to be set with the answer.
        is_shadow: whether somebody only compares: nothing may stay that a shopper did not ask
            for.
    """

    terms: ShopTerms
    request: Request
    links: Links
    arguments: tuple[str, ...]
    structure: str | None
    at: datetime
    name: SessionName | None
    session: Session
    body: bytes = b""
    cookies: list[str] = field(default_factory=list)
    ended: bool = False

    @property
    def house(self) -> House:
        """What the core is built of."""
        return self.terms.house

    @property
    def is_shadow(self) -> bool:
        headers = self.request.headers
        return "x-banyan-shadow" in headers and "banyan-dry-run" not in headers

    @property
    def address(self) -> str:
        """From where the client comes, as the proxy in front tells it."""
        told = self.request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
        client = self.request.client
        return told or (client.host if client is not None else "")

    @property
    def zone(self) -> tzinfo:
        """In which times are shown."""
        return self.terms.zone

    @property
    def customer_id(self) -> UUID | None:
        """Who has logged in."""
        return self.session.customer_id

    @property
    def doing(self) -> Doing:
        """An act of this client: a customer's own, or done for a guest."""
        return Doing(self.actor, self.at, self.house.new_id)

    @property
    def actor(self) -> Actor:
        """A customer; or this facade, which has checked whose basket it is."""
        request_id = str(self.request.scope.get("banyan.request_id", ""))
        if self.customer_id is None:
            return Actor(ActorKind.SERVICE, "oscar-facade", _SCOPES, request_id=request_id)
        return Actor(
            ActorKind.CUSTOMER, str(self.customer_id), customer_id=self.customer_id,
            request_id=request_id,
        )  # fmt: skip

    def shop(self, keys: Mapping[UUID, str]) -> Shop:
        """The context of the answers."""
        return Shop(self.links, keys, self.terms.zone)

    def argument(self, at: int = 0) -> str:
        """A number of the path: oscar reads 007 as 7."""
        return self.arguments[at].lstrip("0") or "0"

    def sent(self) -> Any:
        """What the client sent, read by its media type.

        Raises:
            Refused: 400 or 415, as it cannot be read.
        """
        if not self.body:
            return {}
        media = self.request.headers.get("content-type", "")
        kind = media.partition(";")[0].strip().lower()
        if kind == _FORM:
            return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))
        if kind != _JSON:
            raise refused(415, f'Unsupported media type "{media}" in request.')
        try:
            return json.loads(self.body.decode(), parse_constant=_no_constant)
        except (ValueError, RecursionError) as exc:
            raise refused(400, f"JSON parse error - {exc}") from exc

    async def remember(self, uow: UnitOfWork, session: Session) -> None:
        """Keep the session as it is from now on; a client with cookies is told of a new one."""
        self.session = session
        if not session.key_sha256:
            # 32 characters, as long as Django's: nobody may guess one.
            secret = secrets.token_hex(16)
            self.session = replace(
                self.terms.keyed(secret), customer_id=session.customer_id, cart_id=session.cart_id
            )
            self.set_cookie(SESSION_COOKIE, secret, SESSION_LIFE, "HttpOnly; ")
        await SqlSessions(uow).put(self.session, self.at, self.at + SESSION_LIFE)

    def set_cookie(self, name: str, value: str, life: timedelta, flags: str = "") -> None:
        """Tell the browser something to send again."""
        seconds = int(life.total_seconds())
        self.cookies.append(f"{name}={value}; {flags}Max-Age={seconds}; Path=/; SameSite=Lax")

    def drop_cookie(self, name: str) -> None:
        """Tell the browser to forget it."""
        gone = "expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0"
        self.cookies.append(f'{name}=""; {gone}; Path=/; SameSite=Lax')


def refused_form(status: int, invalid: InvalidForm) -> Refused:
    """A form that is refused, with what is wrong by field."""
    return Refused(status, invalid.problems)


def _no_constant(text: str) -> float:
    raise ValueError(f"Out of range float values are not JSON compliant: {text!r}")
