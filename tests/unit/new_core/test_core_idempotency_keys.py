"""A key is read as RFC 8941 wants, or bare; what was asked is told apart by what it means."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from new_core.domain.actor import ANONYMOUS, Actor, ActorKind
from new_core.domain.idempotency import fingerprint, principal_of, read_key
from new_core.errors import BadRequest

PRINTABLE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=255)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(key=PRINTABLE)
def test_a_quoted_key_is_read_as_it_was_written(key: str) -> None:
    escaped = key.replace("\\", "\\\\").replace('"', '\\"')

    assert read_key(f'"{escaped}"') == key


def test_a_bare_key_and_the_same_in_quotes_are_one() -> None:
    bare = "8e03978e-40d5-43e8-bc93-6894a57f9324"

    assert read_key(bare) == read_key(f'"{bare}"') == read_key(f"  {bare} ") == bare


@pytest.mark.parametrize("header", [None, "", "   "])
def test_no_key_is_a_missing_one(header: str | None) -> None:
    with pytest.raises(BadRequest) as refused:
        read_key(header)

    assert refused.value.code == "idempotency_key_missing"


@pytest.mark.parametrize(
    "header",
    ['"', '""', '"a', 'a"', '"a"b"', '"a\\b"', '"a";p=1', "a b", "a,b", "x" * 256, '"\x7f"'],
)
def test_what_is_no_key_is_refused(header: str) -> None:
    with pytest.raises(BadRequest) as refused:
        read_key(header)

    assert refused.value.code == "idempotency_key_invalid"


def test_keys_belong_to_who_sent_them() -> None:
    clerk, robot = Actor(ActorKind.STAFF, "x"), Actor(ActorKind.SERVICE, "x")

    names = {
        principal_of(clerk, "", "1"),
        principal_of(robot, "", "1"),
        principal_of(ANONYMOUS, "cart:1", "1"),
        principal_of(ANONYMOUS, "cart:2", "1"),
        principal_of(ANONYMOUS, "", "x" * 22),
    }

    assert len(names) == 5


def test_a_stranger_without_a_cart_needs_a_key_that_nobody_guesses() -> None:
    with pytest.raises(BadRequest, match="22 characters"):
        principal_of(ANONYMOUS, "", "x" * 21)


@given(value=JSON, indent=st.sampled_from([None, 2]))
def test_spaces_and_the_order_of_names_do_not_make_another_request(
    value: object, indent: int | None
) -> None:
    written = json.dumps(value, indent=indent, sort_keys=indent is None)

    assert fingerprint("", written.encode()) == fingerprint("", json.dumps(value).encode())


@given(one=JSON, other=JSON)
def test_another_body_is_another_request(one: object, other: object) -> None:
    texts = [json.dumps(value, sort_keys=True) for value in (one, other)]

    prints = [fingerprint("", text.encode()) for text in texts]

    assert (prints[0] == prints[1]) == (texts[0] == texts[1])


def test_a_body_that_is_no_json_has_a_fingerprint_too() -> None:
    assert len(fingerprint("a=1", b"\xff{")) == 64
    assert fingerprint("a=1", b"") != fingerprint("a=2", b"")
