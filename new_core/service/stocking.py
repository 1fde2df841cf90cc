"""Use cases of the warehouse: what lies there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from new_core.domain.stock import Warehouse
from new_core.errors import ChangedMeanwhile, NotFound
from new_core.ports import StockLine, UnitOfWork

Expected = Callable[[StockLine, Warehouse], bool]
"""Whether a stock level is still what the caller saw."""


async def stock_line(uow: UnitOfWork, stock_id: UUID) -> tuple[StockLine, Warehouse]:
    """A stock level and where it lies.

    Raises:
        NotFound: there is no such level.
    """
    found = await uow.stock.levels([stock_id])
    return await _placed(uow, stock_id, found.get(stock_id))


async def count_stock(
    uow: UnitOfWork, stock_id: UUID, on_hand: int | None, expected: Expected, now: datetime
) -> tuple[StockLine, Warehouse]:
    """Put down what somebody counted, commit, and give the level as it is now.

    `on_hand` is None when nobody counts the units there. `expected` is asked while nobody
    else can change the level. The same count again changes nothing, its version included.

    Raises:
        NotFound: there is no such level.
        ChangedMeanwhile: it is not as expected.
        InvalidValue: no such number of units can lie there.
    """
    before = await _placed(uow, stock_id, await uow.stock.locked(stock_id))
    if not expected(*before):
        raise ChangedMeanwhile("the stock level is not what it was when you read it")
    level = before[0].level.value
    counted = level.counted(on_hand)
    if counted == level:
        return before
    await uow.stock.put_levels([counted], now)
    after = await stock_line(uow, stock_id)
    await uow.commit()
    return after


async def _placed(
    uow: UnitOfWork, stock_id: UUID, line: StockLine | None
) -> tuple[StockLine, Warehouse]:
    if line is None:
        raise NotFound("stock level", str(stock_id))
    warehouses = await uow.stock.warehouses()
    return line, warehouses[line.level.value.warehouse_id]
