"""Who buys, where to and in what: all that a price and a tax may depend on."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Buyer:
    """Who buys.

    Attributes:
        account_ids: the business account and those above it, nearest first.
        group_ids: the customer groups it is in.
    """

    currency: str
    customer_id: UUID | None = None
    location_id: UUID | None = None
    account_ids: tuple[UUID, ...] = ()
    group_ids: frozenset[UUID] = frozenset()
    channel: str = ""
    country: str = ""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where the goods go.

    Attributes:
        country: ISO 3166-1 alpha-2, e.g. "CA".
        region: ISO 3166-2 without the country, e.g. "ON"; empty where it is not known.
    """

    country: str
    region: str = ""
    postcode: str = ""
