"""The nouns of routing. Frozen, compared by value, free of I/O.

Shares and samples are integer basis points (10,000 = all); parity thresholds are
parts per million, because leaders write 99.995 %.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from typing_extensions import override

from proxy.routing.conditions import UNCONDITIONAL, Conditions
from proxy.routing.gating import (
    Compliance,
    DataGate,
    ErrorsGate,
    GateName,
    LatencyGate,
    Risk,
    WebhookGate,
)
from proxy.routing.stepping import Approvals, Calendar, LoadGate, Ramp, RollbackRule
from proxy.routing.terms import USUAL_TERMS, RuleTerms

BASIS_POINTS = 10_000
PPM = 1_000_000
READING_METHODS = frozenset(("GET", "HEAD", "OPTIONS"))


class Side(StrEnum):
    """The two stores. `LEGACY` is always the control in a comparison."""

    LEGACY = "legacy"
    CORE = "core"

    @property
    def other(self) -> Side:
        """The opposite side."""
        return Side.CORE if self is Side.LEGACY else Side.LEGACY


class Stage(StrEnum):
    """How far a domain has moved.

    legacy: legacy answers, nobody listens. shadow: legacy answers, the core is asked
    too. canary: a share of shoppers and all pilots get the core, the other side is
    asked too. core: the core answers, legacy is asked too. retired: the core alone.
    """

    LEGACY = "legacy"
    SHADOW = "shadow"
    CANARY = "canary"
    CORE = "core"
    RETIRED = "retired"


class Writes(StrEnum):
    """The write ladder.

    never: unsafe methods are not mirrored. dry_run: the core runs a write and takes it
    back. verify: a write is captured but not sent again; reads of both sides are compared
    after it.
    """

    NEVER = "never"
    DRY_RUN = "dry_run"
    VERIFY = "verify"


class When(StrEnum):
    """When the other side is asked.

    parallel: as soon as the comparer has read the exchange, which ended before it was
    written. after_live: not before a pause after the live answer, in which data may
    reach the other side.
    """

    PARALLEL = "parallel"
    AFTER_LIVE = "after_live"


class KeyKind(StrEnum):
    """Where a shopper key is looked for."""

    HEADER = "header"
    COOKIE = "cookie"
    TICKET = "ticket"


class AmbiguousPaths(StrEnum):
    """What happens to a path that stores may read as another domain's.

    refuse: 400. canonical: its canonical form is matched and forwarded. as_received: the
    domain that has moved furthest takes it, and it is forwarded as it came.
    """

    REFUSE = "refuse"
    CANONICAL = "canonical"
    AS_RECEIVED = "as_received"


@dataclass(frozen=True, slots=True)
class StoreTls:
    """How an https store is trusted, and how the proxy shows itself to it.

    Attributes:
        ca: file of the certificates that are trusted; None takes the system's.
        certificate: file of the client certificate chain, None for none.
        key: file of its private key; None when it is in `certificate`.
        server_name: name in the store's certificate; None takes the URL's host.
    """

    ca: str | None = None
    certificate: str | None = None
    key: str | None = None
    server_name: str | None = None

    @property
    def files(self) -> tuple[tuple[str, str], ...]:
        """Key and name of each file that is given."""
        given = (("ca", self.ca), ("certificate", self.certificate), ("key", self.key))
        return tuple((key, name) for key, name in given if name is not None)


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """An active check: GET `path` every so often; an answer below 500 in time is healthy.

    Attributes:
        unhealthy_after: failures in a row that take the store out.
        healthy_after: successes in a row that bring it back.
    """

    path: str
    every_s: float = 2.0
    timeout_s: float = 1.0
    unhealthy_after: int = 3
    healthy_after: int = 2


@dataclass(frozen=True, slots=True)
class Breaker:
    """When a store that keeps failing is left alone for a while.

    Attributes:
        failures_bp: share of failed exchanges that opens the breaker.
        min_requests: exchanges in the window before it can open.
        window_s: how far back is looked.
        open_s: how long nobody is let through; then a few trials decide.
    """

    failures_bp: int = 5_000
    min_requests: int = 20
    window_s: float = 10.0
    open_s: float = 5.0


@dataclass(frozen=True, slots=True)
class StoreTimeouts:
    """A store's own deadlines in seconds; None takes the proxy's settings.

    Attributes:
        total_s: from the request's head to the answer's last byte; None sets no bound,
            so that long downloads and event streams may go on.
    """

    connect_s: float | None = None
    first_byte_s: float | None = None
    total_s: float | None = None


@dataclass(frozen=True, slots=True)
class Store:
    """One side's address and how it is treated.

    Attributes:
        release: names what runs there; a new one starts a new epoch.
        max_in_flight: exchanges at the same time per worker; None takes the setting.
        health: None for no active check.
        breaker: None for none.
        region: where its data is; None where nobody said.
    """

    side: Side
    url: str
    adapter: str | None = None
    release: str | None = None
    tls: StoreTls = StoreTls()
    timeouts: StoreTimeouts = StoreTimeouts()
    max_in_flight: int | None = None
    health: HealthCheck | None = None
    breaker: Breaker | None = None
    region: str | None = None


@dataclass(frozen=True, slots=True)
class ShopperKey:
    """A header (lower-case name) or cookie whose value makes a shopper sticky.

    Kind `ticket` is the proxy's own cookie; its name is empty.
    """

    kind: KeyKind
    name: str = ""

    @override
    def __str__(self) -> str:
        return f"{self.kind}:{self.name}" if self.name else str(self.kind)


@dataclass(frozen=True, slots=True)
class Pilot:
    """Headers (lower-case name, exact value) that must all be present to get the core."""

    headers: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Route:
    """A path template with its methods, perhaps a host, and conditions.

    Attributes:
        domain: name of the domain that owns the route.
        host: lower case, without port; "*.example.com" for every name below that one;
            None for any host.
        has_effects: a request of it does more than change the shop's own rows (mail,
            payment, tax, stock elsewhere), so it is mirrored like a write, reads too.
        has_writes: a request of it writes the shop's own rows although its method is safe, as
            oscar makes a basket for whoever asks for theirs; so it waits in a hold too.
        pause_s: least time between the live answer and the question to the other side;
            None takes the domain's.
        name: methods, host, template and conditions, e.g. "GET /api/products/{id}/":
            stable, low in cardinality, used as a metric label.
    """

    domain: str
    path: str
    methods: tuple[str, ...]
    host: str | None = None
    conditions: Conditions = UNCONDITIONAL
    has_effects: bool = False
    has_writes: bool = False
    pause_s: float | None = None

    @property
    def name(self) -> str:
        """Methods and place in one string."""
        return f"{','.join(self.methods)} {self.place}"

    def is_write(self, method: str) -> bool:
        """Whether a request of it with this method changes the shop's own rows."""
        return self.has_writes or method not in READING_METHODS

    @property
    def place(self) -> str:
        """All of the name but the methods: what must be the same for two routes to be one."""
        asked = f" [{'; '.join(self.conditions.texts)}]" if self.conditions else ""
        return f"{self.host or ''}{self.path}{asked}"


@dataclass(frozen=True, slots=True)
class PinPolicy:
    """How long a shopper that came to a domain stays on the side that answered first.

    Attributes:
        lasts_s: a pin ends this long after the last request, or half of it earlier:
            it is only renewed when less than half is left.
        until: the request that ends it ("POST /api/checkout/"), None for none.
    """

    lasts_s: int
    until: str | None = None


@dataclass(frozen=True, slots=True)
class Credentials:
    """What may let the other side know who asks. By default nothing does.

    Attributes:
        forward: headers and cookies of the shopper that are sent on as they came.
        replace: headers (lower-case name) with the environment variable of the comparer
            that holds their value.
    """

    forward: tuple[ShopperKey, ...] = ()
    replace: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class VerifyRead:
    """A read that is compared after a write, at the earliest `after_s` seconds after it.

    `read` is the path of a GET route of the same domain. A write's route fills its
    variables; routes that cannot are none of its business.
    """

    read: str
    after_s: float


@dataclass(frozen=True, slots=True)
class ShadowPolicy:
    """What of a domain is mirrored, and how the other side is asked.

    Attributes:
        sample_bp: share of exchanges that are mirrored.
        noise_bp: share of those that are asked of the live side once more.
        after_s: the pause of `after_live`, else 0.
        recheck_s: after which time a GET that differed is asked of both sides once more;
            None for not at all.
        verify: what `verify` compares after a write.
    """

    sample_bp: int = BASIS_POINTS
    noise_bp: int = 0
    writes: Writes = Writes.NEVER
    when: When = When.PARALLEL
    after_s: float = 0.0
    recheck_s: float | None = None
    credentials: Credentials = Credentials()
    verify: tuple[VerifyRead, ...] = ()


class Accept(StrEnum):
    """What a rule forgives at its path; nothing is forgiven without a rule.

    any: whatever differs. unordered: an array's order. keyed: the order of an array whose
    elements are told apart by members of theirs. timestamp: both sides hold a valid ISO
    8601 time. date: the same instant, or the same day, written differently. uuid: both
    hold a UUID. mapped_id: one store's id for the other's, one to one. url: the same
    address at another host. money: the same amount written differently. number: two
    numbers close to each other. number_text: 1.50 against "1.50". text: the same text but
    for case, white space or Unicode form. null_or_absent: null against a missing key.
    empty_or_absent: null, "", [] or {} against each other or a missing key.
    """

    ANY = "any"
    UNORDERED = "unordered"
    KEYED = "keyed"
    TIMESTAMP = "timestamp"
    DATE = "date"
    UUID = "uuid"
    MAPPED_ID = "mapped_id"
    URL = "url"
    MONEY = "money"
    NUMBER = "number"
    NUMBER_TEXT = "number_text"
    TEXT = "text"
    NULL_OR_ABSENT = "null_or_absent"
    EMPTY_OR_ABSENT = "empty_or_absent"


@dataclass(frozen=True, slots=True)
class CompareRule:
    """An accepted difference: someone owns it, it has a reason, and it expires.

    Attributes:
        path: JSONPath subset: `$`, `.name`, `['name']`, `[*]`, `..name`. Index-free.
        expires: last day on which the rule is in force.
        routes: path templates the rule is limited to; empty means the whole domain.
        terms: how far it goes.
    """

    path: str
    accept: Accept
    owner: str
    reason: str
    expires: date
    routes: tuple[str, ...] = ()
    terms: RuleTerms = USUAL_TERMS

    @property
    def name(self) -> str:
        """What a verdict calls the rule: its kind, its path and what its terms state."""
        stated = "".join(f" {name}={text}" for name, text in self.terms.stated())
        return f"{self.accept} {self.path}{stated}"


@dataclass(frozen=True, slots=True)
class ValueRule:
    """Where answers say what money they are about. It decides no verdict.

    Attributes:
        path: of the amount, in the dialect of compare rules; several are added up.
        currency: three letters, or the path at which an answer names it.
        routes: path templates it holds for; empty means every route without its own rule.
        in_minor: amounts are whole numbers of minor units (cents).
    """

    path: str
    currency: str
    routes: tuple[str, ...] = ()
    in_minor: bool = False


@dataclass(frozen=True, slots=True)
class ComparePolicy:
    """What is compared besides status and body, and the rules.

    Attributes:
        headers: names in lower case.
        rules: accepted differences.
        cookies: names of cookies that the answer sets: whether it does, and how.
        cookie_values: those of them whose values count too.
        values: where money stands.
    """

    headers: tuple[str, ...] = ()
    rules: tuple[CompareRule, ...] = ()
    cookies: tuple[str, ...] = ()
    cookie_values: tuple[str, ...] = ()
    values: tuple[ValueRule, ...] = ()


@dataclass(frozen=True, slots=True)
class ParityGate:
    """What a domain needs before it may take a step forward.

    Attributes:
        min_ppm: parity that must be shown, as a lower bound (999_000 = 99.9 %).
        confidence_bp: confidence of that bound (9_500 = 95 %).
        samples: distinct pairs of shopper and request needed at least.
        max_loss_ppm: share of mirrored exchanges that may end uncompared.
        min_weight_ppm: share of a domain's samples from which on a stratum has to show
            the parity by itself.
    """

    min_ppm: int
    confidence_bp: int
    samples: int
    max_loss_ppm: int = 10_000
    min_weight_ppm: int = 10_000


@dataclass(frozen=True, slots=True)
class Domain:
    """A business domain: its routes, its stage, and how it is proven.

    Attributes:
        ungated: True when the file says `gates: {}`: the owner asks for no proof.
            A domain that says nothing about gates is not ungated; it stays behind
            the shadow stage until it says something.
        cohort_with: the domain whose shoppers' buckets this one shares, None for its own.
        pin: for the whole cohort; only the domain that others name may have one.
        fallback: legacy answers GET and HEAD when the core fails to.
        calendar: when its steps forward may be taken; None for always.
        approvals: who must have said yes to its next stage; None for nobody.
        ramp: how its share grows by itself; None where people write each share.
        rollback: when it goes back by itself; None for never.
        data_gate, latency_gate, errors_gate, webhook_gate: what a step asks besides; None for
            nothing.
        observed: gates whose word is written down and holds nothing back.
        risks: what could go wrong in moving it.
        compliance: rules about its data; None where there are none.
        load_gate: what a load test must have shown; None for nothing.
        writes_stay: writes go to legacy, whoever gets the core's answers to reads.
    """

    name: str
    owner: str
    stage: Stage
    routes: tuple[Route, ...]
    core_share_bp: int = 0
    pilots: tuple[Pilot, ...] = ()
    shadow: ShadowPolicy = field(default_factory=ShadowPolicy)
    compare: ComparePolicy = field(default_factory=ComparePolicy)
    parity_gate: ParityGate | None = None
    ungated: bool = False
    cohort_with: str | None = None
    pin: PinPolicy | None = None
    fallback: bool = False
    calendar: Calendar | None = None
    approvals: Approvals | None = None
    ramp: Ramp | None = None
    rollback: RollbackRule | None = None
    data_gate: DataGate | None = None
    latency_gate: LatencyGate | None = None
    errors_gate: ErrorsGate | None = None
    webhook_gate: WebhookGate | None = None
    observed: frozenset[GateName] = frozenset()
    risks: tuple[Risk, ...] = ()
    compliance: Compliance | None = None
    load_gate: LoadGate | None = None
    writes_stay: bool = False
