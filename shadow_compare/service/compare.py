"""Compare one captured exchange with what the other side says."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from proxy.core import is_redacted
from proxy.core.frame import Frame
from proxy.routing import Side
from shadow_compare.core.answer import Answer
from shadow_compare.core.batch import Finding, Judged, Timing
from shadow_compare.core.bodies import decoded
from shadow_compare.core.evidence import Example
from shadow_compare.core.fingerprint import fingerprint, signatures, title
from shadow_compare.core.judge import Exchange, Judge
from shadow_compare.core.pairs import RecordedPair, exchange_of, recordable
from shadow_compare.core.sampling import sample_of
from shadow_compare.core.stake import Stake, stake_of
from shadow_compare.core.verdict import Outcome, Verdict
from shadow_compare.errors import AskError, UnreadableError
from shadow_compare.ports import Asker
from shadow_compare.service.rulebook import Plan, Rulebook

# Above this, judging may take milliseconds, and other answers' times would suffer.
_LARGE_BYTES = 65_536
_SHOWN_BYTES = 131_072


@dataclass(frozen=True, slots=True)
class Terms:
    """Which frames are still worth a question.

    Attributes:
        oldest_s: exchanges before this moment are lost as stale: the shop has moved on,
            and a difference would say nothing.
        stores_since_s: when the stores of the rulebook came into force; exchanges before
            it, captured under another table, met other releases.
    """

    oldest_s: float
    stores_since_s: float


async def compare(frame: Frame, rulebook: Rulebook, asker: Asker, terms: Terms) -> Judged:
    """Bring one frame to its end: a verdict or a loss. Asks the network, stores nothing."""
    plan = rulebook.find(frame)
    if isinstance(plan, str):
        return _lost(frame, "", plan)
    reason = _not_worth_asking(frame, rulebook, terms)
    if reason is not None:
        return _lost(frame, plan.epoch, reason)
    try:
        other, again = await _ask(frame, asker)
    except AskError as exc:
        return _lost(frame, plan.epoch, exc.loss)
    exchange = exchange_of(frame, other, again)
    if len(frame.body) + len(other.body) > _LARGE_BYTES:
        return await asyncio.to_thread(_conclude, frame, plan, exchange, other)
    return _conclude(frame, plan, exchange, other)


def _not_worth_asking(frame: Frame, rulebook: Rulebook, terms: Terms) -> str | None:
    at_s = frame.at_us / 1_000_000
    if at_s < terms.oldest_s:
        return "stale"
    if at_s < terms.stores_since_s and frame.revision != rulebook.table.revision:
        return "other_release"
    if is_redacted(frame.target) or b"[hmac:" in frame.request_body:
        return "redacted_request"
    return None


async def _ask(frame: Frame, asker: Asker) -> tuple[Answer, Answer | None]:
    shadow, live = Side(frame.shadow), Side(frame.side)
    if not frame.noise:
        return await asker.ask(shadow, frame), None
    other, again = await asyncio.gather(
        asker.ask(shadow, frame), asker.ask(live, frame), return_exceptions=True
    )
    if isinstance(other, BaseException):
        raise other
    # The second look at the live side is a help; without it the verdict is only stricter.
    if isinstance(again, BaseException) and not isinstance(again, AskError):
        raise again
    return other, None if isinstance(again, BaseException) else again


def _conclude(frame: Frame, plan: Plan, exchange: Exchange, other: Answer) -> Judged:
    verdict = plan.judge.judge(exchange)
    finding = None
    if verdict.outcome is Outcome.MISMATCH:
        finding = _finding(frame, plan, exchange, verdict)
    return Judged(
        run=frame.run,
        seq=frame.seq,
        at_s=frame.at_us / 1_000_000,
        domain=frame.domain,
        route=frame.route,
        epoch=plan.epoch,
        outcome=verdict.outcome,
        finding=finding,
        timings=(_live(frame), Timing(frame.shadow, "shadow", other.elapsed_us)),
        noise=_noise(plan.judge, exchange),
        pair=RecordedPair(frame, other, verdict.outcome) if recordable(frame, other) else None,
        used=_used(plan, verdict),
        sample=sample_of(frame, exchange.legacy.status, plan.core_share_bp),
    )


def _used(plan: Plan, verdict: Verdict) -> tuple[str, ...]:
    return tuple(sorted(one for name in verdict.used for one in plan.rule_ids.get(name, ())))


def _noise(judge: Judge, exchange: Exchange) -> tuple[str, ...] | None:
    return None if exchange.again is None else judge.noise(exchange)


def _lost(frame: Frame, epoch: str, loss: str) -> Judged:
    return Judged(
        run=frame.run,
        seq=frame.seq,
        at_s=frame.at_us / 1_000_000,
        domain=frame.domain,
        route=frame.route,
        epoch=epoch,
        outcome=None,
        loss=loss,
        timings=(_live(frame),) if epoch else (),
    )


def _live(frame: Frame) -> Timing:
    return Timing(frame.side, "live", frame.elapsed_us)


def _finding(frame: Frame, plan: Plan, exchange: Exchange, verdict: Verdict) -> Finding:
    legacy, core = exchange.legacy, exchange.core
    statuses = (legacy.status, core.status)
    return Finding(
        fingerprint=fingerprint(frame.domain, frame.route, verdict.leaves, statuses),
        title=title(verdict.leaves),
        patterns=tuple(sorted({leaf.pattern for leaf in verdict.leaves})),
        signatures=signatures(frame.domain, verdict.leaves),
        releases=plan.releases,
        stake=_stake(plan, exchange),
        example=Example(
            request_id=frame.request_id,
            at_s=frame.at_us / 1_000_000,
            method=frame.method,
            target=frame.target,
            request_headers=frame.request_headers,
            live_side=frame.side,
            legacy_status=legacy.status,
            core_status=core.status,
            legacy_headers=legacy.headers,
            core_headers=core.headers,
            legacy_body=_shown(legacy),
            core_body=_shown(core),
            leaves=verdict.leaves,
            shopper=frame.shopper,
            legacy_us=legacy.elapsed_us,
            core_us=core.elapsed_us,
        ),
    )


def _stake(plan: Plan, exchange: Exchange) -> Stake | None:
    if plan.value is None or exchange.method == "HEAD":
        return None
    try:
        legacy, core = decoded(exchange.legacy), decoded(exchange.core)
    except UnreadableError:
        return None
    return stake_of(plan.value, legacy, core, exchange.live)


def _shown(answer: Answer) -> str:
    """The body as people read it; what is no text shows as replacement characters."""
    try:
        body = decoded(answer)
    except UnreadableError:
        body = answer.body
    return body[:_SHOWN_BYTES].decode("utf-8", "replace")
