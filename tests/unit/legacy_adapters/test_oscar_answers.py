"""What oscar's API writes, from the core's values."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from legacy_adapters.oscar.mapping import answers
from legacy_adapters.oscar.mapping.links import Links, origin
from legacy_adapters.oscar.mapping.negotiation import acceptable, format_known
from legacy_adapters.oscar.mapping.records import base_list
from new_core.domain.pricing import Listed, Price, PriceTrace
from new_core.domain.stock import Availability, Supply

LINKS = Links("https://shop.example:8080")


def a_trace(micro: int | None, currency: str = "GBP") -> PriceTrace:
    price = Price(UUID(int=1), UUID(int=2), UUID(int=3), None, 1, micro)
    return PriceTrace(Listed(price, base_list(currency)), (), None)


@given(st.integers(0, 10**16 - 1), st.sampled_from(["GBP", "JPY", "KWD"]))
def test_a_price_has_two_decimals_in_every_currency(micro: int, currency: str) -> None:
    body = answers.price(a_trace(micro, currency))

    exact = Decimal(micro).scaleb(-6)
    assert body["excl_tax"] == str(exact.quantize(Decimal("0.01"), ROUND_HALF_EVEN))
    assert body["incl_tax"] == body["excl_tax"]


@pytest.mark.parametrize("trace", [a_trace(None), PriceTrace(None, (), None)])
def test_no_price_is_nothing_but_a_tax_of_zero(trace: PriceTrace) -> None:
    assert answers.to_bytes(answers.price(trace)) == (
        b'{"currency":null,"excl_tax":null,"incl_tax":null,"tax":"0.00"}'
    )


@pytest.mark.parametrize(
    ("found", "body"),
    [
        (Availability(Supply.NOWHERE), (False, None, "Unavailable")),
        (Availability(Supply.UNLIMITED), (True, None, "Available")),
        (Availability(Supply.COUNTED, 7), (True, 7, "In stock (7 available)")),
        (Availability(Supply.COUNTED, 0), (False, 0, "Unavailable")),
        (Availability(Supply.COUNTED, -2), (False, -2, "Unavailable")),
    ],
)
def test_availability_says_a_number_only_where_stock_is_counted(
    found: Availability, body: tuple[bool, int | None, str]
) -> None:
    answer = answers.availability(found)

    shown = (answer["is_available_to_buy"], answer.get("num_available"), answer["message"])
    assert shown == body
    assert ("num_available" in answer) == (body[1] is not None)


@given(st.recursive(st.none() | st.booleans() | st.text() | st.integers(), st.lists))
def test_bytes_read_back_and_hold_no_line_separator_of_javascript(body: object) -> None:
    written = answers.to_bytes(body)

    assert json.loads(written) == body
    assert "\u2028" not in written.decode()
    assert "\u2029" not in written.decode()


def test_times_are_shown_in_the_shops_zone() -> None:
    summer = datetime(2026, 7, 1, 12, tzinfo=UTC)

    utc = answers.Shop(LINKS, {}, UTC).moment(summer)
    london = answers.Shop(LINKS, {}, ZoneInfo("Europe/London")).moment(summer)

    assert (utc, london) == ("2026-07-01T12:00:00Z", "2026-07-01T13:00:00+01:00")


def test_links_start_where_the_shopper_asked() -> None:
    assert LINKS.product("7", "price") == "https://shop.example:8080/api/products/7/price/"
    assert LINKS.media("a b/ä.jpg") == "https://shop.example:8080/media/a%20b/%C3%A4.jpg"
    elsewhere = Links("http://h", media_url="https://cdn.example/m/")
    assert elsewhere.media("x.jpg") == "https://cdn.example/m/x.jpg"
    with_format = Links("http://h", override="json")
    assert with_format.option("3") == "http://h/api/options/3/?format=json"


@pytest.mark.parametrize("host", ["", "bad host", "a/b", "a:b", "a\n", "[zz]", 'a"b', "a:80:80"])
def test_a_host_that_is_none_makes_no_links(host: str) -> None:
    assert origin("http", host) is None


@pytest.mark.parametrize("host", ["shop.example", "SHOP.example:8080", "127.0.0.1:1", "[::1]:80"])
def test_a_host_is_kept_as_it_was_sent(host: str) -> None:
    assert origin("https", host) == f"https://{host}"


@pytest.mark.parametrize(
    ("accept", "fine"),
    [
        ("*/*", True), ("application/json", True), ("application/*;q=0.1", True),
        ("text/html,application/xml", True), ("image/png, */*;q=0.1", True),
        ("application/xml", False), ("", False), ("nonsense", False), ("image/*", False),
    ],
)  # fmt: skip
def test_only_json_and_a_page_for_people_can_be_asked_for(accept: str, fine: bool) -> None:
    assert acceptable(accept) is fine


def test_formats_are_those_of_the_api() -> None:
    assert [format_known(one) for one in (None, "", "json", "api", "xml")] == [
        True, True, True, True, False,
    ]  # fmt: skip
