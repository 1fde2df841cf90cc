"""What shoppers met on both sides of a domain, and whether the core did worse.

Only differences count: what hits both stores alike says nothing about the core. And only
what is shown: shares are judged by bounds that hold at all moments together
(`shadow_compare.core.anytime`), since they are looked at every few seconds for weeks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from cutover.core.gate import percent
from cutover.core.strata import Verdict
from proxy.routing import PPM, Domain, RollbackRule, Side
from proxy.routing.values import spelled
from shadow_compare.core.anytime import anytime_bounds_ppm

#: Nobody may be taken back by chance more than once in a thousand domains, ever.
CONFIDENCE_BP = 9_990
#: For bounds that close in quickly on a side of which a tenth or all answers fail, where
#: parity's close in on a thousandth: 52 errors of 152 are 16 % at least instead of 3 %.
_GOOD_WEIGHT = 20.0
#: Slow is what takes longer than this share of legacy's answers.
USUAL_PPM = 990_000


@dataclass(frozen=True, slots=True)
class WritesApart:
    """Routes of a domain whose writes stay with legacy, by name. Only what may be answered by
    both sides can be held against each other.

    Attributes:
        always: every request of theirs is a write.
        partly: some are, by their method.
    """

    always: frozenset[str]
    partly: frozenset[str]


def writes_apart(domains: Iterable[Domain]) -> Mapping[str, WritesApart]:
    """By domain, of those whose writes stay."""
    found = {}
    for domain in domains:
        if domain.writes_stay:
            writes = {
                route.name: [route.is_write(method) for method in route.methods]
                for route in domain.routes
            }
            found[domain.name] = WritesApart(
                frozenset(name for name, are in writes.items() if all(are)),
                frozenset(name for name, are in writes.items() if any(are) and not all(are)),
            )
    return found


@dataclass(frozen=True, slots=True)
class Tally:
    """Answers of one side in one domain.

    Attributes:
        errors: answers with a status of 500 or more, and those that the other side gave in
            this one's place.
        within: answers by the upper bound of their bucket, microseconds; those beyond the last
            bound are in none.
    """

    answers: int = 0
    errors: int = 0
    within: Mapping[int, int] = field(default_factory=dict)

    def plus(self, other: Tally) -> Tally:
        """Both taken together."""
        bounds = self.within.keys() | other.within.keys()
        within = {one: self.within.get(one, 0) + other.within.get(one, 0) for one in bounds}
        return Tally(self.answers + other.answers, self.errors + other.errors, within)

    def since(self, before: Tally) -> Tally:
        """What came since an earlier reading of the same counters.

        Counters that went back began anew in between: all that they say is new.
        """
        if self.answers < before.answers or self.errors < before.errors:
            return self
        within = {one: n - before.within.get(one, 0) for one, n in self.within.items()}
        if any(n < 0 for n in within.values()):
            return self
        return Tally(self.answers - before.answers, self.errors - before.errors, within)

    def slower_than(self, bound_us: int) -> int:
        """Answers that took longer than one of the bounds."""
        return max(0, self.answers - sum(n for one, n in self.within.items() if one <= bound_us))

    def usual_us(self) -> int | None:
        """The least bound that 99 % of the answers keep; None where none is, or without any."""
        if not self.answers:
            return None
        bounds = sorted(self.within)
        reached = accumulate(self.within[one] for one in bounds)
        for bound, so_far in zip(bounds, reached, strict=True):
            if so_far * PPM >= USUAL_PPM * self.answers:
                return bound
        return None


Both = Mapping[Side, Tally]


@dataclass(frozen=True, slots=True)
class Finding:
    """How the core did, by one span.

    Attributes:
        sentences: what was found, never empty.
        inputs: the numbers that it was judged by.
        is_thin: it saw fewer answers than asked for, so that it says little.
    """

    verdict: Verdict
    sentences: tuple[str, ...]
    inputs: Mapping[str, int] = field(default_factory=dict)
    is_thin: bool = False


def judge_live(rule: RollbackRule, spans: Sequence[tuple[str, Both]], known: Tally) -> Finding:
    """Judge what shoppers met; the worst span counts, but none that is thin beside others.

    Args:
        rule: what is allowed.
        spans: name ("in the last 2m") and tallies of each span that is looked at.
        known: what legacy was like when it last answered many; for spans in which it
            answered hardly anyone, as when the core has them all.
    """
    found = [_judge_one(rule, name, both, known) for name, both in spans]
    found = [one for one in found if not one.is_thin] or found
    for verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.PASS):
        for one in found:
            if one.verdict is verdict:
                return one
    return Finding(Verdict.INCONCLUSIVE, ("nothing was seen yet",))


def _judge_one(rule: RollbackRule, name: str, both: Both, known: Tally) -> Finding:
    core, legacy = both.get(Side.CORE, Tally()), both.get(Side.LEGACY, Tally())
    if legacy.answers < rule.requests:
        legacy = legacy.plus(known)
    inputs = {
        "core_answers": core.answers,
        "core_errors": core.errors,
        "legacy_answers": legacy.answers,
        "legacy_errors": legacy.errors,
    }
    told: dict[Verdict, list[str]] = {verdict: [] for verdict in Verdict}
    if rule.errors_ppm is not None:
        shares = (core.errors, core.answers, legacy.errors, legacy.answers)
        told[_compared(*shares, rule.errors_ppm, rule.requests)].append(
            f"{core.errors:,} of the core's {core.answers:,} answers {name} were errors,"
            f" legacy's share is {_share(legacy.errors, legacy.answers)},"
            f" {percent(rule.errors_ppm)} more are allowed"
        )
    usual_us = legacy.usual_us()
    # Of a legacy that was hardly seen nobody knows what it usually takes.
    if legacy.answers < rule.requests:
        usual_us = None
    if rule.slow_ppm is not None and usual_us is not None:
        slow, theirs = core.slower_than(usual_us), legacy.slower_than(usual_us)
        inputs |= {"slow_us": usual_us, "core_slow": slow, "legacy_slow": theirs}
        shares = (slow, core.answers, theirs, legacy.answers)
        told[_compared(*shares, rule.slow_ppm, rule.requests)].append(
            f"{slow:,} of the core's {core.answers:,} answers {name} took longer than"
            f" {spelled(usual_us / 1e6)}, legacy's share is {_share(theirs, legacy.answers)},"
            f" {percent(rule.slow_ppm)} more are allowed"
        )
    if told[Verdict.FAIL]:
        # What fewer answers than asked for have shown is shown all the same.
        return Finding(Verdict.FAIL, tuple(told[Verdict.FAIL]), inputs)
    if core.answers < rule.requests:
        few = f"{core.answers:,} of {rule.requests:,} answers of the core {name}"
        return Finding(Verdict.INCONCLUSIVE, (few,), inputs, is_thin=True)
    if told[Verdict.INCONCLUSIVE]:
        return Finding(Verdict.INCONCLUSIVE, tuple(told[Verdict.INCONCLUSIVE]), inputs)
    if not told[Verdict.PASS]:
        unknown = f"how long legacy takes is not known {name}"
        return Finding(Verdict.INCONCLUSIVE, (unknown,), inputs)
    return Finding(Verdict.PASS, tuple(told[Verdict.PASS]), inputs)


def _compared(
    bad: int, answers: int, usual: int, of: int, allowed_ppm: int, requests: int
) -> Verdict:
    """Whether a share exceeds another one by more than is allowed: surely, seemingly, or not.

    Of a legacy that was hardly seen, or never, what was seen counts and no more: its bound
    would be so wide that it excused a core of which nearly everything fails.
    """
    good = anytime_bounds_ppm(answers - bad, answers, CONFIDENCE_BP, _GOOD_WEIGHT)
    least = PPM - good.upper_ppm
    seen = usual * PPM // of if of else 0
    usually = anytime_bounds_ppm(of - usual, of, CONFIDENCE_BP, _GOOD_WEIGHT)
    most = PPM - usually.lower_ppm if of >= requests else seen
    if least > most + allowed_ppm:
        return Verdict.FAIL
    seems = bad * PPM > (seen + allowed_ppm) * answers
    return Verdict.INCONCLUSIVE if seems else Verdict.PASS


def _share(part: int, whole: int) -> str:
    return percent(round(part * PPM / whole)) if whole else "not known"
