"""Judge two bodies in one line."""

from __future__ import annotations

import json
from typing import Any

from proxy.routing.model import CompareRule, Side
from shadow_compare.core.answer import Answer
from shadow_compare.core.judge import Exchange, Judge
from shadow_compare.core.verdict import Verdict

JSON = (("Content-Type", "application/json"),)


def answer(body: Any, *, status: int = 200, headers: Any = JSON) -> Answer:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status, tuple(headers), raw)


def verdict(
    legacy: Any,
    core: Any,
    *rules: CompareRule,
    headers: tuple[str, ...] = (),
    method: str = "GET",
    again: Any = None,
    live: Side = Side.LEGACY,
) -> Verdict:
    ours, theirs, other = (
        one if isinstance(one, Answer) else answer(one) for one in (legacy, core, again)
    )
    exchange = Exchange(method, ours, theirs, live, None if again is None else other)
    return Judge(headers, rules).judge(exchange)


def places(found: Verdict) -> list[tuple[str, str]]:
    return [(leaf.path, leaf.kind) for leaf in found.leaves]
