"""The list of mismatch groups, and moving one from its page."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date
from html import unescape
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutover.api.charts import hours_chart
from cutover.api.grouplist import wanted_of
from cutover.api.inside import excerpt, gap, inside
from cutover.api.mismatchpage import headline
from cutover.api.readings import Table
from cutover.api.writing import FORM_LIMIT, Doorkeeper
from shadow_compare.core.evidence import Example, Leaf, MismatchGroup
from shadow_compare.core.groups import GroupSort, GroupStory, Sibling
from shadow_compare.core.life import (
    Act,
    Life,
    State,
    Wish,
    entry_of,
    granted,
    problem_with,
)
from shadow_compare.core.stake import Stake
from shadow_compare.errors import EvidenceUnavailable, NoSuchGroup, WishRefused
from tests.fakes.evidence import FakeEvidence
from tests.support.asgi import Answered, get, send_to
from tests.support.room import Sources
from tests.unit.cutover_room.samples import NOW_S, STORES, a_domain, a_group, an_example

FINGERPRINT = a_group().fingerprint
PAGE = f"/mismatches/{FINGERPRINT}"
TODAY = date(2026, 11, 22)


class Keeper:
    """Moves the one group of a FakeEvidence."""

    def __init__(self, evidence: FakeEvidence) -> None:
        self.evidence = evidence
        self.wishes: list[Wish] = []
        self.down = False

    async def grant(self, fingerprint: str, wish: Wish) -> MismatchGroup:
        if self.down:
            raise EvidenceUnavailable("out of order")
        if fingerprint not in self.evidence.found:
            raise NoSuchGroup(f"no group begins with {fingerprint}")
        group, examples = self.evidence.found[fingerprint]
        problem = problem_with(group.life, wish, TODAY)
        if problem is not None:
            raise WishRefused(f"{fingerprint}: {problem}")
        self.wishes.append(wish)
        group = replace(group, life=granted(group.life, wish, NOW_S))
        self.evidence.found[fingerprint] = (group, examples)
        return group


class Room:
    def __init__(self) -> None:
        evidence = FakeEvidence(found={FINGERPRINT: (a_group(), [an_example()])})
        self.sources = Sources(
            table=Table("r", (a_domain("catalog"),), STORES), evidence=evidence, now_s=NOW_S
        )
        self.keeper = Keeper(evidence)
        self.doorkeeper = Doorkeeper(b"s" * 32, frozenset(("room",)))
        self.app = self.sources.app(writing=(self.keeper, self.doorkeeper))

    async def send(self, headers: dict[str, str] | None = None, **fields: str) -> Answered:
        token = self.doorkeeper.token(FINGERPRINT, NOW_S)
        body = urlencode({"token": token, "by": "eva"} | fields).encode()
        return await send_to(
            self.app, "POST", PAGE, body, {"origin": "http://room"} | (headers or {})
        )

    @property
    def life(self) -> Life:
        return self.sources.evidence.found[FINGERPRINT][0].life


@pytest.fixture
def room() -> Room:
    return Room()


def words(html: str) -> str:
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html)))


async def test_the_list_says_state_rate_share_and_money(room: Room) -> None:
    life = Life(State.ACCEPTED, owner="pricing", expires=date(2027, 1, 31))
    group = a_group(
        life=life, per_hour=3, hourly=(0,) * 23 + (3,), upper_ppm=1_200,
        stakes=(Stake("EUR", 14_388, 0, 11, 11, 11),),
    )  # fmt: skip
    room.sources.evidence.found[FINGERPRINT] = (group, [])

    html = (await get(room.app, "/mismatches")).text

    seen = words(html)
    assert "accepted until 2027-01-31, pricing" in seen
    assert "11 times, 3 in the last hour" in seen
    assert "at most 0.12 % (95 % sure)" in seen
    assert "the core names 0.11 EUR less; 143.88 EUR affected" in seen
    assert html.count("<rect") == 1


async def test_the_list_is_narrowed_and_sorted_by_its_address(room: Room) -> None:
    other = a_group(fingerprint="v1:00000000000000bb", title="other", count=1, domain="price")
    room.sources.evidence.found["v1:00000000000000bb"] = (
        replace(other, life=Life(State.FIXED)),
        [],
    )

    async def titles(query: str) -> list[str]:
        html = (await get(room.app, f"/mismatches{query}")).text
        return re.findall(r'<h2><a href="[^"]+">([^<]+)</a>', html)

    assert await titles("") == ["incl_tax differs in price", "other"]
    assert await titles("?state=fixed") == ["other"]
    assert await titles("?domain=catalog&sort=first") == ["incl_tax differs in price"]
    assert await titles("?state=nonsense&since=x&sort=y") == ["incl_tax differs in price", "other"]
    twin = (await get(room.app, "/api/mismatches?state=fixed")).json()
    assert [group["title"] for group in twin["groups"]] == ["other"]


async def test_an_empty_list_says_so_and_a_store_that_is_away_too(room: Room) -> None:
    empty = await get(room.app, "/mismatches?state=regressed")
    room.sources.evidence.away = "locked"

    away = await get(room.app, "/mismatches")
    twin = await get(room.app, "/api/mismatches")

    assert "No mismatch of this kind" in words(empty.text)
    assert (away.status, twin.status) == (503, 503)


@given(st.dictionaries(st.sampled_from(["domain", "state", "since", "sort"]), st.text()))
def test_no_address_breaks_the_list(asked: dict[str, str]) -> None:
    wanted = wanted_of(asked)

    assert wanted.query(NOW_S).limit > 0
    assert wanted.address().startswith("/mismatches")
    assert wanted.sort in GroupSort


async def test_a_form_moves_the_group_and_the_page_comes_back(room: Room) -> None:
    answer = await room.send(
        act="accept", owner="pricing", reason="rounding", ticket="SHOP-7", expires="2026-12-31"
    )

    page = await get(room.app, answer.headers["location"])
    assert answer.status == 303
    assert room.life.state is State.ACCEPTED
    assert room.keeper.wishes[0] == Wish(
        Act.ACCEPT, "eva", "pricing", "rounding", "SHOP-7", date(2026, 12, 31)
    )
    seen = words(page.text)
    assert "accepted until 2026-12-31, pricing" in seen
    assert "still counts against parity" in seen
    assert "banyan routes accept catalog '$.price.incl_tax' --as any --owner pricing" in seen


async def test_a_form_that_lacks_something_comes_back_as_it_was_filled_in(room: Room) -> None:
    answer = await room.send(act="accept", owner='"><script>', reason="")

    assert answer.status == 422
    assert "Nothing was changed: an acceptance says why: give a reason." in words(answer.text)
    assert 'value="&#34;&gt;&lt;script&gt;"' in answer.text
    assert room.life.state is State.NEW


@pytest.mark.parametrize(
    ("headers", "fields", "told"),
    [
        ({"origin": "http://evil.example"}, {}, "sent from another page"),
        ({"sec-fetch-site": "cross-site"}, {}, "sent from another page"),
        ({"host": "evil.example", "origin": "http://evil.example"}, {}, "does not go by the name"),
        ({}, {"token": ""}, "before the room was started anew"),
        ({}, {"token": "1.ab"}, "before the room was started anew"),
        ({}, {"token": "\u00e9.\u00e9"}, "before the room was started anew"),
    ],
)
async def test_a_form_of_another_page_changes_nothing(
    room: Room, headers: dict[str, str], fields: dict[str, str], told: str
) -> None:
    answer = await room.send(headers, act="fix", **fields)

    assert answer.status == 403
    assert told in words(answer.text)
    assert room.life.state is State.NEW


async def test_a_token_is_of_one_group_and_for_half_a_day(room: Room) -> None:
    other = room.doorkeeper.token("v1:00000000000000bb", NOW_S)
    old = room.doorkeeper.token(FINGERPRINT, NOW_S - 13 * 3_600)

    assert (await room.send(act="fix", token=other)).status == 403
    assert "open for too long" in words((await room.send(act="fix", token=old)).text)
    assert room.life.state is State.NEW


async def test_garbage_and_a_store_that_is_away_change_nothing(room: Room) -> None:
    huge = await send_to(room.app, "POST", PAGE, b"x" * (FORM_LIMIT + 1))
    many = await send_to(room.app, "POST", PAGE, b"a=1&" * 50)
    unknown = await room.send(act="retire")
    room.keeper.down = True
    away = await room.send(act="fix")

    assert (huge.status, many.status, unknown.status, away.status) == (422, 422, 422, 503)
    assert room.keeper.wishes == []


async def test_a_room_that_only_reads_shows_no_form_and_takes_none(room: Room) -> None:
    app = room.sources.app()

    page = await get(app, PAGE)
    sent = await send_to(app, "POST", PAGE, b"act=fix&by=eva")
    asked = await send_to(app, "POST", f"/api{PAGE}", b"{}", {"content-type": "application/json"})

    assert "<form" not in page.text
    assert (sent.status, asked.status) == (403, 403)


async def test_a_program_moves_a_group_by_json_only(room: Room) -> None:
    body = json.dumps({"act": "triage", "by": "bot", "owner": "pricing"}).encode()
    as_json = {"content-type": "application/json"}

    plain = await send_to(room.app, "POST", f"/api{PAGE}", body, {"content-type": "text/plain"})
    broken = await send_to(room.app, "POST", f"/api{PAGE}", b"[" * 9_000, as_json)
    unknown = await send_to(room.app, "POST", "/api/mismatches/v1:none", body, as_json)
    moved = await send_to(room.app, "POST", f"/api{PAGE}", body, as_json)

    assert (plain.status, broken.status, unknown.status, moved.status) == (422, 422, 404, 200)
    assert plain.headers["content-type"] == "application/problem+json"
    assert moved.json()["life"]["owner"] == "pricing"


async def test_a_page_tells_siblings_and_the_journal(room: Room) -> None:
    fixed = granted(Life(), Wish(Act.FIX, "eva", reason="core 5.2"), NOW_S - 60)
    room.sources.evidence.stories[FINGERPRINT] = GroupStory(
        (entry_of(Life(), fixed, Act.FIX),),
        (Sibling("v1:00000000000000bb", "price in the list", "GET /x", 4, 1, State.NEW),),
    )

    seen = words((await get(room.app, PAGE)).text)

    assert "new to fixed by eva" in seen
    assert "core 5.2" in seen
    assert "price in the list" in seen


async def test_an_archive_is_offered_for_download(room: Room) -> None:
    answer = await get(room.app, f"{PAGE}/archive.har")
    lost = await get(room.app, "/mismatches/v1:none/archive.har")

    assert answer.headers["content-disposition"] == 'attachment; filename="v1-9c41d0aa52b7e613.har"'
    assert len(answer.json()["log"]["entries"]) == 2
    assert lost.status == 404


VALUES = st.none() | st.text(max_size=40) | st.text("ab 01.", max_size=1_500)


@given(VALUES, VALUES)
def test_the_pieces_of_a_value_are_the_value_and_equal_ones_are_not_marked(
    legacy: str | None, core: str | None
) -> None:
    ours, theirs = inside(legacy, core)

    assert "".join(piece for piece, _ in ours) == (legacy or "")
    assert "".join(piece for piece, _ in theirs) == (core or "")
    if legacy == core:
        assert not any(hot for _, hot in (*ours, *theirs))
    elif legacy or core:
        assert any(hot for _, hot in (*ours, *theirs))
    unmarked = ["".join(piece for piece, hot in parts if not hot) for parts in (ours, theirs)]
    assert unmarked[0] == unmarked[1]


@pytest.mark.parametrize(
    ("legacy", "core", "told"),
    [
        ('"13.08"', '"13.07"', "0.01 lower"),
        ("1", "2.50", "1.50 higher"),
        ("1.0", "1", ""),
        ('"a"', "1", ""),
        (None, "1", ""),
        ("1e999999", "1", ""),
        ('"NaN"', "1", ""),
    ],
)
def test_a_gap_between_numbers_is_told(legacy: str | None, core: str | None, told: str) -> None:
    assert gap(legacy, core) == told


def an_example_of(*leaves: Leaf) -> Example:
    return an_example(leaves=leaves)


def test_the_headline_says_what_differs_with_the_values() -> None:
    gone = Leaf("$.a", "$.a", "missing", '"x"', None)
    come = Leaf("$.b", "$.b", "added", None, "1")
    status = Leaf("status", "status", "status", "200", "404")
    order = Leaf("$.c", "$.c", "order", "[1,2]", "[2,1]")

    assert headline(an_example_of(gone)) == '$.a is "x" in legacy and missing in the core.'
    assert headline(an_example_of(come)) == "$.b is 1 in the core and missing in legacy."
    assert headline(an_example_of(order)) == "$.c holds the same in another order."
    assert headline(an_example_of(come, gone, status)) == (
        "Legacy answers 200, the core 404. 2 more places differ."
    )
    assert headline(an_example_of()) == ""


def test_a_long_value_is_cut_with_its_difference_in_sight() -> None:
    ours, _ = inside("word " * 100 + "cat" + " end" * 50, "word " * 100 + "dog" + " end" * 50)

    shown = excerpt(ours)

    assert "cat" in shown
    assert shown.startswith("…")
    assert len(shown) <= 62


@given(st.lists(st.integers(0, 10**6), max_size=24))
def test_the_bars_of_hours_are_as_many_as_hours_with_hits(hits: list[int]) -> None:
    assert str(hours_chart(hits)).count("<rect") == sum(hit > 0 for hit in hits)
