"""Hands do what the commands do, off the loop that asked."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from cutover.core.revision import RevisionKind
from cutover.errors import CannotRead, Conflict
from cutover.service.acknowledge import Ack
from cutover.service.approving import Wish
from cutover.service.hands import Hands
from proxy.routing import Stage
from tests.fakes.cutover import hands_over
from tests.support.ledger_shop import table

LEGACY, SHADOW = (table(catalog=stage).encode() for stage in ("legacy", "shadow"))


@pytest.fixture
def hands(tmp_path: Path) -> Hands:
    return hands_over(tmp_path)


async def put(hands: Hands, text: bytes) -> None:
    prepared = await hands.plan(text, "routing.yaml", "anna")
    await hands.apply(prepared, actor="anna", reason="because")


async def test_a_plan_is_applied_and_its_ledger_entry_names_who_and_why(hands: Hands) -> None:
    prepared = await hands.plan(LEGACY, "routing.yaml", "anna")

    revision = await hands.apply(prepared, actor="anna", reason="first")

    assert (revision.n, revision.entry.actor, revision.entry.reason) == (1, "anna", "first")
    assert hands.books.applied.read() == LEGACY


async def test_of_two_at_once_one_acts_and_the_other_is_told(hands: Hands) -> None:
    await put(hands, LEGACY)
    prepared = await hands.plan(SHADOW, "routing.yaml", "anna")

    done = await asyncio.gather(
        *(hands.apply(prepared, actor=name, reason="") for name in ("anna", "ben")),
        return_exceptions=True,
    )

    assert sorted(type(one).__name__ for one in done) == ["Conflict", "Revision"]


async def test_an_undo_says_in_the_ledger_what_it_takes_back(hands: Hands) -> None:
    await put(hands, LEGACY)
    await put(hands, SHADOW)

    prepared = await hands.undo(2, actor="anna")
    revision = await hands.apply(prepared, actor="anna", reason="too early")

    assert prepared.name == "the table without revision 2"
    assert revision.entry.reason == "undo of revision 2: too early"
    assert hands.books.applied.read() == LEGACY


async def test_a_kept_plan_is_applied_as_it_was_kept(hands: Hands) -> None:
    await put(hands, LEGACY)
    prepared = await hands.plan(SHADOW, "routing.yaml", "anna")
    planned = await hands.keep(prepared, file="routing.yaml", actor="anna")

    again = await hands.plan_again(planned, actor="ben")
    revision = await hands.apply(again, actor="ben", reason="go", planned=planned)

    assert revision.entry.reason.startswith(f"go (plan {planned.name} of anna, ")


async def test_a_rollback_comes_although_nobody_can_say_who_owns_the_data(hands: Hands) -> None:
    await put(hands, LEGACY)
    await put(hands, SHADOW)

    def away() -> dict[str, str]:
        raise CannotRead("the core's database is away")

    done = await replace(hands, owners=away).roll_back(  # type: ignore[arg-type]  # never returns
        "catalog", to=None, actor="anna", reason="slow"
    )

    assert (done.after.stage, done.is_change) == (Stage.LEGACY, True)
    assert done.warnings[0].startswith("the core's database is away; ")


async def test_a_yes_is_written_down(hands: Hands) -> None:
    await put(hands, LEGACY)

    revision = await hands.approve(Wish("catalog", Stage.SHADOW, "ben", "looks good"))

    assert revision.entry.kind is RevisionKind.APPROVAL


async def test_a_plan_made_from_another_table_is_never_applied(hands: Hands) -> None:
    await put(hands, LEGACY)
    prepared = await hands.plan(SHADOW, "routing.yaml", "anna")
    await put(hands, SHADOW)

    with pytest.raises(Conflict, match="was changed by anna meanwhile"):
        await hands.apply(prepared, actor="ben", reason="")


async def test_where_no_proxy_listens_nobody_waits_for_one(hands: Hands) -> None:
    taken = await hands.taken("0" * 12)

    assert taken.ack is Ack.AWAY
