"""Writes, pauses and second looks: what is asked, of whom, and how it ends."""

from __future__ import annotations

from dataclasses import replace

import pytest

from proxy.core.frame import Frame
from proxy.routing import Domain, Route, RoutingTable, ShadowPolicy, Side, VerifyRead, When, Writes
from shadow_compare.core.answer import Answer
from shadow_compare.core.write_ladder import Way, bound, filled, way_of
from shadow_compare.service.comparer import Comparer, Gear
from tests.fakes.evidence_store import EvidenceInMemory
from tests.fakes.frames import FakeAsker, FakeClock, FakeMeter, FakeRun, FakeSource, FakeSpool
from tests.support.comparing import DETAIL, NOW_S, STORES, domain, frame

WRITE = "POST /products/{id}/lines/"


def shop(policy: ShadowPolicy) -> Domain:
    plain = domain()
    return replace(
        plain,
        routes=(*plain.routes, Route("catalog", "/products/{id}/lines/", ("POST",))),
        shadow=policy,
    )


async def ends(
    policy: ShadowPolicy | Domain, answer: object, *frames: Frame
) -> tuple[list[str], FakeAsker, FakeClock]:
    evidence, asker, clock = await compared(policy, answer, *frames)
    return [str(one.outcome or one.loss) for one in evidence.judged], asker, clock


async def compared(
    policy: ShadowPolicy | Domain, answer: object, *frames: Frame
) -> tuple[EvidenceInMemory, FakeAsker, FakeClock]:
    spool, evidence, clock = FakeSpool(), EvidenceInMemory(now_s=NOW_S), FakeClock(NOW_S)
    run = spool.runs.setdefault("run-1", FakeRun())
    for one in frames:
        run.count(f"mirrored|{one.domain}|{one.route}")
        run.frames.append(one)
    asker = FakeAsker(answer)  # type: ignore[arg-type]  # a function of side and frame
    gear = Gear(FakeSource(spool, {}), evidence, asker, clock, FakeMeter())
    ours = policy if isinstance(policy, Domain) else shop(policy)
    comparer = Comparer(gear, RoutingTable((ours,), STORES, (), "abc"), max_age_s=900)
    await comparer.round(lambda: False)
    return evidence, asker, clock


def write(**more: object) -> Frame:
    return frame(route=WRITE, method="POST", target="/products/7/lines/?x=1", **more)  # type: ignore[arg-type]


def told(_side: Side, one: Frame) -> Answer:
    return Answer(200, one.headers, b'{"n": 1}')


VERIFY = ShadowPolicy(writes=Writes.VERIFY, verify=(VerifyRead("/products/{id}/", 1.0),))


async def test_a_verified_write_is_not_sent_and_its_reads_are_asked_of_both_sides() -> None:
    found, asker, clock = await ends(VERIFY, told, write(request_body=b"[hmac:0123456789abcdef]"))

    assert found == ["match"]
    assert [(side, one.method, one.target, one.request_body) for side, one in asker.asked] == [
        (Side.LEGACY, "GET", "/products/7/", b""),
        (Side.CORE, "GET", "/products/7/", b""),
    ]
    assert clock.time_s == NOW_S + 1


async def test_a_read_that_differs_after_a_write_is_a_mismatch_of_the_write() -> None:
    def differs(side: Side, one: Frame) -> Answer:
        return Answer(200, one.headers, b'{"n": 1}' if side is Side.CORE else b'{"n": 2}')

    found, _, _ = await ends(VERIFY, differs, write())

    assert found == ["mismatch"]


async def test_a_write_is_only_sent_as_a_dry_run_and_never_to_the_live_side() -> None:
    found, asker, _ = await ends(
        ShadowPolicy(writes=Writes.DRY_RUN), lambda _s, one: Answer(200, one.headers, one.body),
        write(noise=True),
    )  # fmt: skip

    assert found == ["match"]
    assert [side for side, _ in asker.asked] == [Side.CORE]
    assert asker.dry_runs == 1


@pytest.mark.parametrize(
    ("policy", "side"),
    [(ShadowPolicy(), "legacy"), (ShadowPolicy(writes=Writes.DRY_RUN), "core")],
)
async def test_a_write_that_the_table_does_not_mirror_any_more_is_not_asked(
    policy: ShadowPolicy, side: str
) -> None:
    found, asker, _ = await ends(policy, told, write(side=side))

    assert found == ["write_not_asked"]
    assert asker.asked == []


@pytest.mark.parametrize(("heals", "end"), [(True, "skew"), (False, "mismatch")])
async def test_what_is_equal_when_asked_again_is_skew_and_never_a_match(
    *, heals: bool, end: str
) -> None:
    asked = 0

    def late(side: Side, one: Frame) -> Answer:
        nonlocal asked
        asked += 1
        new = heals and asked > 1
        return Answer(200, one.headers, b'{"n": 2}' if side is Side.LEGACY or new else b'{"n": 1}')

    found, asker, clock = await ends(
        ShadowPolicy(recheck_s=2.0), late, frame(route=DETAIL, target="/products/7/", body=b"{}")
    )

    assert found == [end]
    assert [side for side, _ in asker.asked] == [Side.CORE, Side.LEGACY, Side.CORE]
    assert clock.time_s == NOW_S + 2


async def test_an_error_that_is_gone_at_the_second_look_was_an_error_all_the_same() -> None:
    statuses = iter((503, 200))

    def healing(side: Side, one: Frame) -> Answer:
        status = next(statuses) if side is Side.CORE else 200
        return Answer(status, one.headers, one.body)

    evidence, _, _ = await compared(
        ShadowPolicy(recheck_s=2.0), healing, frame(route=DETAIL, target="/products/7/", body=b"{}")
    )

    [judged] = evidence.judged
    assert judged.loss == "skew"
    assert [(t.side, t.is_error) for t in judged.timings] == [("legacy", False), ("core", True)]


async def test_a_pause_after_the_live_answer_is_kept() -> None:
    policy = ShadowPolicy(when=When.AFTER_LIVE, after_s=3.0)

    _, _, clock = await ends(policy, told, frame(at_s=NOW_S - 1))

    assert clock.time_s == NOW_S + 2


@pytest.mark.parametrize("domain_s", [0.0, 9.0])
@pytest.mark.parametrize("route_s", [0.0, 3.0])
async def test_a_routes_word_on_the_pause_goes_before_the_domains(
    domain_s: float, route_s: float
) -> None:
    policy = ShadowPolicy(when=When.AFTER_LIVE if domain_s else When.PARALLEL, after_s=domain_s)
    plain = shop(policy)
    one = replace(plain, routes=tuple(replace(it, pause_s=route_s) for it in plain.routes))

    _, _, clock = await ends(one, told, frame(at_s=NOW_S))

    assert clock.time_s == NOW_S + route_s


def test_a_read_with_effects_is_a_write() -> None:
    route = Route("mail", "/unsubscribe/", ("GET",), has_effects=True)

    assert way_of("GET", route, ShadowPolicy(), Side.CORE) is Way.NONE
    assert way_of("GET", route, ShadowPolicy(writes=Writes.DRY_RUN), Side.CORE) is Way.DRY_RUN
    assert way_of("GET", route, ShadowPolicy(writes=Writes.DRY_RUN), Side.LEGACY) is Way.NONE


def test_paths_are_filled_from_paths_as_they_are_spelled() -> None:
    assert bound("/a/{id}/b/{rest...}", "/a/7%2F8/b/c/d?q=1") == {"id": "7%2F8", "rest": "c/d"}
    assert bound("/a/{id}/", "/a//") is None
    assert bound("/a/{id}/", "/a/7/more") is None
    assert filled("/x/{id}/", {"id": "7%2F8"}) == "/x/7%2F8/"
    assert filled("/x/{id}/", {}) is None
