"""Who asks, and whether they may."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import Depends, Request, Security
from fastapi.dependencies.models import Dependant
from fastapi.openapi.models import (
    OAuthFlowAuthorizationCode,
    OAuthFlowClientCredentials,
    OAuthFlows,
)
from fastapi.routing import APIRoute
from fastapi.security import OAuth2
from starlette.routing import BaseRoute

from new_core.api.problems import described
from new_core.domain.actor import ANONYMOUS, Actor, ActorKind
from new_core.domain.identity_roles import OF_BUYERS, OPEN, SCOPES
from new_core.errors import Forbidden, Unauthenticated

TOKEN_PATH = "/v1/oauth/token"  # noqa: S105 - a path
AUTHORIZE_PATH = "/v1/oauth/authorize"

_SCHEME = OAuth2(
    flows=OAuthFlows(
        clientCredentials=OAuthFlowClientCredentials(tokenUrl=TOKEN_PATH, scopes=dict(SCOPES)),
        authorizationCode=OAuthFlowAuthorizationCode(
            authorizationUrl=AUTHORIZE_PATH, tokenUrl=TOKEN_PATH, scopes=dict(SCOPES)
        ),
    ),
    auto_error=False,
)
_TokenToDocument = Annotated[str | None, Security(_SCHEME)]

Identify = Callable[[str], Awaitable[Actor]]
"""Tells whose token this is; Unauthenticated when it does not hold."""


@dataclass(frozen=True, slots=True)
class Gate:
    """Decides who asks; one per application, in `app.state.gate`.

    Attributes:
        nobody: what a request without a token is.
    """

    identify: Identify
    nobody: Actor = ANONYMOUS

    async def actor(self, request: Request) -> Actor:
        """Who sent a request.

        Raises:
            Unauthenticated: the token in it does not hold.
        """
        request_id = request_id_of(request)
        sent = request.headers.getlist("authorization")
        if not sent:
            return replace(self.nobody, request_id=request_id)
        kind, _, token = sent[0].strip().partition(" ")
        if len(sent) > 1 or kind.lower() != "bearer" or not token.strip():
            raise Unauthenticated("Authorization is one Bearer token")
        return replace(await self.identify(token.strip()), request_id=request_id)


def without_token(core_auth: str) -> Actor:
    """What a request without a token is, by the setting."""
    if core_auth == "off":
        return Actor(ActorKind.STAFF, "anybody", frozenset(SCOPES))
    return replace(ANONYMOUS, scopes=OPEN) if core_auth == "open" else ANONYMOUS


@dataclass(frozen=True, slots=True)
class Need:
    """What a route asks of who asks.

    Attributes:
        own_rows: the route shows a partner only rows of its own accounts.
        known: nobody without a token may ask.
        customer: only a customer may, for themselves.
        by_itself: the route has its own proof, and takes no token of ours.
    """

    scopes: tuple[str, ...] = ()
    own_rows: bool = False
    known: bool = False
    customer: bool = False
    by_itself: bool = False

    async def __call__(self, request: Request, _token: _TokenToDocument = None) -> Actor:
        """The actor, who has what is needed.

        Raises:
            Unauthenticated, Forbidden: they do not.
        """
        gate: Gate = request.app.state.gate
        if self.by_itself:
            return replace(ANONYMOUS, request_id=request_id_of(request))
        actor = await gate.actor(request)
        if (self.known or self.customer) and actor.kind is ActorKind.ANONYMOUS:
            raise Unauthenticated("this needs a token")
        if self.customer and actor.customer_id is None:
            raise Forbidden("", "this is for customers, about themselves")
        for scope in self.scopes:
            if not self.lets(actor, scope):
                if actor.kind is ActorKind.ANONYMOUS:
                    raise Unauthenticated(f"this needs a token with the scope {scope}")
                raise Forbidden(scope)
        return actor

    def lets(self, actor: Actor, scope: str) -> bool:
        """Whether an actor has a scope on this route: what belongs to buyers a partner only
        gets from a route that asks whose it is.
        """
        if actor.kind is ActorKind.PARTNER and scope in OF_BUYERS and not self.own_rows:
            return False
        return scope in actor.scopes


def needs(*scopes: str, own_rows: bool = False) -> Any:
    """A route's parameter: the actor who asks, who has all these scopes.

    `actor: Annotated[Actor, needs("orders:read")]`. Without a scope anybody may ask, and
    whoever sends a token is known by it. `own_rows` says that the route hides from a partner
    what is not of its accounts (`Actor.reaches`); without it partners get 403 where rows
    belong to buyers.
    """
    _check(scopes)
    return Security(Need(scopes, own_rows), scopes=list(scopes))


def needs_somebody() -> Any:
    """A route's parameter: an actor with any token that holds; what they reach is theirs."""
    return Security(Need(known=True), scopes=[])


def needs_customer() -> Any:
    """A route's parameter: a customer, who asks for what is theirs."""
    return Security(Need(customer=True), scopes=[])


def needs_its_own_proof() -> Any:
    """A route's parameter: an anonymous actor. What the route itself is shown (a client's
    secret, a code, a password) says who asks, and `Authorization` may hold that.
    """
    return Depends(Need(by_itself=True))


def request_id_of(request: Request) -> str:
    """The id under which a request is known everywhere."""
    return str(request.scope.get("banyan.request_id", ""))


def _check(scopes: tuple[str, ...]) -> None:
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown:
        raise ValueError(f"there is no scope {', '.join(unknown)}")


def need_of(route: BaseRoute) -> Need | None:
    """What a route asks of who asks; None when it does not say."""
    if not isinstance(route, APIRoute):
        return None
    found = [one.call for one in _all_of(route.dependant) if isinstance(one.call, Need)]
    return found[0] if found else None


def describe_needs(document: dict[str, Any], routes: Sequence[BaseRoute]) -> None:
    """Put into an OpenAPI document what the needs of its routes mean: 401 wherever a token may
    be sent, 403 where a scope is needed, and that none has to be where none is.
    """
    for route in routes:
        need = need_of(route)
        if need is None or not isinstance(route, APIRoute):
            continue
        for method in route.methods or ():
            operation = document["paths"].get(route.path, {}).get(method.lower())
            if operation is None:
                continue
            if need.by_itself:
                operation.pop("security", None)
                continue
            for status, entry in described(
                401, *([403] if need.scopes or need.customer else [])
            ).items():
                operation["responses"].setdefault(str(status), entry)
            if not (need.scopes or need.known or need.customer):
                operation["security"] = [{}, *operation["security"]]


def _all_of(dependant: Dependant) -> Iterator[Dependant]:
    yield dependant
    for one in dependant.dependencies:
        yield from _all_of(one)
