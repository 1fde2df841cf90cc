"""Forms: what stands in a field with a sensitive name is hidden, the rest is not touched."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.redaction import Redactor

REDACTOR = Redactor(b"k" * 32)
NAMES = st.sampled_from(["password", "email", "item", "customer[first_name]", "quantity", "note"])
SENSITIVE = ("password", "email", "customer[first_name]")


def part(name: str, value: str, more: str = "") -> str:
    return f'--xx\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n{value}\r\n'


@given(fields=st.lists(st.tuples(NAMES, st.text("abc xyz\r\n-", max_size=12)), max_size=5))
def test_parts_are_hidden_by_name_and_others_stay_byte_for_byte(
    fields: list[tuple[str, str]],
) -> None:
    fields = [(name, f"v{n}{value}e") for n, (name, value) in enumerate(fields)]
    body = "".join(part(name, value) for name, value in fields) + "--xx--\r\n"

    hidden = REDACTOR.body(body.encode(), "multipart/form-data; boundary=xx").decode()

    expected = "".join(
        part(name, REDACTOR.mark(value.encode()) if name in SENSITIVE else value)
        for name, value in fields
    )
    assert hidden == expected + "--xx--\r\n"


@pytest.mark.parametrize(
    "kind",
    ["multipart/form-data; boundary=xx", 'multipart/form-data; boundary="xx"',
     "multipart/form-data", "multipart/form-data; boundary=other", "Multipart/Mixed"],
)  # fmt: skip
def test_a_password_is_hidden_whatever_the_boundary_is_said_to_be(kind: str) -> None:
    body = part("id", "7") + part("password", "s3cr3t") + part("file", "x", '; filename="a.txt"')

    hidden = REDACTOR.body(body.encode(), kind)

    assert b"s3cr3t" not in hidden
    assert b'name="id"\r\n\r\n7\r\n' in hidden


def test_a_file_is_hidden_when_its_name_says_so() -> None:
    body = part("upload", "scan", '; filename="passport.txt"')

    assert b"scan" not in REDACTOR.body(body.encode(), "multipart/form-data; boundary=xx")


@pytest.mark.parametrize(
    "tag",
    [
        '<input name="password" value="s3cr3t">',
        "<INPUT type='email' VALUE='s3cr3t'>",
        "<input value=s3cr3t id=card-number>",
        '<input autocomplete="street-address" value="s3cr3t"/>',
        '<meta name="csrf-token" content="s3cr3t">',
        '<option name="phone" value="s3cr3t" selected>',
    ],
)
def test_inputs_of_a_page_are_hidden_by_name(tag: str) -> None:
    hidden = REDACTOR.body(f"<p>books</p>{tag}".encode(), "text/html; charset=utf-8")

    assert b"s3cr3t" not in hidden
    assert b"[hmac:" in hidden
    assert REDACTOR.body(hidden, "text/html") == hidden


@pytest.mark.parametrize(
    "page",
    [
        '<input name="quantity" value="3">',
        '<input name="email" value="">',
        '<meta name="description" content="Books">',
        '<p name="password">not a field</p>',
    ],
)
def test_other_fields_of_a_page_are_left_alone(page: str) -> None:
    assert REDACTOR.body(page.encode(), "text/html") == page.encode()


def test_the_same_body_of_another_type_is_looked_at_anew() -> None:
    body = b"email=ann&password=s3cr3t"

    texts = [REDACTOR.body(body, "text/plain") for _ in range(3)]
    forms = [REDACTOR.body(body, "application/x-www-form-urlencoded") for _ in range(3)]

    assert texts[0] == texts[1] == texts[2]
    assert forms[0] == forms[1] == forms[2]
    assert b"email=ann" in texts[0]
    assert b"ann" not in forms[0]


def test_header_lines_are_redacted_in_place() -> None:
    block = b"Host: shop\r\nCookie: a=s3cr3t\r\nX-Request-ID: r-1\r\nVia: 1.1 banyan\r\n\r\n"

    first, again = (REDACTOR.request_lines(block, "r-1") for _ in range(2))

    assert first == again
    assert first.text == block.replace(b"a=s3cr3t", REDACTOR.mark(b"a=s3cr3t").encode())


def test_a_request_id_that_names_the_shopper_is_hidden() -> None:
    redactor = Redactor(b"k" * 32, ("X-Request-ID",))
    block = b"Host: shop\r\nX-Request-ID: r-1\r\n\r\n"

    assert b"r-1" not in redactor.request_lines(block, "r-1").text


def test_lines_say_what_the_body_is() -> None:
    lines = REDACTOR.header_lines(b"content-TYPE:  text/html \r\nContent-Encoding: gzip\r\n")

    assert (lines.content_type, lines.content_encoding) == ("text/html", "gzip")
