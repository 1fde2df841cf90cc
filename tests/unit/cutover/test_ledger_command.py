"""`banyan ledger`: what was in force, who did it and why, and whether the chain is whole."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.ledger_shop import Shop, opened_shop, seen, table


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    yield from opened_shop(tmp_path)


@pytest.fixture
def moved(shop: Shop) -> Shop:
    """Three revisions: both in legacy, search to shadow, catalog to shadow."""
    shop.apply(catalog="legacy", search="legacy", why="begin")
    shop.apply(catalog="legacy", search="shadow", why="look at search")
    shop.apply(catalog="shadow", search="shadow", why="look at catalog")
    return shop


def test_the_list_is_newest_first_and_tells_who_and_why(moved: Shop) -> None:
    lines = moved.run("ledger").out.splitlines()

    assert [line.split()[0] for line in lines] == ["3", "2", "1"]
    assert lines[0].endswith("night shift  catalog: legacy -> shadow  (look at catalog)")


def test_the_list_is_narrowed_to_a_domain_and_a_number(moved: Shop) -> None:
    both = moved.json("ledger", "list", "--domain", "search")
    last = moved.json("ledger", "list", "--domain", "search", "--limit", 1)

    assert [one["n"] for one in both["revisions"]] == [2, 1]
    assert [one["n"] for one in last["revisions"]] == [2]
    assert moved.run("ledger", "list", "--domain", "cart").out == "No revision changed cart.\n"


def test_the_list_of_an_empty_ledger_says_so(shop: Shop) -> None:
    assert shop.run("ledger", "list").out == "No revision yet.\n"


def test_a_damaged_revision_does_not_keep_the_others_from_the_list(moved: Shop) -> None:
    moved.revision_file(2).write_text("{torn")

    told = moved.run("ledger", "list")

    assert [line.split()[0] for line in told.out.splitlines()] == ["3", "1"]
    assert "revision 000002 is damaged" in told.err


def test_a_revision_is_shown_with_the_evidence_it_was_taken_on(moved: Shop) -> None:
    moved.evidence.domains["catalog"] = seen("catalog", 400)
    moved.apply(catalog="canary 10%", search="shadow", why="first shoppers")

    told = moved.run("ledger", "show", 4).out
    value = moved.json("ledger", "show", 4)

    assert told.startswith("Revision 4, apply by night shift, ")
    assert "Why: first shoppers\n" in told
    assert "  catalog: shadow -> canary 10 %\n" in told
    assert "  parity of catalog: pass, 400 compared\n" in told
    assert f"Hash: {value['hash']}\n" in told
    assert value["routing_yaml"] == moved.in_force
    assert value["evidence"][0]["compared"] == 400
    assert value["prev_hash"] == moved.json("ledger", "show", 3)["hash"]


def test_a_table_that_was_put_there_by_hand_is_shown_where_it_was_found(moved: Shop) -> None:
    by_hand = moved.in_force + "# quick fix\n"
    (moved.var / "applied.yaml").write_text(by_hand)
    moved.apply(catalog="legacy", search="shadow")

    told = moved.run("ledger", "show", 4).out

    assert "Found in force, unknown to the ledger:\n" in told
    assert "  | # quick fix\n" in told
    assert moved.json("ledger", "show", 4)["found"]["routing_yaml"] == by_hand


@pytest.mark.parametrize("words", [("show",), ("diff",)])
def test_what_is_not_in_the_ledger_gets_one_line(moved: Shop, words: tuple[str, ...]) -> None:
    ended = moved.run("ledger", *words, 9, ends_with=1)

    assert ended.err == "banyan: there is no revision 9; the newest is 3\n"


def test_a_damaged_revision_is_not_shown_and_the_way_out_is(moved: Shop) -> None:
    moved.revision_file(2).write_text("{torn")

    told = moved.run("ledger", "show", 2, ends_with=1).err

    assert "revision 2 is damaged: it cannot be read; restore 000002.json from a backup" in told


def test_two_revisions_differ_in_the_words_of_a_plan(moved: Shop) -> None:
    there = moved.run("ledger", "diff", 1, 3).out.splitlines()
    back = moved.run("ledger", "diff", 3, 1).out.splitlines()

    assert there == ["catalog: legacy -> shadow", "search: legacy -> shadow"]
    assert back == ["catalog: shadow -> legacy", "search: shadow -> legacy"]


def test_a_revision_is_compared_with_what_is_in_force_where_no_other_is_named(
    moved: Shop,
) -> None:
    moved.run("rollback", "search", "--reason", "slow")

    assert moved.json("ledger", "diff", 3)["differences"] == ["search: shadow -> legacy"]
    assert "are the same" in moved.run("ledger", "diff", 4).out


def test_the_files_of_two_revisions_are_compared_line_by_line(moved: Shop) -> None:
    told = moved.run("ledger", "diff", 2, 3, "--text").out.splitlines()

    assert told[:2] == ["--- revision 2", "+++ revision 3"]
    assert [line for line in told if line[:1] in "+-"][2:] == [
        "-    stage: legacy",
        "+    stage: shadow",
    ]


def test_a_difference_in_comments_only_is_told_as_such(shop: Shop) -> None:
    shop.apply(catalog="legacy")
    (shop.var / "applied.yaml").write_text(table(catalog="legacy") + "# a note\n")

    assert "only comments, order or form" in shop.run("ledger", "diff", 1).out


def test_a_whole_chain_is_told_with_its_head(moved: Shop) -> None:
    told = moved.json("ledger", "verify")

    assert (told["is_whole"], told["revisions"], told["problems"]) == (True, 3, [])
    assert told["head"] == json.loads(moved.revision_file(3).read_bytes())["hash"]
    assert moved.run("ledger", "verify").out == (
        f"The chain in var/revisions is whole: 3 revisions.\nHead: {told['head']}\n"
    )


def test_an_altered_entry_is_named_with_the_way_out(moved: Shop) -> None:
    file = moved.revision_file(2)
    file.write_bytes(file.read_bytes().replace(b"night shift", b"night shirt"))

    told = moved.run("ledger", "verify", ends_with=1)

    assert "revision 000002 is damaged" in told.err
    assert "restore 000002.json from a backup of the ledger" in told.err
    assert told.out.startswith("The chain in var/revisions is broken: 2 problems, 3 revisions.")


def test_a_chain_that_lost_its_end_is_found_by_a_head_that_was_noted(moved: Shop) -> None:
    head = moved.json("ledger", "verify")["head"]
    moved.run("rollback", "search", "--reason", "slow")
    since = moved.run("ledger", "verify", "--head", head[:12]).out

    moved.revision_file(4).unlink()
    moved.revision_file(3).unlink()

    assert "The noted head is that of revision 3; 1 came since." in since
    assert moved.json("ledger", "verify")["is_whole"] is True
    refused = moved.run("ledger", "verify", "--head", head, ends_with=1)
    assert "no revision has the noted hash" in refused.err
    assert moved.json("ledger", "verify")["notes"] != []  # the table in force tells as well


def test_a_head_that_can_be_none_is_refused_as_such(moved: Shop) -> None:
    told = moved.run("ledger", "verify", "--head", "3f9a", ends_with=1)

    assert told.err == "banyan: 3f9a is no head: it has 12 to 64 digits of 0-9 and a-f\n"


def test_an_empty_ledger_is_told_as_such(shop: Shop) -> None:
    assert shop.run("ledger", "verify").out == (
        "The ledger in var/revisions is empty: nothing was ever applied here.\n"
    )
    assert shop.json("ledger", "verify", "--head", "0" * 64, ends_with=1)["is_whole"] is False


def test_a_ledger_that_is_gone_is_not_told_as_an_empty_one(moved: Shop) -> None:
    for n in (1, 2, 3):
        moved.revision_file(n).unlink()

    told = moved.run("ledger", "verify", ends_with=1)

    assert "the ledger is empty, and yet a table is in force; restore" in told.err
