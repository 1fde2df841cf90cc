"""Recorded requests become a profile that holds no person, no secret and no write."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutover.core.load_traffic import (
    NotTraffic,
    Recorded,
    make_traffic,
    plain_traffic,
    traffic_from_json,
    traffic_to_json,
)
from cutover.edge.recording import Recorder, follow
from proxy.core.marks import PURGED
from proxy.routing import Domain, Route, ShadowPolicy, Stage
from tests.fakes.cutover import FakeTime
from tests.support.comparing import frame
from tests.support.stores import Worker

LIST, ONE, ADD, SEND = (
    Route("catalog", "/products/", ("GET",)),
    Route("catalog", "/products/{id}/", ("GET",)),
    Route("catalog", "/products/", ("POST",)),
    Route("catalog", "/send/", ("GET",), has_effects=True),
)
CATALOG = Domain("catalog", "shop", Stage.SHADOW, (LIST, ONE, ADD, SEND))
MARK = "[hmac:0123456789abcdef]"


def asked(at_s: float, route: Route = LIST, target: str = "", **more: object) -> Recorded:
    method = str(more.get("method", route.methods[0]))
    shopper = more.get("shopper")
    return Recorded(
        at_us=int(at_s * 1e6),
        elapsed_us=10_000,
        method=method,
        route=route.name,
        target=target or route.path,
        status=int(str(more.get("status", 200))),
        shopper=None if shopper is None else str(shopper),
    )


def test_routes_are_weighted_and_filled_as_they_were_asked() -> None:
    found = make_traffic(
        CATALOG,
        [asked(0), asked(1), *(asked(2 + n, ONE, "/products/7/") for n in range(2)),
         asked(9, ONE, "/products/8/?currency=EUR", status=404)],
        span_s=10,
    )  # fmt: skip

    assert [(one.name, one.weight) for one in found.routes] == [(LIST.name, 2), (ONE.name, 3)]
    assert found.routes[1].targets == (("/products/7/", 2), ("/products/8/?currency=EUR", 1))
    assert found.routes[1].refused_ppm == 333_333
    assert found.rate_per_s == 0.5


def test_a_sample_of_exchanges_stands_for_all_of_them() -> None:
    tenth = replace(CATALOG, shadow=ShadowPolicy(sample_bp=1_000))

    assert make_traffic(tenth, [asked(0), asked(5)], span_s=10).rate_per_s == 2.0


def test_writes_effects_and_hidden_values_are_left_out_and_counted() -> None:
    found = make_traffic(
        CATALOG,
        [
            asked(0),
            asked(1, ADD),
            asked(2, SEND),
            asked(3, ONE, f"/products/{MARK}/"),
            replace(asked(4), route="GET /gone/"),
        ],
        missed=6,
    )

    assert [one.route for one in found.routes] == [LIST.name]
    assert found.left_out == {
        "effects or writes": 1,
        "hidden values in the path or query": 1,
        "missed": 6,
        "unknown route": 1,
        "unsafe method": 1,
    }


def test_nothing_of_a_shopper_is_in_the_document() -> None:
    found = make_traffic(CATALOG, [asked(n, shopper="5f2d77aa") for n in range(5)])

    document = traffic_to_json(found).decode()

    assert "5f2d77aa" not in document
    assert MARK not in document
    assert found.think_s == pytest.approx(0.99)


def test_a_pause_of_half_an_hour_begins_another_visit() -> None:
    found = make_traffic(CATALOG, [asked(n * 1_900, shopper="a") for n in range(3)])

    assert found.think_s is None


def test_a_domain_of_which_nothing_was_captured_says_how_to_record() -> None:
    with pytest.raises(NotTraffic, match="banyan traffic record catalog --for 10m"):
        make_traffic(CATALOG, [])


def test_without_a_recording_only_routes_without_variables_are_asked() -> None:
    found = plain_traffic(CATALOG, 5)

    assert [(one.route, one.targets) for one in found.routes] == [(LIST.name, (("/products/", 1),))]
    with pytest.raises(NotTraffic, match="all of its routes need values"):
        plain_traffic(replace(CATALOG, routes=(ONE, ADD, SEND)), 5)


def test_a_document_that_was_altered_is_refused() -> None:
    document = json.loads(traffic_to_json(make_traffic(CATALOG, [asked(0)])))
    document["rate_per_s"] = 0.001

    with pytest.raises(NotTraffic, match="altered"):
        traffic_from_json(json.dumps(document).encode())


@given(st.binary(max_size=200) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
).map(lambda value: json.dumps(value).encode()))  # fmt: skip
def test_garbage_is_no_profile(content: bytes) -> None:
    with pytest.raises(NotTraffic):
        traffic_from_json(content)


@given(
    st.lists(
        st.builds(
            asked,
            st.floats(0, 1e6),
            st.sampled_from([LIST, ONE, ADD, SEND]),
            st.text(max_size=20).map(lambda text: f"/{text}"),
            shopper=st.none() | st.sampled_from(["a", "b"]),
        )
    )
)
def test_whatever_was_captured_the_profile_can_be_read_again(found: list[Recorded]) -> None:
    try:
        made = make_traffic(CATALOG, found)
    except NotTraffic:
        return

    assert traffic_from_json(traffic_to_json(made)) == made
    assert all(one.method == "GET" for one in made.routes)


def test_frames_are_looked_at_and_left_where_they_are(tmp_path: Path) -> None:
    worker = Worker(tmp_path, "run-1")
    worker.mirror(3)
    worker.write([frame(4, of="cart"), frame(5)])
    recorder = Recorder(tmp_path, "catalog")

    recorder.look()
    recorder.look()
    again = Recorder(tmp_path, "catalog")
    again.look()
    worker.close()

    assert len(recorder.found) == len(again.found) == 4
    assert recorder.missed == 0


def test_a_purged_frame_is_nobodys_request(tmp_path: Path) -> None:
    import msgspec  # noqa: PLC0415 - here alone

    worker = Worker(tmp_path, "run-1")
    worker.write([msgspec.structs.replace(frame(1), redaction=PURGED)])
    recorder = Recorder(tmp_path, "catalog")

    recorder.look()
    worker.close()

    assert recorder.found == []


def test_what_the_comparer_took_away_meanwhile_is_counted(tmp_path: Path) -> None:
    worker = Worker(tmp_path, "run-1")
    worker.mirror(1)
    recorder = Recorder(tmp_path, "catalog")
    recorder.look()

    worker.mirror(1)
    worker.writer.next_seq = 5
    worker.mirror(2)
    recorder.look()
    worker.close()

    assert len(recorder.found) == 4
    assert recorder.missed == 2


def test_a_recording_takes_what_comes_and_not_what_was_there(tmp_path: Path) -> None:
    worker = Worker(tmp_path, "run-1")
    worker.mirror(5)
    recorder = Recorder(tmp_path, "catalog")
    time = FakeTime()

    def sleep(seconds: float) -> None:
        time.sleep(seconds)
        worker.mirror(1)

    span_s = follow(recorder, 2.0, lambda: time.now_s, sleep, lambda *_: None)
    worker.close()

    assert span_s == 2.0
    assert len(recorder.found) == 8
