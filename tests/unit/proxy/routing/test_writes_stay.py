"""Reads move while writes stay with legacy: one domain, two ways."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import RoutingFileError
from proxy.routing import (
    BASIS_POINTS,
    Decision,
    Domain,
    PinPolicy,
    Route,
    ShadowPolicy,
    Side,
    Stage,
    Unmirrored,
    Why,
    Writes,
    decide,
    explanation,
    killed,
    parse_kill,
)
from proxy.storage.tables import parse_routing
from tests.support.routing_tables import domain, head, table

READS, CHANGES = ("GET", "HEAD", "OPTIONS"), ("POST", "PUT", "PATCH", "DELETE")
#: GET makes a basket for whoever has none.
BASKET = Route("catalog", "/basket", ("GET", "POST"), has_writes=True)


def reads_alone(
    stage: Stage,
    share: int = 0,
    *,
    shadow: ShadowPolicy | None = None,
    pin: PinPolicy | None = None,
) -> Domain:
    found = domain(stage=stage, share=share, methods=(*READS, *CHANGES), shadow=shadow)
    return replace(found, routes=(*found.routes, BASKET), writes_stay=True, pin=pin)


@given(
    st.sampled_from([stage for stage in Stage if stage is not Stage.RETIRED]),
    st.integers(0, BASIS_POINTS),
    st.sampled_from(CHANGES),
    st.none() | st.text(min_size=1, max_size=9),
    st.booleans(),
)
def test_no_write_reaches_the_core_whatever_stage_share_shopper_or_pilot(
    stage: Stage, share: int, method: str, shopper: str | None, is_pilot: bool
) -> None:
    pilot = {"x_banyan_pilot": "internal"} if is_pilot else {}
    rules = table(reads_alone(stage, share if stage is Stage.CANARY else 0))

    assert decide(head(method=method, shopper=shopper, **pilot), rules).side is Side.LEGACY
    assert decide(head("/basket", shopper=shopper, **pilot), rules).side is Side.LEGACY


@given(st.integers(0, BASIS_POINTS), st.sampled_from(READS), st.text(min_size=1, max_size=9))
def test_reads_go_as_if_nothing_were_said_of_writes(share: int, method: str, shopper: str) -> None:
    staying = reads_alone(Stage.CANARY, share)
    request = head(method=method, shopper=shopper)

    moving = decide(request, table(replace(staying, writes_stay=False)))

    assert decide(request, table(staying)) == moving


def test_a_write_that_stays_is_mirrored_as_in_shadow() -> None:
    post = head(method="POST", shopper="s")

    def found(writes: Writes) -> Decision:
        rules = table(reads_alone(Stage.CORE, shadow=ShadowPolicy(writes=writes)))
        return decide(post, rules)

    assert (found(Writes.DRY_RUN).side, found(Writes.DRY_RUN).shadow) == (Side.LEGACY, Side.CORE)
    assert found(Writes.DRY_RUN).stage is Stage.SHADOW
    assert found(Writes.NEVER).unmirrored is Unmirrored.UNSAFE_METHOD


def test_a_write_that_stays_pins_nobody_to_legacy() -> None:
    rules = table(reads_alone(Stage.CANARY, BASIS_POINTS, pin=PinPolicy(600)))

    wrote = decide(head(method="POST", shopper="s"), rules)
    read = decide(head(shopper="s"), rules)

    assert wrote.ticket is None
    assert read.ticket is not None
    assert [pin.side for pin in read.ticket.pins] == [Side.CORE]


def test_why_is_said_in_words() -> None:
    found = decide(head(method="POST"), table(reads_alone(Stage.CORE)))

    assert found.why is Why.WRITES_STAY
    assert "catalog keeps its writes with legacy, so legacy answers" in str(
        explanation(found)["reason"]
    )


def test_a_kill_goes_before() -> None:
    rules = killed(table(reads_alone(Stage.CORE)), parse_kill("all"))

    assert decide(head(method="POST"), rules).why is Why.KILLED


FILE = """\
apiVersion: banyan/v1
stores: {{legacy: {{url: "http://a"}}, core: {{url: "http://b"}}}}
domains:
  cart:
    owner: till
    stage: {stage}
    writes_to: {to}
    routes: [{{path: /c, methods: [GET, POST]}}]
"""


def test_the_file_says_it() -> None:
    found = parse_routing(FILE.format(stage="core", to="legacy").encode(), "routing.yaml")

    assert found.domain("cart").writes_stay


@pytest.mark.parametrize(
    ("stage", "to", "told"),
    [
        ("core", "core", "writes go where reads go"),
        ("retired", "legacy", "Where legacy is retired it takes no writes."),
    ],
)
def test_what_makes_no_sense_does_not_load_and_says_the_way_out(
    stage: str, to: str, told: str
) -> None:
    with pytest.raises(RoutingFileError) as caught:
        parse_routing(FILE.format(stage=stage, to=to).encode(), "routing.yaml")

    (problem,) = caught.value.problems
    assert (problem.line, problem.key) == (7, "domains.cart.writes_to")
    assert told in f"{problem.what} {problem.fix}"
