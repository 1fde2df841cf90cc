"""Debezium's events as transactions."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from legacy_adapters.capture.debezium_events import Event
from legacy_adapters.capture.debezium_grouping import Grouping
from legacy_adapters.mapping.marks import APPLIED
from legacy_adapters.ports.capture import Change, Transaction


def change(key: int, table: str = "item") -> Change:
    return Change(table, str(key), None, {"id": key})


def event(transaction: str, *keys: int, table: str = "item") -> Event:
    return Event(transaction, changes=tuple(change(key, table) for key in keys))


def end(transaction: str) -> Event:
    return Event(transaction, ends=1)


def told(*events: Event | None, silence: bool = True) -> list[Transaction]:
    grouping = Grouping(0)
    found = [one for at, each in enumerate(events, 1) for one in grouping.add(at, each)]
    return found + grouping.end() if silence else found


def test_events_of_one_transaction_are_one() -> None:
    found = told(event("7", 1), event("7", 2), event("8", 3))

    assert [[one.key for one in each.changes] for each in found] == [["1", "2"], ["3"]]
    assert [each.position.order for each in found] == [2, 3]


def test_a_transaction_goes_on_until_something_ends_it() -> None:
    assert told(event("7", 1), event("7", 2), silence=False) == []
    assert len(told(event("7", 1), end("7"), silence=False)) == 1


def test_an_event_without_a_transaction_is_one_by_itself() -> None:
    assert len(told(event("", 1), event("", 2), silence=False)) == 2


def test_tombstones_and_garbage_in_between_end_nothing() -> None:
    (only,) = told(event("7", 1), None, event("7", 2))

    assert [one.key for one in only.changes] == ["1", "2"]


def test_nothing_that_is_open_is_behind_what_was_read() -> None:
    grouping = Grouping(5)
    grouping.add(6, None)
    grouping.add(7, event("7", 1))
    grouping.add(8, None)

    assert grouping.read_to == 6


def test_the_end_that_comes_again_ends_nothing() -> None:
    assert told(end("7"), event("8", 1)) == told(None, event("8", 1))


def test_what_was_changed_before_its_table_was_emptied_is_gone() -> None:
    (only,) = told(event("7", 1), Event("7", truncated=("item",)), event("7", 2))

    assert only.truncated == ("item",)
    assert [one.key for one in only.changes] == ["2"]


def test_the_rest_of_a_replicators_transaction_is_its_own_too() -> None:
    # It fell silent in its middle and was given out in two parts.
    grouping = Grouping(0)
    grouping.add(1, event("7", 1, table=APPLIED.name))
    (first,) = grouping.end()
    grouping.add(2, event("7", 2))
    (second,) = grouping.end()
    grouping.add(3, event("8", 3))
    (other,) = grouping.end()

    assert (first.is_ours, second.is_ours, other.is_ours) == (True, True, False)


@given(st.lists(st.tuples(st.sampled_from(["", "1", "2"]), st.booleans(), st.booleans())))
def test_no_change_is_lost_or_told_twice_or_out_of_order(
    script: list[tuple[str, bool, bool]],
) -> None:
    grouping, found = Grouping(0), []
    for at, (transaction, is_end, is_silent) in enumerate(script, 1):
        found += grouping.add(at, end(transaction) if is_end else event(transaction, at))
        found += grouping.end() if is_silent else []
        assert all(one.position.order <= grouping.read_to for one in found)
    found += grouping.end()

    wanted = [str(at) for at, (_, is_end, _) in enumerate(script, 1) if not is_end]
    assert [one.key for each in found for one in each.changes] == wanted
    assert [each.position for each in found] == sorted({each.position for each in found})
