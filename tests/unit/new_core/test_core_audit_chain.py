"""A chain of entries shows whatever was done to it afterwards."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from new_core.domain.audit import (
    START,
    Break,
    Fault,
    Link,
    Sealed,
    Written,
    breaks,
    end_breaks,
    seal,
)

AT = datetime(2026, 5, 4, 12, tzinfo=UTC)


def written(n: int) -> Written:
    return Written(
        AT, "staff", "clerk", f"r{n}", "order.cancelled", "order", str(n), None, f'{{"n":{n}}}', ""
    )


def chain(length: int) -> list[Sealed]:
    made: list[Sealed] = []
    last = START
    for n in range(length):
        made.append(seal(last, written(n)))
        last = made[-1].link
    return made


def found(entries: list[Sealed], head: Link) -> list[Break]:
    last = entries[-1].link if entries else START
    return [*breaks(START, entries), *end_breaks(last, head)]


@given(length=st.integers(0, 12))
def test_a_chain_that_nobody_touched_holds(length: int) -> None:
    entries = chain(length)

    assert found(entries, entries[-1].link if entries else START) == []


@given(length=st.integers(1, 8), data=st.data())
def test_a_changed_entry_is_one_break_at_its_place(length: int, data: st.DataObject) -> None:
    entries = chain(length)
    at = data.draw(st.integers(0, length - 1))
    name = data.draw(st.sampled_from([field.name for field in fields(Written)]))
    other: Any = AT + timedelta(microseconds=1) if name == "at" else "forged"
    entries[at] = replace(entries[at], written=replace(entries[at].written, **{name: other}))

    assert found(entries, entries[-1].link) == [Break(at + 1, Fault.CHANGED)]


@given(length=st.integers(2, 8), data=st.data())
def test_a_deleted_entry_is_missing(length: int, data: st.DataObject) -> None:
    entries = chain(length)
    head = entries[-1].link
    at = data.draw(st.integers(0, length - 2))
    del entries[at]

    assert found(entries, head) == [Break(at + 1, Fault.MISSING)]


@given(length=st.integers(1, 8), data=st.data())
def test_a_chain_that_was_cut_off_shows_at_its_head(length: int, data: st.DataObject) -> None:
    entries = chain(length)
    left = data.draw(st.integers(0, length - 1))

    assert found(entries[:left], entries[-1].link) == [Break(left + 1, Fault.TRUNCATED)]


@given(length=st.integers(2, 8), data=st.data())
def test_entries_that_changed_places_show(length: int, data: st.DataObject) -> None:
    entries = chain(length)
    one, other = data.draw(
        st.lists(st.integers(0, length - 1), min_size=2, max_size=2, unique=True)
    )
    first, second = entries[one], entries[other]
    entries[one] = replace(first, written=second.written)
    entries[other] = replace(second, written=first.written)

    assert {(one.seq, one.fault) for one in found(entries, entries[-1].link)} == {
        (one + 1, Fault.CHANGED),
        (other + 1, Fault.CHANGED),
    }


def test_a_forged_entry_with_a_hash_of_its_own_breaks_the_link_after_it() -> None:
    entries = chain(4)
    head = entries[-1].link
    entries[1] = seal(entries[0].link, written(99))

    assert found(entries, head) == [Break(3, Fault.UNLINKED)]


def test_an_entry_that_nobody_sealed_is_beyond_the_head() -> None:
    entries = chain(3)
    forged = seal(entries[-1].link, written(99))

    assert found([*entries, forged], entries[-1].link) == [Break(4, Fault.BEYOND)]


def test_a_chain_that_was_made_anew_does_not_fit_the_head() -> None:
    entries = [seal(START, written(99))]

    assert found(entries, chain(1)[0].link) == [Break(1, Fault.UNLINKED)]


@pytest.mark.parametrize("hours", [-5, 2])
def test_the_same_moment_in_another_zone_is_the_same_entry(hours: int) -> None:
    there = replace(written(1), at=AT.astimezone(timezone(timedelta(hours=hours))))

    assert seal(START, there).link == seal(START, written(1)).link
