"""Who may come to which cart."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from uuid import UUID

from new_core.domain.actor import Actor, ActorKind
from new_core.domain.cart import Cart
from new_core.errors import ChangedMeanwhile, Forbidden, NotFound

_OWNERS = (ActorKind.ANONYMOUS, ActorKind.CUSTOMER)


@dataclass(frozen=True, slots=True)
class Opening:
    """How somebody comes to a cart.

    Attributes:
        token_sha256: of the secret that they show; empty when they show none.
        versions: of the cart as they may have seen it; None when they do not say.
    """

    cart_id: UUID
    token_sha256: str = ""
    versions: frozenset[int] | None = None


def token_digest(token: str) -> str:
    """What is kept of a cart's secret."""
    return hashlib.sha256(token.encode()).hexdigest()


def check_access(cart: Cart | None, opening: Opening, actor: Actor, scope: str) -> Cart:
    """The cart, if it may be reached: by its customer, by the secret of a guest's cart, or by
    the scope. Whoever may not cannot tell whether it is there.

    Raises:
        NotFound: no such cart, or it is somebody else's.
        Forbidden: staff, a partner or a service without the scope.
    """
    if actor.kind not in _OWNERS and scope not in actor.scopes:
        raise Forbidden(scope)
    if cart is None or not (actor.reaches(scope, cart.buyer) or _is_shown(cart, opening)):
        raise NotFound("cart", str(opening.cart_id))
    return cart


def check_version(version: int, opening: Opening) -> None:
    """Let a change pass that was made with the cart in view as it is.

    Raises:
        ChangedMeanwhile: they saw another version.
    """
    if opening.versions is not None and version not in opening.versions:
        raise ChangedMeanwhile("the cart is not what it was when you read it")


def _is_shown(cart: Cart, opening: Opening) -> bool:
    """Whether the secret of a guest's cart is shown; a customer's cart has none that counts."""
    is_guests = cart.buyer.customer_id is None and bool(cart.token_sha256)
    return is_guests and hmac.compare_digest(cart.token_sha256, opening.token_sha256)
