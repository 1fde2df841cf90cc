"""Oscar's codes by number: its baskets name them so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from legacy_adapters.oscar.mapping.records import SYSTEM
from legacy_adapters.oscar.storage import tables as t
from new_core.domain.identity import ExternalRef, core_id
from new_core.ports import UnitOfWork
from new_core.storage import connection_of
from new_core.storage.statements import upsert


class SqlVouchers:
    """The codes, in one unit of work."""

    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    async def put(self, codes: Mapping[str, str], now: datetime) -> None:
        """Keep codes by oscar's keys of their vouchers."""
        ids = {key: core_id(SYSTEM, "voucher", key) for key in codes}
        rows = [{"id": ids[key], "code": code.upper()} for key, code in codes.items()]
        await upsert(connection_of(self._uow), t.voucher, rows, now)
        refs = [ExternalRef(SYSTEM, "voucher", key, one, "") for key, one in ids.items()]
        await put_unknown(self._uow, refs, now)


async def put_unknown(uow: UnitOfWork, refs: Sequence[ExternalRef], now: datetime) -> None:
    """Keep the names of one entity type that are not kept yet.

    What stands there keeps its times: a second run of a backfill changes nothing.
    """
    if not refs:
        return
    known = await uow.refs.internal(
        refs[0].system, refs[0].entity_type, [one.external_id for one in refs]
    )
    await uow.refs.put([one for one in refs if known.get(one.external_id) != one], now)
