"""Drift explained: who took a domain away from what the file asks for, when and why."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutover.core.drift import explain_drift
from cutover.core.revision import GENESIS, Entry, Revision, RevisionKind, seal
from proxy.routing import RoutingTable
from proxy.storage.tables import parse_routing
from tests.support.ledger_shop import Shop, opened_shop, seen, table


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    yield from opened_shop(tmp_path)


def parsed(**stages: str) -> RoutingTable:
    return parse_routing(table(**stages).encode(), "routing.yaml")


def revision(
    n: int, kind: RevisionKind, *changes: str, reason: str = "searches are slow"
) -> Revision:
    at = datetime(2027, 3, 1, 3, n, tzinfo=UTC)
    return seal(n, Entry(at, "night shift", kind, reason, changes, (), ""), GENESIS)


ROLLBACK = revision(4, RevisionKind.ROLLBACK, "catalog: canary 10 % -> shadow")
STEP = revision(3, RevisionKind.APPLY, "catalog: shadow -> canary 10 %")


def test_a_rollback_that_the_file_does_not_know_is_told_with_both_ways_on() -> None:
    desired, in_force = parsed(catalog="canary 10%"), parsed(catalog="shadow")

    found = explain_drift(desired, in_force, [ROLLBACK, STEP], "routing.yaml")

    assert found == {
        "catalog": "routing.yaml still asks for canary 10 % in catalog; it was rolled back from"
        " canary 10 % to shadow on 2027-03-01 03:04 UTC by night shift (revision 4) because:"
        " searches are slow; write stage: shadow to keep it, or mend the cause and apply to go"
        " to canary 10 %"
    }


def test_a_file_that_was_edited_since_asks_and_does_not_still_ask() -> None:
    desired, in_force = parsed(catalog="canary 5%"), parsed(catalog="shadow")

    (told,) = explain_drift(desired, in_force, [ROLLBACK], "other.yaml").values()

    assert told.startswith("other.yaml asks for canary 5 % in catalog; it was rolled back from")


def test_a_domain_of_which_reads_alone_had_gone_is_told_as_such() -> None:
    desired, in_force = parsed(catalog="canary 10%"), parsed(catalog="shadow")
    back = revision(4, RevisionKind.ROLLBACK, "catalog: canary 10 %, writes at legacy -> shadow")

    (told,) = explain_drift(desired, in_force, [back], "routing.yaml").values()

    assert "rolled back from canary 10 %, writes at legacy to shadow" in told


@pytest.mark.parametrize(
    ("newest", "why"),
    [
        ([STEP], "an apply was the last to move it"),
        ([revision(5, RevisionKind.APPLY, "catalog: legacy -> shadow"), ROLLBACK], "likewise"),
        ([revision(5, RevisionKind.ROLLBACK, "catalog: core -> legacy")], "a hand moved it on"),
        ([revision(5, RevisionKind.ROLLBACK, "search: canary 10 % -> shadow")], "another one"),
        ([revision(5, RevisionKind.ROLLBACK, "catalog: stays in stage shadow; x")], "no step"),
        ([], "nobody knows"),
    ],
)
def test_what_no_rollback_explains_is_left_to_the_plan(newest: list[Revision], why: str) -> None:
    desired, in_force = parsed(catalog="canary 10%"), parsed(catalog="shadow")

    assert explain_drift(desired, in_force, newest, "f") == {}, why


def test_an_undo_and_a_flip_leave_the_file_behind_too() -> None:
    desired = parsed(catalog="canary 10%", cart="shadow")
    in_force = parsed(catalog="shadow", cart="core")
    undo = revision(
        5, RevisionKind.APPLY, "catalog: canary 10 % -> shadow", reason="undo of revision 3: slow"
    )
    flip = revision(6, RevisionKind.APPLY, "cart: shadow -> core, by a flip", reason="")

    found = explain_drift(desired, in_force, [flip, undo], "f")

    assert "it was taken back from canary 10 % to shadow" in found["catalog"]
    assert "it was moved by a flip from shadow to core" in found["cart"]
    assert "(revision 6); write stage: core to keep it, or apply to go to shadow" in found["cart"]


STAGES = st.sampled_from(["legacy", "shadow", "canary 10%", "core"])


@given(STAGES, st.lists(st.sampled_from([ROLLBACK, STEP])))
def test_a_file_that_asks_for_what_is_in_force_needs_no_word(
    stage: str, newest: list[Revision]
) -> None:
    def unread() -> Iterator[Revision]:
        yield from newest
        raise AssertionError("the ledger is not read where nothing drifted")

    same = parsed(catalog=stage)

    assert explain_drift(same, same, unread(), "f") == {}


def test_no_more_of_the_ledger_is_read_than_is_needed() -> None:
    def newest_first() -> Iterator[Revision]:
        yield ROLLBACK
        raise AssertionError("all is explained already")

    found = explain_drift(
        parsed(catalog="canary 10%"), parsed(catalog="shadow"), newest_first(), "f"
    )

    assert list(found) == ["catalog"]


def test_plan_and_status_say_who_rolled_back(shop: Shop) -> None:
    shop.apply(catalog="legacy")
    shop.apply(catalog="shadow")
    shop.evidence.domains["catalog"] = seen("catalog", 400)
    shop.apply(catalog="canary 10%")
    shop.run("rollback", "catalog", "--reason", "searches are slow")

    told = "routing.yaml still asks for canary 10 % in catalog; it was rolled back from canary 10"

    assert f"note: {told}" in shop.run("plan").err
    assert shop.json("plan")["notes"][0].startswith(told)
    assert f"note: {told}" in shop.run("status").out
    assert shop.json("status")["domains"][0]["drift"].startswith(told)


def test_a_file_that_keeps_the_rollback_is_quiet(shop: Shop) -> None:
    shop.apply(catalog="legacy")
    shop.apply(catalog="shadow")
    shop.run("rollback", "catalog", "--reason", "slow")
    shop.write(table(catalog="legacy"))

    assert shop.run("plan").err == ""
    assert shop.json("status")["domains"][0]["drift"] is None


def test_a_ledger_out_of_reach_keeps_no_plan_back(shop: Shop) -> None:
    shop.var.mkdir()
    (shop.var / "applied.yaml").write_text(table(catalog="legacy"))
    (shop.var / "revisions").write_text("a file where the folder should be")
    shop.write(table(catalog="shadow"))

    assert "catalog  legacy -> shadow" in shop.run("plan").out


def test_damaged_revisions_are_passed_over(shop: Shop) -> None:
    shop.apply(catalog="legacy")
    shop.apply(catalog="shadow")
    shop.run("rollback", "catalog", "--reason", "slow")
    shop.write(table(catalog="shadow") + "# a comment\n")
    entry_before = shop.run("plan").err
    shop.revision_file(2).write_text("{torn")

    assert "it was rolled back from shadow to legacy" in entry_before
    assert "it was rolled back from shadow to legacy" in shop.run("plan").err
