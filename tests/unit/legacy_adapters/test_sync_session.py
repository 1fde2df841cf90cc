"""Django's sessions are read, changed and signed so that Django takes them."""

from __future__ import annotations

import json
import zlib
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest
from django.core import signing  # type: ignore[import-untyped]  # Django tells no types
from hypothesis import given
from hypothesis import strategies as st

from legacy_adapters.errors import RowCorrupt
from legacy_adapters.mapping.aggregates import AggregateRows
from legacy_adapters.oscar.mapping.records import oscar_id
from legacy_adapters.oscar.mapping.session_ids import read_header
from legacy_adapters.oscar.mapping.sync_session import SessionDocument, SessionTranslation
from legacy_adapters.oscar.mapping.sync_session_data import (
    auth_hash,
    is_signed_with,
    read_data,
    write_data,
)

SECRET = "django-insecure-ß"
SALT = "django.contrib.sessions.SessionStore"
SESSIONS = SessionTranslation(SECRET)
AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
EXPIRES = "2026-12-06T12:00:00.000000Z"
KEY = "k" * 40
scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text()
data_of = st.dictionaries(st.text(max_size=8), scalars | st.lists(scalars, max_size=3), max_size=8)


def django_writes(data: object) -> str:
    signer = signing.TimestampSigner(key=SECRET, salt=SALT, fallback_keys=[])
    signed: str = signer.sign_object(data, compress=True)
    return signed


def django_reads(text: str) -> Any:
    return signing.loads(text, key=SECRET, salt=SALT, fallback_keys=[])


def row(data: object = None, **changed: Any) -> AggregateRows:
    text = django_writes(data if data is not None else {})
    whole = {"session_key": KEY, "session_data": text, "expire_date": EXPIRES} | changed
    return {"django_session": (whole,)}


@given(data=data_of)
def test_what_django_wrote_is_read(data: dict[str, Any]) -> None:
    assert read_data(django_writes(data)) == data
    assert is_signed_with(django_writes(data), SECRET)


@given(data=data_of)
def test_what_was_written_django_reads(data: dict[str, Any]) -> None:
    text = write_data(data, SECRET, AT)

    assert django_reads(text) == data
    assert not is_signed_with(text, "another")


@given(text=st.text() | st.text(st.sampled_from(".:abcAZ09-_="), max_size=40))
def test_anything_at_all_is_read_as_something(text: str) -> None:
    assert isinstance(read_data(text), dict)


def test_data_that_would_fill_the_memory_are_none() -> None:
    huge = json.dumps({"a": "x" * 8_000_000}).encode()
    packed = signing.b64_encode(zlib.compress(huge)).decode()

    assert read_data(f".{packed}:1:sig") == {}


users = st.sampled_from(["7", 7, "x", None, "0", True])


@given(
    more=data_of,
    basket=st.sampled_from([5, "5", None, "many", -1]),
    user=users,
    said=st.sampled_from(["ab12", None, 5, "é", "\x00"]),
)
def test_a_session_that_went_to_the_core_comes_back_as_it_was(
    more: dict[str, Any], basket: object, user: object, said: object
) -> None:
    data = {**more, "oscar_open_basket": basket, "_auth_user_id": user, "_auth_user_hash": said}
    rows = row(data)
    doc = SESSIONS.forward(rows, {})

    back = SESSIONS.reverse(doc, rows, {oscar_id("basket", "5"): "5", oscar_id("user", "7"): "7"})

    assert back == rows


@given(text=st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=60))
def test_data_that_nobody_can_read_stay_as_they_are(text: str) -> None:
    rows = row(session_data=text)

    assert SESSIONS.reverse(SESSIONS.forward(rows, {}), rows, {}) == rows


def test_a_login_in_the_core_keeps_what_else_oscar_knows() -> None:
    rows = row({"oscar_open_basket": 5, "wishes": [1]})
    doc = msgspec.structs.replace(
        SESSIONS.forward(rows, {}),
        customer_id=UUID(int=1), cart_id=UUID(int=2), auth_hash="abc",
    )  # fmt: skip

    (back,) = SESSIONS.reverse(doc, rows, {UUID(int=1): "7", UUID(int=2): "6"})["django_session"]

    assert django_reads(str(back["session_data"])) == {
        "oscar_open_basket": 6,
        "wishes": [1],
        "_auth_user_id": "7",
        "_auth_user_backend": "oscar.apps.customer.auth_backends.EmailBackend",
        "_auth_user_hash": "abc",
    }


def test_a_session_that_was_born_in_the_core_is_one_of_django() -> None:
    doc = SessionDocument(UUID(int=1), KEY, None, UUID(int=2), "", AT)

    (back,) = SESSIONS.reverse(doc, {}, {UUID(int=2): "1000000000"})["django_session"]

    assert django_reads(str(back["session_data"])) == {"oscar_open_basket": 1000000000}
    assert SESSIONS.owns(doc)[0].key == KEY


def test_a_basket_that_oscar_deleted_is_waited_for_by_nobody() -> None:
    rows = row({"oscar_open_basket": 5})
    doc = SESSIONS.forward(rows, {})

    assert [one.is_needed for one in SESSIONS.points_at(doc)] == [False]
    assert SESSIONS.reverse(doc, rows, {}) == rows


def test_a_key_that_no_column_of_django_holds_is_refused() -> None:
    with pytest.raises(RowCorrupt, match="session_key"):
        SESSIONS.forward(row(session_key="k" * 41), {})


def test_a_password_is_told_as_django_tells_it() -> None:
    from django.utils.crypto import (  # type: ignore[import-untyped]  # noqa: PLC0415 - seldom
        salted_hmac,
    )

    salt = "django.contrib.auth.models.AbstractBaseUser.get_session_auth_hash"
    theirs = salted_hmac(salt, "pbkdf2$é", SECRET, algorithm="sha256").hexdigest()

    assert auth_hash("pbkdf2$é", SECRET) == theirs


def test_a_named_session_has_the_key_that_oscars_api_gives_it() -> None:
    name = read_header("SID:ANON:shop.example:some-1")
    assert name is not None

    # sha1("SID:ANON:shop.example:some" + "secret")
    assert name.session_key("secret") == "c8dc8b28c7ba4cb7fce428756a9d654c8b3e3598"
