"""What every store must do with groups: the one in memory, SQLite and PostgreSQL."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from shadow_compare.core.batch import Batch, Judged
from shadow_compare.core.evidence import MismatchGroup
from shadow_compare.core.groups import GroupQuery, GroupSort
from shadow_compare.core.life import Act, State, Wish
from shadow_compare.core.stake import Stake
from shadow_compare.core.verdict import Outcome
from shadow_compare.errors import NoSuchGroup, WishRefused
from shadow_compare.ports import EvidenceReader, EvidenceWriter, GroupKeeper
from shadow_compare.storage.engine import parse, writer_engine
from shadow_compare.storage.keeper import SqlGroupKeeper
from shadow_compare.storage.reader import SqlEvidenceReader
from shadow_compare.storage.schema import migrate
from shadow_compare.storage.writer import SqlEvidenceWriter
from tests.fakes.evidence_store import EvidenceInMemory
from tests.support.comparing import DETAIL, NOW_S, TODAY, domain, epoch, finding, judged, rule

pytestmark = pytest.mark.contract
AA, BB = "v1:00000000000000aa", "v1:00000000000000bb"
DAY_S = 24 * 3_600


class Clock:
    now_s = NOW_S

    def __call__(self) -> float:
        return self.now_s


class Store(NamedTuple):
    writer: EvidenceWriter
    reader: EvidenceReader
    keeper: GroupKeeper
    clock: Clock
    fake: EvidenceInMemory | None

    def at(self, now_s: float) -> None:
        self.clock.now_s = now_s
        if self.fake is not None:
            self.fake.now_s = now_s

    async def commit(self, *frames: Judged, at_s: float = NOW_S, of: Batch | None = None) -> None:
        whole = of or Batch(at_s=at_s, epochs=(epoch(),))
        await self.writer.commit(dataclasses.replace(whole, at_s=at_s, judged=frames))

    async def life(self, fingerprint: str = AA) -> MismatchGroup:
        found = await self.reader.group(fingerprint)
        assert found is not None
        return found[0]


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres_url"))
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path}/evidence.sqlite3"
    return ""


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    clock = Clock()
    if not url:
        fake = EvidenceInMemory(now_s=NOW_S)
        yield Store(fake, fake, fake, clock, fake)
        return
    engine = writer_engine(parse(url))
    await migrate(engine)
    reader = SqlEvidenceReader(parse(url), clock)
    keeper = SqlGroupKeeper(parse(url), clock)
    yield Store(SqlEvidenceWriter(engine), reader, keeper, clock, None)
    await keeper.close()
    await reader.close()
    await engine.dispose()


def miss(seq: int, name: str = AA, *, at_s: float = NOW_S, **more: Any) -> Judged:
    found = dataclasses.replace(finding(name, f"run-1/{seq}"), **more)
    return judged(seq, Outcome.MISMATCH, at_s=at_s, found=found)


def accept(**changed: object) -> Wish:
    whole = Wish(
        Act.ACCEPT, "eva", "pricing", "rounding, mended in May", "SHOP-7", date(2026, 12, 1)
    )
    return dataclasses.replace(whole, **changed)  # type: ignore[arg-type]


async def test_a_group_begins_as_a_new_one_without_any_history(store: Store) -> None:
    await store.commit(miss(1, at_s=NOW_S + 3))

    group = await store.life()

    assert (group.life.state, group.life.since_s) == (State.NEW, NOW_S + 3)
    assert (await store.reader.story(AA)).journal == ()


async def test_a_person_moves_a_group_and_the_journal_says_who_when_and_why(
    store: Store,
) -> None:
    await store.commit(miss(1))

    await store.keeper.grant("00000000000000a", Wish(Act.TRIAGE, "eva", owner="pricing"))
    store.at(NOW_S + 60)
    after = await store.keeper.grant(AA, accept())

    journal = (await store.reader.story(AA)).journal
    assert (after.life.state, after.life.owner) == (State.ACCEPTED, "pricing")
    assert after.life == (await store.life()).life
    assert [(e.before, e.after, e.by, e.at_s) for e in journal] == [
        (State.TRIAGED, State.ACCEPTED, "eva", NOW_S + 60),
        (State.NEW, State.TRIAGED, "eva", NOW_S),
    ]
    assert (journal[0].note, journal[0].ticket) == ("rounding, mended in May", "SHOP-7")
    assert journal[0].expires == date(2026, 12, 1)


async def test_accepting_a_group_changes_no_figure_of_parity(store: Store) -> None:
    await store.commit(judged(1), miss(2))
    before = (await store.reader.domain(domain())).overall

    await store.keeper.grant(AA, accept())
    await store.commit(miss(3))

    after = (await store.reader.domain(domain())).overall
    assert (before.mismatched, after.mismatched, after.accepted) == (1, 2, 0)


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        (accept(reason=" "), "give a reason"),
        (accept(expires=None), "last day"),
        (accept(owner=""), "owner"),
        (Wish(Act.TRIAGE, "eva"), "owner"),
        (Wish(Act.FIX, " "), "who does it"),
        (Wish(Act.HIT, "eva"), "the comparer's"),
    ],
)
async def test_a_wish_that_lacks_something_changes_nothing(
    store: Store, wish: Wish, told: str
) -> None:
    await store.commit(miss(1))

    with pytest.raises(WishRefused, match=told):
        await store.keeper.grant(AA, wish)

    assert (await store.life()).life.state is State.NEW
    assert (await store.reader.story(AA)).journal == ()


async def test_a_group_that_nobody_knows_cannot_be_moved(store: Store) -> None:
    await store.commit(miss(1), miss(2, BB))

    for name in ("v1:ff", "v1:0000"):
        with pytest.raises(NoSuchGroup):
            await store.keeper.grant(name, accept())


async def test_an_acceptance_ends_after_its_last_day_and_the_journal_is_told(
    store: Store,
) -> None:
    await store.commit(miss(1))
    await store.keeper.grant(AA, accept(expires=TODAY))
    store.at(NOW_S + DAY_S)

    read = (await store.life()).life
    triaged = await store.reader.find(GroupQuery(states=(State.TRIAGED,)))
    accepted = await store.reader.find(GroupQuery(states=(State.ACCEPTED,)))
    await store.commit(at_s=NOW_S + DAY_S)

    entry = (await store.reader.story(AA)).journal[0]
    assert (read.state, read.owner, read.expires) == (State.TRIAGED, "pricing", None)
    assert (len(triaged), len(accepted)) == (1, 0)
    assert (entry.act, entry.before, entry.after, entry.by) == (
        Act.EXPIRE,
        State.ACCEPTED,
        State.TRIAGED,
        "",
    )
    assert (await store.life()).life == read


async def test_a_fixed_group_that_comes_again_regresses_also_under_a_new_release(
    store: Store,
) -> None:
    changed = epoch(domain("catalog", rule("$.other")), since_s=NOW_S + 1)
    await store.commit(miss(1))
    await store.keeper.grant(AA, Wish(Act.FIX, "eva", reason="release 5"))
    again = dataclasses.replace(miss(2, at_s=NOW_S + 9, releases=("4", "5")), epoch=changed.key)

    await store.commit(again, at_s=NOW_S + 9, of=Batch(NOW_S, epochs=(changed,)))

    group = await store.life()
    entry = (await store.reader.story(AA)).journal[0]
    assert (group.life.state, group.life.by, group.count) == (State.REGRESSED, "", 1)
    assert (entry.act, entry.before, entry.at_s) == (Act.HIT, State.FIXED, NOW_S + 9)


async def test_an_exchange_from_before_the_mending_is_no_regression(store: Store) -> None:
    await store.commit(miss(1, at_s=NOW_S - 9))
    await store.keeper.grant(AA, Wish(Act.FIX, "eva"))

    await store.commit(miss(2, at_s=NOW_S - 1))

    group = await store.life()
    assert (group.life.state, group.count) == (State.FIXED, 2)


async def test_a_group_that_fell_quiet_is_closed_and_one_hit_opens_it_again(
    store: Store,
) -> None:
    # Twice in 20: closed after 20 * 10 * (20 ** (1 / 2) - 1), which is 694.4, without a hit.
    await store.commit(*(judged(seq) for seq in range(1, 19)), miss(19), miss(20))
    await store.commit(*(judged(seq) for seq in range(21, 715)), at_s=NOW_S + 100)
    before = (await store.life()).life.state
    await store.commit(judged(715), at_s=NOW_S + 200)
    closed = await store.life()
    await store.commit(miss(716, at_s=NOW_S + 150), at_s=NOW_S + 300)

    entry = (await store.reader.story(AA)).journal[1]
    assert before is State.NEW
    assert (closed.life.state, closed.life.by) == (State.FIXED, "")
    assert (entry.act, entry.at_s) == (Act.QUIET, NOW_S + 200)
    assert "695 comparisons" in entry.note
    assert (await store.life()).life.state is State.REGRESSED


async def test_an_accepted_group_is_left_alone_however_quiet_it_is(store: Store) -> None:
    await store.commit(miss(1))
    await store.keeper.grant(AA, accept())

    await store.commit(*(judged(seq) for seq in range(2, 400)), at_s=NOW_S + 100)

    assert (await store.life()).life.state is State.ACCEPTED


async def test_groups_are_found_by_state_route_and_time(store: Store) -> None:
    detail = judged(3, Outcome.MISMATCH, route=DETAIL, at_s=NOW_S + 50, found=finding(BB))
    await store.commit(miss(1), detail)
    await store.keeper.grant(BB, Wish(Act.TRIAGE, "eva", owner="pricing"))

    async def names(**limits: object) -> list[str]:
        found = await store.reader.find(GroupQuery(**limits))  # type: ignore[arg-type]
        return [group.fingerprint[-2:] for group in found]

    assert await names(states=(State.TRIAGED, State.FIXED)) == ["bb"]
    assert await names(states=(State.NEW,)) == ["aa"]
    assert await names(route=DETAIL) == ["bb"]
    assert await names(since_s=NOW_S + 10) == ["bb"]
    assert await names(domain="carts") == []


async def test_groups_are_sorted_by_count_money_rate_and_time(store: Store) -> None:
    old, dear = NOW_S - 5 * 3_600, "v1:00000000000000cc"
    await store.commit(
        *(miss(seq, at_s=old) for seq in range(3)),
        *(miss(seq, BB) for seq in range(3, 5)),
        miss(6, dear, at_s=old - 60, stake=Stake("EUR", 1_000, 0, 5)),
        miss(7, BB, stake=Stake("EUR", 9_000, 3, 0)),
    )

    async def names(sort: GroupSort, limit: int = 50) -> list[str]:
        found = await store.reader.find(GroupQuery(sort=sort, limit=limit))
        return [group.fingerprint[-2:] for group in found]

    assert await names(GroupSort.COUNT) == ["bb", "aa", "cc"]
    assert await names(GroupSort.VALUE) == ["cc", "bb", "aa"]
    assert await names(GroupSort.RATE) == ["bb", "aa", "cc"]
    assert await names(GroupSort.LAST) == ["bb", "aa", "cc"]
    assert await names(GroupSort.FIRST) == ["bb", "aa", "cc"]
    assert await names(GroupSort.VALUE, limit=1) == ["cc"]


async def test_a_group_tells_its_rate_its_bound_its_cohorts_its_money_and_its_releases(
    store: Store,
) -> None:
    core = dataclasses.replace(finding().example, live_side="core")
    await store.commit(
        judged(1),
        miss(2, at_s=NOW_S - 2 * 3_600, releases=("4", ""), stake=Stake("EUR", 1_999, 1, 0)),
        miss(3, releases=("4", ""), stake=Stake("EUR", 1_001, 0, 2)),
        miss(4, releases=("4", ""), stake=Stake("USD", 500), example=core),
    )

    group = await store.life()

    assert (group.per_hour, group.hourly[-1], group.hourly[-3], sum(group.hourly)) == (2, 2, 1, 3)
    assert group.cohorts == (("legacy", 2), ("core", 1))
    assert group.stakes == (
        Stake("EUR", 3_000, 1, 2, exchanges=2, compared=2),
        Stake("USD", 500, exchanges=1, compared=1),
    )
    assert group.share_ppm == 750_000
    assert group.share_ppm < group.upper_ppm < 1_000_000
    assert (group.first_releases, group.last_releases) == (("4", ""), ("4", ""))


async def test_first_and_last_release_are_told_over_all_epochs(store: Store) -> None:
    changed = epoch(domain("catalog", rule("$.other")), since_s=NOW_S + 1)
    later = dataclasses.replace(miss(2, at_s=NOW_S + 9, releases=("4", "6")), epoch=changed.key)
    await store.commit(miss(1, releases=("4", "5")))

    await store.commit(later, at_s=NOW_S + 9, of=Batch(NOW_S, epochs=(changed,)))

    group = await store.life()
    assert (group.first_releases, group.last_releases) == (("4", "5"), ("4", "6"))


async def test_groups_that_share_a_difference_are_siblings(store: Store) -> None:
    await store.commit(
        miss(1, signatures=("s1:1", "s1:2", "s1:3")),
        miss(2, BB, signatures=("s1:2", "s1:3", "s1:4")),
        miss(3, "v1:00000000000000cc", signatures=("s1:3",)),
        miss(4, "v1:00000000000000dd", signatures=("s1:9",)),
    )
    await store.keeper.grant(BB, Wish(Act.FIX, "eva"))

    siblings = (await store.reader.story(AA)).siblings

    assert [(one.fingerprint[-2:], one.shared) for one in siblings] == [("bb", 2), ("cc", 1)]
    assert siblings[0].state is State.FIXED


async def test_examples_of_a_span_of_time_come_once_each_and_in_order(store: Store) -> None:
    frames = [miss(seq, AA if seq % 2 else BB, at_s=NOW_S + seq) for seq in range(1, 9)]
    await store.commit(*frames)

    found = await store.reader.examples("catalog", NOW_S + 2, NOW_S + 7, limit=50)
    latest = await store.reader.examples(None, NOW_S, NOW_S + 100, limit=2)
    nothing = await store.reader.examples("carts", NOW_S, NOW_S + 100, limit=50)

    assert [one.example.request_id for one in found] == [f"run-1/{seq}" for seq in range(2, 7)]
    assert [one.example.request_id for one in latest] == ["run-1/7", "run-1/8"]
    assert list(nothing) == []
