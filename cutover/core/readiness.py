"""Whether a domain could be taken back now, what proves it, and what it would cost."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from cutover.core.flip_gates import Facts, Freeze, Stream, Unknown, gates
from legacy_adapters.mapping.versions import Side

# What a flip waits for beside the stream: hold, fence, check, decision, table.
_FIXED_MS = 80.0
_NOT_ASKED = ("rehearsal", "last clean pass")


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether the way to the other side is open.

    Attributes:
        to: where it would lead.
        proven_s: since canaries came across, both ways; None when one never did.
        cost_ms: about how long writes would wait; None when nothing tells.
        measured: how the last try in this direction went; None without one.
        blocks: what stands against it, a sentence each.
    """

    domain: str
    to: Side
    is_ready: bool
    proven_s: float | None
    cost_ms: float | None
    measured: Freeze | None
    blocks: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """For people, e.g. "rollback ready: yes, proven 12 s ago, costs about 180 ms"."""
        what = "rollback" if self.to is Side.LEGACY else "flip"
        if not self.is_ready:
            more = f", and {len(self.blocks) - 1} more" if len(self.blocks) > 1 else ""
            return f"{what} ready: no, {self.blocks[0]}{more}"
        cost = "unknown" if self.cost_ms is None else f"about {self.cost_ms:.0f} ms"
        return f"{what} ready: yes, proven {self.proven_s or 0:.0f} s ago, costs {cost}"


def readiness(facts: Facts, not_asked: Collection[str] = ()) -> Readiness:
    """Judge the way to `facts.target` by the gates that a flip in a hurry would need.

    Args:
        facts: what was seen.
        not_asked: gates that the caller did not look at, and does not speak for.
    """
    blocks = tuple(
        f"{gate.name}: {gate.told}"
        for gate in gates(facts, is_rehearsal=True)
        if not gate.is_green and gate.name not in (*_NOT_ASKED, *not_asked)
    )
    measured = None if isinstance(facts.rehearsed, Unknown) else facts.rehearsed
    return Readiness(
        domain=facts.domain,
        to=facts.target,
        is_ready=not blocks,
        proven_s=_proven(facts),
        cost_ms=_cost(facts, measured),
        measured=measured,
        blocks=blocks,
    )


def _proven(facts: Facts) -> float | None:
    """The older of both canaries: a way is proven when it was gone there and back."""
    ages = [
        stream.canary_age_s if isinstance(stream, Stream) else None
        for stream in (facts.there, facts.back)
    ]
    known = [age for age in ages if age is not None]
    return max(known) if len(known) == len(ages) else None


def _cost(facts: Facts, measured: Freeze | None) -> float | None:
    if measured is not None:
        return measured.freeze_ms
    if isinstance(facts.there, Unknown) or facts.there.lag_ms is None:
        return None
    return _FIXED_MS + facts.there.lag_ms
