"""Passes, stretches, differences and repairs as rows, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import sqlalchemy as sa

from shadow_compare.core.drift_class import DriftClass
from shadow_compare.core.drift_record import Drift, DriftState
from shadow_compare.core.reconcile_digest import Digest
from shadow_compare.core.reconcile_pass import Leg, PassKind, PassRecord, Stretch, Tally
from shadow_compare.core.text import storable
from shadow_compare.ports.reconciling import RepairRecord

_TOTALS = msgspec.json.Decoder(dict[str, Any])
_KEYS = msgspec.json.Decoder(tuple[str, ...])
_MONEY = msgspec.json.Decoder(dict[str, int])
_COUNTS = ("checked", "rows", "different", "unsettled", "looked_again")


def pack_pass(record: PassRecord, beat_s: float) -> dict[str, Any]:
    return {
        "id": record.id,
        "domain": record.domain,
        "kind": record.kind,
        "owner": record.owner,
        "from_order": record.from_order,
        "started_s": record.started_s,
        "ended_s": record.ended_s,
        "expected": record.expected,
        **{name: getattr(record.tally, name) for name in _COUNTS},
        "is_clean": record.is_clean,
        "holder": record.holder,
        "beat_s": beat_s,
        "problem": storable(record.problem),
    }


def unpack_pass(row: sa.Row[Any]) -> PassRecord:
    return PassRecord(
        id=row.id,
        kind=PassKind(row.kind),
        domain=row.domain,
        owner=row.owner,
        from_order=row.from_order,
        started_s=row.started_s,
        ended_s=row.ended_s,
        expected=row.expected,
        tally=Tally(**{name: row._mapping[name] for name in _COUNTS}),
        is_clean=row.is_clean,
        holder=row.holder,
        problem=row.problem,
    )


def pack_stretch(pass_id: str, stretch: Stretch) -> dict[str, Any]:
    tally = stretch.tally
    totals = {
        **{name: getattr(tally, name) for name in _COUNTS},
        "owner": tally.owner.text,
        "other": tally.other.text,
    }
    return {
        "pass_id": pass_id,
        "number": stretch.number,
        "kind": stretch.kind,
        "leg": stretch.leg,
        "first": stretch.first,
        "last": stretch.last,
        "cursor": stretch.cursor,
        "is_done": stretch.is_done,
        "behind": stretch.behind,
        "tally": msgspec.json.encode(totals).decode(),
        "pending": msgspec.json.encode(stretch.pending).decode(),
    }


def unpack_stretch(row: sa.Row[Any]) -> Stretch:
    totals = _TOTALS.decode(row.tally)
    return Stretch(
        number=row.number,
        kind=row.kind,
        leg=Leg(row.leg),
        first=row.first,
        last=row.last,
        cursor=row.cursor,
        is_done=row.is_done,
        tally=Tally(
            **{name: totals[name] for name in _COUNTS},
            owner=_digest(totals["owner"]),
            other=_digest(totals["other"]),
        ),
        pending=_KEYS.decode(row.pending),
        behind=row.behind,
    )


def _digest(text: str) -> Digest:
    count, _, total = text.partition(":")
    return Digest(int(count), int(total, 16))


def pack_drift(drift: Drift) -> dict[str, Any]:
    return {
        "id": drift.id,
        "domain": drift.domain,
        "kind": drift.kind,
        "key": storable(drift.key),
        "core_id": drift.core_id,
        "owner": drift.owner,
        "drift": drift.drift,
        "fields": storable("\n".join(drift.fields)),
        "stake_minor": None if drift.stake is None else drift.stake[0],
        "currency": "" if drift.stake is None else drift.stake[1],
        "note": storable(drift.note),
        "first_s": drift.first_s,
        "last_s": drift.last_s,
        "state": drift.state,
        "since_s": drift.since_s,
        "said_by": storable(drift.said_by),
        "reason": storable(drift.reason),
    }


def unpack_drift(row: sa.Row[Any]) -> Drift:
    return Drift(
        id=row.id,
        domain=row.domain,
        kind=row.kind,
        key=row.key,
        core_id=row.core_id,
        owner=row.owner,
        drift=DriftClass(row.drift),
        fields=tuple(row.fields.split("\n")) if row.fields else (),
        stake=None if row.stake_minor is None else (row.stake_minor, row.currency),
        note=row.note,
        first_s=row.first_s,
        last_s=row.last_s,
        state=DriftState(row.state),
        since_s=row.since_s,
        said_by=row.said_by,
        reason=row.reason,
    )


def pack_repair(repair: RepairRecord) -> dict[str, Any]:
    return {
        "id": repair.id,
        "domain": repair.domain,
        "owner": repair.owner,
        "said_by": storable(repair.said_by),
        "cause": storable(repair.cause),
        "keys": repair.keys,
        "stake": _json(repair.stake),
        "repaired": repair.repaired,
        "started_s": repair.started_s,
        "ended_s": repair.ended_s,
    }


def unpack_repair(row: sa.Row[Any]) -> RepairRecord:
    known = row._mapping
    return RepairRecord(
        id=row.id,
        domain=row.domain,
        owner=row.owner,
        said_by=row.said_by,
        cause=row.cause,
        keys=known["keys"],
        stake=_MONEY.decode(row.stake),
        repaired=row.repaired,
        started_s=row.started_s,
        ended_s=row.ended_s,
    )


def _json(value: Mapping[str, int]) -> str:
    return msgspec.json.encode(dict(value)).decode()
