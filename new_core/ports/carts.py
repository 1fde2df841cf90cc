"""What the use cases of carts need."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from new_core.domain.cart import Cart, CartLine, CartState
from new_core.domain.cart_lines import Beside, Goods, QuantityRule
from new_core.domain.catalog import Stored


@dataclass(frozen=True, slots=True)
class CartQuery:
    """Which carts a page holds, ascending by (updated_at, id), without their lines.

    Attributes:
        after: the last (updated_at, id) of the page before.
    """

    limit: int
    after: tuple[datetime, UUID] | None = None
    customer_id: UUID | None = None
    state: CartState | None = None
    updated_since: datetime | None = None


class CartStore(Protocol):
    """Carts with their lines."""

    async def get(self, cart_id: UUID) -> Stored[Cart] | None:
        """A cart, whatever its state; None when there is none."""
        ...

    async def locked(self, cart_id: UUID) -> Stored[Cart] | None:
        """The same; nobody else changes it until this transaction ends."""
        ...

    async def put(self, cart: Cart, now: datetime) -> Stored[Cart]:
        """Write a cart and its lines whole, and give it as it is now. Lines that are as they
        were are not written.
        """
        ...

    async def locked_beside(
        self, cart_id: UUID, variant_ids: Collection[UUID], line_ids: Collection[UUID] = ()
    ) -> tuple[Stored[Cart], Beside] | None:
        """A locked cart without its lines, and those lines that are of some variants or have
        some ids: what it takes to change some lines of a large cart. Never `put` such a cart.
        """
        ...

    async def put_lines(
        self, cart: Cart, lines: Sequence[CartLine], removed: Collection[UUID], now: datetime
    ) -> int:
        """Write some lines of a cart, remove others, and give the cart's new version. Of the
        cart itself only `expires_at` is written.
        """
        ...

    async def goods(
        self, variant_ids: Collection[UUID], skus: Collection[str] = ()
    ) -> tuple[Goods, ...]:
        """What carts need to know of variants, found by id or SKU; unknown ones are absent."""
        ...

    async def forget(self, customer_id: UUID, now: datetime) -> tuple[UUID, ...]:
        """Take e-mail and addresses out of all carts of a customer; gives those carts."""
        ...

    async def categories_of(self, product_ids: Collection[UUID]) -> dict[UUID, frozenset[UUID]]:
        """The categories that products stand in; products without any are absent."""
        ...

    async def groups_of(self, customer_id: UUID) -> frozenset[UUID]:
        """The groups that a customer is in now."""
        ...

    async def rule(self, variant_id: UUID) -> Stored[QuantityRule] | None:
        """How many units of a variant a line may hold, if anybody said so."""
        ...

    async def locked_rule(self, variant_id: UUID) -> Stored[QuantityRule] | None:
        """The same; nobody else changes it until this transaction ends."""
        ...

    async def put_rule(self, rule: QuantityRule, now: datetime) -> None: ...
    async def delete_rule(self, variant_id: UUID) -> None: ...
    async def open_of(self, customer_id: UUID, currency: str, channel: str) -> UUID | None:
        """The open cart of a customer that was written last."""
        ...

    async def page(self, query: CartQuery) -> tuple[Stored[Cart], ...]:
        """At most `query.limit` carts, without their lines."""
        ...

    async def expired(self, at: datetime, limit: int) -> tuple[UUID, ...]:
        """Open carts whose time is over, the longest over first."""
        ...
