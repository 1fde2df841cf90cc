"""What a case of the matrix is: bytes, a store's doings, and what must come of it. All data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Grade(IntEnum):
    """How good an outcome is. SAFE: otherwise than asked for, but on the safe side (another
    status, a mute close, stricter than need be). LAX: laxer than asked for; nobody is hurt.
    """

    RIGHT = 0
    SAFE = 1
    LAX = 2
    WRONG = 3
    DANGEROUS = 4

    @property
    def rank(self) -> int:
        """For comparing: SAFE and LAX are two kinds of the same."""
        return (0, 1, 1, 2, 3)[self]

    @property
    def is_failure(self) -> bool:
        return self >= Grade.WRONG


# Steps, of the client or of the store.


@dataclass(frozen=True, slots=True)
class Send:
    data: bytes


@dataclass(frozen=True, slots=True)
class Pause:
    seconds: float


@dataclass(frozen=True, slots=True)
class UntilStore:
    """Wait until the store has read these bytes; a wait in vain is recorded as a stall."""

    mark: bytes


@dataclass(frozen=True, slots=True)
class UntilClient:
    """Wait until the client has read these bytes."""

    mark: bytes


@dataclass(frozen=True, slots=True)
class HalfClose:
    """Send FIN, go on reading."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Send RST."""


@dataclass(frozen=True, slots=True)
class UntilStoreEnds:
    """Wait until the proxy ends a connection to the store."""


@dataclass(frozen=True, slots=True)
class ReadHead:
    """The store reads to the end of a head; `ReadRequest` may take head and body after it."""


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """The store reads a request, head and body, as a lenient server would."""


@dataclass(frozen=True, slots=True)
class Answering:
    """The store answers request after request, the last answer for ever."""

    answers: tuple[bytes, ...]


Step = (
    Send
    | Pause
    | UntilStore
    | UntilClient
    | UntilStoreEnds
    | HalfClose
    | Reset
    | ReadHead
    | ReadRequest
    | Answering
)

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"


# What must come of it.


@dataclass(frozen=True, slots=True)
class Got:
    """What the client must get.

    Attributes:
        statuses: of the final answers, in order.
        body: of the first of them, without its framing.
        has: header lines of the first; the case of names does not matter.
        lacks: names or beginnings of lines (lower case) that must not be in it.
        interim: statuses of interim answers, in order.
        end: "open", "closed", or "" when it does not matter.
        framed: "length", "chunked", "close", "none", or "".
        tunnel: bytes behind a 101.
    """

    statuses: tuple[int, ...] = (200,)
    body: bytes | None = b"ok"
    has: tuple[bytes, ...] = ()
    lacks: tuple[bytes, ...] = ()
    interim: tuple[int, ...] | None = None
    end: str = ""
    framed: str = ""
    trailer: bytes | None = None
    tunnel: bytes | None = None


@dataclass(frozen=True, slots=True)
class Forwarded:
    """The request goes through, and its answer comes back.

    Attributes:
        lines: request lines that the store must see, in order; () for any, `count` of them.
        has: header lines of the first; the case of names does not matter.
        lacks: beginnings of lines (lower case) that must not be in it.
        block: bytes that must stand together in the first head.
        body: of the first request, without its framing.
        is_optional: refusing it is SAFE.
        harm: grade when `has`, `lacks`, `block` or `body` are not met.
        stall_harm: grade when something was held back that should have flowed.
        got_harm: grade when the client did not get `got`.
    """

    lines: tuple[str, ...] = ()
    count: int = 1
    has: tuple[bytes, ...] = ()
    lacks: tuple[bytes, ...] = ()
    block: bytes = b""
    body: bytes | None = None
    tunnel: bytes | None = None
    got: Got = Got()
    is_optional: bool = False
    harm: Grade = Grade.WRONG
    stall_harm: Grade = Grade.WRONG
    got_harm: Grade = Grade.WRONG


@dataclass(frozen=True, slots=True)
class Refused:
    """No store may see this.

    Attributes:
        statuses: the right ones.
        is_begun: the fault stands in the body, so that a head may have gone ahead.
        before: answers to good requests that come first.
        hazard: bytes (lower case) that make it dangerous, when a store sees them.
        harm: grade when a store sees a hazard or a stream that is not clean.
        mended: grade when a proxy mends it and forwards one clean request.
    """

    statuses: tuple[int, ...] = (400,)
    is_begun: bool = False
    before: int = 0
    hazard: bytes = b""
    harm: Grade = Grade.DANGEROUS
    mended: Grade = Grade.LAX


@dataclass(frozen=True, slots=True)
class Unusable:
    """The store's answer is none: the client gets the proxy's own, or none.

    Attributes:
        never: bytes (lower case) that the client must not see.
        passed: grade when the answer is passed on, cleanly framed, without those bytes.
        harm: grade when the client sees them, or gets a stream that is not clean.
    """

    statuses: tuple[int, ...] = (502,)
    never: bytes = b""
    passed: Grade = Grade.LAX
    harm: Grade = Grade.DANGEROUS


@dataclass(frozen=True, slots=True)
class Cut:
    """The store's answer breaks off: the client must be able to tell."""

    passed: Grade = Grade.DANGEROUS


@dataclass(frozen=True, slots=True)
class Answered:
    """The client gets this, whatever the store has seen."""

    got: Got


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The client leaves: the proxy ends its connection to the store."""


@dataclass(frozen=True, slots=True)
class AnyOf:
    """The best of several outcomes counts."""

    options: tuple[Expectation, ...]


Expectation = Forwarded | Refused | Unusable | Cut | Answered | Cancelled | AnyOf


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the matrix.

    Attributes:
        name: a sentence that is true of a good proxy.
        client: steps of the client. The proxy's answers are read all the while.
        store: steps for the store's first connection, its second, ...; the last for all more.
        answers: final answers to wait for before the client leaves.
        is_head: the first request is a HEAD.
        is_ours: about a rule of our own; peers are not asked.
        patience_s: how long a side waits for the other.
    """

    name: str
    category: str
    client: tuple[Step, ...]
    wants: Expectation
    store: tuple[tuple[Step, ...], ...] = ((Answering((OK,)),),)
    answers: int = 1
    is_head: bool = False
    is_ours: bool = False
    patience_s: float = 3.0


# What was recorded.


@dataclass(frozen=True, slots=True)
class StoreSide:
    """One connection that a store accepted: what it read, and how the proxy ended it."""

    data: bytes
    end: str = "open"


@dataclass(frozen=True, slots=True)
class Recording:
    """What three parties saw. Ends are "open", "fin" or "reset".

    Attributes:
        stalls: waits that were in vain.
        is_slow: patience ran out before the client had what it waited for.
    """

    client: bytes
    end: str
    stores: tuple[StoreSide, ...] = ()
    stalls: tuple[str, ...] = ()
    is_slow: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """A grade and the reason for it."""

    grade: Grade
    reason: str
