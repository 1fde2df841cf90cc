"""Books of reconciliation in memory."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from legacy_adapters.mapping.versions import Side
from shadow_compare.core.drift_class import DriftClass
from shadow_compare.core.drift_record import Drift, DriftSample, DriftState, counts, seen_again
from shadow_compare.core.reconcile_pass import PassKind, PassRecord, Stretch, is_clean
from shadow_compare.errors import PassBusy
from shadow_compare.ports.reconciling import FoundDrift, RepairRecord


class MemoryReconcileBooks:
    """Implements ports.reconciling.ReconcileBooks. A holder is alive until it is `dead`."""

    def __init__(self, wall_s: Callable[[], float]) -> None:
        self._wall_s = wall_s
        self.passes: dict[str, PassRecord] = {}
        self.parts: dict[str, dict[int, Stretch]] = {}
        self.left: dict[str, set[tuple[str, str]]] = {}
        self.known: dict[str, Drift] = {}
        self.held: dict[str, tuple[DriftSample, ...]] = {}
        self.repaired: dict[str, RepairRecord] = {}
        self.dead: set[str] = set()
        self.kept = 0

    async def begin(self, wanted: PassRecord, stretches: Sequence[Stretch]) -> PassRecord:
        for found in list(self.passes.values()):
            if found.domain != wanted.domain or found.ended_s is not None:
                continue
            if found.holder not in ("", wanted.holder) and found.holder not in self.dead:
                raise PassBusy(f"{wanted.domain} is being reconciled by {found.holder}")
            if (found.kind, found.owner) == (wanted.kind, wanted.owner):
                self.passes[found.id] = replace(found, holder=wanted.holder, problem="")
                return self.passes[found.id]
            self.passes[found.id] = replace(found, ended_s=self._wall_s(), problem="replaced")
        self.passes[wanted.id] = wanted
        self.parts[wanted.id] = {one.number: one for one in stretches}
        return wanted

    async def beat(self, record: PassRecord) -> None:
        self._hold(record)

    async def stretches(self, pass_id: str) -> Sequence[Stretch]:
        return list(self.parts[pass_id].values())

    async def keep(
        self,
        record: PassRecord,
        stretch: Stretch,
        found: Sequence[FoundDrift],
        unsettled: Sequence[str],
    ) -> None:
        self._hold(record)
        self.kept += 1
        self.parts[record.id][stretch.number] = stretch
        for one in found:
            before = self.known.get(one.drift.id)
            self.known[one.drift.id] = seen_again(before, one.drift)
            self.held[one.drift.id] = one.samples
        self.left.setdefault(record.id, set()).update((stretch.kind, key) for key in unsettled)

    async def end(self, record: PassRecord) -> PassRecord:
        self._hold(record)
        now_s, left = self._wall_s(), self.left.get(record.id, set())
        if record.kind is not PassKind.HOT:
            for one in list(self.known.values()):
                is_old = one.domain == record.domain and one.last_s < record.started_s
                is_standing = one.state in (DriftState.OPEN, DriftState.ACCEPTED)
                if is_old and is_standing and (one.kind, one.key) not in left:
                    self.known[one.id] = replace(one, state=DriftState.GONE, since_s=now_s)
        drift = sum(counts(one) for one in self.known.values() if one.domain == record.domain)
        clean = is_clean(record.tally, drift)
        ended = replace(record, ended_s=now_s, holder="", problem="", is_clean=clean)
        self.passes[record.id] = ended
        return ended

    async def give_up(self, record: PassRecord, problem: str) -> None:
        self._hold(record)
        self.passes[record.id] = replace(record, holder="", problem=problem)

    async def last(
        self, domain: str, owner: Side, *, clean: bool = False, whole: bool = False
    ) -> PassRecord | None:
        found = [
            one
            for one in self.passes.values()
            if (one.domain, one.owner, one.problem) == (domain, owner, "")
            and one.ended_s is not None
            and (one.is_clean or not clean)
            and (one.kind is not PassKind.HOT or not whole)
        ]
        return max(found, key=lambda one: one.started_s, default=None)

    async def unsettled(self, pass_id: str) -> Sequence[tuple[str, str]]:
        return sorted(self.left.get(pass_id, set()))

    async def drifts(
        self,
        domain: str | None = None,
        *,
        drift: DriftClass | None = None,
        state: DriftState | None = DriftState.OPEN,
        limit: int = 100_000,
    ) -> Sequence[Drift]:
        found = [
            one
            for one in self.known.values()
            if domain in (None, one.domain) and drift in (None, one.drift)
        ]
        found = [one for one in found if state in (None, one.state)]
        found.sort(key=lambda one: (-(one.stake[0] if one.stake else -1), one.kind, one.key))
        return found[:limit]

    async def drift(self, drift_id: str) -> tuple[Drift, Sequence[DriftSample]] | None:
        found = [one for one in self.known.values() if one.id.startswith(drift_id)]
        if not drift_id or len(found) != 1:
            return None
        return found[0], self.held.get(found[0].id, ())

    async def move(self, ids: Collection[str], state: DriftState, said_by: str, reason: str) -> int:
        moved = 0
        for one in [self.known[key] for key in ids if key in self.known]:
            if one.state is not state:
                said = {"said_by": said_by, "reason": reason, "since_s": self._wall_s()}
                self.known[one.id] = replace(one, state=state, **said)  # type: ignore[arg-type]
                moved += 1
        return moved

    async def note_repair(self, repair: RepairRecord) -> None:
        self.repaired[repair.id] = repair

    async def repairs(self, domain: str | None, limit: int) -> Sequence[RepairRecord]:
        found = [one for one in self.repaired.values() if domain in (None, one.domain)]
        return sorted(found, key=lambda one: -one.started_s)[:limit]

    def _hold(self, record: PassRecord) -> None:
        found = self.passes[record.id]
        if found.holder != record.holder or found.ended_s is not None:
            raise PassBusy(f"another process has taken up the pass of {record.domain}")
