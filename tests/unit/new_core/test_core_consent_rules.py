"""Consents as of a time, requests by their table, and what an erasure leaves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from new_core.domain.address import PostalAddress
from new_core.domain.consent import (
    NEXT,
    ConsentRecord,
    DataRequestEvent,
    DataRequestState,
    Decision,
    Evidence,
    Purpose,
    current_consents,
)
from new_core.domain.customer import (
    Customer,
    CustomerStatus,
    SavedAddress,
    anonymised,
    normal_email,
    truncated,
    with_address,
)
from new_core.errors import InvalidValue

THEN = datetime(2026, 1, 1, tzinfo=UTC)
NEWS = Purpose("news", 1, (("en", "May we?"),), False, ("email",), THEN, valid_days=10)
moments = st.integers(0, 40).map(lambda days: THEN + timedelta(days=days))


def record(number: int, at: datetime, decision: Decision) -> ConsentRecord:
    return ConsentRecord(UUID(int=number), UUID(int=1), "news", 1, decision, "web", "x", "y", at)


@given(
    st.lists(st.tuples(moments, st.sampled_from(list(Decision))), max_size=8), moments,
)  # fmt: skip
def test_the_last_decision_by_then_holds_unless_its_time_is_over(
    decided: list[tuple[datetime, Decision]], at: datetime
) -> None:
    records = [record(n, when, what) for n, (when, what) in enumerate(decided)]

    (found,) = current_consents([NEWS], reversed(records), at)

    before = sorted((one for one in records if one.at <= at), key=lambda one: (one.at, one.id))
    if not before:
        assert (found.record, found.decision) == (None, None)
        return
    last = before[-1]
    expired = last.decision is Decision.GRANTED and last.at + timedelta(days=10) <= at
    assert found.record == last
    assert found.decision is (Decision.EXPIRED if expired else last.decision)


def test_a_purpose_that_was_not_there_yet_is_not_asked_about() -> None:
    assert current_consents([NEWS], [], THEN - timedelta(seconds=1)) == ()


def test_nothing_is_done_for_somebody_who_may_be_anybody() -> None:
    ends = {DataRequestState.FULFILLED, DataRequestState.REFUSED}
    for state, event in product(DataRequestState, DataRequestEvent):
        to = NEXT[state].get(event)
        if state in ends:
            assert to is None
        if to is DataRequestState.FULFILLED:
            assert state is not DataRequestState.RECEIVED
    assert set(NEXT) == set(DataRequestState)


texts = st.text(st.characters(min_codepoint=0x1F300, max_codepoint=0x1F5FF), min_size=3)


@given(st.lists(texts, min_size=14, max_size=14))
def test_an_erased_customer_says_nothing_of_what_they_said(said: list[str]) -> None:
    street, first, last, title, company, phone, notes, code, *own = said
    address = PostalAddress(
        "CA", (street,), "Ottawa", first, last, title, company, "ON", code * 3, phone, notes
    )
    someone = Customer(
        UUID(int=1), own[0], CustomerStatus.ACTIVE, THEN, own[1], own[2], own[3], own[4], own[5],
        addresses=(SavedAddress(UUID(int=2), address),),
    )  # fmt: skip

    gone = anonymised(someone)

    assert not any(one in repr(gone) for one in (*said, code * 2) if len(one) > 3)
    assert gone.status is CustomerStatus.ERASED
    assert gone.addresses[0].address.city == "Ottawa"
    assert Evidence("en", "x", "f", "1.2.3.4", "b").anonymised() == Evidence("en", "x")


@pytest.mark.parametrize(
    ("postcode", "left"),
    [("K1A 0B1", "K1A"), ("12345", "12"), ("SW1A 1AA", "SW1"), ("101", "1"), ("1", ""), ("", "")],
)
def test_of_a_postcode_half_is_left(postcode: str, left: str) -> None:
    assert truncated(postcode) == left


@given(st.emails())
def test_an_address_of_mail_has_one_spelling(email: str) -> None:
    one = normal_email(email)

    assert normal_email(f" {email.upper()} ") == normal_email(email.upper())
    assert normal_email(one) == one


@pytest.mark.parametrize(
    "text", ["", "@", "a@", "@b", "a b@c", "a@b@c", "a@b\x00", "a\n@b", "x" * 250 + "@b.example"]
)
def test_what_is_no_address_of_mail_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue):
        normal_email(text)


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans(), st.booleans()), max_size=12))
def test_a_book_has_at_most_one_default_of_each_kind(
    puts: list[tuple[int, bool, bool]],
) -> None:
    book: tuple[SavedAddress, ...] = ()
    for number, shipping, billing in puts:
        saved = SavedAddress(UUID(int=number), PostalAddress("CA", (), "x"), shipping, billing)

        book = with_address(book, saved)

        assert sum(one.default_shipping for one in book) <= 1
        assert sum(one.default_billing for one in book) <= 1
        assert len({one.id for one in book}) == len(book)
