"""Who may come to which order."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import datetime
from uuid import UUID

from new_core.domain.actor import Actor, ActorKind
from new_core.domain.cart_access import token_digest
from new_core.domain.order import Order
from new_core.errors import Forbidden, NotFound

_OWNERS = (ActorKind.ANONYMOUS, ActorKind.CUSTOMER)


def order_secret(cart_secret: str, order_id: UUID) -> str:
    """The secret by which a guest reads their order.

    Made from the secret of their cart, so that it stands nowhere in clear: 1. an order is
    placed, 2. the answer is lost, 3. the guest asks again with the same key and their cart's
    secret, and is told the same.
    """
    made = hmac.new(cart_secret.encode(), b"order:" + order_id.bytes, hashlib.sha256).digest()
    return "ot_" + base64.urlsafe_b64encode(made).decode().rstrip("=")


def check_order_access(
    order: Order | None, key: str, secret: str, actor: Actor, scope: str, at: datetime
) -> Order:
    """The order, if it may be reached: by its customer, by the secret of a guest's order while
    that holds, or by the scope. Whoever may not cannot tell whether it is there.

    Args:
        order: as found.
        key: what it was asked for by.
        secret: what the guest shows; empty for none.
        actor: who asks.
        scope: what staff, partners and services need.
        at: now.

    Raises:
        NotFound: no such order, or it is somebody else's.
        Forbidden: staff, a partner or a service without the scope.
    """
    if actor.kind not in _OWNERS and scope not in actor.scopes:
        raise Forbidden(scope)
    if order is None or not (actor.reaches(scope, order.buyer) or _opens(order, secret, at)):
        raise NotFound("order", key)
    return order


def _opens(order: Order, secret: str, at: datetime) -> bool:
    """Whether a guest's secret opens it. A customer's order has none."""
    ends = order.token_expires_at
    if not secret or not order.token_sha256 or ends is None or at >= ends:
        return False
    return hmac.compare_digest(order.token_sha256, token_digest(secret))
