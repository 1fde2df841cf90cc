"""Who does something, as books and rights see it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class ActorKind(StrEnum):
    """What an actor is."""

    ANONYMOUS = "anonymous"
    CUSTOMER = "customer"
    STAFF = "staff"
    PARTNER = "partner"
    SERVICE = "service"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something.

    Attributes:
        id: of a customer its UUID as text, of staff, partners and services their client or
            user name, of the system the worker's name; empty for the anonymous.
        scopes: what it may do, e.g. "orders:read".
        customer_id: set for a customer.
        account_ids: the business accounts that it acts for.
        request_id: of the request in which it does it; empty outside of requests.
    """

    kind: ActorKind
    id: str = ""
    scopes: frozenset[str] = frozenset()
    customer_id: UUID | None = None
    account_ids: tuple[UUID, ...] = ()
    request_id: str = ""


ANONYMOUS = Actor(ActorKind.ANONYMOUS)


def system(name: str) -> Actor:
    """A part of the core that acts on its own, e.g. "reservation-sweeper"."""
    return Actor(ActorKind.SYSTEM, name)
