"""The pure rules of the sync: what a batch means, whose a row is, what is written in what order."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from legacy_adapters.mapping.aggregates import AggregateKey, Child, Shape
from legacy_adapters.mapping.dirtying import Commit, Reader, RowChange
from legacy_adapters.mapping.landing import Dirty, Landing, RogueWrite
from legacy_adapters.mapping.layout import plan_rows, unknown_rows, write_order
from legacy_adapters.mapping.membership import membership
from legacy_adapters.mapping.rows import Row
from legacy_adapters.mapping.trying import Trouble, next_try
from legacy_adapters.mapping.versions import NEVER, Position, Side, Version
from tests.fakes.toy_shop import CUSTOMER, HOMES, LINE, ORDER, ORDERS

READER = Reader("legacy>core", Side.LEGACY, HOMES)
TERMS = {"people": ("legacy", 1), "sales": ("legacy", 1)}


def commit(order: int, *changes: RowChange, is_ours: bool = False) -> Commit:
    return Commit(Position(order), f"t{order}", None, is_ours, changes)


def customer(key: int) -> RowChange:
    return RowChange("shop_customer", str(key), None, {"id": key, "name": "Ann"})


def fence(domain: str, owner: str, term: int) -> RowChange:
    return RowChange("mig_fence", domain, None, {"domain": domain, "owner": owner, "term": term})


def test_a_change_has_the_term_that_the_log_said_last_before_it() -> None:
    commits = (
        commit(1, customer(1)), commit(2, fence("people", "none", 2)),
        commit(3, fence("people", "legacy", 3)), commit(4, customer(2)),
    )  # fmt: skip

    step = READER.understand(commits, Position(5), (Position(0), TERMS, None)).step

    assert [one.version for one in step.landings] == [Version(1, 1), Version(3, 4)]
    assert step.terms["people"] == ("legacy", 3)
    assert step.position == Position(5)


def test_what_is_written_behind_a_fence_is_rogue_and_what_we_write_is_not() -> None:
    commits = (
        commit(1, fence("people", "none", 2)), commit(2, customer(1)),
        commit(3, customer(2), is_ours=True),
    )  # fmt: skip

    step = READER.understand(commits, Position(3), (Position(0), TERMS, None)).step

    assert [(one.key, one.order) for one in step.rogues] == [("1", 2)]
    assert [one.is_dirtying for one in step.landings] == [False, False]


def test_a_fence_of_an_older_term_says_nothing() -> None:
    commits = (commit(1, fence("people", "core", 5)), commit(2, fence("people", "legacy", 4)))

    step = READER.understand(commits, Position(2), (Position(0), TERMS, None)).step

    assert step.terms["people"] == ("core", 5)


def test_a_heartbeat_of_another_stream_is_none() -> None:
    def beat(name: str) -> RowChange:
        return RowChange("mig_heartbeat", name, None, {"name": name, "beat": 1, "sent_us": 7})

    other = READER.understand((commit(1, beat("x")),), Position(1), (None, TERMS, None))
    own = READER.understand((commit(1, beat("legacy>core")),), Position(1), (None, TERMS, None))

    assert other.beat is None
    assert own.beat is not None
    assert (own.beat.sent_us, own.beat.order) == (7, 1)


@given(
    cuts=st.lists(st.integers(0, 12), max_size=4),
    back=st.integers(0, 5),
    ours=st.lists(st.booleans(), min_size=12, max_size=12),
)
def test_however_a_log_is_cut_and_repeated_it_means_the_same(
    cuts: list[int], back: int, ours: list[bool]
) -> None:
    log = [
        commit(at + 1, fence("people", ("none", "legacy")[at % 2], at), customer(at), is_ours=mine)
        if at % 3 == 0
        else commit(at + 1, customer(at), is_ours=mine)
        for at, mine in enumerate(ours)
    ]
    whole = READER.understand(tuple(log), Position(12), (Position(0), TERMS, None)).step

    at = (Position(0), TERMS, None)
    landings: list[Landing] = []
    rogues: list[RogueWrite] = []
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), 12], strict=True):
        part = tuple(log[max(0, start - back) : end])
        step = READER.understand(part, Position(end), at).step
        landings += step.landings
        rogues += step.rogues
        at = (step.position, step.terms, step.source_at)  # type: ignore[assignment]

    assert (tuple(landings), tuple(rogues)) == (whole.landings, whole.rogues)
    assert at[1] == whole.terms


def test_a_table_of_two_shapes_is_refused() -> None:
    with pytest.raises(ValueError, match="two shapes"):
        membership([(ORDERS, "sales"), (Shape("x", LINE), "sales")])


def test_a_row_that_hangs_on_a_table_which_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="hangs on nothing"):
        membership([(Shape("x", CUSTOMER, (Child(LINE, "order_id", of="nothing"),)), "people")])


def test_what_a_row_names_is_written_before_it() -> None:
    names = [table.name for table in write_order(ORDERS)]

    assert names == ["shop_billing", "shop_order", "shop_line", "shop_option"]


KEYS = st.sets(st.integers(1, 6))


@given(lines=KEYS, options=KEYS, known_lines=KEYS, known_options=KEYS)
def test_after_a_plan_the_rows_that_are_there_are_the_wanted_ones(
    lines: set[int], options: set[int], known_lines: set[int], known_options: set[int]
) -> None:
    def row(key: int) -> Row:
        return {"id": key}

    wanted: dict[str, tuple[Row, ...]] = {
        "shop_order": (row(1),),
        "shop_line": tuple(row(key) for key in sorted(lines)),
        "shop_option": tuple(row(key) for key in sorted(options)),
    }
    known: Mapping[str, list[str]] = {
        "shop_line": [str(key) for key in known_lines],
        "shop_option": [str(key) for key in known_options],
        "shop_billing": ["9"],
    }
    plan = plan_rows(ORDERS, wanted, known)

    there = {(name, key) for name, keys in known.items() for key in keys}
    there -= {(table.name, key) for table, keys in plan.first for key in keys}
    there |= {(table.name, str(row["id"])) for table, rows in plan.put for row in rows}
    there -= {(table.name, key) for table, keys in plan.last for key in keys}

    assert there == {(name, str(row["id"])) for name, rows in wanted.items() for row in rows}
    assert [table.name for table, _ in plan.last] == ["shop_billing"]
    fresh = unknown_rows(ORDERS, wanted, known)
    assert set(fresh.get(LINE, ())) == {str(key) for key in lines - known_lines}
    assert fresh[ORDER] == ("1",)


def test_who_waits_for_others_is_tried_a_few_times_and_who_cannot_be_read_never() -> None:
    def waits(tries: int, *, can_wait: bool) -> float | None:
        dirty = Dirty(AggregateKey("order", "1"), NEVER, "", 1, tries)
        return next_try(Trouble(dirty, "why", can_wait=can_wait))

    assert [waits(tries, can_wait=True) for tries in range(7)] == [0.05, 0.2, 0.8, 2, 5, None, None]
    assert waits(0, can_wait=False) is None
    assert waits(1_000, can_wait=True) is None
