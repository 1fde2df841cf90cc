"""Who does something, as books and rights see it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from new_core.domain.buyer import Buyer


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
        scopes: what it may do, e.g. "orders:read". A customer has none: what is theirs they
            reach because it is theirs.
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

    def may(self, scope: str) -> bool:
        """Whether it has a scope over everybody's rows: a partner has one over its own only."""
        return scope in self.scopes and self.kind is not ActorKind.PARTNER

    def reaches(self, scope: str, buyer: Buyer) -> bool:
        """Whether a row that belongs to a buyer is there for this actor.

        Staff and services by scope; a partner by scope, in the accounts that it acts for and
        those below them; a customer what is their own, without a scope. Who holds a guest's
        secret is for the row's owner to decide.
        """
        if self.kind is ActorKind.CUSTOMER:
            return self.customer_id is not None and self.customer_id == buyer.customer_id
        if self.kind is ActorKind.PARTNER:
            return scope in self.scopes and not set(self.account_ids).isdisjoint(buyer.account_ids)
        return scope in self.scopes


ANONYMOUS = Actor(ActorKind.ANONYMOUS)


def system(name: str) -> Actor:
    """A part of the core that acts on its own, e.g. "reservation-sweeper"."""
    return Actor(ActorKind.SYSTEM, name)
