"""Credentials that a domain lets through, on their way to the comparer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.edge.sealing import Sealer, SealError, opened
from proxy.routing import KeyKind, ShopperKey

KEY = b"0123456789abcdef0123456789abcdef"
SESSION = ShopperKey(KeyKind.COOKIE, "sessionid")
BEARER = ShopperKey(KeyKind.HEADER, "authorization")
LINES = (
    b"Host: shop.example\r\nCookie: a=1; sessionid=s3cret; b=2\r\n"
    b"Authorization: Bearer t0ken\r\nX-Other: 1\r\n"
)


def sealer(*keys: ShopperKey) -> Sealer:
    return Sealer(KEY, {"baskets": keys, "catalog": ()})


def test_only_what_the_rule_names_is_let_through() -> None:
    one, both = sealer(SESSION), sealer(SESSION, BEARER)

    assert opened(KEY, one.seal("baskets", LINES, "r-1"), "baskets", "r-1") == (
        ("Cookie", "sessionid=s3cret"),
    )
    assert opened(KEY, both.seal("baskets", LINES, "r-1"), "baskets", "r-1") == (
        ("Cookie", "sessionid=s3cret"),
        ("Authorization", "Bearer t0ken"),
    )


@pytest.mark.parametrize("domain", ["catalog", "unknown", None])
def test_a_domain_without_a_rule_seals_nothing(domain: str | None) -> None:
    assert sealer(SESSION, BEARER).seal(domain, LINES, "r-1") == b""


def test_a_request_without_them_seals_nothing() -> None:
    plain = b"Host: shop.example\r\nCookie: mysessionid=1\r\n"

    assert sealer(SESSION, BEARER).seal("baskets", plain, "r-1") == b""


def test_what_is_sealed_shows_nothing_and_never_comes_twice() -> None:
    subject = sealer(SESSION)

    sealed = [subject.seal("baskets", LINES, "r-1") for _ in range(50)]
    sealed += [sealer(SESSION).seal("baskets", LINES, "r-1")]

    assert len({one[:24] for one in sealed}) == 51
    assert all(b"s3cret" not in one and b"sessionid" not in one for one in sealed)


@pytest.mark.parametrize(
    ("key", "domain", "request_id"),
    [(b"another key of the same size....", "baskets", "r-1"), (KEY, "catalog", "r-1"),
     (KEY, "baskets", "r-2")],
)  # fmt: skip
def test_it_opens_for_its_own_exchange_alone(key: bytes, domain: str, request_id: str) -> None:
    sealed = sealer(SESSION).seal("baskets", LINES, "r-1")

    with pytest.raises(SealError):
        opened(key, sealed, domain, request_id)


@given(data=st.data())
def test_a_changed_byte_or_a_cut_is_noticed(data: st.DataObject) -> None:
    sealed = bytearray(sealer(SESSION).seal("baskets", LINES, "r-1"))
    at = data.draw(st.integers(0, len(sealed) - 1))
    if data.draw(st.booleans()):
        sealed[at] ^= data.draw(st.integers(1, 255))
    else:
        del sealed[at:]

    with pytest.raises(SealError):
        opened(KEY, bytes(sealed), "baskets", "r-1")
