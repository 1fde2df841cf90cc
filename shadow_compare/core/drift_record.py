"""A difference as it is kept: who it is, how long it is known, and what became of it."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from shadow_compare.core.drift_class import DriftClass, Money


class DriftState(StrEnum):
    """open: it counts. repaired: the applier was given it anew, and it was equal then. accepted:
    somebody lets it be. gone: a later look found both sides equal.
    """

    OPEN = "open"
    REPAIRED = "repaired"
    ACCEPTED = "accepted"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Drift:
    """One aggregate that differs.

    Attributes:
        key: of its root in the owner's store; see `unnamed`.
        owner: the side that was taken as right.
        fields: patterns of the fields that differ.
        since_s: when it came into its state.
        said_by, reason: who accepted it and why; "" of others.
    """

    id: str
    domain: str
    kind: str
    key: str
    core_id: str
    owner: str
    drift: DriftClass
    fields: tuple[str, ...]
    stake: Money | None
    note: str
    first_s: float
    last_s: float
    state: DriftState = DriftState.OPEN
    since_s: float = 0.0
    said_by: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class DriftSample:
    """What a field held on either side, personal data hidden."""

    path: str
    owner: str
    other: str


def drift_id(domain: str, kind: str, key: str) -> str:
    """The same for the same aggregate, whoever finds it: "d" and twelve hex digits."""
    text = f"{domain}\x1f{kind}\x1f{key}".encode("utf-8", "surrogatepass")
    return f"d{hashlib.blake2b(text, digest_size=6).hexdigest()}"


def seen_again(before: Drift | None, now: Drift) -> Drift:
    """What is kept when a difference is found, maybe once more.

    What was accepted stays so while it is the same difference: another class or other fields
    open it again, and so does what was repaired or gone.
    """
    if before is None:
        return now
    keeps = before.state is DriftState.ACCEPTED and _same(before, now)
    return Drift(
        id=before.id,
        domain=now.domain,
        kind=now.kind,
        key=now.key,
        core_id=now.core_id,
        owner=now.owner,
        drift=now.drift,
        fields=now.fields,
        stake=now.stake,
        note=now.note,
        first_s=before.first_s,
        last_s=now.last_s,
        state=DriftState.ACCEPTED if keeps else DriftState.OPEN,
        since_s=before.since_s if keeps or before.state is DriftState.OPEN else now.last_s,
        said_by=before.said_by if keeps else "",
        reason=before.reason if keeps else "",
    )


def _same(before: Drift, now: Drift) -> bool:
    return before.drift is now.drift and set(now.fields) <= set(before.fields)


def counts(found: Drift) -> bool:
    """Whether it stands against a clean pass."""
    return found.state is DriftState.OPEN and found.drift is not DriftClass.LOSSY_ACCEPTED


def stakes(found: Collection[Drift]) -> Mapping[str, int]:
    """Money at stake in minor units by currency."""
    sums: dict[str, int] = {}
    for one in found:
        if one.stake is not None:
            sums[one.stake[1]] = sums.get(one.stake[1], 0) + one.stake[0]
    return dict(sorted(sums.items()))
