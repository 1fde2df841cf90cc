"""Which names hide their values: the known ones, and those of a shop."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.marks import PURGED, key_id, policy_id, unlike
from proxy.core.names import Names
from proxy.core.redaction import Redactor

KEY = b"k" * 32
USUAL = Redactor(KEY)


def hidden(value: object, redactor: Redactor = USUAL) -> object:
    return json.loads(redactor.body(json.dumps(value).encode(), "application/json"))


def test_a_persons_name_is_hidden_and_a_products_is_not() -> None:
    found = hidden(
        {
            "name": "A lamp",
            "category": {"name": "Lamps"},
            "customer": {"name": "Ann Example", "group": {"name": "Gold"}, "id": 7},
            "users": [{"Name": "Bob"}],
        }
    )

    assert isinstance(found, dict)
    assert found["name"] == "A lamp"
    assert found["category"] == {"name": "Lamps"}
    assert found["customer"]["id"] == 7
    assert "Ann" not in json.dumps(found)
    assert "Bob" not in json.dumps(found)


def test_a_field_of_a_form_called_name_is_a_persons() -> None:
    form = USUAL.body(b"name=Ann&q=lamp", "application/x-www-form-urlencoded")
    page = USUAL.body(b'<input name="name" value="Ann"> <input name=q value=lamp>', "text/html")

    assert b"Ann" not in form + page
    assert b"q=lamp" in form
    assert b"lamp" in page
    assert USUAL.target("/search?name=lamp") == "/search?name=lamp"


def test_names_that_a_shop_shows_are_shown_and_only_those() -> None:
    redactor = Redactor(KEY, show=["phone_models"])

    found = hidden({"phoneModels": ["X1", "a@b.example"], "phone": "123"}, redactor)

    assert isinstance(found, dict)
    assert found["phoneModels"][0] == "X1"
    assert "a@b" not in json.dumps(found)
    assert found["phone"] == redactor.mark(b"123")


def test_words_that_a_shop_hides_are_hidden_in_any_name() -> None:
    redactor = Redactor(KEY, hide=["vip", "membership number"], show=["vip_code"])

    found = hidden({"vip_code": "x", "isVip": "y", "membershipNumber": "z", "number": 1}, redactor)

    assert found == {
        "vip_code": redactor.mark(b"x"),
        "isVip": redactor.mark(b"y"),
        "membershipNumber": redactor.mark(b"z"),
        "number": 1,
    }
    assert b"[hmac:" in redactor.target_bytes(b"/p?vip=7")


def test_no_list_of_names_shows_what_is_always_hidden() -> None:
    redactor = Redactor(KEY, show=["cookie", "authorization"])

    block = redactor.header_lines(b"Cookie: sid=abc\r\nAuthorization: Bearer x\r\n").text

    assert b"abc" not in block
    assert b"Bearer" not in block


@given(name=st.sampled_from(["keyboard", "monkey", "saxophone", "pinterest", "cardigan", "author"]))
def test_a_word_within_a_word_hides_nothing(name: str) -> None:
    assert not Names(hide=["key"]).is_sensitive(name)


@pytest.mark.parametrize(
    "body",
    [
        b"<order><email>ann</email><n>1</n></order>",
        b"<o:order><o:Customer><o:name>ann</o:name></o:Customer><n>1</n></o:order>",
        b"<order><address><line1>ann</line1><a><b>ann</b></a></address><n>1</n></order>",
        b'<order email="ann" n="1"><n>1</n></order>',
        b"<order><password><![CDATA[ann]]></password><n>1</n></order>",
        b"<order><token>ann",
    ],
)
def test_elements_and_attributes_of_xml_are_hidden_by_name(body: bytes) -> None:
    found = USUAL.body(body, "application/xml")

    assert b"ann" not in found
    assert found.count(b"[hmac:") == body.count(b"ann")
    assert body.count(b"1") == found.replace(USUAL.mark(b"ann").encode(), b"").count(b"1")
    assert USUAL.body(found, "application/xml") == found


def test_the_data_that_a_pages_scripts_begin_with_is_hidden_by_name() -> None:
    page = (
        b'<p title="5\\" screen">x</p><script>window.S = {"firstName": "Ann", "id": 1}</script>'
        b'<textarea name="address">Elm Street</textarea>'
    )

    found = USUAL.body(page, "text/html")

    assert b"Ann" not in found
    assert b"Elm" not in found
    assert b'"id": 1' in found


def test_marks_of_unlike_redactors_are_told_apart() -> None:
    other_key = Redactor(b"j" * 32)
    other_names = Redactor(KEY, hide=["vip"])

    assert unlike(USUAL.id, Redactor(KEY).id) is None
    assert unlike("", USUAL.id) is None
    assert unlike(other_key.id, USUAL.id) == "other_key"
    assert unlike(other_names.id, USUAL.id) == "other_privacy"
    assert unlike(PURGED, USUAL.id) == "purged"


@given(key=st.binary(min_size=16, max_size=40), names=st.lists(st.text(max_size=5)))
def test_an_id_depends_on_what_is_hidden_and_on_no_order(key: bytes, names: list[str]) -> None:
    assert policy_id(names, [], []) == policy_id(names[::-1], [], [])
    assert key_id(key) == key_id(key)
    assert key.hex() not in key_id(key)
