"""`banyan undo`: what a revision changed goes back, and nothing else does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutover.core.revision import GENESIS, Entry, RevisionKind, from_json, seal
from cutover.core.stages import position
from cutover.core.undo import Step, is_undo, obstacle, seems_made_from, undo_reason
from cutover.errors import CutoverError
from cutover.storage.graft import graft
from proxy.routing import RoutingTable
from proxy.storage.tables import parse_routing
from tests.fakes.cutover import NOON
from tests.support.ledger_shop import Shop, opened_shop, seen, table

STAGES = st.sampled_from(["legacy", "shadow", "canary 10%", "core"])
NAMES = st.sampled_from(["catalog", "search", "cart"])
TABLES = st.dictionaries(NAMES, STAGES, min_size=1)

FLOW = (
    "{apiVersion: banyan/v1, stores: {legacy: {url: 'http://a'}, core: {url: 'http://b'}},"
    " shopper: ['cookie:s'], domains: {search: {owner: shop, stage: shadow, routes:"
    " [{path: /search}]}}}"
)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    yield from opened_shop(tmp_path)


@pytest.fixture
def moved(shop: Shop) -> Shop:
    """1: both in legacy. 2: search to shadow. 3: catalog to shadow."""
    shop.apply(catalog="legacy", search="legacy")
    shop.apply(catalog="legacy", search="shadow")
    shop.apply(catalog="shadow", search="shadow")
    return shop


def parsed(text: str) -> RoutingTable:
    return parse_routing(text.encode(), "the table")


def test_the_newest_revision_goes_back_to_the_very_bytes_of_before(moved: Shop) -> None:
    told = moved.run("undo", 3, "--reason", "too early", "--yes").out

    assert moved.in_force == table(catalog="legacy", search="shadow")
    assert "catalog  shadow -> legacy" in told
    assert "The desired state is as it was" in told
    revision = moved.json("ledger", "show", 4)
    assert (revision["kind"], revision["reason"]) == ("apply", "undo of revision 3: too early")


def test_what_came_since_stays_where_it_touched_something_else(moved: Shop) -> None:
    moved.run("undo", 2, "--reason", "search is slow", "--yes")

    now = {one.name: str(position(one)) for one in parsed(moved.in_force).domains}
    assert now == {"catalog": "shadow", "search": "legacy"}


def test_comments_outside_of_what_goes_back_stay(moved: Shop) -> None:
    noted = "# the shop's table\n" + table(catalog="legacy", search="shadow")
    moved.write(noted.replace("stage: legacy", "stage: shadow  # since March"))
    moved.run("apply", "--yes")
    moved.apply(catalog="shadow", search="shadow", cart="legacy")
    (moved.var / "applied.yaml").write_text("# a note\n" + moved.in_force)

    moved.run("undo", 2, "--reason", "x", "--yes")

    assert moved.in_force.startswith("# a note\n")


def test_later_revisions_of_the_same_domain_are_named_with_the_way_out(moved: Shop) -> None:
    moved.run("rollback", "search", "--reason", "slow")

    told = moved.run("undo", 2, "--reason", "x", "--yes", ends_with=1).err

    assert told == (
        "banyan: revision 2 cannot be undone alone: revision 4 changed search after it; banyan"
        " undo 2 --and-later takes back all since (banyan ledger diff 2 shows what that is),"
        " banyan rollback takes one domain back at once\n"
    )


def test_all_that_came_later_goes_back_too_when_it_is_asked_for(moved: Shop) -> None:
    moved.run("rollback", "search", "--reason", "slow")

    moved.run("undo", 2, "--and-later", "--reason", "start over", "--yes")

    assert moved.in_force == table(catalog="legacy", search="legacy")
    reason = moved.json("ledger", "show", 5)["reason"]
    assert reason == "undo of revisions 2 to 4: start over"


def test_an_undo_that_is_a_step_forward_asks_the_gate(moved: Shop) -> None:
    moved.evidence.domains["catalog"] = seen("catalog", 400)
    moved.apply(catalog="canary 10%", search="shadow")
    moved.run("rollback", "catalog", "--reason", "slow")
    moved.evidence.domains["catalog"] = seen("catalog", 400, 40)

    refused = moved.run("undo", 5, "--reason", "it was not us", "--yes", ends_with=3).out
    moved.evidence.domains["catalog"] = seen("catalog", 400)
    moved.run("undo", 5, "--reason", "it was not us", "--yes")

    assert "parity gate fails" in refused
    assert moved.in_force == table(catalog="canary 10%", search="shadow")


def test_an_undo_can_be_undone(moved: Shop) -> None:
    moved.run("undo", 3, "--reason", "x", "--yes")
    moved.run("undo", 4, "--reason", "y", "--yes")

    assert moved.in_force == table(catalog="shadow", search="shadow")


def test_an_undo_asks_before_it_changes_anything(moved: Shop) -> None:
    before = moved.in_force

    told = moved.run("undo", 3, "--reason", "x", ends_with=1).err

    assert "--yes" in told
    assert moved.in_force == before


def test_the_first_revision_has_nothing_before_it(moved: Shop) -> None:
    told = moved.run("undo", 1, "--and-later", "--reason", "x", "--yes", ends_with=1).err

    assert "revision 1 put the first table in force; nothing was there before" in told


def test_a_revision_that_is_not_there_is_told_with_the_newest(moved: Shop) -> None:
    told = moved.run("undo", 9, "--reason", "x", "--yes", ends_with=1).err

    assert told == "banyan: there is no revision 9; the newest is 3\n"


def test_nothing_is_undone_where_nothing_was_applied(shop: Shop) -> None:
    told = shop.run("undo", 1, "--reason", "x", "--yes", ends_with=1).err

    assert "no table is in force" in told


@pytest.mark.parametrize("n", [2, 3])
def test_a_damaged_revision_is_not_guessed_at(moved: Shop, n: int) -> None:
    moved.revision_file(n).write_text("{torn")

    told = moved.run("undo", 3, "--reason", "x", "--yes", ends_with=1).err

    assert f"restore 00000{n}.json from a backup of the ledger" in told


def test_a_table_found_by_hand_is_what_was_there_before(moved: Shop) -> None:
    by_hand = moved.in_force + "# quick fix\n"
    (moved.var / "applied.yaml").write_text(by_hand)
    moved.apply(catalog="legacy", search="shadow")

    moved.run("undo", 4, "--reason", "x", "--yes")

    assert moved.in_force == by_hand


def test_a_hands_edit_of_the_same_domain_is_in_the_way(moved: Shop) -> None:
    (moved.var / "applied.yaml").write_text(table(catalog="core", search="shadow"))

    told = moved.run("undo", 3, "--reason", "x", "--yes", ends_with=1).err

    assert "a hand's edit of the applied file changed catalog after it" in told


def test_a_revision_that_never_came_into_force_is_nothing_to_undo(moved: Shop) -> None:
    entry = from_json(moved.books.ledger.latest()[0][1]).entry
    moved.books.ledger.append(replace(entry, routing_yaml=table(catalog="legacy", search="legacy")))

    told = moved.run("undo", 4, "--reason", "x", "--yes", ends_with=1).err

    assert "revision 4 never came into force, so nothing is to be undone" in told


def test_what_never_came_into_force_is_not_in_the_way(moved: Shop) -> None:
    entry = from_json(moved.books.ledger.latest()[0][1]).entry
    moved.books.ledger.append(replace(entry, routing_yaml=table(catalog="core", search="shadow")))

    moved.run("undo", 3, "--reason", "x", "--yes")

    assert moved.in_force == table(catalog="legacy", search="shadow")


def test_an_approval_is_no_change_of_a_table(moved: Shop) -> None:
    moved.run("approve", "catalog", "--to", "canary", "--reason", "ready")

    told = moved.run("undo", 4, "--reason", "x", "--yes", ends_with=1).err
    moved.run("undo", 3, "--reason", "x", "--yes")

    assert "revision 4 is an approval and changed no table; banyan approve --withdraw" in told
    assert moved.in_force == table(catalog="legacy", search="shadow")


def test_what_changed_no_rule_since_is_not_in_the_way() -> None:
    before, after = parsed(table(catalog="shadow")), parsed(table(catalog="shadow"))
    keys = parsed(table(catalog="shadow").replace("cookie:s", "cookie:t"))

    assert obstacle(Step(2, before, keys), [Step(3, keys, keys)]) is None
    assert obstacle(Step(2, before, keys), [Step(3, keys, after)]) is not None


def test_a_flips_sentence_tells_which_table_it_was_made_from() -> None:
    shadow, core = (parsed(table(catalog=at)) for at in ("shadow", "core"))
    told = Entry(
        NOON, "op", RevisionKind.APPLY, "", ("catalog: shadow -> core, by a flip",), (), ""
    )

    assert seems_made_from(seal(2, told, GENESIS), core, shadow)
    assert not seems_made_from(seal(2, told, GENESIS), core, core)


def test_the_table_before_a_revision_is_the_one_that_was_in_force_then(moved: Shop) -> None:
    """1. Revision 4 was written, 2. its apply died, 3. revision 5 was made from 3's table."""
    entry = from_json(moved.books.ledger.latest()[0][1]).entry
    moved.books.ledger.append(
        replace(entry, routing_yaml=table(catalog="legacy", search="legacy"), changes=("died",))
    )
    moved.apply(catalog="shadow", search="legacy")

    moved.run("undo", 5, "--reason", "x", "--yes")

    assert moved.in_force == table(catalog="shadow", search="shadow")


def test_a_revision_that_changed_more_than_domains_is_not_undone_alone(moved: Shop) -> None:
    moved.write(table(catalog="shadow", search="shadow").replace("cookie:s", "cookie:t"))
    moved.run("apply", "--yes")
    moved.write(moved.in_force.replace("  search:\n    owner: shop", "  search:\n    owner: they"))
    moved.run("apply", "--yes")

    told = moved.run("undo", 4, "--reason", "x", "--yes", ends_with=1).err

    assert "it changed more than domains (shopper keys:" in told
    assert "and revision 5 came after it" in told


def test_a_reason_tells_that_it_is_an_undo() -> None:
    assert undo_reason(7, 7, "slow") == "undo of revision 7: slow"
    assert is_undo(undo_reason(7, 9, "slow"))
    assert not is_undo("we will undo this")


@given(TABLES, TABLES, TABLES)
def test_an_undo_is_refused_exactly_when_a_later_step_touched_the_same_domains(
    first: dict[str, str], second: dict[str, str], third: dict[str, str]
) -> None:
    tables = [parsed(table(**stages)) for stages in (first, second, third)]
    undone, later = Step(2, tables[0], tables[1]), Step(3, tables[1], tables[2])

    against = obstacle(undone, [later])

    assert (against is not None) == bool(undone.domains & later.domains)


@given(TABLES, TABLES, st.sets(NAMES))
def test_a_graft_takes_over_the_named_domains_and_no_others(
    into: dict[str, str], source: dict[str, str], names: set[str]
) -> None:
    wanted = {name: at for name, at in into.items() if name not in names}
    wanted |= {name: at for name, at in source.items() if name in names}

    result = graft(table(**into).encode(), table(**source).encode(), sorted(names))

    assert not Step(1, parse_routing(result, "f"), parsed(table(**wanted))).domains


def test_a_graft_that_would_not_load_is_refused() -> None:
    into = table(catalog="shadow", search="shadow").replace("/catalog", "/x")
    source = table(catalog="shadow", search="shadow").replace("/search", "/x")

    with pytest.raises(CutoverError, match="search cannot be put back alone: "):
        graft(into.encode(), source.encode(), ["search"])


def test_a_graft_leaves_every_byte_around_the_domain_as_it_is() -> None:
    """Windows line ends, comments before and behind, and a mark at the beginning stay."""
    source = table(catalog="shadow", search="legacy")
    into = (
        "\ufeff# ours\r\n"
        + table(catalog="shadow", search="shadow", cart="legacy")
        .replace("  search:", "  # what is found\n  search:")
        .replace("  cart:", "  # what is bought\n\n  cart:")
        + "# the end\n"
    )

    result = graft(into.encode(), source.encode(), ["search"])

    before, _, after = into.partition("stage: shadow\n    routes: [{path: /search}]")
    assert result.decode() == f"{before}stage: legacy\n    routes: [{{path: /search}}]{after}"


@pytest.mark.parametrize(
    "into",
    [
        table(catalog="shadow", search="shadow").replace("\n  ", "\n    "),
        table(catalog="shadow", search="shadow").rstrip("\n"),
        FLOW,
    ],
)
def test_a_graft_into_another_form_says_the_same(into: str) -> None:
    source = table(search="legacy")

    result = parse_routing(graft(into.encode(), source.encode(), ["search"]), "f")

    assert str(position(result.domain("search"))) == "legacy"


def test_a_graft_can_add_the_only_domain_and_take_the_last_one_away() -> None:
    whole, empty = table(search="legacy").encode(), table().encode()

    added, removed = graft(empty, whole, ["search"]), graft(whole, empty, ["search"])

    assert [one.name for one in parse_routing(added, "f").domains] == ["search"]
    assert parse_routing(removed, "f").domains == ()


def test_what_stands_behind_the_domains_stays_where_it_is() -> None:
    head, _, domains = table(catalog="shadow", search="shadow").partition("domains:\n")
    version, _, rest = head.partition("\n")
    into = f"{version}\ndomains:\n{domains}# whom to ask\n{rest}"

    result = graft(into.encode(), table(search="legacy").encode(), ["search"]).decode()

    assert result == into[::-1].replace("wodahs", "ycagel", 1)[::-1]
