"""Errors that this package raises on purpose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


class CoreError(Exception):
    """Root of this package's errors. Callers catch this one or a leaf."""


class NotFound(CoreError):
    """The caller named something that the core does not have.

    Attributes:
        entity: what was asked for, e.g. "product".
        key: the name under which it was asked for.
    """

    def __init__(self, entity: str, key: str) -> None:
        super().__init__(f"there is no {entity} {key}")
        self.entity = entity
        self.key = key


class InvalidValue(CoreError):
    """A value that the core cannot hold; trying again does not help.

    Attributes:
        field: which value.
        problem: what is wrong with it, as the rest of a sentence.
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field} {problem}")
        self.field = field
        self.problem = problem


class StoreUnavailable(CoreError):
    """The database did not answer, or not in time; nothing was written, safe to try again."""


class WriteFenced(StoreUnavailable):
    """Another store owns what the request would change, or is about to; nothing was written.
    Ask again: whoever routes requests knows the owner soon.

    Attributes:
        domain: what is not this core's to change now, e.g. "orders".
    """

    def __init__(self, domain: str) -> None:
        super().__init__(f"this core does not take writes of {domain} now")
        self.domain = domain


class BusUnavailable(CoreError):
    """The bus took nothing; the events are kept and sent again."""


class SchemaMismatch(CoreError):
    """The database's tables are not those of this program."""


class CursorMoved(CoreError):
    """Another writer moved the import cursor; this one's page was rolled back.

    Attributes:
        stream: name of the cursor.
    """

    def __init__(self, stream: str) -> None:
        super().__init__(f"another import is writing {stream}")
        self.stream = stream


class ChangedMeanwhile(CoreError):
    """The caller wants to change what is not any more as the caller saw it."""


class DryRunStrayed(CoreError):
    """A dry run wanted to leave its transaction and was not let; nothing of it stays."""


class DryRunNotTakenBack(CoreError):
    """A dry run ended and nobody can tell that its transaction was rolled back whole."""


@dataclass(frozen=True, slots=True)
class Detail:
    """One of several reasons for a refusal.

    Attributes:
        pointer: what in the request it is about (RFC 6901), e.g. "/lines/3".
        meta: JSON that a program can act on, e.g. how many units there are.
    """

    pointer: str
    code: str
    detail: str
    meta: Mapping[str, object] = field(default_factory=dict)


class Conflict(CoreError):
    """What is asked for does not fit the state of things; asking the same again does not help
    until that state changes.

    Attributes:
        code: names the kind of conflict, e.g. "insufficient_stock".
        details: every reason, when there are several.
    """

    def __init__(self, code: str, detail: str, details: tuple[Detail, ...] = ()) -> None:
        super().__init__(detail)
        self.code = code
        self.details = details


class PromotionExhausted(Conflict):
    """Somebody else had the last use of a promotion meanwhile."""

    def __init__(self, name: str) -> None:
        super().__init__("promotion_exhausted", f"{name} has no uses left")


class RequestInFlight(Conflict):
    """The same request is being worked on."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__("request_in_flight", "the request with this key is being worked on")
        self.retry_after_s = retry_after_s


class RequestKeyReused(CoreError):
    """An idempotency key came again with another request."""


class BadRequest(CoreError):
    """The request lacks something that every such request has.

    Attributes:
        code: names what, e.g. "idempotency_key_missing".
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class PreconditionMissing(CoreError):
    """The caller does not say which state of a thing they want to change (If-Match)."""


class Unauthenticated(CoreError):
    """Nobody knows who asks: no token, or one that does not hold."""


class Forbidden(CoreError):
    """The one who asks may not do this.

    Attributes:
        scope: what they would need; empty where no scope lets them.
    """

    def __init__(self, scope: str, detail: str = "") -> None:
        super().__init__(detail or f"this needs the scope {scope}")
        self.scope = scope


class TooManyTries(CoreError):
    """Somebody tried too often.

    Attributes:
        retry_after_s: when they may try again.
    """

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"too many tries; try again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


class GatewayUnavailable(CoreError):
    """A gateway did not answer; nothing is known, and asking again is safe.

    Attributes:
        gateway: its code.
    """

    def __init__(self, gateway: str, problem: str) -> None:
        super().__init__(f"gateway {gateway} does not answer: {problem}")
        self.gateway = gateway


class WebhookRefused(CoreError):
    """What came in is no message of the gateway whose name it bears."""


class GrantRefused(CoreError):
    """No token for this.

    Attributes:
        error: the code of RFC 6749, section 5.2, e.g. "invalid_grant".
    """

    def __init__(self, error: str, detail: str) -> None:
        super().__init__(detail)
        self.error = error
