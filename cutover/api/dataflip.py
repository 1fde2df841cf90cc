"""A flip step by step, as its journal has it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cutover.api.datadomain import FlipRow, flip_row
from cutover.api.figures import milliseconds
from cutover.api.judgement import Light
from cutover.core.flip import PROTOCOL, Kind, Step
from legacy_adapters.ports.flips import FlipRecord, Mark, Noted

_LONGEST = 300


@dataclass(frozen=True, slots=True)
class StepRow:
    """A step.

    Attributes:
        light, word: how it stands.
        began_s: None for one that is still to come.
        took: from its intent to its end, by the coordinator's clock; "" while it lasts.
        facts: what was noted, name and value.
    """

    name: str
    does: str
    light: Light
    word: str
    began_s: float | None
    took: str
    facts: tuple[tuple[str, str], ...]
    holder: str


@dataclass(frozen=True, slots=True)
class FlipPage:
    """The whole page."""

    now_s: float
    domain: str
    row: FlipRow
    is_open: bool
    term: int
    steps: tuple[StepRow, ...]
    seen: tuple[tuple[str, str], ...]
    command: str


def flip_page(
    record: FlipRecord, journal: Sequence[Noted], now_s: float, *, is_open: bool
) -> FlipPage:
    """Decide what a flip's page says."""
    kind = Kind(record.start.kind)
    done = _steps(kind, journal, is_open=is_open)
    coming = _coming(kind, journal) if is_open else ()
    name = record.start.domain
    return FlipPage(
        now_s=now_s,
        domain=name,
        row=flip_row(record, is_open=is_open),
        is_open=is_open,
        term=record.start.term,
        steps=(*done, *coming),
        seen=_told(record.start.facts),
        command=f"banyan flip {name} --resume" if is_open else f"banyan readiness {name}",
    )


def _steps(kind: Kind, journal: Sequence[Noted], *, is_open: bool) -> tuple[StepRow, ...]:
    """Each intent with the line that ended it. One that nobody ended is still at it, or died."""
    rows: list[StepRow] = []
    begun: dict[str, tuple[int, datetime, str]] = {}
    for noted in journal:
        step, holder = noted.line.step, noted.holder
        before = begun.get(step)
        if noted.line.mark is Mark.INTENT or before is None or before[2] != holder:
            begun[step] = (len(rows), noted.at, holder)
            rows.append(_row(kind, noted, None, is_open=is_open))
        if noted.line.mark is not Mark.INTENT:
            place, at, _ = begun.pop(step)
            rows[place] = _row(kind, noted, at, is_open=is_open)
    return tuple(rows)


def _row(kind: Kind, noted: Noted, began_at: datetime | None, *, is_open: bool) -> StepRow:
    line = noted.line
    light, word = _standing(line.mark, is_open=is_open)
    began = noted.at if began_at is None else began_at
    took_ms = (noted.at - began).total_seconds() * 1_000
    return StepRow(
        name=line.step.replace("_", " "),
        does=_does(kind, line.step),
        light=light,
        word=word,
        began_s=began.timestamp(),
        took="" if line.mark is Mark.INTENT else milliseconds(max(0.0, took_ms)),
        facts=_told(line.facts),
        holder=noted.holder,
    )


def _standing(mark: Mark, *, is_open: bool) -> tuple[Light, str]:
    if mark is Mark.DONE:
        return Light.PASS, "Done"
    if mark is Mark.FAILED:
        return Light.FAIL, "Failed"
    return (Light.INCONCLUSIVE, "At it") if is_open else (Light.OFF, "Not ended")


def _does(kind: Kind, step: str) -> str:
    known = Step(step) if step in set(Step) else None
    rule = PROTOCOL[kind].get(known) if known is not None else None
    return rule.does if rule is not None else ""


def _coming(kind: Kind, journal: Sequence[Noted]) -> tuple[StepRow, ...]:
    """What follows when all goes well, from the last step that is known."""
    rules = PROTOCOL[kind]
    known = [noted.line.step for noted in journal if noted.line.step in set(Step)]
    at = Step(known[-1]) if known else Step.PREFLIGHT
    rows: list[StepRow] = []
    while at in rules and isinstance(following := rules[at].done, Step):
        at = following
        name = at.value.replace("_", " ")
        rows.append(StepRow(name, rules[at].does, Light.OFF, "To come", None, "", (), ""))
    return tuple(rows)


def _told(facts: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple(
        _fact(name, value) for name, value in facts.items() if value not in ({}, [], "", None)
    )


def _fact(name: str, value: object) -> tuple[str, str]:
    """Times are read with their unit, which their name has in the journal."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    for unit, factor in (("_ms", 1.0), ("_s", 1_000.0)):
        if is_number and name.endswith(unit):
            return name.removesuffix(unit).replace("_", " "), milliseconds(value * factor)  # type: ignore[operator]
    return name.replace("_", " "), _text(value)


def _text(value: object) -> str:
    if isinstance(value, bool):
        text = "yes" if value else "no"
    elif isinstance(value, float):
        text = f"{value:.1f}"
    elif isinstance(value, str | int):
        text = str(value)
    elif isinstance(value, list):
        text = ", ".join(_text(one) for one in value)
    elif isinstance(value, dict):
        text = ", ".join(f"{name.replace('_', ' ')} {_text(one)}" for name, one in value.items())
    else:
        text = json.dumps(value, default=str)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …"
