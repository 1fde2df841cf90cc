"""A cookie's value is hidden; its name and usual attributes stay."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core import is_redacted
from proxy.core.cookies import hide_cookie


def mark(value: bytes) -> str:
    return f"[hmac:{value.hex()[:16].ljust(16, '0')}]"


def test_the_name_and_the_usual_attributes_stay() -> None:
    line = (
        "sessionid=s3cr3t; expires=Sun, 06 Dec 2026 07:38:04 GMT; HttpOnly; Max-Age=1209600;"
        " Path=/; SameSite=Lax; Secure; Domain=.shop.example"
    )

    assert hide_cookie(line, mark) == line.replace("s3cr3t", mark(b"s3cr3t"))


@pytest.mark.parametrize(
    "attribute", ["Path=/users/4711", "Comment=ann", "Expires=soon", "Max-Age=12345678901234567"]
)
def test_an_attribute_in_which_something_could_hide_is_left_out(attribute: str) -> None:
    assert hide_cookie(f"a=b; {attribute}; Secure", mark) == f"a={mark(b'b')}; Secure"


@pytest.mark.parametrize("line", ["s3cr3t", "4929123412341234=1", "ann@example.org=1", "", "=x"])
def test_a_line_without_a_plain_name_is_hidden_whole(line: str) -> None:
    assert hide_cookie(line, mark) == mark(line.encode())


def test_a_cookie_that_is_emptied_shows_as_empty() -> None:
    assert hide_cookie("sid=; Max-Age=0", mark) == "sid=; Max-Age=0"


@given(st.text(alphabet=st.characters(max_codepoint=255), max_size=60))
def test_no_value_stays(value: str) -> None:
    hidden = hide_cookie(f"sid=VALUE{value.partition(';')[0]}END; Path=/", mark)

    assert is_redacted(hidden)
    assert "VALUE" not in hidden
