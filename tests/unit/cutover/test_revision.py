"""Revisions: what is written is read back, and what is changed later is noticed."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutover.core.revision import (
    GENESIS,
    DamagedRevision,
    Entry,
    Evidence,
    Found,
    RevisionKind,
    chain_problems,
    from_json,
    link_hash,
    seal,
    to_json,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
ENTRIES = st.builds(
    Entry,
    at=st.datetimes(timezones=st.just(UTC)).map(lambda at: at.replace(microsecond=0)),
    actor=TEXT,
    kind=st.sampled_from(RevisionKind),
    reason=TEXT,
    changes=st.lists(TEXT, max_size=3).map(tuple),
    evidence=st.lists(
        st.builds(
            Evidence,
            domain=TEXT,
            verdict=TEXT,
            sentences=st.lists(TEXT, max_size=2).map(tuple),
            compared=st.integers(0, 10**9),
            lower_ppm=st.integers(0, 10**6),
            min_ppm=st.integers(0, 10**6),
            confidence_bp=st.integers(0, 10**4),
        ),
        max_size=2,
    ).map(tuple),
    routing_yaml=TEXT,
    found=st.none() | st.builds(Found, table_sha256=TEXT, routing_yaml=TEXT, loads=st.booleans()),
)
ENTRY = Entry(
    datetime(2027, 3, 1, tzinfo=UTC), "op", RevisionKind.APPLY, "why", ("a: b",), (), "domains: {}"
)


def chain(count: int) -> list[tuple[int, bytes]]:
    links: list[tuple[int, bytes]] = []
    for n in range(1, count + 1):
        prev = link_hash(links[-1][1]) if links else GENESIS
        links.append((n, to_json(seal(n, replace(ENTRY, reason=f"step {n}"), prev))))
    return links


@given(ENTRIES, st.integers(1, 10**6))
def test_a_revision_is_read_back_as_it_was_written(entry: Entry, n: int) -> None:
    revision = seal(n, entry, GENESIS)

    assert from_json(to_json(revision)) == revision


def test_a_good_chain_has_no_problems() -> None:
    assert chain_problems(chain(5)) == ()
    assert chain_problems([]) == ()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"step 2", b"step 9"),
        (b'"op"', b'"xx"'),
        (b"domains: {}", b"domains: []"),
        (b'"kind": "apply"', b'"kind": "init"'),
        (b"2027-03-01", b"2027-03-02"),
    ],
)
def test_a_changed_entry_is_noticed(old: bytes, new: bytes) -> None:
    links = chain(3)
    links[1] = (2, links[1][1].replace(old, new))

    (damaged, *_) = chain_problems(links)

    assert damaged == "revision 000002 is damaged: its content does not belong to its hash"


def test_an_entry_sealed_anew_breaks_the_chain_behind_it() -> None:
    links = chain(3)
    forged = seal(2, replace(ENTRY, actor="somebody else"), from_json(links[1][1]).prev_hash)
    links[1] = (2, to_json(forged))

    assert chain_problems(links) == ("revision 000003 does not follow the one before it",)


def test_a_missing_entry_and_a_renamed_one_are_named() -> None:
    first, _, third, fourth = chain(4)

    assert chain_problems([first, third, fourth])[0] == "revision 000002 is missing"
    assert chain_problems([first, (2, third[1])])[0] == ("revision 000002 says that it is 000003")


def test_the_chain_goes_on_behind_a_damaged_entry() -> None:
    links = [*chain(2)[:1], (2, b"{torn")]
    links.append((3, to_json(seal(3, ENTRY, link_hash(links[-1][1])))))

    assert chain_problems(links) == ("revision 000002 is damaged: it cannot be read",)


def test_a_revision_without_one_of_its_keys_is_damaged() -> None:
    told = json.loads(chain(1)[0][1])

    for key in told.keys() - {"found"}:
        lacking = {name: value for name, value in told.items() if name != key}
        with pytest.raises(DamagedRevision):
            from_json(json.dumps(lacking).encode())


@given(st.binary(max_size=60) | st.sampled_from([b"[]", b"1", b"{}", b"null", b"[" * 5_000]))
def test_whatever_is_no_revision_is_damaged(content: bytes) -> None:
    with pytest.raises(DamagedRevision):
        from_json(content)
