"""What is asked again, in which order and when, and what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from proxy.core.frame import Frame
from proxy.routing import Side
from shadow_compare.core.groups import Kept
from shadow_compare.core.pairs import RecordedPair
from shadow_compare.core.repeat import unrepeatable


class End(StrEnum):
    """How a replayed request ended, by today's rules.

    equal, accepted: as a comparer would call it. same: it still differs, in the same group.
    other: it differs in another way than it did. unread: an answer could not be read.
    unasked: it was not asked, or a side did not answer.
    """

    EQUAL = "equal"
    ACCEPTED = "accepted"
    SAME = "same"
    OTHER = "other"
    UNREAD = "unread"
    UNASKED = "unasked"


DIFFERS = (End.SAME, End.OTHER)
UNKNOWN = (End.UNREAD, End.UNASKED)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A stored request.

    Attributes:
        fingerprint: of the group that it fell into; "" when it was recorded whatever it was.
        problem: why it cannot be asked again; None when it can.
    """

    frame: Frame
    fingerprint: str = ""
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of one request: `told` says why, `fingerprint` names the group it is in now."""

    recorded: Recorded
    end: End
    told: str = ""
    fingerprint: str = ""


def from_example(kept: Kept) -> Recorded:
    """A stored example as a request to be sent again."""
    example = kept.example
    live = Side(example.live_side)
    frame = Frame(
        run="replay",
        seq=1,
        at_us=round(example.at_s * 1_000_000),
        request_id=example.request_id,
        domain=kept.domain,
        route=kept.route,
        stage="",
        side=live.value,
        shadow=(Side.CORE if live is Side.LEGACY else Side.LEGACY).value,
        noise=False,
        bucket=None,
        shopper=example.shopper,
        revision="",
        method=example.method,
        target=example.target,
        request_headers=example.request_headers,
        request_body=b"",
        status=0,
        headers=(),
        body=b"",
        elapsed_us=0,
    )
    return Recorded(frame, kept.fingerprint, unrepeatable(example))


def from_pair(pair: RecordedPair) -> Recorded:
    """A recorded pair as a request to be sent again."""
    frame = pair.frame
    problem = None
    if frame.method not in ("GET", "HEAD"):
        problem = f"{frame.method} is not repeated, it may change something"
    elif "[hmac:" in frame.target or b"[hmac:" in frame.request_body:
        problem = "the request holds redacted parts"
    return Recorded(frame, "", problem)


def once_each(recorded: Iterable[Recorded]) -> tuple[Recorded, ...]:
    """Each exchange once, oldest first; one that is known with its group before one that is not."""
    known: dict[str, Recorded] = {}
    for one in recorded:
        before = known.get(one.frame.request_id)
        if before is None or (one.fingerprint and not before.fingerprint):
            known[one.frame.request_id] = one
    return tuple(sorted(known.values(), key=lambda one: (one.frame.at_us, one.frame.request_id)))


def lanes(recorded: Sequence[Recorded]) -> tuple[tuple[Recorded, ...], ...]:
    """Requests that must not overtake each other: those of one shopper, in their order.

    A request without a shopper's key has a lane of its own.
    """
    found: dict[tuple[str, int], list[Recorded]] = {}
    for place, one in enumerate(recorded):
        shopper = one.frame.shopper
        key = ("", place) if shopper is None else (shopper, -1)
        found.setdefault(key, []).append(one)
    return tuple(tuple(lane) for lane in found.values())


def due_s(frame: Frame, first_us: int, speed: float | None) -> float:
    """Seconds after the beginning at which a request is due; None is as fast as can be."""
    return 0.0 if speed is None else max(0, frame.at_us - first_us) / 1_000_000 / speed


def exit_code(replayed: Sequence[Replayed]) -> int:
    """0: all equal or accepted. 3: some differ. 4: none does, but not all is known."""
    ends = Counter(one.end for one in replayed)
    if any(ends[end] for end in DIFFERS):
        return 3
    return 4 if not replayed or any(ends[end] for end in UNKNOWN) else 0


def summary(replayed: Sequence[Replayed]) -> str:
    """What came of all, in one sentence."""
    if not replayed:
        return "nothing is stored of this, so nothing was asked"
    ends = Counter(one.end for one in replayed)
    words = {
        End.EQUAL: "equal",
        End.ACCEPTED: "accepted by rules",
        End.SAME: "still differ as they did",
        End.OTHER: "differ in another way",
        End.UNREAD: "could not be read",
        End.UNASKED: "could not be asked",
    }
    told = ", ".join(f"{ends[end]:,} {words[end]}" for end in End if ends[end])
    return f"of {len(replayed):,} stored requests: {told}"
