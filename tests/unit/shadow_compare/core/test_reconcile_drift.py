"""What differences are called, what they cost, what of them is shown and what is repaired."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from legacy_adapters.mapping.aggregates import Loss
from legacy_adapters.mapping.canonical import canonical_bytes
from legacy_adapters.mapping.versions import Side
from shadow_compare.core.drift_class import Classed, Classifier, Clues, DriftClass, Money
from shadow_compare.core.drift_class_fields import Unlike, field_gaps
from shadow_compare.core.drift_plan import Allowed, plan_repair, storm_at
from shadow_compare.core.drift_record import Drift, DriftState, counts, drift_id, seen_again
from shadow_compare.core.drift_sample import hidden, masked, samples_of
from shadow_compare.core.reconcile_judge import OtherState, OwnerState, unnamed

AT = datetime(2026, 1, 31, 9, tzinfo=UTC)
ID = UUID(int=7)


class Line(msgspec.Struct, frozen=True):
    id: UUID
    price_minor: int
    quantity: int = 1


class Order(msgspec.Struct, frozen=True):
    id: UUID = ID
    number: str = "100001"
    status: str = "paid"
    total_minor: int = 1_000
    placed_at: datetime | None = AT
    note: str | None = "als Geschenk"
    email: str = "a@b.example"
    lines: tuple[Line, ...] = ()
    tags: tuple[str, ...] = ()


def money_of(document: Order) -> Money | None:
    return document.total_minor, "EUR"


def classify(
    owner: Order | None,
    other: Order | None,
    clues: Clues | None = None,
    *,
    side: Side = Side.LEGACY,
    corrupt: str = "",
    losses: tuple[Loss, ...] = (),
) -> Classed | None:
    classifier = Classifier(side, money_of, losses)
    clues = clues or Clues(staged=True, known_as="7")
    return classifier.classify(OwnerState("7", ID, owner, corrupt), OtherState(other), clues)


ORDER = Order(lines=(Line(UUID(int=1), 400), Line(UUID(int=2), 600)), tags=("a", "b"))


def with_(**fields: Any) -> Order:
    return msgspec.structs.replace(ORDER, **fields)


@pytest.mark.parametrize(
    ("owner", "other", "clues", "wanted"),
    [
        (ORDER, None, Clues(True, "7"), DriftClass.MISSING_CORE),
        (ORDER, None, Clues(False, "7"), DriftClass.MISSING_CORE),
        (ORDER, None, Clues(True, "7", ("customer 3",)), DriftClass.ORPHAN),
        (None, ORDER, Clues(True, "7"), DriftClass.EXTRA_CORE),
        (ORDER, with_(status="open"), Clues(True, "7"), DriftClass.VALUE),
        (ORDER, with_(status="open"), Clues(False, "7"), DriftClass.STALE),
        (ORDER, with_(status="open"), Clues(True, "8"), DriftClass.DUP_ID),
        (ORDER, with_(status="open"), Clues(True, "7", (), True), DriftClass.ROGUE_WRITE),
        (None, ORDER, Clues(True, None, (), True), DriftClass.ROGUE_WRITE),
        (ORDER, with_(total_minor=1_001), Clues(True, "7"), DriftClass.PRECISION),
        (ORDER, with_(total_minor=1_002), Clues(True, "7"), DriftClass.VALUE),
        (
            ORDER,
            with_(placed_at=AT + timedelta(milliseconds=3)),
            Clues(True, "7"),
            DriftClass.PRECISION,
        ),
        (ORDER, with_(placed_at=AT + timedelta(hours=1)), Clues(True, "7"), DriftClass.VALUE),
        (ORDER, with_(note="als Geschenk "), Clues(True, "7"), DriftClass.TEXT),
        (with_(note=""), with_(note=None), Clues(True, "7"), DriftClass.TEXT),
        (with_(note="für"), with_(note="fÃ¼r"), Clues(True, "7"), DriftClass.TEXT),
        (with_(note="für"), with_(note="f?r"), Clues(True, "7"), DriftClass.TEXT),
        (with_(note="für"), with_(note="fu\u0308r"), Clues(True, "7"), DriftClass.TEXT),
        (
            with_(placed_at=datetime(1, 1, 1, tzinfo=UTC)),
            with_(placed_at=None),
            Clues(True, "7"),
            DriftClass.TEXT,
        ),
        (ORDER, with_(number="100002"), Clues(True, "7"), DriftClass.ORDER),
        (ORDER, with_(tags=("b", "a")), Clues(True, "7"), DriftClass.ORDER),
        (ORDER, with_(lines=ORDER.lines[::-1]), Clues(True, "7"), DriftClass.ORDER),
        (ORDER, with_(lines=ORDER.lines[:1]), Clues(True, "7"), DriftClass.VALUE),
    ],
)
def test_each_kind_of_difference_has_its_name(
    owner: Order | None, other: Order | None, clues: Clues, wanted: DriftClass
) -> None:
    found = classify(owner, other, clues)

    assert found is not None
    assert found.drift is wanted


def test_what_cannot_be_read_is_unmapped_with_the_reason() -> None:
    found = classify(None, ORDER, corrupt="order.total is no amount")

    assert found == Classed(DriftClass.UNMAPPED, (), (1_000, "EUR"), "order.total is no amount")


def test_differences_are_named_by_the_side_that_does_not_own() -> None:
    missing = classify(ORDER, None, side=Side.CORE)
    extra = classify(None, ORDER, side=Side.CORE)

    assert missing is not None
    assert extra is not None
    assert (missing.drift, extra.drift) == (DriftClass.MISSING_LEGACY, DriftClass.EXTRA_LEGACY)


def test_what_the_mapping_says_it_loses_is_accepted() -> None:
    losses = (Loss("lines.quantity", "the core knows no parts"), Loss("note", "cut"))
    lines = (ORDER.lines[0], Line(UUID(int=2), 600, 3))

    found = classify(ORDER, with_(lines=lines, note="x"), losses=losses)
    more = classify(ORDER, with_(lines=lines, status="x"), losses=losses)

    assert found is not None
    assert more is not None
    assert (found.drift, more.drift) == (DriftClass.LOSSY_ACCEPTED, DriftClass.VALUE)


ORDERS = st.none() | st.builds(
    Order,
    number=st.sampled_from(["1", "2"]),
    status=st.sampled_from(["paid", "open"]),
    total_minor=st.integers(-2, 2),
    placed_at=st.none() | st.just(AT),
    note=st.none() | st.text(max_size=2),
    lines=st.lists(st.builds(Line, st.just(UUID(int=1)), st.integers(0, 2)), max_size=2).map(tuple),
    tags=st.lists(st.sampled_from("ab"), max_size=2).map(tuple),
)
CLUES = st.builds(
    Clues,
    st.none() | st.booleans(),
    st.sampled_from([None, "7", "8"]),
    st.just(()) | st.just(("customer 3",)),
    st.booleans(),
)


@given(ORDERS, ORDERS, CLUES, st.sampled_from(list(Side)))
def test_every_difference_has_a_name_and_nothing_equal_and_staged_has_one(
    owner: Order | None, other: Order | None, clues: Clues, side: Side
) -> None:
    found = classify(owner, other, clues, side=side)

    is_equal = canonical_bytes(owner) == canonical_bytes(other)
    assert (found is None) == (is_equal and clues.staged is not False)


@given(ORDERS, ORDERS)
def test_fields_differ_where_the_bytes_do(owner: Order | None, other: Order | None) -> None:
    assert bool(field_gaps(owner, other)) == (canonical_bytes(owner) != canonical_bytes(other))


def test_fields_are_named_by_their_places() -> None:
    lines = (ORDER.lines[0], Line(UUID(int=2), 650))

    gaps = field_gaps(ORDER, with_(lines=lines, status="x"))

    assert [(gap.path, gap.pattern) for gap in gaps] == [
        ("status", "status"),
        ("lines[1].price_minor", "lines[].price_minor"),
    ]


def test_a_line_that_is_lost_is_one_gap() -> None:
    gaps = field_gaps(ORDER, with_(lines=ORDER.lines[1:]))

    assert [(gap.path, gap.unlike) for gap in gaps] == [("lines[0]", Unlike.VALUE)]


@pytest.mark.parametrize(
    ("owner", "other", "wanted"),
    [
        (ORDER, None, (1_000, "EUR")),
        (None, with_(total_minor=-300), (300, "EUR")),
        (ORDER, with_(total_minor=400), (600, "EUR")),
        (ORDER, with_(status="open"), None),
    ],
)
def test_money_is_the_whole_or_the_gap_or_none(
    owner: Order | None, other: Order | None, wanted: Money | None
) -> None:
    found = classify(owner, other)

    assert found is not None
    assert found.stake == wanted


def test_no_money_of_another_currency_is_subtracted() -> None:
    classifier = Classifier(Side.LEGACY, lambda one: (one.total_minor, one.number))

    assert classifier.stake(with_(number="EUR"), with_(number="USD")) == (1_000, "EUR")


def mark(text: str) -> str:
    return f"[{sum(text.encode())}]"


@pytest.mark.parametrize(
    ("path", "value", "wanted"),
    [
        ("total_minor", 1_000, "1000"),
        ("status", "paid", "paid"),
        ("note", None, "null"),
        ("note", "", '""'),
        ("is_gift", True, "true"),
        ("placed_at", AT, "2026-01-31 09:00:00+00:00"),
        ("note", "Für Oma", f"{mark('Für Oma')} (7 characters)"),
        ("email", "oma", f"{mark('oma')} (3 characters)"),
        ("address.line", "x", f"{mark('x')} (1 characters)"),
        ("phone", 49_170, mark("49170")),
        ("lines[0]", ORDER.lines[0], "(present)"),
        ("tags", ("a", "b"), "(2 in another order)"),
    ],
)
def test_values_are_told_where_nobody_is_known_by_them(
    path: str, value: object, wanted: str
) -> None:
    assert masked(path, value, mark) == wanted


def test_without_a_key_nothing_of_a_text_is_told() -> None:
    gaps = field_gaps(ORDER, with_(note="für Herrn Meier"))

    shown = repr(samples_of(gaps, hidden))

    assert "Meier" not in shown
    assert "Geschenk" not in shown


def drift(
    key: str = "7",
    *,
    named: DriftClass = DriftClass.VALUE,
    stake: Money | None = None,
    state: DriftState = DriftState.OPEN,
    owner: Side = Side.LEGACY,
    fields: tuple[str, ...] = ("status",),
    last_s: float = 1.0,
) -> Drift:
    return Drift(
        drift_id("orders", "order", key), "orders", "order", key, str(ID), owner, named, fields,
        stake, "", last_s, last_s, state, last_s,
    )  # fmt: skip


def test_a_difference_keeps_when_it_was_first_seen() -> None:
    again = seen_again(drift(last_s=1.0), drift(last_s=9.0))

    assert (again.first_s, again.last_s, again.since_s) == (1.0, 9.0, 1.0)


@pytest.mark.parametrize("state", [DriftState.REPAIRED, DriftState.GONE])
def test_what_comes_back_is_open_again(state: DriftState) -> None:
    again = seen_again(drift(state=state), drift(last_s=9.0))

    assert (again.state, again.since_s) == (DriftState.OPEN, 9.0)


def test_what_was_accepted_stays_so_while_it_is_the_same() -> None:
    accepted = drift(state=DriftState.ACCEPTED, fields=("note", "status"))

    same = seen_again(accepted, drift(fields=("note",)))
    other_field = seen_again(accepted, drift(fields=("note", "total")))
    other_class = seen_again(accepted, drift(named=DriftClass.TEXT))

    assert [one.state for one in (same, other_field, other_class)] == [
        DriftState.ACCEPTED, DriftState.OPEN, DriftState.OPEN,
    ]  # fmt: skip


def test_declared_losses_stand_against_nothing() -> None:
    assert counts(drift())
    assert not counts(drift(named=DriftClass.LOSSY_ACCEPTED))
    assert not counts(drift(state=DriftState.ACCEPTED))


def test_ids_of_differences_do_not_run_into_each_other() -> None:
    assert drift_id("a", "bc", "d") != drift_id("ab", "c", "d")


def test_money_above_what_is_approved_forbids_a_repair() -> None:
    found = [drift("1", stake=(700, "EUR")), drift("2", stake=(400, "EUR"))]

    refused = plan_repair("orders", found, 10, Allowed({"EUR": 1_000}), Side.LEGACY)
    agreed = plan_repair("orders", found, 10, Allowed({"EUR": 1_100}), Side.LEGACY)
    other = plan_repair("orders", found, 10, Allowed({"USD": 9_999}), Side.LEGACY)

    assert refused.stake == {"EUR": 1_100}
    assert [bool(one.obstacles) for one in (refused, agreed, other)] == [True, False, True]


def test_a_storm_wants_its_cause_said() -> None:
    found = [drift(str(number)) for number in range(21)]

    silent = plan_repair("orders", found, 1_000, Allowed(), Side.LEGACY)
    said = plan_repair("orders", found, 1_000, Allowed(cause="index dropped"), Side.LEGACY)
    fewer = plan_repair("orders", found[:20], 1_000, Allowed(), Side.LEGACY)

    assert (silent.is_storm, bool(silent.obstacles)) == (True, True)
    assert (said.is_storm, said.obstacles) == (True, ())
    assert (fewer.is_storm, fewer.obstacles) == (False, ())


def test_more_than_one_in_a_thousand_is_a_storm() -> None:
    assert storm_at(25_900) == 26
    assert storm_at(1_000_000) == 1_001


@pytest.mark.parametrize(
    "found",
    [
        drift(named=DriftClass.UNMAPPED),
        drift(named=DriftClass.DUP_ID),
        drift(unnamed(ID), named=DriftClass.EXTRA_CORE),
        drift(owner=Side.CORE),
    ],
)
def test_what_no_repair_helps_is_told_apart(found: Drift) -> None:
    plan = plan_repair("orders", [found], 10, Allowed(), Side.LEGACY)

    assert plan.repairs == ()
    assert [one for one, _ in plan.beyond] == [found]


def test_what_looks_too_much_is_left_while_two_have_its_id() -> None:
    found = [drift("7", named=DriftClass.DUP_ID), drift("77", named=DriftClass.EXTRA_CORE)]

    plan = plan_repair("orders", found, 10, Allowed(), Side.LEGACY)

    assert plan.repairs == ()
    assert [one.key for one, _ in plan.beyond] == ["7", "77"]


def test_only_open_differences_are_repaired() -> None:
    found = [drift("1", state=DriftState.ACCEPTED), drift("2"), drift("3", state=DriftState.GONE)]

    plan = plan_repair("orders", found, 10, Allowed(), Side.LEGACY)

    assert [one.key for one in plan.repairs] == ["2"]
