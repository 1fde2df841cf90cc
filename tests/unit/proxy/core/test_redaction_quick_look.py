"""The quick look: whatever it calls plain, a thorough search would have left alone."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from proxy.core.json_values import hide_json_values, json_keys
from proxy.core.memo import Memo
from proxy.core.names import Names
from proxy.core.plain import PlainText, windows
from proxy.core.redaction import Redactor
from proxy.core.sensitive import is_card_number
from proxy.core.shapes import may_hold_shapes

KEY = b"k" * 32
NAMES = Names()
EMAIL = "one.shopper+x@mail.example.org"

# The patterns as they were before anything was made quick: slow, and the measure.
_OLD_EMAIL = re.compile(
    rb"\\(?!u0040)(?:u[0-9a-fA-F]{4}|.)|([A-Za-z0-9._%+~\x80-\xff-]{1,64}"
    rb"(?:@|%40|\\u0040|&#64;)"
    rb"(?:[A-Za-z0-9\x80-\xff](?:[A-Za-z0-9\x80-\xff-]*[A-Za-z0-9\x80-\xff])?\.)+"
    rb"[A-Za-z\x80-\xff]{2,24})",
    re.DOTALL,
)
_OLD_CARD = re.compile(
    rb"(?<![0-9])(?<![0-9]\.)(?<!hmac:)[2-6][0-9](?:[ +-]?[0-9]){11,17}(?![0-9])"
)
_OLD_TOKEN = re.compile(
    rb"eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*)?"
    rb"|(?<![A-Za-z0-9])(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{8,}"
)
_OLD_STRING = rb'"[^"\\]*(?:\\.[^"\\]*)*"'
_OLD_KEYS = re.compile(rb'"([^"\\]*(?:\\.[^"\\]*)*)"\s*:|' + _OLD_STRING, re.DOTALL)
_OLD_QUERIES = re.compile(rb"[?&;]([A-Za-z0-9_.\[\]%-]+)=")


def holds_something(body: bytes) -> bool:
    """Whether the slow patterns find anything to hide."""
    return (
        any(found[1] for found in _OLD_EMAIL.finditer(body))
        or any(is_card_number(found[0].decode()) for found in _OLD_CARD.finditer(body))
        or _OLD_TOKEN.search(body) is not None
        or any(map(NAMES.is_suspect_key, _OLD_KEYS.findall(body)))
        or any(map(NAMES.is_suspect_key, _OLD_QUERIES.findall(body)))
    )


# Bytes that matter to one of the looks, and words that are sensitive alone or together.
BITS = st.sampled_from(
    [*['"', "\\", '\\"', '":', '" :', '"\n:', ":", ",", "{", "}", "[", "]", "<", ">", "\1", "\2"],
     *["email", "mail", "e", "first", "name", "gift", "card", "id", "title", "\\u0065mail", "pin"],
     *["@", "%40", "\\u0040", "&#64;", "a@b.co", "ann", ".", "example.org", "\\n"],
     *["4111111111111111", "4111 1111", " 1111 1111", "1111-", "5500", "+", " ", "-", "3", "0."],
     *["eyJ", "abcdef", ".abcdef", "J", "sk_live_", "rk_test_", "_", "12345678"],
     *["?", "&", "=", "token", "?token=", "&q=", ";", "%", "é", "\x00"]]
)  # fmt: skip
SOUP = st.lists(BITS, max_size=14).map(lambda bits: "".join(bits).encode("latin-1"))
KEYS = st.sampled_from(["id", "title", 'a"b', "x}y", "first}name", "email", "e\\mail", "gift card"])
VALUES = st.recursive(
    st.sampled_from(["red", 'say "hi"', "a\\b", ":x", "", "back\\\\", "}", EMAIL, 7, None]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=10 * settings().max_examples)
@given(body=SOUP)
@example(body=b'"first}name":1')
@example(body=b'{"a": ":email":1}')
@example(body=b'"x\\\\"email":1')
@example(body=b'"email\\"x": 1')
@example(body=b'gift\\"card":1')
@example(body=b'{"email": ":x"}')
def test_what_is_called_plain_holds_nothing_that_the_slow_patterns_find(body: bytes) -> None:
    plain = PlainText(NAMES.is_suspect_key)

    if plain.is_plain(body):
        assert not holds_something(body)


@given(bodies=st.lists(SOUP, min_size=2, max_size=12))
@example(bodies=[b'"first}'] * 9 + [b'"first}name":1'])
def test_what_was_learned_from_other_texts_never_makes_a_text_plain(bodies: list[bytes]) -> None:
    learned = PlainText(NAMES.is_suspect_key)

    for body in bodies * 2:
        if learned.is_plain(body):
            assert not holds_something(body)


@given(value=VALUES, indent=st.none() | st.integers(0, 2), cut=st.integers(0, 40))
def test_json_that_is_called_plain_has_no_sensitive_key(
    value: Any, indent: int | None, cut: int
) -> None:
    body = json.dumps(value, indent=indent, separators=(", ", ": ")).encode()[cut:]

    if PlainText(NAMES.is_suspect_key).is_plain(body):
        assert not holds_something(body)


@given(body=SOUP, pads=st.lists(st.integers(0, 3), min_size=3, max_size=3))
def test_a_text_cut_into_windows_is_suspected_as_the_whole_is(body: bytes, pads: list[int]) -> None:
    pad = b'{"id": 7, "title": "a plain book"}, ' * 1_000
    large = b"".join(pad * count + body for count in pads)

    if PlainText(NAMES.is_suspect_key).is_plain(large):
        assert not holds_something(large)


@pytest.mark.parametrize("offset", range(-12, 3))
def test_no_cut_parts_a_key_from_its_colon(offset: int) -> None:
    large = b"a" * (32 * 1024 + offset) + b'"email"\n:1, "id": 2}'

    assert not PlainText(NAMES.is_suspect_key).is_plain(large)


def test_a_backslash_at_the_end_of_a_value_is_no_reason_for_suspicion() -> None:
    body = json.dumps({"path": "c:\\", "said": 'say "hi"', "id": 1}).encode()

    assert PlainText(NAMES.is_suspect_key).is_plain(body)


@settings(max_examples=7 * settings().max_examples)
@given(body=SOUP)
@example(body=b"eyJaaaaaa-sk_live_12345678")
@example(body=b"4111111111111111.4111111111111111")
def test_the_redactor_hides_what_the_slow_patterns_find(body: bytes) -> None:
    hidden = Redactor(KEY).body(body.replace(b"\0", b""), "application/json")

    assert not any(is_card_number(found[0].decode()) for found in _OLD_CARD.finditer(hidden))
    assert not any(
        found[1]
        and b"[hmac:" not in hidden[: found.end()][-90:]
        # What the slow pattern takes for a name is an escaped @ there.
        and not hidden[: found.start(1)].endswith(b"\\")
        for found in _OLD_EMAIL.finditer(hidden)
    )
    assert _OLD_TOKEN.search(hidden) is None


@given(body=SOUP)
def test_keys_are_found_as_the_slow_pattern_finds_them(body: bytes) -> None:
    strings = {key for key in _OLD_KEYS.findall(body) if key}

    assert strings <= json_keys(body) | {b""}


@pytest.mark.parametrize(
    "body",
    [
        b'{"' + b'\\"' * 200_000,
        b'{"email": "' + b'\\"' * 200_000,
        b"eyJ" * 200_000,
        b"a" * 400_000 + b"@",
        b"@a" * 200_000,
        b"@" + b"a." * 200_000,
        b"\\" * 400_000 + b"@b.co",
        b"4" * 400_000,
        b"4 " * 200_000,
        b"&a" * 200_000 + b"=",
        b"<input " * 60_000,
        b"\r\n--" * 100_000,
    ],
    ids=lambda body: repr(body[:12]),
)
@pytest.mark.parametrize("kind", ["application/json", "text/html", "multipart/form-data"])
def test_no_text_takes_more_than_linear_time(body: bytes, kind: str) -> None:
    # The time limit of the whole suite is the assertion: any of these took minutes or
    # hours in the thread that holds the interpreter.
    assert Redactor(KEY).body(body, kind)


@given(data=st.binary(max_size=400), size=st.integers(1, 50))
def test_windows_are_the_whole_in_order(data: bytes, size: int) -> None:
    cut = re.compile(rb"[\x00-\x40]")

    parts = list(windows(data, cut, size))

    assert b"".join(parts) == data
    assert all(cut.match(part) for part in parts[1:])


@pytest.mark.parametrize(
    "text",
    [EMAIL, "ann%40x.org", "ann\\u0040x.org", "ann&#64;x.org", "4111 1111 1111 1111",
     "5500-0000-0000-0004", "eyJhbGciOi.eyJzdWIi.x", "sk_live_12345678", "rk_test_12345678"],
)  # fmt: skip
def test_each_shape_is_suspected(text: str) -> None:
    assert may_hold_shapes(b"x " + text.encode() + b" y")


def test_a_catalogue_page_is_plain_at_first_sight_and_later() -> None:
    page = json.dumps({"results": [{"id": n, "title": f"Book {n}"} for n in range(50)]}).encode()
    plain = PlainText(NAMES.is_suspect_key)

    assert [plain.is_plain(page) for _ in range(3)] == [True, True, True]


def test_hiding_ends_at_an_unterminated_string() -> None:
    body = b'{"email": "a", "note": "never \\" ends'

    assert hide_json_values(body, {b"email"}, lambda _: "M").endswith(b'"never \\" ends')


@given(keys=st.lists(st.binary(min_size=1, max_size=8), max_size=60))
def test_a_memo_forgets_but_never_mistakes(keys: list[bytes]) -> None:
    memo: Memo[bytes] = Memo(2_000)

    for key in keys:
        assert memo.get(key) in (None, key[::-1])
        memo.put(key, key[::-1], len(key))
        assert memo.get(key) == key[::-1]


def test_a_memo_keeps_what_is_asked_for_and_stays_within_its_room() -> None:
    memo: Memo[int] = Memo(10_000)
    memo.put(b"often", 1, 5)

    for number in range(1_000):
        memo.put(b"%d" % number, number, 10)
        assert memo.get(b"often") == 1

    assert memo.get(b"0") is None
    assert len(memo._young) + len(memo._old) < 60
