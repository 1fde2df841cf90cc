"""Consent in tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from new_core.domain.catalog import Stored
from new_core.domain.consent import (
    ConsentRecord,
    DataAccess,
    DataRequest,
    DataRequestKind,
    DataRequestState,
    Decision,
    Evidence,
    Purpose,
)
from new_core.storage.statements import Row, upsert
from new_core.storage.tables.consent import (
    consent_purpose,
    consent_record,
    data_request,
    personal_data_access,
)


class SqlConsent:
    """Rows of consent, in one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def purposes(self) -> tuple[Purpose, ...]:
        t = consent_purpose.c
        wanted = sa.select(consent_purpose).order_by(t.code, t.purpose_version)
        return tuple(_purpose(row) for row in (await self._connection.execute(wanted)).mappings())

    async def add_purpose(self, purpose: Purpose) -> bool:
        make = sqlite.insert if self._connection.dialect.name == "sqlite" else postgresql.insert
        row = asdict(purpose) | {
            "purpose_version": purpose.version,
            "texts": dict(purpose.texts),
            "data_categories": list(purpose.data_categories),
        }
        del row["version"]
        keys = ["code", "purpose_version"]
        added = make(consent_purpose).values(row).on_conflict_do_nothing(index_elements=keys)
        return (await self._connection.execute(added)).rowcount == 1

    async def records(self, customer_id: UUID) -> tuple[ConsentRecord, ...]:
        t = consent_record.c
        wanted = sa.select(consent_record).where(t.customer_id == customer_id)
        rows = (await self._connection.execute(wanted.order_by(t.at, t.id))).mappings()
        return tuple(_record(row) for row in rows)

    async def add_records(self, records: Sequence[ConsentRecord]) -> None:
        rows = [asdict(one) | {"decision": one.decision.value} for one in records]
        if rows:
            await self._connection.execute(sa.insert(consent_record), rows)

    async def forget_evidence(self, customer_id: UUID) -> None:
        for one in await self.records(customer_id):
            plain = asdict(one.evidence.anonymised())
            mine = sa.update(consent_record).where(consent_record.c.id == one.id)
            await self._connection.execute(mine.values(evidence=plain))

    async def forget_reasons(self, customer_id: UUID) -> None:
        for table, column in (
            (personal_data_access, "purpose"),
            (data_request, "reason"),
            (data_request, "verified_by"),
        ):
            mine = sa.update(table).where(table.c.customer_id == customer_id)
            await self._connection.execute(mine.values({column: ""}))

    async def ended(self, purpose: Purpose, before: datetime, limit: int) -> tuple[UUID, ...]:
        mine, later = consent_record.alias("mine"), consent_record.alias("later")
        decided_since = (
            sa.select(later.c.id)
            .where(
                later.c.customer_id == mine.c.customer_id,
                later.c.purpose == mine.c.purpose,
                sa.or_(
                    later.c.at > mine.c.at,
                    sa.and_(later.c.at == mine.c.at, later.c.id > mine.c.id),
                ),
            )
            .exists()
        )
        wanted = sa.select(mine.c.customer_id).where(
            mine.c.purpose == purpose.code,
            mine.c.purpose_version == purpose.version,
            mine.c.decision == Decision.GRANTED.value,
            mine.c.at <= before,
            ~decided_since,
        )
        result = await self._connection.execute(wanted.order_by(mine.c.customer_id).limit(limit))
        return tuple(result.scalars())

    async def add_accesses(self, accesses: Sequence[DataAccess]) -> None:
        rows = [asdict(one) | {"fields": list(one.fields)} for one in accesses]
        if rows:
            await self._connection.execute(sa.insert(personal_data_access), rows)

    async def accesses(
        self, customer_id: UUID, after: UUID | None, limit: int
    ) -> tuple[DataAccess, ...]:
        t = personal_data_access.c
        wanted = sa.select(personal_data_access).where(t.customer_id == customer_id)
        if after is not None:
            wanted = wanted.where(t.id > after)
        rows = (await self._connection.execute(wanted.order_by(t.id).limit(limit))).mappings()
        return tuple(DataAccess(**(dict(row) | {"fields": tuple(row["fields"])})) for row in rows)

    async def put_request(self, request: DataRequest, now: datetime) -> Stored[DataRequest]:
        row = asdict(request) | {"kind": request.kind.value, "state": request.state.value}
        await upsert(self._connection, data_request, [row], now)
        t = data_request.c
        written = sa.select(t.version, t.updated_at).where(t.id == request.id)
        version, at = (await self._connection.execute(written)).one()
        return Stored(request, version, at)

    async def request(self, request_id: UUID) -> Stored[DataRequest] | None:
        wanted = sa.select(data_request).where(data_request.c.id == request_id)
        row = (await self._connection.execute(wanted)).mappings().one_or_none()
        return None if row is None else _request(row)

    async def locked_request(self, request_id: UUID) -> Stored[DataRequest] | None:
        # SQLite has no such lock and needs none: its writers wait for each other at BEGIN.
        row = sa.select(data_request.c.id).where(data_request.c.id == request_id)
        await self._connection.execute(row.with_for_update())
        return await self.request(request_id)

    async def requests(
        self,
        after: UUID | None,
        limit: int,
        *,
        state: DataRequestState | None = None,
        customer_id: UUID | None = None,
    ) -> tuple[Stored[DataRequest], ...]:
        t = data_request.c
        wanted = sa.select(data_request).order_by(t.id).limit(limit)
        if after is not None:
            wanted = wanted.where(t.id > after)
        if state is not None:
            wanted = wanted.where(t.state == state.value)
        if customer_id is not None:
            wanted = wanted.where(t.customer_id == customer_id)
        return tuple(_request(row) for row in (await self._connection.execute(wanted)).mappings())


def _purpose(row: Row) -> Purpose:
    return Purpose(
        code=row["code"],
        version=row["purpose_version"],
        texts=tuple(sorted(row["texts"].items())),
        required=row["required"],
        data_categories=tuple(row["data_categories"]),
        created_at=row["created_at"],
        retention_days=row["retention_days"],
        valid_days=row["valid_days"],
    )


def _record(row: Row) -> ConsentRecord:
    typed = {"decision": Decision(row["decision"]), "evidence": Evidence(**row["evidence"])}
    return ConsentRecord(**(dict(row) | typed))


def _request(row: Row) -> Stored[DataRequest]:
    parts = dict(row)
    version, at = parts.pop("version"), parts.pop("updated_at")
    kind, state = DataRequestKind(parts["kind"]), DataRequestState(parts["state"])
    return Stored(DataRequest(**(parts | {"kind": kind, "state": state})), version, at)
