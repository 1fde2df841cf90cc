"""The steps of a migration, taken through a control room elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from cutover.errors import PlanFileError, RoomRefused

if TYPE_CHECKING:
    from cutover.cli.going_through import Proposal, Put
    from cutover.core.revision import Revision
    from cutover.edge.room_client import RoomClient
    from cutover.edge.room_values import MadeThere
    from cutover.service.approving import Wish


def plan_there(
    room: RoomClient, config: Path, *, init: bool, out: Path | None
) -> tuple[Proposal, dict[str, str] | None]:
    """A plan of a file, and where it was written."""
    from cutover.edge.room_values import made_of
    from proxy.storage.tables import read_routing

    text = read_routing(config).decode("utf-8", errors="replace")
    wish = {"routing_yaml": text, "file": str(config), "init": init}
    made = room.post("/plans", wish).read(made_of)
    kept = None
    if out is not None:
        kept = _written(out, room.get(f"/plans/{made.id}/file").value)
    return _proposal(room, made), kept


def plan_file_there(room: RoomClient, file: Path) -> Proposal:
    """The plan of a plan file as it stands now."""
    from cutover.core.plan_file import plan_to_json
    from cutover.edge.room_values import made_of
    from cutover.storage.plan_files import read_plan

    text = plan_to_json(read_plan(file)).decode()
    return _proposal(room, room.post("/plans", {"plan_file": text}).read(made_of))


def undo_there(room: RoomClient, number: int, *, and_later: bool) -> tuple[Proposal, str]:
    """The plan that takes a revision back, and what it calls the table that is asked for."""
    from cutover.edge.room_values import made_of

    made = room.post(f"/revisions/{number}/undo", {"and_later": and_later})
    plan = made.read(made_of)
    return _proposal(room, plan), plan.file


def approve_there(room: RoomClient, wish: Wish) -> Revision:
    """A yes, written down."""
    from cutover.edge.room_values import revision_of

    said = {"to": str(wish.to), "reason": wish.reason, "withdrawn": wish.withdrawn}
    return room.post(f"/domains/{quote(wish.domain, safe='')}/approvals", said).read(revision_of)


def _proposal(room: RoomClient, made: MadeThere) -> Proposal:
    from cutover.cli.going_through import Proposal, Put, Refused
    from cutover.edge.room_values import plan_of, put_of

    def put(reason: str) -> Put:
        place = f"/plans/{made.id}/applications"
        try:
            done = room.post(place, {"reason": reason}, if_match=made.etag)
        except RoomRefused as exc:
            if exc.code != "plan_refused":
                raise
            raise Refused(plan_of(exc.told["plan"]), tuple(exc.told["against"])) from exc
        return Put(*done.read(put_of))

    return Proposal(made.plan, made.notes, made.is_in_force, put, made.against)


def _written(out: Path, told: Any) -> dict[str, str]:
    import json

    from cutover.core.plan_file import NewerPlan, NotAPlan, plan_from_json
    from cutover.storage.plan_files import write_plan

    try:
        text = json.dumps(told, ensure_ascii=False, indent=1) + "\n"
        planned = plan_from_json(text.encode())
    except (NotAPlan, NewerPlan) as exc:
        raise PlanFileError(f"the room's plan: {exc}; is it the same version of Banyan?") from exc
    write_plan(out, planned)
    return {"path": str(out), "name": planned.name}
