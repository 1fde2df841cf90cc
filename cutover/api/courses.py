"""What a domain does by itself, in a sentence or two."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cutover.api.figures import share_of_bp
from cutover.api.gather import SourceAway
from cutover.api.readings import CourseLine
from cutover.core.calendar import closed_because
from cutover.core.stages import SERVING
from proxy.routing import Domain, Stage

LATE_S = 30.0
_MINUTES_FROM_S = 120


def by_itself(domain: Domain, course: CourseLine | None, now_s: float) -> tuple[str, ...]:
    """What a page says of it; nothing of a domain that no shopper meets on the core."""
    if domain.stage not in SERVING:
        return ()
    if domain.rollback is None and domain.ramp is None:
        return ("Nothing takes it back by itself: it has no rollback.",)
    if course is None or now_s - course.at_s > LATE_S:
        return ("Nothing steers it now: run banyan steer, or the control room that steers.",)
    told = [f"{_capital(course.because)}."]
    if course.next_share_bp is not None and not course.done:
        waits = "" if course.waits_s is None else f", in {_span(course.waits_s)} at the earliest"
        told.append(f"Its ramp goes on to {share_of_bp(course.next_share_bp)}{waits}.")
    told += [f"{_capital(one)}." for one in course.findings if one != course.because]
    return (*told, *([f"Could not: {course.problem}."] if course.problem else []))


def held_back(domain: Domain, now_s: float) -> tuple[str, ...]:
    """What a step forward has to wait for besides parity: the calendar, and people."""
    told: list[str] = []
    if domain.stage is Stage.RETIRED:
        return ()
    if domain.calendar is not None:
        closed = closed_because(domain.calendar, datetime.fromtimestamp(now_s, UTC))
        told += [f"The calendar is closed: {closed}."] if closed else []
    if domain.approvals is not None and domain.stage is not Stage.LEGACY:
        people = "person" if domain.approvals.count == 1 else "people"
        told.append(
            f"Its next stage asks for {domain.approvals.count} {people} to approve:"
            f" banyan approve {domain.name}."
        )
    return tuple(told)


def read_courses(path: Path) -> Mapping[str, CourseLine]:
    """Domain to its course, as the last look had it; nothing where nobody ever looked.

    Raises:
        SourceAway: the file is there and cannot be read.
    """
    try:
        told = json.loads(path.read_bytes())
        at_s = datetime.fromisoformat(told["at"]).timestamp()
        return {name: _line(at_s, one) for name, one in told["domains"].items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
        raise SourceAway(f"cannot be read ({exc})") from exc


def is_steered(course: CourseLine | None, now_s: float) -> bool:
    """Whether somebody looked lately at what the domain does by itself."""
    return course is not None and now_s - course.at_s <= LATE_S


def _line(at_s: float, told: Mapping[str, Any]) -> CourseLine:
    share, waits = told["next_share"], told["waits_s"]
    return CourseLine(
        at_s=at_s,
        move=str(told["move"]),
        because=str(told["because"]),
        findings=tuple(map(str, told["findings"])),
        next_share_bp=None if share is None else round(share * 10_000),
        waits_s=None if waits is None else float(waits),
        done=str(told["done"]),
        problem=str(told["problem"]),
        verdict=str(told.get("verdict") or ""),
        inputs={str(name): int(number) for name, number in told.get("inputs", {}).items()},
    )


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < _MINUTES_FROM_S else f"{seconds / 60:.0f} min"
