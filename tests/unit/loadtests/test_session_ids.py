"""Shoppers never share a session, whatever the store cuts off their ids."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.sessions import realm, session_header, shopper_id

HEX_GROUP = re.compile(r"[-:][0-9a-fA-F]+$")
shoppers = st.tuples(st.integers(), st.integers(min_value=0))


def as_the_store_reads_it(session_id: str) -> str:
    """What oscar keeps: up to two trailing groups of "-" or ":" and hex digits are cut."""
    return HEX_GROUP.sub("", HEX_GROUP.sub("", session_id))


@given(shopper=shoppers)
def test_the_store_cuts_nothing_off_a_shopper_id(shopper: tuple[int, int]) -> None:
    name = shopper_id(*shopper)

    assert as_the_store_reads_it(name) == name


@given(one=shoppers, other=shoppers)
def test_different_shoppers_have_different_sessions(
    one: tuple[int, int], other: tuple[int, int]
) -> None:
    names = {as_the_store_reads_it(shopper_id(*who)) for who in (one, other)}

    assert len(names) == len({one, other})


def test_the_trap_is_real_for_ids_with_a_dash() -> None:
    assert as_the_store_reads_it("visit-1") == as_the_store_reads_it("visit-2")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("http://127.0.0.1:8080", "127.0.0.1"),
        ("http://shop.example", "shop.example"),
        ("https://shop.example:8443/", "shop.example"),
        ("http://reader@shop.example:80", "shop.example"),
        # The store splits the Host at its first colon, and so must the shopper.
        ("http://[::1]:8080", "["),
    ],
)
def test_the_realm_is_the_host_without_its_port(address: str, expected: str) -> None:
    assert realm(address) == expected


def test_the_header_names_an_anonymous_session_of_the_host() -> None:
    header = session_header("http://127.0.0.1:8080", "shopper_1_7")

    assert header == "SID:ANON:127.0.0.1:shopper_1_7"
