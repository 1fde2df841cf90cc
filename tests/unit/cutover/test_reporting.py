"""The status: where each domain stands and what it waits for, with any source away."""

from __future__ import annotations

from pathlib import Path

from cutover.core.stages import Position
from cutover.errors import DoorClosed
from cutover.ports import DoorState
from cutover.service.reporting import Status, report
from proxy.routing import RoutingTable, Stage
from proxy.storage.tables import parse_routing
from tests.fakes.cutover import FakeDoor, Opening, books_in
from tests.fakes.evidence import FakeEvidence, some_evidence, some_parity

FILE = """\
apiVersion: banyan/v1
stores: {legacy: {url: "http://a"}, core: {url: "http://b"}}
shopper: ["cookie:s"]
domains:
  catalog:
    owner: shop
    stage: shadow
    routes: [{path: /c}]
    gates: {parity: {min: 99%, samples: 300}}
"""
DESIRED = FILE.replace("stage: shadow", "stage: canary\n    core_share: 10%")


def parsed(text: str) -> RoutingTable:
    return parse_routing(text.encode(), "routing.yaml")


async def told(
    var: Path,
    desired: RoutingTable | None = None,
    evidence: FakeEvidence | None = None,
    door: FakeDoor | None = None,
) -> Status:
    opening = Opening(evidence or FakeEvidence())
    return await report(books_in(var), desired, opening.how(), door or FakeDoor())


async def test_drift_parity_verdict_and_next_step_are_told(tmp_path: Path) -> None:
    (tmp_path / "applied.yaml").write_text(FILE)
    parity = some_parity(400, lower_ppm=991_902)
    evidence = FakeEvidence({"catalog": some_evidence("catalog", parity, heartbeat_s=1.0)})
    door = FakeDoor([DoorState(True, 1, {"7": parsed(FILE).revision})])

    found = await told(tmp_path, parsed(DESIRED), evidence, door)

    (catalog,) = found.domains
    assert (catalog.at, catalog.asked) == (
        Position(Stage.SHADOW),
        Position(Stage.CANARY, 1_000),
    )
    assert catalog.has_drift
    assert catalog.parity == parity
    assert catalog.judgement is not None
    assert catalog.judgement.verdict == "pass"
    assert catalog.next_step == "canary: may go ahead"
    assert found.door == door.answers[0]


async def test_with_everything_away_it_still_answers(tmp_path: Path) -> None:
    (tmp_path / "applied.yaml").write_text(FILE)

    found = await told(tmp_path, None, FakeEvidence(away="not a database"))

    (catalog,) = found.domains
    assert catalog.asked is None
    assert catalog.parity is None
    assert "not a database" in catalog.next_step
    assert found.door is None
    assert found.door_problem.startswith("nothing listens")


async def test_before_the_first_apply_there_is_nothing_in_force(tmp_path: Path) -> None:
    found = await told(
        tmp_path, parsed(FILE), door=FakeDoor([DoorClosed("timed out", is_refused=False)])
    )

    assert found.revision is None
    assert [(d.at, d.next_step) for d in found.domains] == [(None, "apply the file")]
    assert found.door_problem == "timed out"
