"""Compare one captured exchange with what the other side says."""

from __future__ import annotations

import asyncio
import dataclasses
from dataclasses import dataclass

import msgspec

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
from shadow_compare.core.words import OTHER_RELEASE
from shadow_compare.core.write_ladder import Way, headers_of_a_read
from shadow_compare.errors import AskError, UnreadableError
from shadow_compare.ports import Asker
from shadow_compare.service.rulebook import Plan, Rulebook

# Above this, judging may take milliseconds, and other answers' times would suffer.
_LARGE_BYTES = 65_536
_BADNESS: tuple[Outcome | None, ...] = (
    Outcome.MATCH,
    Outcome.ACCEPTED,
    Outcome.INCOMPARABLE,
    Outcome.BROKEN,
    Outcome.MISMATCH,
)
_SHOWN_BYTES = 131_072
#: Losses by which a shopper of the other side would have got no answer either.
_UNANSWERED = frozenset(("shadow_timeout", "shadow_unreachable"))
_FIRST_ERROR = 500


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
    way = plan.way(frame)
    reason = _not_worth_asking(frame, rulebook, terms, way)
    if reason is not None:
        return _lost(frame, plan.epoch, reason)
    try:
        if way is Way.VERIFY:
            return await _verified(frame, rulebook, asker, plan.epoch)
        other, again = await _ask(frame, asker, way)
    except AskError as exc:
        # Which side left a read after a write unanswered is not known here.
        is_shadows = way is not Way.VERIFY and exc.loss in _UNANSWERED
        return _lost(frame, plan.epoch, exc.loss, is_shadows_error=is_shadows)
    return await _concluded(frame, plan, other, again)


def second_look_s(judged: Judged, frame: Frame, rulebook: Rulebook) -> float | None:
    """After how many seconds both sides are asked once more about a GET that differed."""
    plan = rulebook.find(frame)
    if judged.outcome is not Outcome.MISMATCH or isinstance(plan, str) or frame.method != "GET":
        return None
    return plan.shadow.recheck_s if plan.way(frame) is Way.READ else None


async def look_again(judged: Judged, frame: Frame, rulebook: Rulebook, asker: Asker) -> Judged:
    """Ask both sides once more. What is equal now is lost as skew: it was no match, and
    from outside late data cannot be told from a defect that comes and goes. In any other
    case the first verdict stands.
    """
    plan = rulebook.find(frame)
    if isinstance(plan, str):
        return judged
    try:
        live, other = await _both(frame, asker)
    except AskError:
        return judged
    second = await _concluded(_answered(frame, live), plan, other, None)
    if second.outcome in (Outcome.MATCH, Outcome.ACCEPTED):
        # That it is equal now takes back no error, and no time, of the first look.
        return dataclasses.replace(_lost(frame, plan.epoch, "skew"), timings=judged.timings)
    return judged


async def _verified(frame: Frame, rulebook: Rulebook, asker: Asker, epoch: str) -> Judged:
    """Compare what both sides answer to the reads after a write. A frame that was counted
    once comes to one end: that of the read that fared worst.
    """
    ends = []
    for target, plan in rulebook.reads_after(frame):
        read = msgspec.structs.replace(
            frame,
            method="GET",
            target=target,
            request_headers=headers_of_a_read(frame.request_headers),
            request_body=b"",
        )
        live, other = await _both(read, asker)
        ends.append(await _concluded(_answered(read, live), plan, other, None))
    if not ends:
        return _lost(frame, epoch, "nothing_to_verify")
    return max(ends, key=lambda end: _BADNESS.index(end.outcome))


async def _both(frame: Frame, asker: Asker) -> tuple[Answer, Answer]:
    """The live side's answer and the other's, asked together."""
    live, other = await asyncio.gather(
        asker.ask(Side(frame.side), frame),
        asker.ask(Side(frame.shadow), frame),
        return_exceptions=True,
    )
    if isinstance(live, BaseException):
        raise live
    if isinstance(other, BaseException):
        raise other
    return live, other


def _answered(frame: Frame, live: Answer) -> Frame:
    return msgspec.structs.replace(
        frame,
        status=live.status,
        headers=live.headers,
        body=live.body,
        elapsed_us=live.elapsed_us,
    )


async def _concluded(frame: Frame, plan: Plan, other: Answer, again: Answer | None) -> Judged:
    exchange = exchange_of(frame, other, again)
    if len(frame.body) + len(other.body) > _LARGE_BYTES:
        return await asyncio.to_thread(_conclude, frame, plan, exchange, other)
    return _conclude(frame, plan, exchange, other)


def _not_worth_asking(frame: Frame, rulebook: Rulebook, terms: Terms, way: Way) -> str | None:
    at_s = frame.at_us / 1_000_000
    if at_s < terms.oldest_s:
        return "stale"
    if at_s < terms.stores_since_s and frame.revision != rulebook.table.revision:
        return OTHER_RELEASE
    if way is Way.NONE:
        return "write_not_asked"
    # A write that is verified is not sent, so its body may hold what it likes.
    is_body_sent = way is not Way.VERIFY
    if is_redacted(frame.target) or (is_body_sent and b"[hmac:" in frame.request_body):
        return "redacted_request"
    return None


async def _ask(frame: Frame, asker: Asker, way: Way) -> tuple[Answer, Answer | None]:
    shadow, live = Side(frame.shadow), Side(frame.side)
    if way is Way.DRY_RUN:
        # Never asked of the live side again: there it would be a second write.
        return await asker.ask(shadow, frame, dry_run=True), None
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
        timings=(
            _live(frame),
            Timing(frame.shadow, "shadow", other.elapsed_us, other.status >= _FIRST_ERROR),
        ),
        noise=_noise(plan.judge, exchange),
        pair=_pair(frame, other, verdict),
        used=_used(plan, verdict),
        sample=sample_of(frame, exchange.legacy.status, plan.core_share_bp),
    )


def _pair(frame: Frame, other: Answer, verdict: Verdict) -> RecordedPair | None:
    if not recordable(frame, other):
        return None
    # What was sealed was for sending, and is not kept.
    kept = msgspec.structs.replace(frame, sealed=b"") if frame.sealed else frame
    return RecordedPair(kept, other, verdict.outcome)


def _used(plan: Plan, verdict: Verdict) -> tuple[str, ...]:
    return tuple(sorted(one for name in verdict.used for one in plan.rule_ids.get(name, ())))


def _noise(judge: Judge, exchange: Exchange) -> tuple[str, ...] | None:
    return None if exchange.again is None else judge.noise(exchange)


def _lost(frame: Frame, epoch: str, loss: str, *, is_shadows_error: bool = False) -> Judged:
    unanswered = Timing(frame.shadow, "shadow", None, is_error=True)
    return Judged(
        run=frame.run,
        seq=frame.seq,
        at_s=frame.at_us / 1_000_000,
        domain=frame.domain,
        route=frame.route,
        epoch=epoch,
        outcome=None,
        loss=loss,
        timings=(_live(frame), *((unanswered,) if is_shadows_error else ())) if epoch else (),
    )


def _live(frame: Frame) -> Timing:
    return Timing(frame.side, "live", frame.elapsed_us, frame.status >= _FIRST_ERROR)


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
