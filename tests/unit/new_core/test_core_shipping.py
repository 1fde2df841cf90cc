"""Ways of shipping are offered by place, currency and worth."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from new_core.api.shipping_schemas import AmountIn, MethodIn
from new_core.domain.buyer import Destination
from new_core.domain.shipping import ShippingMethod, ShippingPlace, ShippingRate, offered
from new_core.errors import InvalidValue

THEN = datetime(2026, 1, 1, tzinfo=UTC)
POST = ShippingMethod(
    UUID(int=1), "post", "Post", "", (ShippingRate("CAD", 750, 5000), ShippingRate("EUR", 500)),
    (), THEN,
)  # fmt: skip
ONTARIO, CANADA = ShippingPlace("CA", "ON"), ShippingPlace("CA")
OTTAWA, MONTREAL, BERLIN = Destination("CA", "ON"), Destination("CA", "QC"), Destination("DE")


def codes(*methods: ShippingMethod, to: Destination | None = OTTAWA, cur: str = "CAD") -> list[str]:
    return [one.method.code for one in offered(methods, cur, to)]


@pytest.mark.parametrize(
    ("places", "to", "goes"),
    [
        ((), BERLIN, True), ((), None, True), ((CANADA,), OTTAWA, True), ((CANADA,), BERLIN, False),
        ((ONTARIO,), OTTAWA, True), ((ONTARIO,), MONTREAL, False), ((CANADA,), None, False),
        ((ONTARIO, ShippingPlace("DE")), BERLIN, True), ((ONTARIO,), Destination("CA"), False),
    ],
)  # fmt: skip
def test_it_goes_where_it_says(
    places: tuple[ShippingPlace, ...], to: Destination | None, *, goes: bool
) -> None:
    assert codes(replace(POST, places=places), to=to) == ["post"] * goes


def test_it_is_offered_in_its_currencies_while_it_is_active_in_order_of_rank() -> None:
    later, first = replace(POST, code="a", rank=2), replace(POST, code="z", rank=1)

    assert codes(later, first, POST) == ["post", "z", "a"]
    assert codes(POST, cur="USD") == []
    assert codes(replace(POST, active=False)) == []


@given(st.integers(0, 10_000))
def test_it_is_free_from_a_worth_on(worth: int) -> None:
    (found,) = offered([POST], "CAD", OTTAWA)
    (never,) = offered([POST], "EUR", OTTAWA)

    assert found.quote(worth).minor == (0 if worth >= 5000 else 750)
    assert never.quote(worth).minor == 500


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [("7.5", "CAD", 750), ("7.50", "CAD", 750), ("7", "JPY", 7), ("1.234", "KWD", 1234)],
)
def test_an_amount_is_read_exactly(amount: str, currency: str, minor: int) -> None:
    assert AmountIn(amount=amount, currency=currency).minor() == minor


@pytest.mark.parametrize(
    ("amount", "currency"),
    [("7.505", "CAD"), ("7.5", "JPY"), ("7", "XXX"), ("9999999999999", "CAD")],
)
def test_an_amount_that_is_none_is_refused(amount: str, currency: str) -> None:
    with pytest.raises(InvalidValue):
        AmountIn(amount=amount, currency=currency).minor()


def test_rates_do_not_contradict_each_other() -> None:
    price = {"amount": "7.50", "currency": "CAD"}
    body = {"code": "post", "name": "Post", "rates": [{"price": price}]}

    assert MethodIn.model_validate(body).method(UUID(int=1), THEN).rates[0].minor == 750
    with pytest.raises(ValueError, match="one entry per currency"):
        MethodIn.model_validate({**body, "rates": [{"price": price}, {"price": price}]})
    other = {"amount": "7.50", "currency": "EUR"}
    with pytest.raises(ValueError, match="one currency"):
        MethodIn.model_validate({**body, "rates": [{"price": price, "free_from": other}]})
