"""A request's head, and what was decided about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum

import msgspec

from proxy.routing.graphql import GraphQLOperation, GraphQLProblem
from proxy.routing.model import Side, Stage
from proxy.routing.ticket import Ticket


class RequestHead(msgspec.Struct, frozen=True, gc=False):
    """What routing may look at: never the body, never the connection.

    Attributes:
        method: upper case.
        path: the request target's path as received, without query.
        headers: lower-case name to value; repeated fields joined by ", "
            ("; " for Cookie). At least those in the table's `wanted`.
        query: what stands behind the "?", as received.
        request_id: decides sampling, so that one request is sampled the same way
            wherever the question is asked.
        host: the Host field or the target's authority, as received.
        operation: for requests that the table's `look_ahead` asks a body for.
        ticket: of our cookie, when the table `uses_tickets`.
        visitor: a fresh random name, used when a request has no ticket and gets one.
        now_s: seconds since 1970; only pins look at it.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    query: str = ""
    request_id: str = ""
    host: str = ""
    operation: GraphQLOperation | GraphQLProblem | None = None
    ticket: Ticket | None = None
    visitor: str = ""
    now_s: int = 0


class Why(StrEnum):
    """What picked the side."""

    UNMATCHED = "unmatched"
    STAGE = "stage"
    PILOT = "pilot"
    NO_SHOPPER = "no_shopper"
    NEW_VISITOR = "new_visitor"
    BELOW_SHARE = "below_share"
    ABOVE_SHARE = "above_share"
    PINNED = "pinned"
    KILLED = "killed"
    WRITES_STAY = "writes_stay"
    MIXED = "mixed"
    UNREAD = "unread"
    REFUSED = "refused"


class Unmirrored(StrEnum):
    """What keeps an exchange from being mirrored."""

    STAGE = "stage"
    UNSAFE_METHOD = "unsafe_method"
    EFFECTS = "effects"
    NO_DRY_RUN = "no_dry_run"
    NOT_SAMPLED = "not_sampled"
    IS_SHADOW = "is_shadow"
    KILLED = "killed"
    NO_ROUTE = "no_route"


class Refusal(msgspec.Struct, frozen=True, gc=False):
    """The path is not forwarded in any form: answer 400 with this sentence."""

    reason: str


class Decision(msgspec.Struct, frozen=True, gc=False):
    """Who answers, who only listens, and why.

    Attributes:
        domain: None when no route matched: legacy answers and the request is counted.
        route: route name, or "unmatched".
        shadow: the side that is asked too, None when the exchange is not mirrored.
        noise: True when the live side is to be asked again, to learn its noise.
        bucket: the shopper's slot in [0, 10,000) for this cohort, None when not drawn.
        shopper: the shopper key's value; None when the request carries none, or when
            nothing depends on it (one side answers everything, and nobody listens).
        core_share_bp: the domain's share at the time, 0 outside canary.
        unmirrored: what kept the exchange from being mirrored, None when it is.
        fallback: True when legacy may answer in place of a core that fails.
        path: None when the path is forwarded as received; else its other form, or why
            it is refused.
        ticket: to be set on the answer; None leaves the client's as it is.
        ticket_on_success: set `ticket` only when the answer's status is below 400.
        cohort: the name that salts the bucket.
        conditions: what the route asked for besides host, path and method.
        scope: the kill scope that sent the request to legacy, None for none.
        operation: the GraphQL operation looked at, None where no route asked for one.
        has_writes: True when a hold of the domain waits for it whatever its method.
        pinned_until_s: end of the pin that picked the side, None for none.
    """

    domain: str | None
    route: str
    stage: Stage
    side: Side
    shadow: Side | None
    noise: bool
    bucket: int | None
    shopper: str | None
    revision: str
    why: Why
    core_share_bp: int
    unmirrored: Unmirrored | None
    cohort: str | None = None
    fallback: bool = False
    conditions: tuple[str, ...] = ()
    ticket: Ticket | None = None
    ticket_on_success: bool = False
    pinned_until_s: int | None = None
    path: str | Refusal | None = None
    scope: str | None = None
    operation: GraphQLOperation | GraphQLProblem | None = None
    has_writes: bool = False

    @property
    def reason(self) -> str:
        """One sentence for `explain` and for logs, put together when asked for."""
        if isinstance(self.path, Refusal):
            return f"{self.path.reason.rstrip('.')}, so the request is refused."
        return f"{_ANSWERS[self.why](self)}; {_listens(self)}."


def explanation(decision: Decision) -> dict[str, object]:
    """What `explain` answers: plain values, in the order a reader wants them.

    The first eight keys are always there; the others only where they say something.
    """
    told: dict[str, object] = {
        "domain": decision.domain,
        "route": decision.route,
        "stage": str(decision.stage),
        "side": str(decision.side),
        "shadow": None if decision.shadow is None else str(decision.shadow),
        "bucket": decision.bucket,
        "reason": decision.reason,
        "revision": decision.revision,
    }
    more: dict[str, object] = {
        "conditions": list(decision.conditions),
        "cohort": None if decision.cohort == decision.domain else decision.cohort,
        "operation": _operation(decision.operation),
        "pinned_until": decision.pinned_until_s,
        "ticket": _ticket(decision),
        "kill": decision.scope,
        "fallback": "legacy" if decision.fallback else None,
        "path": _path(decision.path),
    }
    told.update((key, value) for key, value in more.items() if value)
    return told


def _operation(found: GraphQLOperation | GraphQLProblem | None) -> dict[str, object] | None:
    if found is None:
        return None
    if isinstance(found, GraphQLProblem):
        return {"unread": str(found.kind)}
    kind = None if found.type is None else str(found.type)
    return {"type": kind, "name": found.name, "fields": list(found.fields)}


def _ticket(decision: Decision) -> dict[str, object] | None:
    ticket = decision.ticket
    if ticket is None:
        return None
    pins = [
        {"cohort": pin.group, "side": str(pin.side), "until": pin.until_s} for pin in ticket.pins
    ]
    return {"pins": pins, "set": "on success" if decision.ticket_on_success else "always"}


def _path(path: str | Refusal | None) -> str | None:
    return f"refused: {path.reason}" if isinstance(path, Refusal) else path


def _listens(decision: Decision) -> str:
    if decision.shadow is not None:
        again = f", and {decision.side} once more to learn its noise" if decision.noise else ""
        return f"{decision.shadow} is asked too{again}"
    return {
        Unmirrored.STAGE: "nobody else is asked",
        Unmirrored.UNSAFE_METHOD: "not mirrored, because this domain mirrors no writes",
        Unmirrored.EFFECTS: "not mirrored, because its route has effects",
        Unmirrored.NO_DRY_RUN: "not mirrored, because legacy cannot take a write back",
        Unmirrored.NOT_SAMPLED: "not mirrored, because the sample left it out",
        Unmirrored.IS_SHADOW: "not mirrored, because it is a mirrored request itself",
        Unmirrored.KILLED: "not mirrored, because that is switched off",
        Unmirrored.NO_ROUTE: "not mirrored, because no one route takes it",
        None: "nobody else is asked",
    }[decision.unmirrored]


def _share(decision: Decision) -> str:
    return f"{decision.domain} is in canary at {decision.core_share_bp / 100:g} %"


def _drawn(decision: Decision) -> str:
    with_whom = "" if decision.cohort == decision.domain else f" (drawn with {decision.cohort})"
    return f"{_share(decision)}{with_whom}"


_ANSWERS: Mapping[Why, Callable[[Decision], str]] = {
    Why.UNMATCHED: lambda _: "No route matches, so legacy answers",
    Why.STAGE: lambda d: f"{d.domain} is in stage {d.stage}, so {d.side} answers",
    Why.WRITES_STAY: lambda d: f"{d.domain} keeps its writes with legacy, so legacy answers",
    Why.PILOT: lambda d: f"{_share(d)} and this is a pilot, so core answers",
    Why.NO_SHOPPER: lambda d: f"{_share(d)}, but no shopper key came along, so legacy answers",
    Why.NEW_VISITOR: lambda d: (
        f"{_share(d)}, but this visitor has no ticket yet, so legacy answers and gives one"
    ),
    Why.BELOW_SHARE: lambda d: (
        f"{_drawn(d)}: bucket {d.bucket} is below {d.core_share_bp}, so core answers"
    ),
    Why.ABOVE_SHARE: lambda d: (
        f"{_drawn(d)}: bucket {d.bucket} is not below {d.core_share_bp}, so legacy answers"
    ),
    Why.PINNED: lambda d: f"{_share(d)}, and a ticket pins {d.cohort} to {d.side}, so it answers",
    Why.KILLED: lambda d: f"{d.domain} is switched off by kill {d.scope}, so legacy answers",
    Why.MIXED: lambda d: (
        "The operation's fields belong to several domains, so core answers only what is"
        f" core's altogether ({d.domain or 'no domain'} decides), and {d.side} answers"
    ),
    Why.UNREAD: lambda d: (
        "The operation could not be read, so core answers only if it would answer any"
        f" ({d.domain or 'no domain'} decides), and {d.side} answers"
    ),
    Why.REFUSED: lambda _: "The path is refused",
}
