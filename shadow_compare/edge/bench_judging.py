"""What judging costs: pairs a second of CPU time, beside DeepDiff on the same documents.

    python -m shadow_compare.edge.bench_judging [SECONDS]

Judges as the comparer does, from the bytes of both answers to the verdict. DeepDiff gets
the documents as `json.loads` reads them, which is less than what is judged. CPU time of
this process on one core; the best of five rounds, since a busy machine only takes away.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from proxy.routing import Accept, CompareRule, RuleTerms
from shadow_compare.core.answer import Answer
from shadow_compare.core.judge import Exchange, Judge
from shadow_compare.core.verdict import Outcome

_ROUNDS = 5
_FIELDS = 10


@dataclass(frozen=True, slots=True)
class Pair:
    """Two answers, what is expected of them, and how many pairs a second at least.

    Attributes:
        tool: DeepDiff's arguments; None when it does not read such documents.
        goal: pairs a second; 0 where none is set.
    """

    name: str
    exchange: Exchange
    outcome: Outcome
    rules: tuple[CompareRule, ...] = ()
    tool: dict[str, Any] | None = None
    goal: int = 0


def pairs() -> tuple[Pair, ...]:
    """What is measured."""
    ours = _listing(0)
    theirs = _changed(ours)
    size = len(json.dumps(ours))
    page, feed = _page(ours), _feed(ours)
    return (
        Pair(
            f"equal JSON, {size} bytes, spelled differently",
            _exchange(ours, ours, indent=1),
            Outcome.MATCH,
            tool={},
            goal=10_000,
        ),
        Pair(
            f"JSON, {_FIELDS} fields differ",
            _exchange(ours, theirs),
            Outcome.MISMATCH,
            tool={},
            goal=2_000,
        ),
        Pair(
            "JSON, unordered array",
            _exchange(ours, {**ours, "items": ours["items"][::-1]}),
            Outcome.ACCEPTED,
            (_rule("$.items", Accept.UNORDERED),),
            tool={"ignore_order": True},
        ),
        Pair(
            f"JSON, keyed array, {_FIELDS} fields differ",
            _exchange(ours, {**theirs, "items": theirs["items"][::-1]}),
            Outcome.MISMATCH,
            (_rule("$.items", Accept.KEYED, RuleTerms(by=("id",))),),
            tool={"ignore_order": True},
        ),
        Pair("equal HTML, spaced differently", _markup(page, "html", "\n  "), Outcome.MATCH),
        Pair("equal XML, spaced differently", _markup(feed, "xml", "\n  "), Outcome.MATCH),
        Pair(
            "HTML, one price differs",
            _markup(page, "html", "\n  ", ("19.90", "19.91")),
            Outcome.MISMATCH,
        ),
        Pair(
            "XML, one price differs",
            _markup(feed, "xml", "\n  ", ("19.90", "19.91")),
            Outcome.MISMATCH,
        ),
    )


def measure(seconds: float, write: Callable[[str], object]) -> bool:
    """Measure every pair; whether all that has a goal reached it."""
    tool = _tool()
    reached = True
    write(f"{'pair':44} {'pairs/s':>9} {'goal':>7} {'DeepDiff':>9}\n")
    for pair in pairs():
        judge = Judge(("content-type",), pair.rules)
        found = judge.judge(pair.exchange)
        if found.outcome is not pair.outcome:
            raise SystemExit(f"{pair.name}: {found.outcome} ({found.reason}), not {pair.outcome}")
        rate = _rate(lambda judge=judge, pair=pair: judge.judge(pair.exchange), seconds)  # type: ignore[misc]
        beside = "-"
        if tool is not None and pair.tool is not None:
            beside = f"{_rate(_with_tool(tool, pair), seconds):,.0f}"
        goal = f"{pair.goal:,}" if pair.goal else "-"
        write(f"{pair.name:44} {rate:>9,.0f} {goal:>7} {beside:>9}\n")
        reached = reached and rate >= pair.goal
    return reached


def _rate(run: Callable[[], object], seconds: float) -> float:
    best = 0.0
    for _ in range(_ROUNDS):
        done, began = 0, time.process_time()
        while (spent := time.process_time() - began) < seconds / _ROUNDS:
            for _ in range(10):
                run()
            done += 10
        best = max(best, done / spent)
    return best


def _tool() -> Any:
    try:
        return importlib.import_module("deepdiff").DeepDiff
    except ImportError:
        return None


def _with_tool(tool: Any, pair: Pair) -> Callable[[], object]:
    exchange, options = pair.exchange, pair.tool or {}
    return lambda: tool(
        json.loads(exchange.legacy.body), json.loads(exchange.core.body), **options
    ).to_dict()


def _listing(start: int) -> dict[str, Any]:
    items = [
        {
            "id": 1_000 + at,
            "sku": f"SKU-{at:05}",
            "title": f"A product with a name, number {at}",
            "price": {"amount": "19.90", "currency": "EUR", "tax": 3.18},
            "stock": at * 3,
            "active": at % 2 == 0,
            "tags": ["new", "sale"],
        }
        for at in range(start, start + 11)
    ]
    return {"count": len(items), "next": None, "items": items}


def _changed(listing: dict[str, Any]) -> dict[str, Any]:
    """The same with as many fields changed as `_FIELDS` says, each in another item."""
    other = json.loads(json.dumps(listing))
    for at in range(_FIELDS):
        item = other["items"][at]
        if at % 2:
            item["price"]["amount"] = "19.91"
        else:
            item["stock"] += 1
    return dict(other)


def _exchange(legacy: Any, core: Any, indent: int | None = None) -> Exchange:
    kind = (("Content-Type", "application/json"),)
    bodies = json.dumps(legacy).encode(), json.dumps(core, indent=indent, sort_keys=True).encode()
    legacy_answer, core_answer = (Answer(200, kind, body) for body in bodies)
    return Exchange("GET", legacy_answer, core_answer)


def _markup(text: str, kind: str, space: str, change: tuple[str, str] = ("", "")) -> Exchange:
    headers = (("Content-Type", f"text/{kind}; charset=utf-8"),)
    other = text.replace(*change, 1) if change[0] else text
    bodies = text, other.replace("</li>", f"</li>{space}").replace("</item>", f"</item>{space}")
    legacy, core = (Answer(200, headers, body.encode()) for body in bodies)
    return Exchange("GET", legacy, core)


def _page(listing: dict[str, Any]) -> str:
    items = "".join(
        f'<li class="product in-stock" id="p{item["id"]}"><a href="/p/{item["id"]}/">'
        f'{item["title"]}</a> <b class="price">{item["price"]["amount"]}</b></li>'
        for item in listing["items"]
    )
    return (
        '<!DOCTYPE html><html><head><title>Shop</title></head><body><div id="main">'
        f'<ul class="products">{items}</ul></div></body></html>'
    )


def _feed(listing: dict[str, Any]) -> str:
    items = "".join(
        f'<item id="{item["id"]}" sku="{item["sku"]}"><title>{item["title"]}</title>'
        f'<price currency="EUR">{item["price"]["amount"]}</price></item>'
        for item in listing["items"]
    )
    return f'<?xml version="1.0"?><feed xmlns="urn:shop">{items}</feed>'


def _rule(path: str, accept: Accept, terms: RuleTerms | None = None) -> CompareRule:
    last = date(2100, 1, 1)
    return CompareRule(path, accept, "bench", "measured", last, terms=terms or RuleTerms())


def main(arguments: Sequence[str]) -> int:
    """Print the table; 1 when a goal was missed."""
    seconds = float(arguments[0]) if arguments else 2.0
    return 0 if measure(seconds, sys.stdout.write) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
