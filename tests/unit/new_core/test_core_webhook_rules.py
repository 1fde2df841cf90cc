"""Signatures that the standard's own library takes, patience that is bounded, and no private
networks."""

from __future__ import annotations

import ipaddress
import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from new_core.domain.webhooks import (
    MOST_ATTEMPTS,
    MOST_WAIT,
    OVERLAP,
    Breaker,
    Endpoint,
    breaker,
    check_url,
    is_reachable,
    make_secret,
    read_networks,
    rest,
    retry_wait,
    signature,
)
from new_core.errors import InvalidValue

AT = datetime(2026, 5, 4, 12, tzinfo=UTC)
LOOPBACK = read_networks("127.0.0.0/8, ::1/128")


def endpoint(*types: str, old_secret: str | None = None) -> Endpoint:
    until = AT + OVERLAP if old_secret else None
    return Endpoint(
        UUID(int=1), "https://x.example", "", types, True, "", "whsec_bmV3", old_secret, until, "",
        AT,
    )  # fmt: skip


@given(raw=st.binary(min_size=24, max_size=64), body=st.dictionaries(st.text(), st.text()))
def test_the_standards_own_library_takes_our_signature(raw: bytes, body: dict[str, str]) -> None:
    now = datetime.now(tz=UTC)  # noqa: TID251 - the library reads the clock
    secret, content = make_secret(raw), json.dumps(body).encode()
    headers = {
        "webhook-id": "evt-1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signature([make_secret(b"x" * 24), secret], "evt-1", now, content),
    }

    assert Webhook(secret).verify(content, headers) == body
    with pytest.raises(WebhookVerificationError):
        Webhook(make_secret(b"y" * 24)).verify(content, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(content + b" ", headers)


def test_two_secrets_sign_while_they_overlap() -> None:
    one = endpoint(old_secret="whsec_b2xk")

    assert one.signing(AT + OVERLAP - timedelta(seconds=1)) == ("whsec_bmV3", "whsec_b2xk")
    assert one.signing(AT + OVERLAP) == ("whsec_bmV3",)
    assert endpoint().signing(AT) == ("whsec_bmV3",)


@given(dice=st.floats(0, 1, exclude_max=True))
def test_waits_grow_from_ten_seconds_to_a_day_and_end(dice: float) -> None:
    waits = [retry_wait(n, dice) for n in range(1, MOST_ATTEMPTS + 1)]

    assert waits.pop() is None
    known = [one for one in waits if one is not None]
    assert len(known) == len(waits)
    assert known == sorted(known)
    assert timedelta(seconds=10) <= known[0] <= timedelta(seconds=12)
    assert timedelta(hours=20) <= known[-1] <= MOST_WAIT


@given(n=st.integers(1, MOST_ATTEMPTS - 1), asked_s=st.integers(0, 10**8))
def test_an_endpoint_may_ask_for_more_patience_but_not_for_more_than_a_day(
    n: int, asked_s: int
) -> None:
    wait = retry_wait(n, 0.0, asked_s)

    assert wait is not None
    assert wait == max(retry_wait(n, 0.0) or wait, min(timedelta(seconds=asked_s), MOST_WAIT))


@given(failures=st.integers(0, 100_000))
def test_an_endpoint_that_fails_is_left_alone_longer_and_longer_up_to_an_hour(
    failures: int,
) -> None:
    pause = rest(failures)

    assert (pause is None) == (failures < 5)
    if pause is not None:
        assert timedelta(seconds=30) <= pause <= timedelta(hours=1)
        assert (rest(failures + 1) or pause) >= pause


def test_a_breaker_is_closed_open_or_half_open() -> None:
    later = AT + timedelta(seconds=30)

    assert breaker(4, None, AT) is Breaker.CLOSED
    assert breaker(5, later, AT) is Breaker.OPEN
    assert breaker(5, later, later) is Breaker.HALF_OPEN
    assert breaker(0, None, AT) is Breaker.CLOSED


@pytest.mark.parametrize(
    ("types", "wanted"),
    [((), True), (("orders.order.placed.v1",), True), (("orders.*",), True), (("order.*",), False),
     (("orders.order.placed.v10", "carts.*"), False)],
)  # fmt: skip
def test_types_are_whole_or_beginnings(types: tuple[str, ...], wanted: bool) -> None:
    assert endpoint(*types).wants("orders.order.placed.v1") is wanted


@given(address=st.ip_addresses())
def test_nothing_is_sent_where_the_internet_does_not_lead(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    if address.is_private or address.is_loopback or address.is_link_local or address.is_multicast:
        assert not is_reachable(str(address), ())


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "0.0.0.0", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0",
        "fd00::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::",
        "ff02::1", "no address",
    ],
)  # fmt: skip
def test_these_are_never_reached(address: str) -> None:
    assert not is_reachable(address, ())


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"])
def test_the_internet_is_reached(address: str) -> None:
    assert is_reachable(address, ())


def test_a_network_that_was_named_is_reached_and_its_neighbours_are_not() -> None:
    assert is_reachable("127.0.0.1", LOOPBACK)
    assert is_reachable("::ffff:127.0.0.1", LOOPBACK)
    assert is_reachable("::1", LOOPBACK)
    assert not is_reachable("10.0.0.1", LOOPBACK)


@pytest.mark.parametrize(
    "url",
    [
        "http://erp.example.com/", "ftp://erp.example.com/", "https:///x", "https://", "x",
        "https://user@erp.example.com/", "https://:p@erp.example.com/", "https://erp.example.com/#a",
        "https://127.0.0.1/", "https://[::1]/", "https://169.254.169.254/latest", "https://a b/",
        "https://erp.example.com:99999/", "https://erp.example.com:0/", "https://[::1/", "https://é/",
    ],
)  # fmt: skip
def test_these_urls_are_refused(url: str) -> None:
    with pytest.raises(InvalidValue, match="url"):
        check_url(url, ())


def test_urls_that_may_be() -> None:
    check_url("https://erp.example.com:8443/banyan?token=1", ())
    check_url("http://127.0.0.1:8000/", LOOPBACK)
    with pytest.raises(InvalidValue):
        check_url("http://10.0.0.1/", LOOPBACK)


def test_a_network_that_is_none_is_told() -> None:
    with pytest.raises(InvalidValue, match="BANYAN_CORE_WEBHOOK_NETWORKS"):
        read_networks("10.0.0.0/8, nonsense")
