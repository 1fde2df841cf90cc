"""Judge two answers to one request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from proxy.routing import CompareRule, Side
from shadow_compare.core.answer import Answer
from shadow_compare.core.bodies import (
    BodyKind,
    body_kind,
    charset_of,
    content_type,
    decoded,
    differing_bytes,
    differing_text,
    media_type,
    read_document,
    text_of,
)
from shadow_compare.core.cookies import compare_cookies
from shadow_compare.core.documents import quoted
from shadow_compare.core.evidence import Leaf
from shadow_compare.core.findings import Census, Findings
from shadow_compare.core.places import Spot
from shadow_compare.core.rules import RuleState, compile_rules
from shadow_compare.core.values import same
from shadow_compare.core.verdict import Coverage, Outcome, Verdict
from shadow_compare.core.walk import Walk
from shadow_compare.errors import UnreadableError

_NOT_MODIFIED = 304


@dataclass(frozen=True, slots=True)
class Exchange:
    """What was asked and what both sides said.

    Attributes:
        live: who answered the shopper.
        again: what that side said when it was asked again; None when it was not.
    """

    method: str
    legacy: Answer
    core: Answer
    live: Side = Side.LEGACY
    again: Answer | None = None


class Judge:
    """Compares under one route's rules. Immutable to its callers; reuse it.

    Args:
        headers: lower-case names of the headers to compare.
        rules: those in force on the route, none expired.
        cookies: names of the cookies to compare.
        cookie_values: those of them whose values count.

    Raises:
        JsonPathError: a rule's path is none; a table that loaded has no such rule.
    """

    def __init__(
        self,
        headers: Sequence[str],
        rules: Sequence[CompareRule],
        cookies: Sequence[str] = (),
        cookie_values: Sequence[str] = (),
    ) -> None:
        self._headers = tuple(headers)
        self._cookies = tuple(cookies)
        self._cookie_values = frozenset(cookie_values)
        self._rules = compile_rules(rules)

    def judge(self, exchange: Exchange) -> Verdict:
        """Compare legacy (the control) with the core (the candidate).

        Total: whatever the answers hold, there is a verdict and no exception. A failure
        in here is BROKEN, which is never counted as equal.
        """
        try:
            return self._judge(exchange)
        except UnreadableError as exc:
            return Verdict(Outcome.INCOMPARABLE, reason=str(exc))
        except Exception as exc:  # noqa: BLE001 - a bug here must not stop the comparer
            return Verdict(Outcome.BROKEN, reason=repr(exc)[:500])

    def coverage(self, exchange: Exchange) -> Coverage:
        """Which leaves `judge` compares, and which it does not see for a rule.

        Walks all of both documents, so it costs more than judging: for samples.
        """
        census = Census()
        try:
            reason = _not_comparable(exchange.legacy, exchange.core)
            if reason is None:
                self._compare(exchange.method, exchange.legacy, exchange.core, Findings(census))
        except UnreadableError as exc:
            reason = str(exc)
        except Exception as exc:  # noqa: BLE001 - as in `judge`
            reason = repr(exc)[:500]
        return census.coverage() if reason is None else Coverage(reason=reason)

    def _judge(self, exchange: Exchange) -> Verdict:
        reason = _not_comparable(exchange.legacy, exchange.core)
        if reason is not None:
            return Verdict(Outcome.INCOMPARABLE, reason=reason)
        found = Findings(live=exchange.live)
        self._compare(exchange.method, exchange.legacy, exchange.core, found)
        leaves = found.leaves
        noise: list[Leaf] = []
        if leaves and exchange.again is not None:
            noisy = self._noise(exchange)
            spotted = list(zip(leaves, found.spots, strict=True))
            noise = [leaf for leaf, spot in spotted if (spot, leaf.kind) in noisy]
            leaves = [leaf for leaf, spot in spotted if (spot, leaf.kind) not in noisy]
        outcome = Outcome.MATCH
        if leaves:
            outcome = Outcome.MISMATCH
        elif found.accepted or noise:
            outcome = Outcome.ACCEPTED
        return Verdict(
            outcome,
            tuple(leaves),
            tuple(found.accepted),
            tuple(noise),
            used=tuple(sorted(found.used)),
        )

    def noise(self, exchange: Exchange) -> tuple[str, ...]:
        """Patterns at which the live side differed from itself, rules applied."""
        try:
            return tuple(sorted(set(self._noise(exchange).values())))
        except Exception:  # noqa: BLE001 - noise is a hint; `judge` reports what is broken
            return ()

    def _noise(self, exchange: Exchange) -> dict[tuple[Spot, str], str]:
        """(Spot, kind) to pattern of the differences between the live answer and its control.

        A value that moves does not excuse one that is gone, so the kind counts. The control
        stands on the other side's place, which makes "missing" and "added" mean the same in
        both comparisons. Only the live answer is in both of them, so its indexes tell the
        place: paths hold legacy's, and with the core live those are of two answers.
        """
        if exchange.again is None:
            return {}
        legacy, core = exchange.legacy, exchange.again
        if exchange.live is Side.CORE:
            legacy, core = exchange.again, exchange.core
        if _not_comparable(legacy, core) is not None:
            return {}
        found = Findings(live=exchange.live)
        try:
            self._compare(exchange.method, legacy, core, found)
        except UnreadableError:
            return {}
        spotted = zip(found.leaves, found.spots, strict=True)
        return {(spot, leaf.kind): leaf.pattern for leaf, spot in spotted}

    def _compare(self, method: str, legacy: Answer, core: Answer, found: Findings) -> None:
        if found.census:
            found.census.count(("status",), None)
        if legacy.status != core.status:
            # The bodies of a page and of an error differ as a matter of course.
            status = Leaf("status", "status", "status", str(legacy.status), str(core.status))
            found.note(status, None)
            return
        for name in self._headers:
            _header(name, legacy, core, found)
        if self._cookies:
            compare_cookies(self._cookies, self._cookie_values, legacy, core, found)
        if method != "HEAD":
            _bodies(legacy, core, self._rules, found)


def _not_comparable(legacy: Answer, core: Answer) -> str | None:
    if legacy.status == core.status and legacy.status >= 500:
        return f"both sides failed with {legacy.status}"
    if legacy.status != core.status and _NOT_MODIFIED in (legacy.status, core.status):
        return "one side answered 304, because it knew what the shopper had"
    return None


def _header(name: str, legacy: Answer, core: Answer, found: Findings) -> None:
    place = f"header:{name}"
    if found.census:
        found.census.count((place,), None)
    ours, theirs = legacy.header(name), core.header(name)
    if name == "content-type":
        ours = None if ours is None else content_type(ours)
        theirs = None if theirs is None else content_type(theirs)
    if ours == theirs:
        return
    told = (None if value is None else quoted(value) for value in (ours, theirs))
    found.note(Leaf(place, place, "header", *told), None)


def _bodies(legacy: Answer, core: Answer, rules: RuleState, found: Findings) -> None:
    counted = found.census is not None
    if not counted and legacy.body == core.body and _same_reading(legacy, core):
        return
    ours, theirs = _read(Side.LEGACY, legacy), _read(Side.CORE, core)
    alike = ours == theirs and (ours.isascii() or charset_of(legacy) == charset_of(core))
    kinds = body_kind(legacy, ours), body_kind(core, theirs)
    if alike and not (counted and kinds[0] is kinds[1]):
        _count_body(found)
        return
    if kinds[0] is not kinds[1]:
        _count_body(found)
        found.note(_unlike(legacy, ours, core, theirs), None)
        return
    if kinds[0] in (BodyKind.TEXT, BodyKind.BINARY, BodyKind.EMPTY):
        _count_body(found)
        leaf = _plain_difference(kinds[0], (legacy, ours), (core, theirs))
        if leaf is not None:
            found.note(leaf, None)
        return
    _documents(kinds[0], (legacy, ours), (core, theirs), rules, found)


def _same_reading(legacy: Answer, core: Answer) -> bool:
    """Whether equal bytes mean the same: packed alike, and in the same letters."""
    if _coding(legacy) != _coding(core):
        return False
    return charset_of(legacy) == charset_of(core) or (not _coding(legacy) and legacy.body.isascii())


def _count_body(found: Findings) -> None:
    if found.census:
        found.census.count(("body",), None)


def _plain_difference(
    kind: BodyKind, legacy: tuple[Answer, bytes], core: tuple[Answer, bytes]
) -> Leaf | None:
    if kind is BodyKind.TEXT:
        texts = text_of(*legacy), text_of(*core)
        if texts[0] is not None and texts[1] is not None:
            return differing_text(texts[0], texts[1])
    return None if legacy[1] == core[1] else differing_bytes(legacy[1], core[1])


def _documents(
    kind: BodyKind,
    legacy: tuple[Answer, bytes],
    core: tuple[Answer, bytes],
    rules: RuleState,
    found: Findings,
) -> None:
    documents = []
    for side, (answer, body) in ((Side.LEGACY, legacy), (Side.CORE, core)):
        try:
            documents.append(read_document(kind, answer, body))
        except UnreadableError as exc:
            raise UnreadableError(f"{_owner(side)} answer: {exc}") from exc
    ours, theirs = documents
    if found.census is None:
        if ours.packed is not None and ours.packed == theirs.packed:
            return
        if ours.packed is None and same(ours.value, theirs.value):
            return
    Walk(found).documents(ours.value, theirs.value, rules)


def _read(side: Side, answer: Answer) -> bytes:
    try:
        return decoded(answer)
    except UnreadableError as exc:
        raise UnreadableError(f"{_owner(side)} answer: {exc}") from exc


def _owner(side: Side) -> str:
    return "legacy's" if side is Side.LEGACY else "the core's"


def _coding(answer: Answer) -> str:
    coding = (answer.header("content-encoding") or "").strip().lower()
    return "" if coding == "identity" else coding


def _unlike(legacy: Answer, ours: bytes, core: Answer, theirs: bytes) -> Leaf:
    """One side is empty, or one is JSON and the other is not."""
    told = [
        quoted(f"{media_type(answer) or 'no type'}, {len(body)} bytes") if body else None
        for answer, body in ((legacy, ours), (core, theirs))
    ]
    return Leaf("body", "body", "body", told[0], told[1])
