"""The room over real sources serves what the test of every address walks, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import Mount

from cutover import app as builders
from cutover.api.admin import parts_in
from cutover.api.readings import Table
from cutover.api.serving import RoomOptions, room_app
from cutover.api.sources import Places
from cutover.app.hands import hands
from cutover.settings import load_settings
from tests.fakes.evidence import FakeEvidence
from tests.support.admin_room import AdminRoom
from tests.support.asgi import get
from tests.support.closed_room import ClosedRoom
from tests.support.room import Sources
from tests.unit.cutover_room.samples import STORES, a_domain
from tests.unit.cutover_room.test_room_groups import Keeper

pytestmark = pytest.mark.integration


def addresses(routes: list[Any], prefix: str = "") -> Iterator[str]:
    for route in routes:
        if isinstance(route, Mount):
            yield from addresses(list(route.routes), prefix + route.path)
        yield f"{prefix}{route.path} {sorted(getattr(route, 'methods', None) or ())}"


async def test_the_room_serves_nothing_that_the_walk_does_not_meet(tmp_path: Path) -> None:
    settings = load_settings({"BANYAN_VAR": str(tmp_path / "var")})
    acting = hands(settings)
    places = Places(
        settings.applied, settings.evidence_database, "http://127.0.0.1:9", settings.revisions,
        core=settings.core_database,
    )  # fmt: skip
    admin = parts_in(settings, builders.books(settings), acting)
    evidence = FakeEvidence()
    sources = Sources(Table("r", (a_domain("catalog"),), STORES), evidence)
    walked = ClosedRoom(
        tmp_path, sources, Keeper(evidence), admin=AdminRoom(tmp_path / "admin").parts
    )

    async with room_app(
        RoomOptions("127.0.0.1", 0, places, hands=acting, admin=admin, var=settings.var)
    ) as app:
        found = sorted(addresses(app.routes))
        unknown = await get(app, "/api/overview")

    assert found == sorted(addresses(walked.app.routes))
    assert unknown.status == 401
