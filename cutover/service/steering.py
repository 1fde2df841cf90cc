"""Set every domain's course again and again, and follow it.

Several may steer the same table: going back twice is going back once, and a step is taken
by comparing and swapping what is in force, so that of two who take it one finds it taken.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from cutover.core.flip_owners import Owners
from cutover.core.live import Both, Finding, Tally, writes_apart
from cutover.core.revision import DamagedRevision, Evidence, RevisionKind, from_json
from cutover.core.spans import Spans
from cutover.core.stages import ROLLBACK, Position, position
from cutover.core.steering import Course, Move, Seen, course
from cutover.errors import CannotRead, CutoverError
from cutover.ports import Ledger
from cutover.ports.traffic import AskTraffic, Counted
from cutover.service.applying import Reshare, commit, prepare
from cutover.service.approving import domain_in, touches
from cutover.service.books import Books
from cutover.service.gathering import OpenEvidence
from cutover.service.in_force import InForce, look
from cutover.service.rolling_back import Restage, roll_back
from proxy.errors import RoutingFileError
from proxy.routing import Domain, Side

ACTOR = "banyan"
_GATES_AGAIN_S = 15.0
#: Two that steer take turns, so that what both take back is in the ledger once.
_TURN_S = 2.0
_USUAL_REQUESTS, _USUAL_WINDOW_S = 200, 120.0


@dataclass(frozen=True, slots=True)
class Steered:
    """What became of a domain in one look.

    Attributes:
        at: where it stood.
        done: what was done about it, a sentence; "" for nothing.
        problem: why what was to be done could not be; "" when it could.
    """

    domain: str
    at: Position
    course: Course
    done: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Wheel:
    """What is needed to steer.

    Attributes:
        owners: who owns the data behind routes; may raise CannotRead.
        known: domain to what legacy was like, from an earlier life.
    """

    books: Books
    traffic: AskTraffic
    restage: Restage
    reshare: Reshare
    open_evidence: OpenEvidence
    owners: Callable[[], Owners]
    known: Mapping[str, Tally] = field(default_factory=dict)


class Steering:
    """Looks at every domain that has a rollback or a ramp. Belongs to one event loop."""

    def __init__(self, wheel: Wheel) -> None:
        self._wheel = wheel
        self._spans: dict[str, tuple[Position, Spans]] = {}
        self._known: dict[str, Tally] = dict(wheel.known)
        self._stood: dict[str, tuple[int, datetime | None]] = {}
        self._refused: dict[str, tuple[datetime, Position, str]] = {}
        self._last: InForce | None = None

    @property
    def known(self) -> Mapping[str, Tally]:
        """Domain to what legacy was like when it last answered many."""
        return self._known

    async def look(self) -> tuple[Steered, ...]:
        """Look once, and do what is to be done.

        A domain's trouble is its own: it is told in `Steered.problem`, and the others go on.

        Raises:
            CannotRead: what is in force cannot be read.
        """
        seen = await asyncio.to_thread(self._in_force)
        if seen.table is None:
            return ()
        steered = [one for one in seen.table.domains if one.rollback or one.ramp]
        counted = await self._wheel.traffic(writes_apart(steered)) if steered else None
        found = [await self._one(domain, seen, counted) for domain in steered]
        names = {one.name for one in steered}
        self._spans = {name: kept for name, kept in self._spans.items() if name in names}
        return tuple(found)

    def _in_force(self) -> InForce:
        """What is in force, read anew only when the file has changed: a large one takes long."""
        books = self._wheel.books
        if self._last is None or books.applied.read() != self._last.on_disk:
            self._last = look(books.applied, books.ledger)
        return self._last

    async def _one(self, domain: Domain, seen: InForce, counted: Counted | None) -> Steered:
        now = self._wheel.books.now()
        at = position(domain)
        spans = self._spans_of(domain, at)
        if counted is not None:
            both: Both = {side: counted.get((domain.name, side), Tally()) for side in Side}
            spans.take(now.timestamp(), both)
        told = Seen(
            since_step=spans.since_step,
            lately=spans.lately(),
            known=spans.known,
            stood_s=self._stood_s(domain, seen, now),
        )
        set_to = course(domain, told, now)
        problem = "" if counted is not None else "the proxy does not say what it answers"
        try:
            match set_to.move:
                case Move.BACK:
                    done = await asyncio.to_thread(self._back, domain, set_to)
                    return Steered(domain.name, at, set_to, done=done)
                case Move.NEXT_SHARE:
                    done = await self._next_share(domain, at, set_to, seen)
                    return Steered(domain.name, at, set_to, done=done)
                case Move.STAY:
                    return Steered(domain.name, at, set_to, problem=problem)
        except CutoverError as exc:
            return Steered(domain.name, at, set_to, problem=str(exc))

    def _spans_of(self, domain: Domain, at: Position) -> Spans:
        rule = domain.rollback
        requests = rule.requests if rule is not None else _USUAL_REQUESTS
        window_s = rule.window_s if rule is not None else _USUAL_WINDOW_S
        stood, spans = self._spans.get(domain.name) or (at, None)
        if spans is None:
            spans = Spans(self._known.get(domain.name, Tally()), window_s)
        elif stood != at:
            spans = spans.next_step(window_s, requests)
        self._known[domain.name] = spans.learnt(requests)
        self._spans[domain.name] = at, spans
        return spans

    def _stood_s(self, domain: Domain, seen: InForce, now: datetime) -> float | None:
        """Since when it stands where it stands; the ledger is read only when it has grown."""
        n = seen.last.n if seen.last is not None else 0
        kept = self._stood.get(domain.name)
        if kept is None or kept[0] != n:
            kept = n, _stands_since(self._wheel.books.ledger, domain)
            self._stood[domain.name] = kept
        since = kept[1]
        return None if since is None else max(0.0, (now - since).total_seconds())

    def _back(self, domain: Domain, set_to: Course) -> str:
        finding = set_to.finding
        done = roll_back(
            self._wheel.books,
            domain.name,
            self._wheel.restage,
            # 1. Two look at a domain in canary. 2. One takes it back to shadow. 3. The other one,
            # told to take a step back, would go on to legacy: so the stage is named.
            to=ROLLBACK[domain.stage],
            actor=ACTOR,
            reason=f"by itself: {set_to.because}",
            owners=self._wheel.owners(),
            wait_s=_TURN_S,
            evidence=() if finding is None else (_evidence(domain.name, finding),),
        )
        warned = "".join(f"; {one}" for one in done.warnings)
        return f"went back, {done.before} -> {done.after}{warned}"

    async def _next_share(self, domain: Domain, at: Position, set_to: Course, seen: InForce) -> str:
        share_bp, now = set_to.share_bp, self._wheel.books.now()
        assert share_bp is not None  # noqa: S101 - a step has one
        refused = self._refused.get(domain.name)
        # Gates read the whole evidence: they are asked now and then.
        again_s = _GATES_AGAIN_S
        if refused and refused[1] == at and (now - refused[0]).total_seconds() < again_s:
            raise CutoverError(refused[2])
        books = self._wheel.books
        try:
            prepared = await prepare(
                books,
                self._wheel.reshare(seen.text or b"", domain.name, share_bp),
                books.applied.name,
                self._wheel.open_evidence,
                owners=self._wheel.owners(),
                actor=ACTOR,
            )
        except RoutingFileError as exc:
            raise CutoverError(f"the table in force does not load: {exc.problems[0]}") from exc
        if prepared.plan.refused:
            why = prepared.plan.refused[0].refusals[0]
            self._refused[domain.name] = now, at, why
            raise CutoverError(why)
        reason = f"its ramp: {set_to.because}"
        revision = await asyncio.to_thread(commit, books, prepared, actor=ACTOR, reason=reason)
        return f"{revision.entry.changes[0].partition(': ')[2]}, as revision {revision.n}"


def _stands_since(ledger: Ledger, domain: Domain) -> datetime | None:
    """When a domain came to where it stands; None where the ledger does not say."""
    since: datetime | None = None
    try:
        links = ledger.links()
    except CannotRead:
        return None
    for _, content in reversed(links):
        try:
            revision = from_json(content)
        except DamagedRevision:
            return since
        if revision.entry.kind is RevisionKind.APPROVAL or not touches(revision, domain.name):
            continue
        then = domain_in(revision, domain.name)
        if then is None or position(then) != position(domain):
            return since
        since = revision.entry.at
    return since


def _evidence(domain: str, finding: Finding) -> Evidence:
    verdict, inputs = str(finding.verdict), dict(finding.inputs)
    return Evidence(domain, verdict, finding.sentences, gate="live", inputs=inputs)
