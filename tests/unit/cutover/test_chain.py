"""The chain: whatever is altered, taken out or put elsewhere is found."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from cutover.core.chain import Checked, is_hash
from cutover.core.chain import check as check_links
from cutover.core.revision import (
    GENESIS,
    Entry,
    Evidence,
    Flaw,
    Found,
    RevisionKind,
    flaws,
    link_hash,
    seal,
    to_json,
    told,
)

ENTRY = Entry(
    datetime(2027, 3, 1, tzinfo=UTC),
    "op",
    RevisionKind.APPLY,
    "warum nicht, für alle",
    ("catalog: shadow -> canary 10 %",),
    (Evidence("catalog", "pass", ("at least 99 % equal",), 400, 990_100, 990_000, 9_900),),
    "domains: {}\n",
    Found("ab", "by hand", loads=True),
)


def chain(count: int) -> list[tuple[int, bytes]]:
    links: list[tuple[int, bytes]] = []
    for n in range(1, count + 1):
        prev = link_hash(links[-1][1]) if links else GENESIS
        links.append((n, to_json(seal(n, replace(ENTRY, reason=f"step {n}"), prev))))
    return links


CHAIN = chain(5)


def chain_flaws(links: list[tuple[int, bytes]]) -> tuple[Flaw, ...]:
    return flaws([told(n, content) for n, content in links])


def check(links: list[tuple[int, bytes]], *, noted: str | None, is_in_force: bool) -> Checked:
    read = [told(n, content) for n, content in links]
    return check_links(read, noted=noted, is_in_force=is_in_force)


@given(st.integers(0, 4), st.data())
def test_any_altered_byte_is_found(at: int, data: st.DataObject) -> None:
    n, content = CHAIN[at]
    place = data.draw(st.integers(0, len(content) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda byte: byte != content[place]))
    altered = content[:place] + bytes([byte]) + content[place + 1 :]

    found = chain_flaws([*CHAIN[:at], (n, altered), *CHAIN[at + 1 :]])

    assert f"{n:06}" in found[0].problem
    assert found[0].way_out


@given(st.integers(0, 4), st.binary(min_size=1, max_size=3), st.data())
def test_any_byte_put_in_is_found(at: int, more: bytes, data: st.DataObject) -> None:
    n, content = CHAIN[at]
    place = data.draw(st.integers(0, len(content)))

    found = chain_flaws(
        [*CHAIN[:at], (n, content[:place] + more + content[place:]), *CHAIN[at + 1 :]]
    )

    assert f"{n:06}" in found[0].problem


@given(st.integers(0, 3))
def test_an_entry_taken_out_of_the_middle_is_found(at: int) -> None:
    assert chain_flaws([*CHAIN[:at], *CHAIN[at + 1 :]])


@given(st.integers(0, 3))
def test_entries_that_close_up_behind_one_taken_out_are_found(at: int) -> None:
    rest = [content for n, content in CHAIN if n != at + 1]

    assert chain_flaws(list(enumerate(rest, 1)))


@given(st.permutations(range(5)).filter(lambda order: order != sorted(order)))
def test_entries_in_another_order_are_found(order: list[int]) -> None:
    assert chain_flaws([(n, CHAIN[at][1]) for n, at in enumerate(order, 1)])


def test_one_number_under_two_names_is_told() -> None:
    first, second, *_ = CHAIN

    (flaw,) = chain_flaws([first, first, second])

    assert flaw.problem == "revision 000001 is there twice, under names of different length"


def test_bytes_that_say_the_same_otherwise_are_told_as_such() -> None:
    (n, content), *rest = CHAIN

    (flaw,) = chain_flaws([(n, content.replace(b"+00:00", b"-00:00")), *rest])

    assert flaw.problem == "revision 000001 was written anew: it says the same in other bytes"


@given(st.integers(0, 4), st.integers(12, 64))
def test_a_noted_head_is_found_as_long_as_its_entry_is_there(at: int, digits: int) -> None:
    noted = link_hash(CHAIN[at][1])[:digits]

    whole = check(CHAIN, noted=noted, is_in_force=True)
    cut = check(CHAIN[:at], noted=noted, is_in_force=False)

    assert (whole.noted, whole.flaws, whole.head) == (at + 1, (), link_hash(CHAIN[-1][1]))
    assert [flaw.problem.split(":")[0] for flaw in cut.flaws] == [
        f"no revision has the noted hash {noted}"
    ]


def test_a_chain_written_anew_from_its_first_entry_is_whole_but_for_the_noted_head() -> None:
    forged: list[tuple[int, bytes]] = []
    for n in (1, 2, 3):
        prev = link_hash(forged[-1][1]) if forged else GENESIS
        forged.append((n, to_json(seal(n, replace(ENTRY, actor="nobody"), prev))))

    assert check(forged, noted=None, is_in_force=True).flaws == ()
    assert check(forged, noted=link_hash(CHAIN[2][1]), is_in_force=True).flaws


def test_an_empty_ledger_is_whole_where_nothing_is_in_force() -> None:
    assert check([], noted=None, is_in_force=False).flaws == ()
    assert check([], noted=None, is_in_force=True).flaws


@given(st.text("0123456789abcdef", min_size=12, max_size=64))
def test_digits_of_a_hash_are_one(text: str) -> None:
    assert is_hash(text)
    assert not is_hash(text[:11])
    assert not is_hash(f"{text[:11]}g")
