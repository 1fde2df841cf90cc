"""`banyan plan --out` and `banyan apply PLAN`: that plan, or nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from cutover.core.plan_file import PlanFile
from cutover.core.revision import Revision, chain_problems
from cutover.errors import CannotWrite, Conflict, StalePlan
from cutover.service.plan_files import commit_planned, prepare_again
from cutover.storage.plan_files import read_plan, write_plan
from tests.fakes.cutover import Opening, books_in
from tests.support.ledger_shop import Shop, opened_shop, seen, table


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    yield from opened_shop(tmp_path)


@pytest.fixture
def planned(shop: Shop) -> Shop:
    """A shop in shadow, with a plan for canary in monday.plan whose gate passes."""
    shop.apply(catalog="legacy")
    shop.apply(catalog="shadow")
    shop.evidence.domains["catalog"] = seen("catalog", 400)
    shop.write(table(catalog="canary 10%"))
    shop.run("plan", "--out", "monday.plan")
    return shop


def test_a_plan_file_is_applied_as_it_was_made_whatever_the_desired_file_says(
    planned: Shop,
) -> None:
    planned.write(table(catalog="legacy"))

    told = planned.run("apply", "monday.plan", "--yes", "--reason", "approved").out

    assert "catalog  shadow -> canary 10 %" in told
    assert planned.in_force == table(catalog="canary 10%")
    revision = planned.json("ledger", "show", 3)
    name = planned_name(planned)
    assert revision["reason"].startswith(f"approved (plan {name} of night shift, ")
    assert revision["evidence"][0]["verdict"] == "pass"


def planned_name(shop: Shop) -> str:
    return read_plan(shop.folder / "monday.plan").name


def test_the_file_can_be_read_by_people_and_programs(planned: Shop) -> None:
    told = json.loads((planned.folder / "monday.plan").read_bytes())

    assert (told["kind"], told["format"], told["is_refused"]) == ("banyan plan", 1, False)
    assert told["lines"] == ["catalog: shadow -> canary 10 %"]
    assert told["gates"]["catalog"]["verdict"] == "pass"
    assert told["made_from"]["revision"] == 2
    assert told["made_by"] == "night shift"


def test_json_names_the_file_and_the_exit_code_still_tells_of_changes(planned: Shop) -> None:
    told = planned.json("plan", "--out", "b.plan", "--detailed-exitcode", ends_with=2)

    assert told["plan_file"]["path"] == "b.plan"
    assert planned.json("plan")["plan_file"] is None


def test_a_plan_is_stale_once_something_else_came_into_force(planned: Shop) -> None:
    planned.run("rollback", "catalog", "--reason", "slow")

    told = planned.run("apply", "monday.plan", "--yes", ends_with=1).err

    assert told.startswith(
        "banyan: the plan is stale: it was made from revision 2, and revision 3 came since,"
        " rollback by night shift on "
    )
    assert "(catalog: shadow -> legacy); nothing changed. Make it anew: banyan plan" in told


def test_a_plan_is_stale_also_when_the_table_went_away_and_came_back(planned: Shop) -> None:
    planned.apply(catalog="legacy")
    planned.apply(catalog="shadow")

    assert "stale" in planned.run("apply", "monday.plan", "--yes", ends_with=1).err


def test_a_plan_is_stale_when_a_hand_changed_what_is_in_force(planned: Shop) -> None:
    (planned.var / "applied.yaml").write_text(planned.in_force + "# quick fix\n")

    told = planned.run("apply", "monday.plan", "--yes", ends_with=1).err

    assert "what is in force was changed outside Banyan since" in told


def test_a_plan_is_applied_once(planned: Shop) -> None:
    planned.run("apply", "monday.plan", "--yes")

    assert "stale" in planned.run("apply", "monday.plan", "--yes", ends_with=1).err


def test_gates_are_asked_again_and_what_changed_is_told(planned: Shop) -> None:
    planned.evidence.domains["catalog"] = seen("catalog", 400, 40)

    told = planned.run("apply", "monday.plan", "--yes", ends_with=3)
    value = planned.json("apply", "monday.plan", "--yes", ends_with=3)

    assert "catalog: its gate said pass: " in told.out
    assert "and says fail: " in told.out
    assert value["is_applied"] is False
    assert value["against"][0].startswith("catalog: its gate said pass")
    assert planned.in_force == table(catalog="shadow")


def test_a_refused_plan_is_written_and_never_applied(planned: Shop) -> None:
    planned.evidence.domains.clear()
    refused = planned.run("plan", "--out", "early.plan").out
    planned.evidence.domains["catalog"] = seen("catalog", 400)

    told = planned.run("apply", "early.plan", "--yes", ends_with=3).out

    assert "Refused because of catalog" in refused
    assert "early.plan was refused when it was made, because of catalog" in told
    assert "make the plan anew: banyan plan --config routing.yaml --out early.plan" in told
    assert planned.in_force == table(catalog="shadow")


def test_a_plan_waits_for_approval_and_is_applied_as_it_was_read(shop: Shop) -> None:
    legacy, shadow, canary = (
        table(catalog=at).replace("{parity: {min: 99%, samples: 300}}", "{approvals: {count: 1}}")
        for at in ("legacy", "shadow", "canary 10%")
    )
    for text in (legacy, shadow):
        shop.write(text)
        shop.run("apply", "--yes")
    shop.write(canary)
    shop.run("plan", "--out", "monday.plan")
    early = shop.run("apply", "monday.plan", "--yes", ends_with=3).out

    shop.run("approve", "catalog", "--to", "canary", "--reason", "read it", "--actor", "the owner")
    shop.run("apply", "monday.plan", "--yes")

    assert "1 more person must approve" in early
    assert shop.in_force == canary


def test_an_altered_plan_is_refused(planned: Shop) -> None:
    file = planned.folder / "monday.plan"
    file.write_bytes(file.read_bytes().replace(b"core_share: 10%", b"core_share: 90%"))

    told = planned.run("apply", "monday.plan", "--yes", ends_with=1).err

    assert told == (
        "banyan: monday.plan: it was altered after it was written; nothing changed. Make it"
        " anew: banyan plan --out monday.plan\n"
    )


def test_a_plan_of_a_newer_banyan_is_refused(planned: Shop) -> None:
    file = planned.folder / "monday.plan"
    file.write_bytes(file.read_bytes().replace(b'"format": 1', b'"format": 2'))

    told = planned.run("apply", "monday.plan", "--yes", ends_with=1).err

    assert "it has format 2, and this Banyan knows 1; apply it with the Banyan that made" in told


def test_a_plan_that_this_banyan_reads_otherwise_is_refused(planned: Shop) -> None:
    file = planned.folder / "monday.plan"
    write_plan(file, replace(read_plan(file), lines=("catalog: in other words",)))

    told = planned.run("apply", "monday.plan", "--yes", ends_with=1).err

    assert "this Banyan is another than the one that made the plan" in told


def test_a_plan_of_a_first_apply_keeps_that_it_takes_the_stages_as_they_are(shop: Shop) -> None:
    shop.write(table(catalog="canary 10%"))
    shop.run("plan", "--init", "--out", "first.plan")

    shop.run("apply", "first.plan", "--yes")

    assert shop.in_force == table(catalog="canary 10%")


def test_a_plan_file_beside_a_config_is_refused(planned: Shop) -> None:
    told = planned.run("apply", "monday.plan", "-c", "routing.yaml", "--yes", ends_with=1).err

    assert "a plan file says itself what it was made of; drop --config, --init" in told


def test_a_plan_that_is_not_there_gets_one_line(shop: Shop) -> None:
    told = shop.run("apply", "monday.plan", "--yes", ends_with=1).err

    assert told == "banyan: monday.plan cannot be read: no such file or directory\n"


@pytest.mark.parametrize(
    ("out", "why"),
    [
        ("nowhere/monday.plan", "cannot be written: no such file or directory"),
        (".", "is there and is no plan file; remove it, or name another file"),
        ("routing.yaml", "is there and is no plan file; remove it, or name another file"),
        ("routing.yaml/monday.plan", "cannot be written: not a directory"),
    ],
)
def test_where_a_plan_cannot_be_written_one_line_says_why(
    planned: Shop, out: str, why: str
) -> None:
    before = (planned.folder / "routing.yaml").read_bytes()

    told = planned.run("plan", "--out", out, ends_with=1)

    assert told.err == f"banyan: {out} {why}\n"
    assert (planned.folder / "routing.yaml").read_bytes() == before


def test_a_full_disk_leaves_the_older_plan_and_no_draft(
    planned: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (planned.folder / "monday.plan").read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)

    told = planned.run("plan", "--out", "monday.plan", ends_with=1)

    assert told.err == "banyan: monday.plan cannot be written: no space left on device\n"
    assert (planned.folder / "monday.plan").read_bytes() == before
    assert not list(planned.folder.glob(".*draft"))


def test_a_plan_is_written_over_an_older_one(planned: Shop) -> None:
    planned.write(table(catalog="legacy"))

    planned.run("plan", "--out", "monday.plan")

    assert read_plan(planned.folder / "monday.plan").lines == ("catalog: shadow -> legacy",)


async def test_of_two_applies_of_one_plan_at_once_one_wins_and_the_other_is_stale(
    planned: Shop,
) -> None:
    kept = read_plan(planned.folder / "monday.plan")
    how = Opening(planned.evidence).how()
    prepared = [await prepare_again(planned.books, kept, how) for _ in range(2)]

    def apply(at: int) -> Revision | Conflict | StalePlan:
        books = books_in(planned.var)
        try:
            return commit_planned(books, kept, prepared[at], actor=f"job {at}", reason="")
        except (Conflict, StalePlan) as exc:
            return exc

    with ThreadPoolExecutor(2) as pool:
        ended = list(pool.map(apply, range(2)))

    assert sorted(type(one).__name__ for one in ended) in (
        ["Revision", "StalePlan"],
        ["Conflict", "Revision"],
    )
    assert chain_problems(planned.books.ledger.links()) == ()
    assert len(planned.books.ledger.links()) == 3


async def test_who_comes_second_with_a_plan_is_told_that_it_is_stale(planned: Shop) -> None:
    kept: PlanFile = read_plan(planned.folder / "monday.plan")
    how = Opening(planned.evidence).how()
    first, second = [await prepare_again(planned.books, kept, how) for _ in range(2)]
    commit_planned(planned.books, kept, first, actor="job 1", reason="")

    with pytest.raises(StalePlan, match="revision 3 came since, apply by job 1"):
        commit_planned(planned.books, kept, second, actor="job 2", reason="")


def test_a_device_is_no_place_for_a_plan(tmp_path: Path, planned: Shop) -> None:
    kept = read_plan(planned.folder / "monday.plan")

    with pytest.raises(CannotWrite):
        write_plan(Path("/dev/null"), kept)
