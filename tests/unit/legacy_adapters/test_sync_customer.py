"""Customers of oscar become documents and rows again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from legacy_adapters.errors import RowCorrupt
from legacy_adapters.mapping.canonical import canonical_bytes
from legacy_adapters.mapping.columns import Ignored
from legacy_adapters.oscar.mapping.records import oscar_id
from legacy_adapters.oscar.mapping.sync_customer import (
    BookEntry,
    CustomerDoc,
    CustomerTranslation,
    Standing,
    core_hash,
    oscar_hash,
)
from legacy_adapters.oscar.mapping.sync_customer_addresses import Address, address_hash
from tests.unit.legacy_adapters.sync_order_rows import (
    WHEN,
    Row,
    address_row,
    names_of,
    numbers_for,
)

TRANSLATION = CustomerTranslation()
replace = msgspec.structs.replace
IDENT = UUID("01900000-0000-7000-8000-000000000001")


def user_row(**changed: Any) -> Row:
    return {
        "id": 9, "password": "pbkdf2_sha256$600000$salt$hash", "last_login": WHEN,
        "is_superuser": False, "username": "Ada@Example.com", "last_name": "Reader",
        "email": "Ada@Example.com", "is_staff": True, "is_active": True, "date_joined": WHEN,
        "first_name": "Ada",
    } | changed  # fmt: skip


def book_row(ident: int = 3, **changed: Any) -> Row:
    return {
        **address_row(ident, is_called=True), "is_default_for_shipping": True,
        "is_default_for_billing": False, "hash": "123", "date_created": WHEN, "user_id": 9,
        "num_orders_as_shipping_address": 4, "num_orders_as_billing_address": 5,
    } | changed  # fmt: skip


def whole_customer(**changed: Any) -> dict[str, tuple[Row, ...]]:
    return {
        "auth_user": (user_row(),),
        "address_useraddress": (book_row(), book_row(4, line1="2 Way", hash="124")),
        "auth_user_groups": ({"id": 1, "user_id": 9, "group_id": 1},),
        "auth_user_user_permissions": ({"id": 1, "user_id": 9, "permission_id": 1},),
    } | changed


def back(doc: CustomerDoc, rows: dict[str, tuple[Row, ...]]) -> Any:
    return TRANSLATION.reverse(doc, rows, numbers_for(TRANSLATION, doc, rows))


_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
_EMAIL = st.sampled_from(["", "Ada@Example.com", "ada@example.com", "ü@x.example"])
_PASSWORD = st.sampled_from(
    ["!x", "", "argon2$argon2id$v=19$m=1$s$h", "md5$x$y", "pbkdf2_sha256$1"]
)


@st.composite
def customers(draw: st.DrawFn) -> dict[str, tuple[Row, ...]]:
    email = draw(_EMAIL)
    user = user_row(
        email=email, username=draw(_TEXT | st.just(email)), password=draw(_PASSWORD),
        is_active=draw(st.booleans()), first_name=draw(_TEXT),
        date_joined=draw(st.datetimes()).isoformat(timespec="microseconds") + "Z",
    )  # fmt: skip
    book = tuple(
        book_row(key, line1=draw(_TEXT), line2=draw(_TEXT), notes=draw(_TEXT), hash=str(key))
        for key in sorted(draw(st.sets(st.integers(1, 99), max_size=3)))
    )
    return {"auth_user": (user,), **({"address_useraddress": book} if book else {})}


@given(customers())
def test_a_customer_comes_back_as_they_were(rows: dict[str, tuple[Row, ...]]) -> None:
    doc = TRANSLATION.forward(rows, {})

    assert back(doc, rows) == rows


@given(customers())
def test_a_customer_stays_the_same_there_and_back(rows: dict[str, tuple[Row, ...]]) -> None:
    doc = TRANSLATION.forward(rows, {})
    numbers = numbers_for(TRANSLATION, doc, rows)

    found = TRANSLATION.reverse(doc, {}, numbers)

    again = TRANSLATION.forward(found, names_of(TRANSLATION, rows))
    assert canonical_bytes(again) == canonical_bytes(replace(doc, username=again.username))


def test_a_customer_is_told_in_the_cores_words() -> None:
    doc = TRANSLATION.forward(whole_customer(), {})

    assert doc.id == oscar_id("user", "9")
    assert (doc.email, doc.username, doc.standing) == ("ada@example.com", "", Standing.ACTIVE)
    assert {one.id for one in doc.book} == {oscar_id("user_address", key) for key in ("3", "4")}
    first = next(one for one in doc.book if one.id == oscar_id("user_address", "3"))
    assert (first.default_shipping, first.default_billing) == (True, False)
    assert doc.created_at == datetime(2026, 1, 31, 9, 0, 0, 123456, tzinfo=UTC)
    assert TRANSLATION.money(doc) is None


def test_what_only_oscar_knows_stays_when_a_name_changes() -> None:
    rows = whole_customer()
    doc = replace(TRANSLATION.forward(rows, {}), last_name="Lovelace")

    found = back(doc, rows)

    assert found == {**rows, "auth_user": (user_row(last_name="Lovelace"),)}


def test_an_address_that_changes_has_a_new_hash_and_keeps_its_count() -> None:
    rows = whole_customer()
    doc = TRANSLATION.forward(rows, {})
    moved = tuple(
        replace(one, address=replace(one.address, city="Leeds"))
        if one.id == oscar_id("user_address", "4")
        else one
        for one in doc.book
    )

    found = back(replace(doc, book=moved), rows)

    same, changed = found["address_useraddress"]
    assert same == rows["address_useraddress"][0]
    assert (changed["line4"], changed["num_orders_as_billing_address"]) == ("Leeds", 5)
    assert changed["hash"] == address_hash(changed) != "124"


def test_a_customer_of_the_core_can_log_in_to_oscar() -> None:
    doc = born_in_the_core(password_hash="$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA")

    user = back(doc, {})["auth_user"][0]

    assert user["password"] == "argon2$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA"
    assert (user["username"], user["email"]) == ("ada@example.com", "ada@example.com")
    assert (user["is_active"], user["is_staff"], user["is_superuser"]) == (True, False, False)


def test_equal_addresses_of_the_core_have_hashes_of_their_own() -> None:
    there = Address("GB", ("1 Book Street",), "London", "", "Ada", "", "", "EN1")
    book = tuple(BookEntry(UUID(int=at), there, False, False) for at in (1, 2))

    rows = back(born_in_the_core(book=book), {})["address_useraddress"]

    assert len({row["hash"] for row in rows}) == 2


def test_the_erased_are_nobody_in_oscar_too() -> None:
    doc = born_in_the_core(standing=Standing.ERASED, email="", first_name="")

    rows = back(doc, whole_customer(address_useraddress=()))

    user = rows["auth_user"][0]
    assert (user["email"], user["is_active"]) == ("", False)
    assert user["username"] == f"erased-{doc.id.hex}"
    known = {("user", str(user["id"])): doc.id}
    assert TRANSLATION.forward(rows, known) == doc


def born_in_the_core(**changed: Any) -> CustomerDoc:
    return CustomerDoc(
        **{
            "id": IDENT, "standing": Standing.ACTIVE, "email": "ada@example.com", "username": "",
            "first_name": "Ada", "last_name": "", "password_hash": "",
            "created_at": datetime(2026, 5, 4, tzinfo=UTC), **changed,
        }
    )  # fmt: skip


def test_staff_without_an_address_of_mail_are_let_through() -> None:
    rows = whole_customer(auth_user=(user_row(email="", username="boss"),))

    doc = TRANSLATION.forward(rows, {})

    assert (doc.email, doc.username) == ("user-9@no-address.invalid", "boss")
    assert back(replace(doc, first_name="B"), rows)["auth_user"][0]["email"] == ""


@pytest.mark.parametrize(
    ("django", "core"),
    [
        ("pbkdf2_sha256$1$s$h", "pbkdf2_sha256$1$s$h"),
        ("argon2$argon2id$v=19$h", "$argon2id$v=19$h"),
        ("md5$s$h", "md5$s$h"),
    ],
)
def test_a_hash_opens_in_both(django: str, core: str) -> None:
    assert core_hash(django) == core
    assert oscar_hash(core, IDENT) == django


def test_what_opens_nothing_opens_nothing_in_both() -> None:
    assert core_hash("!random") == ""
    assert core_hash(oscar_hash("", IDENT)) == ""


@pytest.mark.parametrize(
    ("changed", "told_of"),
    [
        ({"email": "nobody"}, "auth_user.email"),
        ({"email": "a\0@b.c"}, "auth_user.email"),
        ({"username": None}, "auth_user.username"),
        ({"date_joined": "0000-00-00"}, "auth_user.date_joined"),
        ({"is_active": None}, "auth_user.is_active"),
    ],
)
def test_who_cannot_be_read_is_refused(changed: Row, told_of: str) -> None:
    rows = whole_customer(auth_user=(user_row(**changed),))

    with pytest.raises(RowCorrupt, match=told_of):
        TRANSLATION.forward(rows, {})


def test_a_hash_that_does_not_fit_is_refused() -> None:
    with pytest.raises(RowCorrupt, match=r"auth_user\.password"):
        oscar_hash("x" * 129, IDENT)


def test_every_column_of_a_customer_is_mapped_or_has_a_reason() -> None:
    fates = [fate for columns in TRANSLATION.columns.values() for fate in columns.values()]

    assert all(fate.reason for fate in fates if isinstance(fate, Ignored))
    assert {name: set(columns) for name, columns in TRANSLATION.columns.items()} == {
        table.name: set(table.columns) for table in TRANSLATION.shape.tables
    }
