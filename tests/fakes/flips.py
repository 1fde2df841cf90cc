"""The ports of a flip, in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from legacy_adapters.mapping.versions import Side
from legacy_adapters.ports.flips import (
    Control,
    FlipRecord,
    FlipStart,
    Lease,
    Line,
    Noted,
    Over,
    Phase,
    Verdict,
)

AT = datetime(2026, 5, 1, 9, tzinfo=UTC)


class FakeFlipBooks:
    """Implements ports.flips.FlipBooks."""

    def __init__(self) -> None:
        self.rows: dict[str, Control] = {}
        self.records: list[FlipRecord] = []
        self.noted: dict[int, list[Noted]] = {}

    async def ensure(self, domain: str, owner: Side, term: int) -> Control:
        return self.rows.setdefault(domain, Control(domain, Phase.OWNED, owner, term))

    async def control(self, domain: str) -> Control | None:
        return self.rows.get(domain)

    async def controls(self) -> Mapping[str, Control]:
        return dict(self.rows)

    async def begin(self, start: FlipStart, lines: Sequence[Line]) -> int:
        number = len(self.records) + 1
        self.records.append(FlipRecord(number, start, AT, None, "", None, ""))
        self._write(Lease(start.domain, number, ""), lines)
        return number

    async def lease(self, lease: Lease, seen: Control, lines: Sequence[Line]) -> bool:
        row = self.rows[lease.domain]
        is_seen = (row.owner, row.term, row.flip) == (seen.owner, seen.term, seen.flip)
        if row.phase is not Phase.OWNED or not is_seen:
            return False
        self._put(lease, replace(row, phase=Phase.FLIPPING, flip=lease.flip, holder=lease.holder))
        self._write(lease, lines)
        return True

    async def take_over(self, lease: Lease, seen: Control) -> bool:
        row = self.rows[lease.domain]
        is_seen = (row.flip, row.holder, row.beat) == (lease.flip, seen.holder, seen.beat)
        if row.phase is Phase.OWNED or not is_seen:
            return False
        self._put(lease, replace(row, holder=lease.holder))
        return True

    async def keep(self, lease: Lease) -> bool:
        return await self.note(lease, ())

    async def note(self, lease: Lease, lines: Sequence[Line]) -> bool:
        row = self._held(lease)
        if row is None:
            return False
        self._put(lease, row)
        self._write(lease, lines)
        return True

    async def decide(self, lease: Lease, verdict: Verdict, lines: Sequence[Line]) -> bool:
        row = self._held(lease)
        if row is None or row.phase is not Phase.FLIPPING or row.term >= verdict.term:
            return False
        decided = replace(row, phase=verdict.phase, owner=verdict.owner, term=verdict.term)
        self._put(lease, decided)
        self._write(lease, lines)
        return True

    async def close(self, lease: Lease, lines: Sequence[Line], over: Over) -> bool:
        row = self._held(lease)
        if row is None or row.phase is Phase.FLIPPING:
            return False
        self._put(lease, replace(row, phase=Phase.OWNED, holder=""))
        self._write(lease, lines)
        await self.end(lease.flip, over)
        return True

    async def end(self, flip: int, over: Over) -> None:
        record = self.records[flip - 1]
        if record.ended_at is None:
            self.records[flip - 1] = replace(
                record,
                ended_at=AT,
                outcome=over.outcome,
                freeze_ms=over.freeze_ms,
                problem=over.problem,
            )

    async def add(self, flip: int, holder: str, lines: Sequence[Line]) -> None:
        self._write(Lease("", flip, holder), lines)

    async def flips(self, domain: str | None = None, *, limit: int = 20) -> Sequence[FlipRecord]:
        asked = [one for one in self.records if domain in (None, one.start.domain)]
        return asked[::-1][:limit]

    async def journal(self, flip: int) -> Sequence[Noted]:
        return list(self.noted.get(flip, ()))

    def _held(self, lease: Lease) -> Control | None:
        row = self.rows[lease.domain]
        is_held = (row.flip, row.holder) == (lease.flip, lease.holder)
        return row if is_held and row.phase is not Phase.OWNED else None

    def _put(self, lease: Lease, row: Control) -> None:
        self.rows[lease.domain] = replace(row, beat=row.beat + 1)

    def _write(self, lease: Lease, lines: Sequence[Line]) -> None:
        found = self.noted.setdefault(lease.flip, [])
        found += [Noted(line, lease.holder, AT) for line in lines]
