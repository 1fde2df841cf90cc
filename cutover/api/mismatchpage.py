"""A mismatch group's page: one stored exchange, both answers side by side."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from cutover.api.card import GroupLine, group_line
from cutover.api.readings import MismatchReading
from cutover.api.sidebyside import SideBySide, side_by_side
from proxy.routing import Side, Store
from shadow_compare.core.evidence import Example, Leaf

KIND_WORDS = {
    "status": "status differs",
    "header": "header differs",
    "missing": "missing in the core",
    "added": "only in the core",
    "type": "other type",
    "value": "other value",
    "order": "other order",
    "length": "other length",
    "body": "body differs",
}
_NOT_REPLAYED = frozenset({"content-length", "connection", "transfer-encoding"})
_REDACTED = "[hmac:"


@dataclass(frozen=True, slots=True)
class HeadRow:
    """A header of both answers; None where a side did not send it."""

    name: str
    legacy: str | None
    core: str | None
    differs: bool


@dataclass(frozen=True, slots=True)
class LeafRow:
    """One difference in words."""

    path: str
    words: str
    legacy: str | None
    core: str | None


@dataclass(frozen=True, slots=True)
class Curl:
    """A command that asks one side again; `left_out` names headers it cannot repeat."""

    side: str
    command: str
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ExampleView:
    """A stored exchange, ready to be shown."""

    request_id: str
    at_s: float
    request: str
    request_headers: tuple[tuple[str, str], ...]
    live_side: str
    legacy_status: int
    core_status: int
    head: tuple[HeadRow, ...]
    leaves: tuple[LeafRow, ...]
    body: SideBySide
    curls: tuple[Curl, ...]


@dataclass(frozen=True, slots=True)
class MismatchPage:
    """A group and the example that is open. `others` are the places of all examples."""

    domain: str
    group: GroupLine
    patterns: tuple[str, ...]
    current: bool
    epoch: str
    example: ExampleView | None
    shown: int
    others: tuple[tuple[int, str, float], ...]
    now_s: float


def mismatch_page(
    reading: MismatchReading, stores: Mapping[Side, Store], shown: int, now_s: float
) -> MismatchPage:
    """Decide what a group's page says; `shown` is the place of the example, 0 the newest."""
    group, examples = reading.group, reading.examples
    shown = min(max(shown, 0), max(0, len(examples) - 1))
    return MismatchPage(
        domain=group.domain,
        group=group_line(group),
        patterns=group.patterns,
        current=group.current,
        epoch=group.epoch,
        example=example_view(examples[shown], stores) if examples else None,
        shown=shown,
        others=tuple(
            (place, f"{entry.method} {entry.target}", entry.at_s)
            for place, entry in enumerate(examples)
        ),
        now_s=now_s,
    )


def example_view(example: Example, stores: Mapping[Side, Store]) -> ExampleView:
    """Lay out one stored exchange."""
    return ExampleView(
        request_id=example.request_id,
        at_s=example.at_s,
        request=f"{example.method} {example.target}",
        request_headers=example.request_headers,
        live_side=example.live_side,
        legacy_status=example.legacy_status,
        core_status=example.core_status,
        head=head_rows(example),
        leaves=tuple(_leaf(leaf) for leaf in example.leaves),
        body=side_by_side(example.legacy_body, example.core_body, example.leaves),
        curls=tuple(
            curl(example, stores[side]) for side in (Side.LEGACY, Side.CORE) if side in stores
        ),
    )


def head_rows(example: Example) -> tuple[HeadRow, ...]:
    """Both answers' headers by name. Only differences that were counted are marked."""
    counted = {
        leaf.pattern.removeprefix("header:").lower()
        for leaf in example.leaves
        if leaf.kind == "header"
    }
    names = dict.fromkeys(
        name.lower() for name, _ in (*example.legacy_headers, *example.core_headers)
    )
    rows = []
    for name in sorted(names):
        sides = (_values(example.legacy_headers, name), _values(example.core_headers, name))
        rows += [
            HeadRow(name, legacy, core, differs=name in counted and legacy != core)
            for legacy, core in zip_longest(*sides)
        ]
    return tuple(rows)


def _values(headers: Sequence[tuple[str, str]], name: str) -> list[str]:
    return [value for key, value in headers if key.lower() == name]


def _leaf(leaf: Leaf) -> LeafRow:
    return LeafRow(leaf.path, KIND_WORDS.get(leaf.kind, leaf.kind), leaf.legacy, leaf.core)


def curl(example: Example, store: Store) -> Curl:
    """The request as a shell command against one store. Redacted headers cannot be sent."""
    parts = ["curl", "-sS", "-i"]
    if example.method == "HEAD":
        parts.append("-I")
    elif example.method != "GET":
        parts += ["-X", shlex.quote(example.method)]
    left_out = []
    for name, value in example.request_headers:
        if _REDACTED in value:
            left_out.append(name)
        elif name.lower() not in _NOT_REPLAYED:
            parts += ["-H", shlex.quote(f"{name}: {value}")]
    parts.append(shlex.quote(store.url.rstrip("/") + example.target))
    return Curl(store.side.value, " ".join(parts), tuple(left_out))
