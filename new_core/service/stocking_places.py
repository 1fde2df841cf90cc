"""Use cases of warehouses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from uuid import UUID

from new_core.domain.catalog import Stored
from new_core.domain.events import AuditEntry, Event
from new_core.errors import Conflict, NotFound
from new_core.ports import Place, UnitOfWork
from new_core.service.doing import Doing


async def place(uow: UnitOfWork, warehouse_id: UUID) -> Stored[Place]:
    """A warehouse with its site.

    Raises:
        NotFound: there is no such warehouse.
    """
    found = await uow.stock.places([warehouse_id])
    if not found:
        raise NotFound("warehouse", str(warehouse_id))
    return found[0]


async def put_place(
    uow: UnitOfWork, wanted: Place, check: Callable[[Stored[Place]], None], doing: Doing
) -> Stored[Place]:
    """Open a warehouse, or change one that `check` lets through; gives it as it is now.

    Raises:
        Conflict: "warehouse_code_taken".
    """
    ident, code = wanted.warehouse.id, wanted.warehouse.code
    before = {one.value.warehouse.id: one for one in await uow.stock.places(lock=True)}
    # A code that two give at once the table itself refuses the second one.
    if any(other != ident for other, one in before.items() if one.value.warehouse.code == code):
        raise Conflict("warehouse_code_taken", f"another warehouse is called {code}")
    known = before.get(ident)
    if known is not None:
        check(known)
        if known.value == wanted:
            return known
    await uow.stock.put_place(wanted, doing.at)
    after = await place(uow, ident)
    await _tell(uow, "changed" if known else "opened", wanted, known, doing)
    return after


async def drop_place(uow: UnitOfWork, warehouse_id: UUID, doing: Doing) -> None:
    """Forget a warehouse in which nothing was ever stocked.

    Raises:
        NotFound: there is no such warehouse.
        Conflict: "warehouse_in_use".
    """
    known = await place(uow, warehouse_id)
    if not await uow.stock.drop_place(warehouse_id):
        raise Conflict("warehouse_in_use", "it has stock levels; make it inactive instead")
    await _tell(uow, "closed", None, known, doing)


async def _tell(
    uow: UnitOfWork, what: str, after: Place | None, before: Stored[Place] | None, doing: Doing
) -> None:
    old = before.value if before is not None else None
    shown = after or old
    if shown is None:
        return
    ident = shown.warehouse.id
    data: dict[str, object] = {"warehouse_id": str(ident), "code": shown.warehouse.code}
    event = Event(
        f"inventory.warehouse.{what}.v1", "warehouse", ident,
        {**data, "active": shown.site.active},
    )  # fmt: skip
    await uow.outbox.add([event], doing.actor, doing.at)
    entry = AuditEntry(
        f"warehouse.{what}", "warehouse", str(ident), before=_plain(old), after=_plain(after)
    )
    await uow.audit.add([entry], doing.actor, doing.at)


def _plain(place: Place | None) -> dict[str, object] | None:
    if place is None:
        return None
    site = asdict(place.site)
    site["cutoff"] = place.site.cutoff.isoformat() if place.site.cutoff else None
    return {"code": place.warehouse.code, "name": place.warehouse.name, **site}
