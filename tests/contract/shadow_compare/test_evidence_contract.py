"""What every store of evidence must do: the one in memory, SQLite and PostgreSQL."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest

from proxy.routing.model import ParityGate
from shadow_compare.core.anytime import anytime_bounds_ppm
from shadow_compare.core.batch import Batch, Checkpoint, Timing
from shadow_compare.core.epoch import Epoch
from shadow_compare.core.evidence import Answered, DomainReading
from shadow_compare.core.sampling import Served
from shadow_compare.core.verdict import Outcome
from shadow_compare.errors import EvidenceUnavailable
from shadow_compare.ports import EvidenceReader, EvidenceWriter
from shadow_compare.storage.engine import parse, writer_engine
from shadow_compare.storage.reader import SqlEvidenceReader
from shadow_compare.storage.schema import migrate
from shadow_compare.storage.writer import SqlEvidenceWriter
from tests.fakes.evidence_store import EvidenceInMemory
from tests.support.comparing import (
    DETAIL,
    LIST,
    NOW_S,
    domain,
    epoch,
    finding,
    judged,
    rule,
    sample,
)

pytestmark = pytest.mark.contract
SLOW = Timing("core", "live", 80_000)


class Store(NamedTuple):
    writer: EvidenceWriter
    reader: EvidenceReader


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres_url"))
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path}/evidence.sqlite3"
    return ""


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    if not url:
        fake = EvidenceInMemory(now_s=NOW_S)
        yield Store(fake, fake)
        return
    engine = writer_engine(parse(url))
    await migrate(engine)
    reader = SqlEvidenceReader(parse(url), lambda: NOW_S)
    yield Store(SqlEvidenceWriter(engine), reader)
    await reader.close()
    await engine.dispose()


def batch(*frames: object, at_s: float = NOW_S, **more: object) -> Batch:
    whole = Batch(at_s=at_s, epochs=(epoch(),))
    return dataclasses.replace(whole, judged=frames, **more)  # type: ignore[arg-type]


async def reading(store: Store, *, points: int = 60) -> DomainReading:
    """What is shown of the catalogue."""
    return (await store.reader.readings([domain()], points=points, groups=50))["catalog"]


async def test_nothing_written_reads_as_empty_evidence(store: Store) -> None:
    found = await store.reader.domain(domain())

    assert (found.epoch, found.overall.compared, found.heartbeat_s) == ("", 0, None)
    assert found.unseen == (LIST, DETAIL)
    assert await store.reader.groups() == () or await store.reader.groups() == []
    assert await store.reader.group("v1:aa") is None
    assert await reading(store) == DomainReading(found)


async def test_outcomes_add_up_per_route_and_over_all(store: Store) -> None:
    await store.writer.commit(
        batch(
            judged(1),
            judged(2, Outcome.ACCEPTED),
            judged(3, Outcome.MISMATCH, route=DETAIL),
            judged(4, Outcome.INCOMPARABLE, route=DETAIL),
        )
    )
    await store.writer.commit(batch(judged(5), judged(6, Outcome.BROKEN), at_s=NOW_S + 1))

    found = await store.reader.domain(domain())

    overall = found.overall
    assert (overall.matched, overall.accepted, overall.mismatched) == (2, 1, 1)
    assert (overall.incomparable, overall.broken) == (1, 1)
    assert [p.route for p in found.routes] == [DETAIL, LIST]
    assert found.unseen == ()
    assert found.epoch == epoch().key
    assert found.epoch_since_s == NOW_S
    assert found.heartbeat_s == NOW_S + 1
    assert found.overall.confidence_bp == 9_500


async def test_new_rules_start_from_nothing_and_old_rules_find_their_evidence(
    store: Store,
) -> None:
    changed = domain("catalog", rule("$.price"))
    await store.writer.commit(batch(judged(1)))
    await store.writer.commit(batch(at_s=NOW_S + 1, epochs=(epoch(changed, since_s=NOW_S + 1),)))

    after, before = await store.reader.domain(changed), await store.reader.domain(domain())

    assert (after.epoch_since_s, after.overall.compared) == (NOW_S + 1, 0)
    assert before.overall.compared == 1
    assert after.epoch != before.epoch


async def test_a_rule_nobody_has_compared_by_yet_has_no_evidence(store: Store) -> None:
    await store.writer.commit(batch(judged(1)))

    found = await store.reader.domain(domain("catalog", rule("$.new")))

    assert (found.epoch, found.epoch_since_s, found.overall.compared) == ("", None, 0)
    assert found.accounting.compared == 1


async def test_a_new_release_starts_from_nothing(store: Store) -> None:
    await store.writer.commit(batch(judged(1)))
    next_release = Epoch("catalog", "k2", epoch().rules, "other stores", NOW_S + 5)
    await store.writer.commit(batch(epochs=(next_release,)))

    found = await store.reader.domain(domain())

    assert found.overall.compared == 0


async def test_the_books_balance_while_frames_are_under_way(store: Store) -> None:
    counters = {
        f"mirrored|catalog|{LIST}": 10,
        f"dropped|catalog|{LIST}|queue_full": 2,
        f"spooled|catalog|{LIST}": 8,
        "requests|catalog|200": 50,
    }
    await store.writer.commit(
        batch(
            judged(1),
            judged(2, None, loss="shadow_timeout"),
            accounts={"run-1": counters},
            checkpoints={"run-1": Checkpoint(1, 700)},
        )
    )

    books = (await store.reader.domain(domain())).accounting

    assert (books.mirrored, books.compared, books.pending) == (10, 1, 6)
    assert books.losses == {"queue_full": 2, "shadow_timeout": 1}
    assert await store.writer.checkpoints() == {"run-1": Checkpoint(1, 700)}


async def test_pending_is_never_negative_when_counters_lag_behind(store: Store) -> None:
    late = {"run-1": {f"mirrored|catalog|{LIST}": 1}}
    await store.writer.commit(batch(judged(1), judged(2), judged(3), accounts=late))

    books = (await store.reader.domain(domain())).accounting

    assert (books.mirrored, books.compared, books.pending) == (3, 3, 0)


async def test_a_closed_run_loses_what_it_never_yielded_and_is_counted_once(
    store: Store,
) -> None:
    account = {"run-1": {f"mirrored|catalog|{LIST}": 5}}
    await store.writer.commit(batch(judged(1), accounts=account))
    for _ in range(2):
        await store.writer.commit(batch(accounts=account, closed={"run-1": "crash"}))

    books = (await store.reader.domain(domain())).accounting

    assert (books.mirrored, books.compared, books.pending) == (5, 1, 0)
    assert books.losses == {"crash": 4}
    assert set(await store.writer.checkpoints()) == {"run-1"}


async def test_a_run_that_left_the_spool_need_not_be_remembered(store: Store) -> None:
    account = {"run-1": {f"mirrored|catalog|{LIST}": 1}}
    await store.writer.commit(batch(judged(1), accounts=account, closed={"run-1": "crash"}))
    await store.writer.commit(batch(gone=("run-1",)))

    books = (await store.reader.domain(domain())).accounting

    assert await store.writer.checkpoints() == {}
    assert (books.mirrored, books.compared, books.pending) == (1, 1, 0)


async def test_mismatches_that_look_the_same_form_one_group(store: Store) -> None:
    rare = finding("v1:00000000000000bb")
    await store.writer.commit(
        batch(
            judged(1),
            judged(2, Outcome.MISMATCH, at_s=NOW_S + 2),
            judged(3, Outcome.MISMATCH, at_s=NOW_S + 1),
            judged(4, Outcome.MISMATCH, found=rare),
        )
    )
    await store.writer.commit(batch(judged(5, Outcome.MISMATCH, at_s=NOW_S + 9)))

    groups = await store.reader.groups("catalog")

    assert [(g.fingerprint[-2:], g.count) for g in groups] == [("aa", 3), ("bb", 1)]
    assert (groups[0].first_seen_s, groups[0].last_seen_s) == (NOW_S + 1, NOW_S + 9)
    assert groups[0].share_ppm == 600_000
    assert groups[0].patterns == ("$.price",)
    assert groups[0].current
    assert await store.reader.groups("checkout") in ((), [])
    assert len(await store.reader.groups(limit=1)) == 1


async def test_a_group_tells_how_often_the_live_side_moves_there_by_itself(
    store: Store,
) -> None:
    await store.writer.commit(
        batch(
            judged(1, Outcome.MISMATCH),
            judged(2, noise=("$.price", "$.other")),
            judged(3, noise=("$.price",)),
            judged(4, noise=()),
            judged(5, Outcome.MISMATCH, route=DETAIL, found=finding("v1:00000000000000bb")),
        )
    )

    found = {group.fingerprint[-2:]: group.noise_ppm for group in await store.reader.groups()}

    assert (found["aa"], found["bb"]) == (666_666, None)


async def test_groups_of_an_earlier_epoch_are_kept_but_not_shown_by_default(
    store: Store,
) -> None:
    changed = epoch(domain("catalog", rule("$.price")), since_s=NOW_S + 1)
    await store.writer.commit(batch(judged(1, Outcome.MISMATCH)))
    await store.writer.commit(batch(epochs=(changed,)))

    shown = await store.reader.groups()
    kept = await store.reader.groups(current_only=False)

    assert len(shown) == 0
    assert [group.current for group in kept] == [False]


async def test_a_group_keeps_ten_examples_with_its_first_and_its_last(store: Store) -> None:
    for seq in range(1, 41):
        await store.writer.commit(batch(judged(seq, Outcome.MISMATCH, at_s=NOW_S + seq)))

    found = await store.reader.group("v1:00000000000000aa")

    assert found is not None
    group, examples = found
    ids = [int(e.request_id.removeprefix("run-1/")) for e in examples]
    assert group.count == 40
    assert len(ids) == len(set(ids))
    assert len(ids) in (9, 10)  # the last one may also have been drawn
    assert (ids[0], ids[-1]) == (40, 1)
    assert ids == sorted(ids, reverse=True)


async def test_an_unambiguous_prefix_names_a_group_and_an_ambiguous_one_does_not(
    store: Store,
) -> None:
    other = finding("v1:00000000000000bb")
    await store.writer.commit(
        batch(judged(1, Outcome.MISMATCH), judged(2, Outcome.MISMATCH, found=other))
    )

    by_prefix = await store.reader.group("00000000000000b")

    assert by_prefix is not None
    assert by_prefix[0].fingerprint == "v1:00000000000000bb"
    assert await store.reader.group("v1:0000") is None
    assert await store.reader.group("v1:%") is None


async def test_the_trend_tells_what_a_gate_would_have_read(store: Store) -> None:
    start = int(NOW_S) // 10 * 10
    await store.writer.commit(
        batch(
            judged(1, at_s=start),
            judged(2, at_s=start + 9),
            judged(3, Outcome.MISMATCH, at_s=start + 10),
            judged(4, Outcome.INCOMPARABLE, at_s=start + 30),
            judged(5, at_s=start + 40),
        )
    )

    points = (await reading(store)).trend
    latest = (await reading(store, points=1)).trend

    assert [(p.at_s - start, p.equal, p.mismatched) for p in points] == [
        (0, 2, 0),
        (10, 0, 1),
        (40, 1, 0),
    ]
    assert [p.ratio_ppm for p in points] == [1_000_000, 666_666, 750_000]
    assert all(p.lower_ppm < p.ratio_ppm for p in points)
    assert latest == points[-1:]
    assert (await reading(store, points=0)).trend == ()


async def test_latency_is_told_per_side_and_role(store: Store) -> None:
    slow = tuple(Timing("core", "shadow", 80_000) for _ in range(10))
    fast = tuple(Timing("legacy", "live", us) for us in (9_000, 10_000, 11_000))
    await store.writer.commit(batch(judged(1, timings=fast + slow)))

    core, legacy = (await reading(store)).latency

    assert (core.side, core.role, core.count) == ("core", "shadow", 10)
    assert core.p99_ms == pytest.approx(80, rel=0.05)
    assert (legacy.side, legacy.role, legacy.count) == ("legacy", "live", 3)
    assert legacy.p50_ms == pytest.approx(10, rel=0.05)


async def test_answers_and_errors_are_told_per_side_and_role(store: Store) -> None:
    good = tuple(Timing("legacy", "live", 9_000) for _ in range(3))
    bad = (Timing("core", "shadow", 80_000, is_error=True), Timing("core", "shadow", 7_000))
    unanswered = Timing("core", "shadow", None, is_error=True)
    of_another = judged(3, of="stock", timings=bad)
    await store.writer.commit(batch(judged(1, timings=good + bad), of_another))
    await store.writer.commit(batch(judged(2, timings=(unanswered,))))

    assert list(await store.reader.answered("catalog")) == [
        Answered("core", "shadow", 3, 2),
        Answered("legacy", "live", 3, 0),
    ]
    core, _ = (await reading(store)).latency
    assert core.count == 2
    assert list(await store.reader.answered("nothing")) == []


async def test_answers_of_more_than_an_hour_ago_say_nothing_of_now(store: Store) -> None:
    then, now = (judged(n, at_s=NOW_S + n * 3_600.0, timings=(SLOW,)) for n in (1, 3))
    await store.writer.commit(batch(then, now))

    assert list(await store.reader.answered("catalog")) == [Answered("core", "live", 1, 0)]


async def test_domains_do_not_mix(store: Store) -> None:
    stock = domain("stock")
    await store.writer.commit(
        batch(
            judged(1),
            judged(2, of="stock", epoch_key=epoch(stock).key),
            epochs=(epoch(), epoch(stock)),
            accounts={"run-1": {f"mirrored|stock|{LIST}": 4, f"mirrored|catalog|{LIST}": 1}},
        )
    )

    catalog, other = await store.reader.domain(domain()), await store.reader.domain(stock)

    assert (catalog.accounting.pending, other.accounting.pending) == (0, 3)
    assert (catalog.overall.matched, other.overall.matched) == (1, 1)


async def test_what_is_read_of_many_domains_at_once_is_what_is_read_of_each(
    store: Store,
) -> None:
    gate = ParityGate(min_ppm=980_000, samples=100, confidence_bp=9_900)
    changed = domain("stock", rule("$.price"))
    wanted = [domain(gate=gate), changed, domain("carts"), domain("never")]
    epochs = tuple(epoch(one) for one in wanted[:3])
    await store.writer.commit(batch(judged(1, of="stock", epoch_key=epoch(domain("stock")).key),
                                    epochs=(epoch(domain("stock")),)))  # fmt: skip
    for turn in range(4):
        at_s = NOW_S + 4_000 * turn
        frames = [
            judged(
                100 * place + 10 * turn + n,
                Outcome.MISMATCH if n <= place else Outcome.MATCH,
                of=one.domain,
                epoch_key=one.key,
                route=DETAIL if n % 2 else LIST,
                at_s=at_s + 10 * (n % 3),
                found=finding(f"v1:{place:08}{n:08}") if n <= place else None,
                timings=(Timing("core", "shadow", 1_000 * n + turn),),
            )
            for place, one in enumerate(epochs, 1)
            for n in range(1, 7)
        ]
        counters = {f"mirrored|{one.domain}|{LIST}": 9 * (turn + 1) for one in epochs}
        await store.writer.commit(
            batch(*frames, epochs=epochs, at_s=at_s, accounts={"run-1": counters})
        )

    together = await store.reader.readings(wanted, points=5, groups=2)

    assert list(together) == ["catalog", "stock", "carts", "never"]
    for one in wanted:
        alone = await store.reader.readings([one], points=5, groups=2)
        assert together[one.name] == alone[one.name]
        assert together[one.name].evidence == await store.reader.domain(one)
        assert list(together[one.name].groups) == list(await store.reader.groups(one.name, limit=2))
    assert [len(one.groups) for one in together.values()] == [1, 2, 2, 0]
    assert [len(one.trend) for one in together.values()] == [5, 5, 5, 0]
    assert [bool(one.latency) for one in together.values()] == [True, True, True, False]


async def test_text_no_database_likes_is_stored_all_the_same(store: Store) -> None:
    nasty = finding("v1:00000000000000cc")
    nasty = dataclasses.replace(
        nasty,
        title="$.a\0b differs",
        patterns=("$['\ud800']",),
        example=dataclasses.replace(nasty.example, core_body="\0\ud800" + "x" * 200_000),
    )

    await store.writer.commit(batch(judged(1, Outcome.MISMATCH, found=nasty)))
    found = await store.reader.group("v1:00000000000000cc")

    assert found is not None


@pytest.mark.parametrize("url", [""])
async def test_a_store_that_does_not_answer_says_so(store: Store) -> None:
    assert isinstance(store.reader, EvidenceInMemory)
    store.reader.down = True

    with pytest.raises(EvidenceUnavailable):
        await store.reader.domain(domain())


async def test_repeats_are_comparisons_and_not_samples(store: Store) -> None:
    mine, hers = sample("s-1"), sample("s-2")
    frames = [judged(seq, of_sample=mine) for seq in range(1, 31)]
    await store.writer.commit(batch(*frames, judged(31, of_sample=hers)))
    await store.writer.commit(batch(judged(32, of_sample=hers), at_s=NOW_S + 1))

    overall = (await store.reader.domain(domain())).overall

    assert (overall.compared, overall.samples, overall.unequal) == (32, 2, 0)
    assert overall.lower_ppm == anytime_bounds_ppm(2, 2, 9_500).lower_ppm
    assert overall.lower_ppm < overall.exact_ppm


async def test_a_sample_is_unequal_from_its_first_mismatch_on_over_batches_too(
    store: Store,
) -> None:
    mine = sample("s-1")
    ends = (Outcome.MATCH, Outcome.MISMATCH, Outcome.MATCH, Outcome.MISMATCH)
    for seq, end in enumerate(ends, 1):
        await store.writer.commit(batch(judged(seq, end, of_sample=mine)))

    (route,) = (await store.reader.domain(domain())).routes

    assert (route.compared, route.samples, route.unequal) == (4, 1, 1)


async def test_strata_are_told_worst_first_and_add_up_to_the_whole(store: Store) -> None:
    core = [sample(f"c-{n}", side="core") for n in range(3)]
    await store.writer.commit(
        batch(
            *(judged(seq) for seq in range(1, 21)),
            *(judged(30 + n, Outcome.MISMATCH, of_sample=one) for n, one in enumerate(core)),
            judged(40, Outcome.INCOMPARABLE),
            judged(41, of_sample=sample(None, status=404)),
        )
    )

    found = await store.reader.domain(domain())

    told = [(one.stratum.served, one.stratum.status_class) for one in found.strata]
    assert told[0] == (Served.CORE, "2xx")
    assert set(told[1:]) == {(Served.LEGACY, "2xx"), (Served.NOBODY, "4xx")}
    worst = found.strata[0]
    assert (worst.compared, worst.mismatched, worst.samples, worst.unequal) == (3, 3, 3, 3)
    assert sum(one.samples for one in found.strata) == found.overall.samples == 24
    assert sum(one.compared for one in found.strata) == found.overall.compared


async def test_samples_of_another_epoch_do_not_count_and_are_carried_when_it_comes_back(
    store: Store,
) -> None:
    changed = domain("catalog", rule("$.price"))
    new = epoch(changed, since_s=NOW_S + 1)
    mine = sample("s-1")
    await store.writer.commit(batch(judged(1, of_sample=mine), judged(2)))
    await store.writer.commit(
        batch(judged(3, epoch_key=new.key, of_sample=mine), epochs=(new,), at_s=NOW_S + 1)
    )
    other = await store.reader.domain(changed)
    await store.writer.commit(batch(judged(4), judged(5, of_sample=mine), at_s=NOW_S + 2))

    found = await store.reader.domain(domain())

    assert (other.overall.samples, other.carried) == (1, 0)
    assert (found.overall.samples, found.carried) == (3, 2)
    assert found.in_force_since_s == NOW_S + 2


async def test_what_noise_could_hide_is_bounded_by_how_often_the_live_side_moved(
    store: Store,
) -> None:
    quiet = [judged(seq, noise=()) for seq in range(1, 101)]
    noisy = [judged(seq, noise=("$.a", "$.b")) for seq in range(101, 111)]
    await store.writer.commit(batch(*quiet, *noisy, *(judged(seq) for seq in range(111, 1_111))))

    overall = (await store.reader.domain(domain())).overall
    never = (await store.reader.domain(domain("other"))).overall

    assert never.hidden_at_most is None
    assert overall.hidden_at_most is not None
    assert 101 <= overall.hidden_at_most < 300


async def test_the_trend_tells_the_bound_over_samples(store: Store) -> None:
    for step in range(3):
        frames = [judged(10 * step + n, at_s=NOW_S + 10 * step) for n in range(1, 6)]
        repeats = [judged(100 + step, of_sample=sample("s-1"), at_s=NOW_S + 10 * step)]
        await store.writer.commit(batch(*frames, *repeats))

    points = (await reading(store)).trend

    whole = (await store.reader.domain(domain())).overall
    assert [p.lower_ppm for p in points] == [
        anytime_bounds_ppm(n, n, 9_500).lower_ppm for n in (6, 11, 16)
    ]
    assert points[-1].lower_ppm == whole.lower_ppm
