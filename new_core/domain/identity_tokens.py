"""Who may get tokens, and what a token says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from urllib.parse import urlsplit
from uuid import UUID

from new_core.domain.actor import Actor, ActorKind
from new_core.domain.identity_roles import SCOPES

ACCESS_LIVES = timedelta(minutes=10)
CODE_LIVES = timedelta(minutes=1)
CUSTOMER_GRANT_LIVES = timedelta(days=30)
STAFF_GRANT_LIVES = timedelta(hours=12)
MOST_SECRETS = 2
"""The one in use and the one before it, while clients change over."""

ADMIN_CLIENT = "admin"
SHOP_CLIENT = "shop"


class ClientKind(StrEnum):
    """Who is behind a client: a program of the shop, one of a partner, or people."""

    SERVICE = "service"
    PARTNER = "partner"
    STAFF_APP = "staff_app"
    SHOP_APP = "shop_app"


class SubjectKind(StrEnum):
    """Whom a grant speaks for."""

    STAFF = "staff"
    CUSTOMER = "customer"


@dataclass(frozen=True, slots=True)
class Client:
    """A program that asks for tokens.

    Attributes:
        client_id: its name in requests.
        secrets: digests, newest first; none for a program that cannot keep a secret.
        redirect_uris: where codes may be sent, compared as text.
        roles: codes; of services and partners only, people have their own.
        account_id: the business account that a partner acts for.
    """

    id: UUID
    client_id: str
    name: str
    kind: ClientKind
    created_at: datetime
    active: bool = True
    secrets: tuple[str, ...] = ()
    redirect_uris: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    account_id: UUID | None = None

    @property
    def for_people(self) -> bool:
        """Whether people log in through it."""
        return self.kind in {ClientKind.STAFF_APP, ClientKind.SHOP_APP}

    @property
    def subject_kind(self) -> SubjectKind:
        """Who logs in through it."""
        return SubjectKind.STAFF if self.kind is ClientKind.STAFF_APP else SubjectKind.CUSTOMER


@dataclass(frozen=True, slots=True)
class StaffUser:
    """Somebody who works in the shop."""

    id: UUID
    email: str
    name: str
    password_hash: str
    created_at: datetime
    active: bool = True
    roles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Grant:
    """One login: everything that tokens of it may ever do.

    Attributes:
        scopes: what was asked for; what a token gets is of these what roles allow by then.
        revoked_at: None while it holds.
    """

    id: UUID
    client_id: str
    subject_kind: SubjectKind
    subject_id: UUID
    scopes: frozenset[str]
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None

    def holds(self, now: datetime) -> bool:
        """Whether tokens may come of it."""
        return self.revoked_at is None and now < self.expires_at


@dataclass(frozen=True, slots=True)
class Claims:
    """What an access token says (RFC 9068).

    Attributes:
        subject: a customer's or staff user's id, or the client's name where no person is.
    """

    subject: str
    client_id: str
    kind: ActorKind
    scopes: frozenset[str]
    account_ids: tuple[UUID, ...] = ()
    grant_id: UUID | None = None

    def as_json(self) -> dict[str, object]:
        """As they stand in the token, beside what says who made it and when."""
        said: dict[str, object] = {
            "sub": self.subject,
            "client_id": self.client_id,
            "kind": self.kind.value,
            "scope": " ".join(sorted(self.scopes)),
        }
        if self.account_ids:
            said["accounts"] = [str(one) for one in self.account_ids]
        if self.grant_id is not None:
            said["sid"] = str(self.grant_id)
        return said

    @property
    def actor(self) -> Actor:
        """Who the token speaks for."""
        own = UUID(self.subject) if self.kind is ActorKind.CUSTOMER else None
        return Actor(self.kind, self.subject, self.scopes, own, self.account_ids)


def read_claims(said: Mapping[str, object]) -> Claims:
    """What a token of ours says. Scopes that are no longer known are left out.

    Raises:
        ValueError: it is not one of ours.
    """
    subject, client, kind = said.get("sub"), said.get("client_id"), said.get("kind")
    scope, accounts, grant = said.get("scope", ""), said.get("accounts", []), said.get("sid")
    if not (isinstance(subject, str) and isinstance(client, str) and isinstance(kind, str)):
        raise ValueError("a claim is missing")  # noqa: TRY004 - the caller knows one error
    if not (isinstance(scope, str) and isinstance(accounts, list)):
        raise ValueError("a claim is of the wrong type")  # noqa: TRY004 - as above
    found = Claims(
        subject=subject,
        client_id=client,
        kind=ActorKind(kind),
        scopes=frozenset(scope.split()) & SCOPES.keys(),
        account_ids=tuple(UUID(str(one)) for one in accounts),
        grant_id=None if grant is None else UUID(str(grant)),
    )
    if found.kind is ActorKind.CUSTOMER:
        UUID(found.subject)
    return found


def may_redirect_to(uri: str) -> bool:
    """Whether codes may be sent there: https, or http on this very machine (RFC 8252)."""
    parts = urlsplit(uri)
    if parts.fragment or not parts.hostname or parts.username or "@" in parts.netloc:
        return False
    if parts.scheme == "https":
        return True
    return parts.scheme == "http" and parts.hostname in {"127.0.0.1", "localhost", "::1"}


def asked_scopes(text: str) -> frozenset[str] | None:
    """The scopes of a request; None where it names one that is not there."""
    wanted = frozenset(text.split())
    return wanted if wanted <= SCOPES.keys() else None
