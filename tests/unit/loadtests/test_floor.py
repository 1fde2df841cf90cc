"""The floor hands out returning shoppers and writes down what happens to them."""

from __future__ import annotations

import io
import json
from itertools import islice

import pytest

from loadtests.answers import Answer
from loadtests.floor import FAILURE_EVENTS_MAX, Errand, Floor, JsonLines, Reply
from loadtests.journeys import Journey, Planned, Step, Visit
from loadtests.tally import Outcome

SHOP = "http://shop.example"


class ListSink:
    """Keeps events in memory."""

    def __init__(self) -> None:
        self.events: list[dict[str, object]] = []

    def write(self, event: dict[str, object]) -> None:
        self.events.append(event)


def floor(sink: ListSink | None = None, seed: int = 1) -> Floor:
    return Floor(SHOP, seed, shoppers_per_user=4, events=sink or ListSink())


def reply(side: str | None, at: float, status: int = 200) -> Reply:
    return Reply(Answer(status), at - 0.1, at, 100.0, side, "req-1")


def walk(errand: Errand) -> list[Step]:
    """The steps of a visit to a shop that is down."""
    steps = []
    while (request := errand.next_request()) is not None:
        steps.append(request.step)
        errand.tell(Answer(0, error="down"))
    return steps


def test_a_user_plays_few_shoppers_and_each_returns() -> None:
    visits = list(islice(floor().enter(), 100))

    names = [name for name, _ in visits]
    assert len(set(names)) == 4
    assert min(names.count(name) for name in names) > 10


def test_no_two_users_play_the_same_shopper() -> None:
    shop = floor()

    first, second = ({name for name, _ in islice(shop.enter(), 50)} for _ in range(2))

    assert not first & second
    assert shop.shoppers == 8


def test_the_same_seed_plays_the_same_shoppers_and_visits() -> None:
    one, two = (list(islice(floor(seed=5).enter(), 20)) for _ in range(2))

    assert [(name, walk(errand)) for name, errand in one] == [
        (name, walk(errand)) for name, errand in two
    ]


def test_a_visit_to_a_shop_that_is_down_asks_only_what_it_can() -> None:
    steps = (Planned(Step.PRODUCT_LIST, 0.1), Planned(Step.PRODUCT_DETAIL, 0.1))

    assert walk(Errand(Visit(Journey.BROWSE, steps), SHOP)) == [Step.PRODUCT_LIST]


def test_an_answer_to_nothing_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(RuntimeError, match="before a request"):
        Errand(Visit(Journey.BROWSE, ()), SHOP).tell(Answer(200))


def test_changes_of_side_and_failures_become_events() -> None:
    sink = ListSink()
    shop = floor(sink)
    shop.record("ada", Step.PRICE, reply("legacy", 1), Outcome.OK, "")
    shop.record("ada", Step.PRICE, reply(None, 2), Outcome.OK, "")

    shop.record("ada", Step.PRICE, reply("core", 3, 500), Outcome.FAILED, "status 500")

    assert [event["kind"] for event in sink.events] == ["side_change", "failure"]
    assert sink.events[0]["previous_sent_at"] == 0.9
    assert (sink.events[1]["status"], sink.events[1]["request_id"]) == (500, "req-1")
    summary = shop.as_json()
    assert (summary["requests"], summary["failures"], summary["side_changes"]) == (3, 1, 1)
    assert summary["sides"] == {"price": {"core": 1, "legacy": 1}}


def test_a_store_that_is_down_for_long_does_not_fill_the_disk() -> None:
    sink = ListSink()
    shop = floor(sink)

    for at in range(FAILURE_EVENTS_MAX + 10):
        shop.record("ada", Step.PRICE, reply(None, at, 0), Outcome.FAILED, "down")

    assert len(sink.events) == FAILURE_EVENTS_MAX
    assert shop.tally.failures == FAILURE_EVENTS_MAX + 10


def test_a_shopper_that_breaks_down_counts_as_a_failure() -> None:
    shop = floor()

    shop.crashed("KeyError('x')")

    assert shop.tally.failures == 1


def test_an_event_is_one_line_that_is_there_at_once() -> None:
    file = io.StringIO()

    JsonLines(file).write({"kind": "failure", "reason": "line\nbreak"})

    (line,) = file.getvalue().splitlines()
    assert json.loads(line) == {"kind": "failure", "reason": "line\nbreak"}


def test_an_order_that_the_shop_took_is_written_down_with_its_number() -> None:
    kept = ListSink()
    shop = floor(kept)
    body = {"number": "100042", "total_incl_tax": "24.99"}
    taken = Reply(Answer(200, body), sent_at=1.0, at=2.0, elapsed_ms=5.0, side="legacy")

    shop.record("ann", Step.CHECKOUT, taken, Outcome.OK, "")
    shop.record("bob", Step.CHECKOUT, taken, Outcome.REFUSED, "")

    assert kept.events == [
        {
            "kind": "order",
            "shopper": "ann",
            "number": "100042",
            "total": "24.99",
            "side": "legacy",
            "sent_at": 1.0,
            "at": 2.0,
        }
    ]
