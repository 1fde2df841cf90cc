"""Values that prove what they are are hidden in every embedding, and their doubles are not."""

from __future__ import annotations

import gzip
import json
import re
from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from proxy.core.redaction import Redactor
from proxy.core.sensitive import is_card_number, is_product_code
from proxy.core.shapes import is_iban

REDACTOR = Redactor(b"k" * 32)
MARKED = re.compile(rb"\[hmac:([0-9a-f]{16})\]")


def luhn(digits: str) -> str:
    total = 0
    for index, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 - index % 2)
        total += value - 9 if value > 9 else value
    return digits + str(-total % 10)


def ean(digits: str) -> str:
    return digits + str(-sum(int(d) * (1 + 2 * (n % 2)) for n, d in enumerate(digits)) % 10)


def iban(country: str, account: str) -> str:
    turned = "".join(str(int(char, 36)) for char in account + country + "00")
    return f"{country}{98 - int(turned) % 97:02}{account}"


NUMBERS = st.text("0123456789", min_size=14, max_size=14)
CARDS = NUMBERS.map(lambda digits: luhn("4" + digits))
IBANS = st.one_of(
    st.text("0123456789", min_size=18, max_size=18).map(lambda n: iban("DE", n)),
    st.text("0123456789", min_size=14, max_size=14).map(lambda n: iban("GB", f"WEST{n}")),
    st.text("0123456789", min_size=10, max_size=10).map(lambda n: iban("NL", f"ABNA{n}")),
)
LOCALS = st.from_regex(r"[a-z][a-z0-9]{2,8}([.+_-][a-z0-9]{2,8})?", fullmatch=True)
EMAILS = st.tuples(LOCALS, st.sampled_from(["example.org", "mail.example.co.uk", "müller.example"]))
PHONES = st.text("0123456789", min_size=9, max_size=11).map(lambda digits: f"+44{digits}")
TOKENS = st.text("abcdefghjkmn0123456789", min_size=20, max_size=30).map(lambda t: f"eyJ{t}.{t}")
VALUES = st.one_of(CARDS, IBANS, EMAILS.map("@".join), PHONES, TOKENS)


def bodies(value: str) -> dict[str, bytes]:
    """The value in many embeddings of the kinds that a shop sends, by name of the kind."""
    ascii_json = json.dumps({"note": f"see {value} there"}).encode()
    return {
        "application/json": json.dumps({"note": [value]}, ensure_ascii=False).encode(),
        "application/json; charset=utf-8": ascii_json,
        "application/problem+json": ascii_json.replace(b"@", b"\\u0040").replace(b"+", b"\\u002b"),
        "text/plain": f"at {value}, or".encode(),
        "text/html": f"<p>\n{value}</p><a href='/x?q={quote(value, safe='')}'>x</a>".encode(),
        "application/xml": f"<a><note>{value}</note></a>".encode(),
        "application/x-www-form-urlencoded": f"q={quote(value, safe='')}&x=1".encode(),
        "multipart/form-data; boundary=b": (
            f'--b\r\nContent-Disposition: form-data; name="q"\r\n\r\n{value}\r\n--b--\r\n'
        ).encode(),
    }


def spellings(value: str) -> list[bytes]:
    return [
        value.encode(),
        quote(value, safe="").encode(),
        json.dumps(value)[1:-1].encode(),
        value.replace("@", "\\u0040").encode(),
    ]


@given(value=VALUES)
def test_no_embedding_shows_a_value_and_all_of_them_hide_it_alike(value: str) -> None:
    marks = set()
    for kind, body in bodies(value).items():
        hidden = REDACTOR.body(body, kind)
        assert not any(one in hidden for one in spellings(value)), kind
        assert REDACTOR.body(hidden, kind) == hidden
        marks |= set(MARKED.findall(hidden))
        packed = REDACTOR.body(gzip.compress(body), kind, "gzip")
        assert not any(one in gzip.decompress(packed) for one in spellings(value)), kind

    assert len(marks) == 1


@given(value=VALUES)
def test_no_target_and_no_header_line_shows_a_value(value: str) -> None:
    encoded = quote(value, safe="")
    assume(value.isascii())
    targets = [f"/p/{encoded}/", f"/p?q={encoded}", f"/p/{value}" if " " not in value else "/"]
    lines = [
        f"Referer: https://shop.example/p?q={encoded}",
        f"Location: /next/{value}/",
        f'Link: <https://shop.example/p?q={value}>; rel="next"',
        f"X-Note: call {value}",
    ]

    for target in targets:
        assert not any(one in REDACTOR.target_bytes(target.encode()) for one in spellings(value))
    block = REDACTOR.header_lines("\r\n".join([*lines, ""]).encode()).text
    assert not any(one in block for one in spellings(value))


@pytest.mark.parametrize(
    "text",
    [
        "4111 1111 1111 1111 123",
        "on 2026-11-22 4111 1111 1111 1111",
        "2026 4111-1111-1111-1111 12/27",
        "4111%201111%201111%201111",
        "12 4111111111111111",
    ],
)
def test_a_card_is_found_between_other_numbers(text: str) -> None:
    hidden = REDACTOR.body(text.encode(), "text/plain")

    assert b"1111" not in hidden
    assert REDACTOR.mark(b"4111111111111111").encode() in hidden


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("GB82 WEST 1234 5698 7654 32 PLEASE PAY NOW", b" PLEASE PAY NOW"),
        ("ID12 345 GB82WEST12345698765432", b"ID12 345 "),
        ("+44 20 7946 0958 4111", None),
        ("(020) 7946 0958", b""),
        ("(415) 555-2671", b""),
        ("+49 (0) 30 1234567", b""),
        ("Authorization said Bearer abcdefgh12345678 and", b" and"),
        ("müller@bücher.example", b""),
    ],
)
def test_numbers_apart_and_among_words_are_found(text: str, shown: bytes | None) -> None:
    hidden = REDACTOR.body(text.encode(), "text/plain")

    assert b"[hmac:" in hidden
    rest = MARKED.sub(b"", hidden)
    assert not any(part in rest for part in (b"7946", b"9876", b"2671", b"12345", b"5678"))
    assert b"ller" not in rest
    if shown:
        assert shown in hidden


def test_all_spellings_of_an_address_get_one_mark() -> None:
    texts = ["ann+x@example.org", "ann%2Bx%40example.org", "ann\\u002bx\\u0040example.org"]

    marks = {REDACTOR.body(f'"{text}"'.encode(), "application/json") for text in texts}

    assert marks == {b'"' + REDACTOR.mark(b"ann+x@example.org").encode() + b'"'}


PRODUCT_CODES = st.text("0123456789", min_size=12, max_size=12).map(ean)


@given(code=PRODUCT_CODES)
def test_no_product_code_is_hidden_whatever_its_digits(code: str) -> None:
    body = json.dumps({"upc": code, "price": "12.99", "n": int("1" + code)}).encode()

    assert is_product_code(code)
    assert not is_card_number(code)
    assert REDACTOR.body(body, "application/json") == body


@given(one=st.uuids())
def test_no_uuid_is_hidden(one: object) -> None:
    body = f'{{"id": "{one}", "next": "/orders/{one}/"}}'.encode()

    assert REDACTOR.body(body, "application/json") == body
    assert REDACTOR.target(f"/orders/{one}/") == f"/orders/{one}/"


@pytest.mark.parametrize(
    "text",
    [
        "4222-2222-2222-2222-222222222222",
        "40414243-4445-4647-4849-505152535455",
        "2026-11-22T10:15:30.123456+01:00",
        "2026-11-22 10:15:30 +0100",
        "1795000000123 and 1795000000.123456",
        "sizes 40 41 42 43 44 45 46 47 48",
        "ISBN 978-0-306-40615-7, 0-306-40615-2",
        "total 1234567.89, order 100000123, 3 + 4",
        "415-555-2671 and 020 7946 0958",
        "bearer responsibilities",
        "AB12 is a road; DE12 3456 7890 1234 5678 90 is none",
        "C++ 12345678",
        "a (2019) book (1999)",
        "user@localhost",
    ],
)
def test_what_only_looks_like_it_is_left_alone(text: str) -> None:
    assert REDACTOR.body(text.encode(), "text/plain") == text.encode()


@given(text=st.text(alphabet="abcDEF 0123456789+-().:/%@\\u", max_size=60))
def test_any_text_is_hidden_once_and_for_all(text: str) -> None:
    once = REDACTOR.body(text.encode(), "text/plain")

    assert REDACTOR.body(once, "text/plain") == once


def test_an_account_number_has_the_length_of_its_country() -> None:
    assert is_iban(b"GB82WEST12345698765432")
    assert not is_iban(b"GB82WEST1234569876543")
    assert not is_iban(b"GB83WEST12345698765432")
    assert not is_iban(b"ZZ82WEST12345698765432")
