"""What a step forward asks besides parity, the calendar and people. Frozen, free of I/O."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class GateName(StrEnum):
    """Every gate that there is, as `observe` names it.

    parity: answers are equal. coverage: every route was compared. calendar: the hour is
    right. approvals: people said yes. data: both databases hold the same. latency: the core
    is as fast. errors: it fails no more often. webhook: somebody else's system says yes.
    loadtest: the core bears as much. risks: no severe risk is open. checkpoints: what the
    data's class asks for is done.
    """

    PARITY = "parity"
    COVERAGE = "coverage"
    CALENDAR = "calendar"
    APPROVALS = "approvals"
    DATA = "data"
    LATENCY = "latency"
    ERRORS = "errors"
    WEBHOOK = "webhook"
    LOADTEST = "loadtest"
    RISKS = "risks"
    CHECKPOINTS = "checkpoints"


@dataclass(frozen=True, slots=True)
class DataGate:
    """What must be so of the data behind a domain before shoppers meet the core.

    Attributes:
        drift: differences between both databases that nobody mended or accepted, at most.
        lag_s: how long a change may take to the other side; None where it is not judged.
        pass_s: how old the last comparison of everything without a difference may be; None
            where none is asked for.
        ready: the way to the other side must be open, as `banyan readiness` says.
    """

    drift: int = 0
    lag_s: float | None = None
    pass_s: float | None = None
    ready: bool = False


@dataclass(frozen=True, slots=True)
class LatencyGate:
    """How much slower than legacy the core may be, over the last hour.

    Attributes:
        p50, p95, p99: legacy's figure times so many thousandths is allowed (1,200 is 1.2x);
            None where it is not judged.
        requests: answers of each side that are needed.
    """

    p50: int | None = None
    p95: int | None = None
    p99: int | None = None
    requests: int = 500


@dataclass(frozen=True, slots=True)
class ErrorsGate:
    """How much more often than legacy the core may fail, over the last hour.

    Attributes:
        max_excess_ppm: by how much the core's share of errors may exceed legacy's.
        requests: answers of each side that are needed.
    """

    max_excess_ppm: int
    requests: int = 500


@dataclass(frozen=True, slots=True)
class WebhookGate:
    """Another system that is asked whether a step may be taken.

    Attributes:
        secret_env: the variable whose value signs the question; None for an unsigned one.
    """

    url: str
    timeout_s: float = 5.0
    secret_env: str | None = None


class Level(StrEnum):
    """How likely a risk is, and how bad."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class RiskState(StrEnum):
    """What became of a risk.

    open: nothing yet. mitigated: something was done about it. accepted: its owner lives
    with it.
    """

    OPEN = "open"
    MITIGATED = "mitigated"
    ACCEPTED = "accepted"


@dataclass(frozen=True, slots=True)
class Risk:
    """What could go wrong in moving a domain.

    Attributes:
        id: names it in the file, unique within its domain.
        owner: who looks after it.
        mitigation: what is done about it, or why it is accepted; "" while it is open.
        review: the day on which somebody looks at it again; None where nobody must.
    """

    id: str
    what: str
    likelihood: Level
    impact: Level
    owner: str
    state: RiskState = RiskState.OPEN
    mitigation: str = ""
    review: date | None = None


class DataClass(StrEnum):
    """What a domain's data says of people."""

    PUBLIC = "public"
    INTERNAL = "internal"
    PERSONAL = "personal"
    HEALTH = "health"
    PAYMENT = "payment"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Something that has to be done before sensitive data moves.

    Attributes:
        done: the day on which it was; None while it is not.
        by: who says so.
        reference: where its record stands.
    """

    what: str
    done: date | None = None
    by: str = ""
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Compliance:
    """What rules there are about a domain's data.

    Attributes:
        regions: where it may be; empty where that is free.
    """

    data_class: DataClass = DataClass.INTERNAL
    regions: tuple[str, ...] = ()
    checkpoints: tuple[Checkpoint, ...] = ()


#: Data that may not leave its region.
BOUND = frozenset((DataClass.PERSONAL, DataClass.HEALTH))
