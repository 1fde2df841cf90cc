"""Every case against ours; plain cases against peers, so that the judge is known to be fair."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.conformance import matrix, peers
from tests.conformance.argued import ARGUED
from tests.conformance.case import Case, Grade, Verdict
from tests.conformance.catalogue import CASES

pytestmark = pytest.mark.integration

PLAIN = (
    "A body of a given length arrives as sent",
    "A chunked body arrives as sent",
    "A request inside a body stays inside",
    "A chunked answer arrives as sent",
    "A second request on a kept connection is answered",
    "Twenty requests at once get twenty answers",
    "A length behind chunked is refused",
    "A WebSocket's tunnel carries bytes both ways",
)


@pytest.fixture(scope="session")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Verdict]:
    return asyncio.run(matrix.run(peers.ours, tmp_path_factory.mktemp("matrix"), CASES))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.category}: {case.name}")
def test_a_case_of_the_matrix_holds(case: Case, verdicts: dict[str, Verdict]) -> None:
    allowed, why = ARGUED.get(case.name, (Grade.RIGHT, ""))

    verdict = verdicts[case.name]

    assert verdict.grade in (Grade.RIGHT, allowed), f"{verdict.reason} {why}"


def test_what_is_argued_is_still_so(verdicts: dict[str, Verdict]) -> None:
    stale = [name for name in ARGUED if verdicts[name].grade is Grade.RIGHT]

    assert stale == []


@pytest.mark.parametrize("name", peers.PEERS)
def test_a_peer_does_what_is_plain(name: str, tmp_path: Path) -> None:
    if peers.find(name) is None:
        pytest.skip(f"{name} is not installed: python tests/support/system_tools.py --conformance")
    cases = tuple(case for case in CASES if case.name in PLAIN)

    found = asyncio.run(matrix.run(peers.PEERS[name], tmp_path, cases, slots=2))

    assert len(found) == len(PLAIN)
    assert {n: v.reason for n, v in found.items() if v.grade.is_failure} == {}
