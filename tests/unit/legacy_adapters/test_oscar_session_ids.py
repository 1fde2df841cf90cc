"""Names of sessions, and the protection of cookies, by oscar's and Django's rules."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from legacy_adapters.oscar.mapping.session_ids import (
    csrf_problem,
    origin_problem,
    read_header,
    realm_of,
)

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
tokens = st.text(LETTERS, min_size=32, max_size=32)


@pytest.mark.parametrize(
    ("header", "kept"),
    [
        ("SID:ANON:shop:demo-sess-1", "SID:ANON:shop:demo-sess"),
        ("SID:ANON:shop:demo-sess-2", "SID:ANON:shop:demo-sess"),
        ("SID:AUTH:shop:x:fe-01", "SID:AUTH:shop:x"),
        ("SID:ANON:shop:x-1-2-3", "SID:ANON:shop:x-1"),
        ("SID:ANON:shop:some_name", "SID:ANON:shop:some_name"),
    ],
)
def test_up_to_two_groups_of_hexadecimal_digits_are_dropped(header: str, kept: str) -> None:
    name = read_header(header)

    assert name is not None
    assert name.header == kept


@pytest.mark.parametrize("header", [None, "", "SID", "SID:OTHER:shop:x", "SID:ANON:shop:"])
def test_what_is_no_name_is_passed_over(header: str | None) -> None:
    assert read_header(header) is None


@given(name=st.text(LETTERS + "_", min_size=1))
def test_a_login_changes_the_key_and_nothing_else_of_the_name(name: str) -> None:
    guest = read_header(f"SID:ANON:shop:{name}")
    assert guest is not None

    known = guest.logged_in()

    assert known.header == f"SID:AUTH:shop:{guest.name}"
    assert known.key_sha256 != guest.key_sha256


def test_the_port_is_no_part_of_the_realm() -> None:
    assert realm_of("shop.example:8080") == "shop.example"


@given(secret=tokens, mask=tokens)
def test_a_token_is_taken_plain_and_masked(secret: str, mask: str) -> None:
    pairs = zip(secret, mask, strict=True)
    shifted = "".join(LETTERS[(LETTERS.index(a) + LETTERS.index(b)) % 62] for a, b in pairs)

    assert csrf_problem(secret, secret) is None
    assert csrf_problem(secret, mask + shifted) is None


@given(secret=tokens, other=tokens)
def test_another_token_is_refused(secret: str, other: str) -> None:
    refused = csrf_problem(secret, other)

    assert (refused is None) is (secret == other)


@pytest.mark.parametrize(
    ("cookie", "header", "problem"),
    [
        (None, "x" * 32, "CSRF cookie not set."),
        ("x" * 31, "x" * 32, "CSRF cookie has incorrect length."),
        ("-" * 32, "x" * 32, "CSRF cookie has invalid characters."),
        ("x" * 32, None, "CSRF token missing."),
        ("x" * 32, "y", "CSRF token from the 'X-Csrftoken' HTTP header has incorrect length."),
    ],
)
def test_a_refusal_says_why(cookie: str | None, header: str | None, problem: str) -> None:
    assert csrf_problem(cookie, header) == problem


def test_only_the_shops_own_pages_may_write() -> None:
    assert origin_problem("http://shop", "http://shop") is None
    assert origin_problem(None, "http://shop") is None
    assert origin_problem("http://evil", "http://shop") is not None
