"""Checkouts as /v1 takes them."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field

from new_core.api.order_schemas import AmountIn, BegunOut, Body, CheckoutProblemOut, money_out
from new_core.domain.cart_access import token_digest
from new_core.domain.catalog import Stored
from new_core.domain.order_placing import Wishes
from new_core.domain.payment import CaptureMode, PaymentMethod
from new_core.ports import Checkout
from new_core.service.carting import CartView
from new_core.service.checkout import Complete

_TEXT = r"^[^\x00]*$"
_NAME = r"^[A-Za-z0-9_.-]*$"


class CheckoutNew(Body):
    """Which cart to check out."""

    cart_id: UUID


class PaymentIn(Body):
    """How the buyer pays. Card numbers never come here: a gateway's page makes a token."""

    kind: Annotated[str, Field(min_length=1, max_length=32, pattern=_NAME)] = Field(
        default="manual", description="manual: paid later, the order is placed at once"
    )
    gateway: Annotated[str, Field(max_length=32, pattern=_NAME)] = Field(
        default="", description="to try first; empty lets the core choose"
    )
    token: Annotated[str, Field(max_length=255, pattern=r"^[\x21-\x7e]*$")] = ""
    tokens: dict[
        Annotated[str, Field(min_length=1, max_length=32, pattern=_NAME)],
        Annotated[str, Field(max_length=255, pattern=r"^[\x21-\x7e]*$")],
    ] = Field(default={}, max_length=10, description="the same card at other gateways, by gateway")
    capture: CaptureMode = CaptureMode.LATER

    def method(self) -> PaymentMethod:
        """The same as the core has it."""
        others = tuple(sorted(self.tokens.items()))
        return PaymentMethod(self.kind, self.gateway, self.token, others)


class CompleteIn(Body):
    """The last step: buy it."""

    expected_total: AmountIn
    payment: PaymentIn = PaymentIn()
    email: Annotated[str, Field(max_length=254, pattern=r"^([^@\s\x00]+@[^@\s\x00]+)?$")] = ""
    purchase_order_number: Annotated[str, Field(max_length=100, pattern=_TEXT)] = ""
    note: Annotated[str, Field(max_length=1000, pattern=_TEXT)] = ""

    def asked(self, checkout_id: UUID, cart_token: str | None) -> Complete:
        """The same as the core has it."""
        digest = token_digest(cart_token) if cart_token else ""
        return Complete(
            checkout_id=checkout_id,
            token_sha256=digest,
            expected=self.expected_total.money(),
            method=self.payment.method(),
            capture=self.payment.capture,
            wishes=Wishes(
                email=self.email,
                purchase_order_number=self.purchase_order_number,
                note=self.note,
                secret=cart_token or "",
            ),
        )


def begun(stored: Stored[Checkout], view: CartView) -> BegunOut:
    """An offer, and what stands in its way."""
    priced = view.priced
    currency = priced.currency
    return BegunOut(
        id=stored.value.id,
        cart_id=stored.value.cart_id,
        state=stored.value.state,
        expected_total=money_out(priced.total_minor, currency),
        tax=money_out(priced.tax_minor, currency),
        discount=money_out(priced.discount_minor, currency),
        shipping=money_out(priced.shipping.gross_minor if priced.shipping else 0, currency),
        tax_known=priced.tax_known,
        valid_until=priced.valid_until,
        problems=[
            CheckoutProblemOut(
                code=one.code, detail=one.detail, line_id=one.line_id, meta=dict(one.meta)
            )
            for one in view.problems
        ],
    )
