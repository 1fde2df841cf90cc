"""A person is found by marks, in every key and spelling, and nobody else is."""

from __future__ import annotations

import gzip
import json
import zlib

from hypothesis import given
from hypothesis import strategies as st

from proxy.core.redaction import Redactor
from shadow_compare.core.subject import Subject, spellings

OLD, NEW = b"o" * 32, b"n" * 32
VALUES = st.from_regex(
    r"[a-z]{3,8}@[a-z]{3,8}\.org|\+[1-9][0-9]{9,12}|[A-Z][a-z]{3,9}", fullmatch=True
)


@given(value=VALUES, key=st.sampled_from([OLD, NEW]), other=VALUES)
def test_what_either_key_hid_is_found_and_no_other_value(
    value: str, key: bytes, other: str
) -> None:
    body = json.dumps({"email": value, "n": 1}).encode()
    hidden = Redactor(key).body(body, "application/json")
    subject = Subject(value, [OLD, NEW])

    assert subject.is_in(hidden)
    assert subject.is_in(zlib.compress(b"x" * 50 + gzip.compress(hidden)))
    if other.lower() != value.lower():
        assert not Subject(other, [OLD, NEW]).is_in(hidden)


def test_a_number_is_found_however_it_was_written() -> None:
    redactor = Redactor(NEW)
    hidden = redactor.body(b'{"phone": 442079460958, "p": "+44 20 7946 0958"}', "application/json")

    assert Subject("+44 20 7946 0958", [NEW]).is_in(hidden[:40])
    assert Subject("442079460958", [NEW]).is_in(hidden[40:])


def test_a_shopper_is_found_by_the_key_of_the_session() -> None:
    assert Subject("abc123", [NEW]).is_in(Redactor(NEW).shopper("abc123").encode())


def test_nobody_is_found_without_a_value_or_a_key() -> None:
    hidden = Redactor(NEW).mark(b"").encode()

    assert spellings("  ") == frozenset()
    assert not Subject("", [NEW]).is_in(hidden)
    assert not Subject("abc", []).is_in(hidden)


@given(data=st.binary(max_size=300))
def test_any_bytes_are_looked_through(data: bytes) -> None:
    assert not Subject("abc123", [NEW]).is_in(b"\x1f\x8b\x08" + data + b"\x78\x9c" + data)
