"""Gates, ramps and rollbacks of a routing file: what is read, and what is refused where."""

from __future__ import annotations

from datetime import date

import pytest

from proxy.errors import RoutingFileError
from proxy.routing import Approvals, Calendar, Domain, Freeze, Hours, Ramp, RollbackRule
from proxy.storage.tables import parse_routing

FILE = """\
apiVersion: banyan/v1
stores: {legacy: {url: "http://a"}, core: {url: "http://b"}}
shopper: ["cookie:s"]
domains:
  catalog:
    owner: shop
    stage: canary
    core_share: 1%
    routes: [{path: /c}]
"""


def catalog(more: str) -> Domain:
    return parse_routing((FILE + more).encode(), "f").domain("catalog")


def problems(more: str) -> list[str]:
    with pytest.raises(RoutingFileError) as caught:
        catalog(more)
    return [str(one) for one in caught.value.problems]


def test_a_domain_that_says_nothing_moves_by_hand_alone() -> None:
    found = catalog("")

    assert (found.calendar, found.approvals, found.ramp, found.rollback) == (None,) * 4


def test_everything_that_can_be_said_is_read() -> None:
    found = catalog(
        """\
    gates:
      calendar:
        zone: America/Toronto
        hours: [mon-thu 09:00-16:00, "sat-mon 22:30-24:00"]
        freeze: [{from: 2026-11-20, until: 2026-12-02, why: the busiest days}]
      approvals: {count: 2, within: 3d}
    ramp: {steps: [1%, 5%, 25%, 100%], soak: 30m, requests: 500}
    rollback: {errors: 0.5%, slow: 5%, requests: 100, window: 1m}
"""
    )

    late = Hours(frozenset((5, 6, 0)), 22 * 60 + 30, 24 * 60)
    assert found.calendar == Calendar(
        "America/Toronto",
        (Hours(frozenset(range(4)), 9 * 60, 16 * 60), late),
        (Freeze(date(2026, 11, 20), date(2026, 12, 2), "the busiest days"),),
    )
    assert found.approvals == Approvals(2, 3 * 86_400)
    assert found.ramp == Ramp((100, 500, 2_500, 10_000), 1_800, 500)
    assert found.rollback == RollbackRule(5_000, 50_000, 100, 60)


def test_what_is_left_out_has_a_default() -> None:
    found = catalog("    ramp: {steps: [5%], soak: 1h}\n    rollback: {slow: 5%}\n")

    assert found.ramp == Ramp((500,), 3_600, 200)
    assert found.rollback == RollbackRule(None, 50_000, 200, 120)


def test_other_gates_than_parity_ask_for_no_parity() -> None:
    found = catalog("    gates: {approvals: {count: 1}}\n")

    assert (found.ungated, found.parity_gate) == (True, None)


BAD = {
    "ramp: {steps: [5%, 5%], soak: 1h}": "ramp.steps: The steps do not ascend",
    "ramp: {steps: [0%, 5%], soak: 1h}": "ramp.steps: The steps do not ascend",
    "ramp: {steps: [], soak: 1h}": "ramp.steps: A ramp needs a step",
    "ramp: {steps: [5%]}": "ramp.soak",
    "ramp: {soak: 1h}": "ramp.steps",
    "rollback: {}": "rollback.errors",
    "rollback: {errors: 1%, window: 1s}": "rollback.window",
    "gates: {calendar: {zone: America/Nowhere}}": "no time zone",
    "gates: {calendar: {zone: ../../etc/passwd}}": "no time zone",
    "gates: {calendar: {hours: [monday 9-5]}}": "calendar.hours[0]",
    'gates: {calendar: {hours: ["mon 16:00-09:00"]}}': "ends before it begins",
    'gates: {calendar: {hours: ["mon 09:00-24:30"]}}': "calendar.hours[0]",
    "gates: {calendar: {freeze: [{from: 2026-12-02, until: 2026-11-20}]}}": "lies before from",
    "gates: {calendar: {freeze: [{from: 2026-12-02}]}}": "freeze[0].until",
    "gates: {approvals: {}}": "approvals.count",
    "gates: {approvals: {count: 0}}": "approvals.count",
}


@pytest.mark.parametrize("line", BAD)
def test_what_cannot_be_meant_is_refused_with_its_place(line: str) -> None:
    more = f"    {line}\n"
    if line.startswith("ramp"):
        more += "    rollback: {errors: 1%}\n"

    found = problems(more)

    assert len(found) == 1
    assert BAD[line] in found[0]
    assert found[0].startswith("f:10: domains.catalog.")


def test_a_share_does_not_grow_by_itself_where_nothing_takes_it_back() -> None:
    (found,) = problems("    ramp: {steps: [5%], soak: 1h}\n")

    assert "f:10: domains.catalog.ramp: A share may not grow by itself" in found
