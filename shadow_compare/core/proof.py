"""Prove a set of rules: seed defects into recorded pairs and see which it would miss."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from shadow_compare.core.answer import Answer
from shadow_compare.core.bodies import decoded
from shadow_compare.core.judge import Exchange, Judge
from shadow_compare.core.seeding import DEFECTS, Defect
from shadow_compare.core.verdict import Outcome, Verdict
from shadow_compare.errors import UnreadableError

TRIALS_PER_PLACE = 3

_EQUAL = (Outcome.MATCH, Outcome.ACCEPTED)


@dataclass(frozen=True, slots=True)
class Trial:
    """One defect in one pair.

    Attributes:
        pattern: where it was seeded.
        caught: the verdict was not one of equality.
        culprits: what kept it from being caught: names of rules, or in words why nobody
            looked there.
    """

    kind: str
    pattern: str
    caught: bool
    culprits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Missed:
    """A place at which a kind of defect goes unseen, and why."""

    pattern: str
    culprits: tuple[str, ...]
    trials: int


@dataclass(frozen=True, slots=True)
class KindProof:
    """What became of one kind of defect on one route.

    Attributes:
        seeded: how often it was seeded; 0 when it had no place, and then nothing is proven.
        caught: how often the judge did not call the pair equal.
    """

    kind: str
    told: str
    is_critical: bool
    seeded: int
    caught: int
    missed: tuple[Missed, ...]


@dataclass(frozen=True, slots=True)
class RouteProof:
    """A route's rules, proven.

    Attributes:
        pairs: recorded pairs that defects were seeded into.
        unread: pairs that cannot be judged at all, and so prove nothing.
    """

    route: str
    pairs: int
    unread: int
    kinds: tuple[KindProof, ...]

    @property
    def missed(self) -> tuple[KindProof, ...]:
        """Kinds that are missed somewhere."""
        return tuple(kind for kind in self.kinds if kind.missed)

    @property
    def nowhere(self) -> tuple[str, ...]:
        """Kinds that had no place in any of the pairs."""
        return tuple(kind.kind for kind in self.kinds if not kind.seeded)


class Prover:
    """Proves one route's judge, a pair at a time. Belongs to one task.

    Args:
        lot: draws the places; the same lot and pairs give the same proof.
    """

    def __init__(
        self, route: str, judge: Judge, lot: int = 1, defects: Sequence[Defect] = DEFECTS
    ) -> None:
        self._route = route
        self._judge = judge
        self._lot = lot
        self._defects = defects
        self._pairs = self._unread = 0
        self._places: Counter[tuple[str, str]] = Counter()
        self._trials: list[Trial] = []

    def add(self, exchange: Exchange) -> None:
        """Seed every kind at every pattern of this pair that was not yet tried enough."""
        base = equal_pair(exchange, self._judge)
        if base is None:
            self._unread += 1
            return
        self._pairs += 1
        before = self._judge.judge(base)
        for defect in self._defects:
            for spot in defect.spots(base.core, self._lot + self._pairs):
                place = (defect.kind, spot.pattern)
                if self._places[place] < TRIALS_PER_PLACE:
                    self._places[place] += 1
                    after = self._judge.judge(replace(base, core=spot.answer))
                    self._trials.append(_trial(defect.kind, spot.pattern, before, after))

    def proof(self) -> RouteProof:
        """What the pairs so far have shown."""
        kinds = tuple(_kind_proof(defect, self._trials) for defect in self._defects)
        return RouteProof(self._route, self._pairs, self._unread, kinds)


def equal_pair(exchange: Exchange, judge: Judge) -> Exchange | None:
    """A pair that the judge calls equal, bodies unpacked, to seed a defect into.

    A pair that already differs would hide whether the defect was seen, so legacy's answer
    stands for both sides there. None when the answers cannot be read.
    """
    try:
        legacy, core = _plain(exchange.legacy), _plain(exchange.core)
    except UnreadableError:
        return None
    base = Exchange(exchange.method, legacy, core, exchange.live)
    outcome = judge.judge(base).outcome
    if outcome is Outcome.MISMATCH:
        base = replace(base, core=legacy)
        outcome = judge.judge(base).outcome
    return base if outcome in _EQUAL else None


def _plain(answer: Answer) -> Answer:
    headers = tuple(line for line in answer.headers if line[0].lower() != "content-encoding")
    return replace(answer, body=decoded(answer), headers=headers)


def _trial(kind: str, pattern: str, before: Verdict, after: Verdict) -> Trial:
    if after.outcome not in _EQUAL:
        return Trial(kind, pattern, caught=True)
    known = set(before.accepted)
    culprits = {one.rule for one in after.accepted if one not in known}
    if not culprits:
        culprits = set(after.used) - set(before.used)
    if not culprits and pattern.startswith("header:"):
        culprits = {f"{pattern.removeprefix('header:')} is not in compare.headers"}
    return Trial(kind, pattern, False, tuple(sorted(culprits)) or ("equal to the judge",))


def _kind_proof(defect: Defect, trials: Iterable[Trial]) -> KindProof:
    own = [trial for trial in trials if trial.kind == defect.kind]
    missed = Counter((trial.pattern, trial.culprits) for trial in own if not trial.caught)
    return KindProof(
        kind=defect.kind,
        told=defect.told,
        is_critical=defect.is_critical,
        seeded=len(own),
        caught=sum(trial.caught for trial in own),
        missed=tuple(Missed(*place, count) for place, count in sorted(missed.items())),
    )


def failures(proofs: Iterable[RouteProof], *, critical_only: bool) -> Iterator[str]:
    """Sentences about what would be missed; none when the rules hold."""
    for proof in proofs:
        for kind in proof.missed:
            if kind.is_critical or not critical_only:
                for one in kind.missed:
                    why = ", ".join(one.culprits)
                    yield f"{proof.route}: {kind.kind} at {one.pattern} is missed ({why})"
