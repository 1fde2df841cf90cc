"""What is the same for every request of a route, worked out once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import ClassVar

from proxy.routing.decision import Decision, Unmirrored, Why
from proxy.routing.kill import Kill
from proxy.routing.matcher import Candidate
from proxy.routing.model import (
    BASIS_POINTS,
    Domain,
    Pilot,
    PinPolicy,
    Route,
    Side,
    Stage,
    Writes,
)

UNMATCHED = "unmatched"
_STAGES = tuple(Stage)
_SIDES: Mapping[Stage, tuple[Side, Side | None]] = {
    Stage.LEGACY: (Side.LEGACY, None),
    Stage.SHADOW: (Side.LEGACY, Side.CORE),
    Stage.CANARY: (Side.LEGACY, Side.CORE),
    Stage.CORE: (Side.CORE, Side.LEGACY),
    Stage.RETIRED: (Side.CORE, None),
}


@dataclass(frozen=True, slots=True)
class Terms:
    """What a domain's plans share.

    Attributes:
        cohort: the name that salts the buckets and names the pins.
        pin: the cohort's pin policy.
        kill: the kill in force.
        revision: the table's.
    """

    domain: Domain
    cohort: str
    pin: PinPolicy | None
    kill: Kill | None
    revision: str


class Plan:
    """A route, for methods that are treated alike: safe ones, which may be mirrored, or others;
    those that stay with legacy where reads do not, or others.

    Attributes:
        fixed: the whole decision, where no request can change it.
        mirrored: the same for requests without a shopper key, where nothing else can
            change it; None where a share, a sample or a pin decides.
        side: who answers, as long as no share is drawn.
        shadow: who is asked too; None in stages without a mirror, and for writes of a
            domain that does not mirror them.
        needs_core: only the core may be asked, because it has to take a write back.
        draws: True in canary, where pilots, pins and buckets decide.
        pin: the pin policy, None where no pin is kept or heeded.
        ends: cohorts whose pins a request of this route ends.
        shoppers: hash that already holds the cohort's salt; copy it, then update.
        samples: the same for request ids, salted apart from the buckets, so that a
            sample is no particular set of shoppers.
    """

    __slots__ = (
        "cohort",
        "conditions",
        "core_share_bp",
        "domain",
        "draws",
        "ends",
        "fallback",
        "fixed",
        "has_writes",
        "mirrored",
        "needs_core",
        "noise_bp",
        "pilots",
        "pin",
        "revision",
        "route",
        "sample_bp",
        "samples",
        "scope",
        "shadow",
        "shoppers",
        "side",
        "stage",
        "unmirrored",
        "why",
    )

    choices: ClassVar[tuple[Candidate[Plan], ...]] = ()

    def __init__(
        self,
        route: Route,
        terms: Terms,
        ends: frozenset[str],
        *,
        is_safe: bool,
        stays: bool,
    ) -> None:
        domain, kill = terms.domain, terms.kill
        self.scope = None if kill is None else kill.stops(domain)
        self.domain: str = domain.name
        self.route: str = route.name
        self.has_writes: bool = route.has_writes
        self.conditions: tuple[str, ...] = route.conditions.texts
        self.revision: str = terms.revision
        self.stage: Stage = domain.stage if self.scope is None else Stage.LEGACY
        self.why: Why = Why.STAGE if self.scope is None else Why.KILLED
        stays = stays and self.stage in (Stage.CANARY, Stage.CORE)
        if stays:
            # A write that stays stands in shadow, whatever stage the reads have come to.
            self.stage, self.why = Stage.SHADOW, Why.WRITES_STAY
        self.side, self.shadow = _SIDES[self.stage]
        self.unmirrored: Unmirrored | None = None if self.shadow else Unmirrored.STAGE
        if kill is not None and kill.stops_shadow(domain) and _SIDES[domain.stage][1]:
            self.shadow, self.unmirrored = None, Unmirrored.KILLED
        self.needs_core: bool = False
        if self.shadow is not None and (not is_safe or route.has_effects):
            writes = domain.shadow.writes
            self.needs_core = writes is Writes.DRY_RUN
            if writes is Writes.NEVER:
                self.shadow = None
                self.unmirrored = Unmirrored.EFFECTS if is_safe else Unmirrored.UNSAFE_METHOD
            elif self.needs_core and self.shadow is Side.LEGACY:
                self.shadow, self.unmirrored = None, Unmirrored.NO_DRY_RUN
        self.draws: bool = self.stage is Stage.CANARY
        self.core_share_bp: int = domain.core_share_bp if self.draws else 0
        self.pilots: tuple[Pilot, ...] = domain.pilots
        # A pin is for who was drawn; one write would keep all reads of its shopper with legacy.
        is_pinned = self.stage in (Stage.SHADOW, Stage.CANARY) and not stays
        self.pin = terms.pin if is_pinned else None
        self.ends = ends
        self.sample_bp: int = domain.shadow.sample_bp
        self.noise_bp: int = domain.shadow.noise_bp
        self.fallback: bool = (
            domain.fallback and is_safe and self.stage in (Stage.CANARY, Stage.CORE)
        )
        self.cohort: str = terms.cohort
        self.shoppers = blake2b(f"{terms.cohort}\0".encode(), digest_size=8)
        self.samples = blake2b(f"sample\0{domain.name}\0".encode(), digest_size=8)
        self.fixed: Decision | None = None
        if not (self.draws or self.shadow or self.pin or ends):
            self.fixed = self.settled(None, self.unmirrored)
        self.mirrored: Decision | None = None
        is_whole = self.sample_bp == BASIS_POINTS and not self.noise_bp
        if self.shadow is not None and is_whole and not (self.draws or self.pin or ends):
            self.mirrored = self.settled(None, None)

    def settled(self, shopper: str | None, unmirrored: Unmirrored | None) -> Decision:
        """The decision of a stage that draws nothing."""
        return Decision(
            self.domain,
            self.route,
            self.stage,
            self.side,
            self.shadow if unmirrored is None else None,
            False,
            None,
            shopper,
            self.revision,
            self.why,
            self.core_share_bp,
            unmirrored,
            self.cohort,
            self.fallback and self.side is Side.CORE,
            self.conditions,
            scope=self.scope,
            has_writes=self.has_writes,
        )

    @property
    def progress(self) -> tuple[int, int]:
        """How far its domain has moved: stage, then share."""
        return _STAGES.index(self.stage), self.core_share_bp

    @property
    def only_side(self) -> Side | None:
        """The side that answers every request of it, None when a share is drawn."""
        return None if self.draws else self.side


class Nobody:
    """Stands for a plan where no route matches."""

    __slots__ = ("fixed",)

    choices: ClassVar[tuple[Candidate[Plan], ...]] = ()

    def __init__(self, revision: str) -> None:
        self.fixed = Decision(
            domain=None,
            route=UNMATCHED,
            stage=Stage.LEGACY,
            side=Side.LEGACY,
            shadow=None,
            noise=False,
            bucket=None,
            shopper=None,
            revision=revision,
            why=Why.UNMATCHED,
            core_share_bp=0,
            unmirrored=Unmirrored.STAGE,
        )


class Choice:
    """Several routes of one place: which one takes a request, its conditions tell."""

    __slots__ = ("choices", "reads_graphql")

    fixed: ClassVar[None] = None

    def __init__(self, choices: tuple[Candidate[Plan], ...]) -> None:
        self.choices = choices
        self.reads_graphql = any(c.conditions.graphql is not None for c in choices)


class Odd:
    """A path that is spelled out of the ordinary, under two readings."""

    __slots__ = ("lenient", "plain", "raw")

    fixed: ClassVar[None] = None

    def __init__(
        self, raw: str, plain: Plan | Nobody | Choice, lenient: Plan | Nobody | Choice
    ) -> None:
        self.raw = raw
        self.plain = plain
        self.lenient = lenient


Found = Plan | Nobody | Choice | Odd
