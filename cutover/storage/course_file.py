"""What steering saw last, as one file: for pages, for people, and for its next life."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cutover.core.live import Tally
from cutover.errors import CannotWrite
from cutover.service.steering import Steered
from cutover.storage.durable import reason_of, write_draft


@dataclass(frozen=True, slots=True)
class CourseFile:
    """A file that is replaced after each look."""

    path: Path

    def known(self) -> Mapping[str, Tally]:
        """Domain to what legacy was like; nothing where the file is absent or damaged.

        What is lost with it is learnt again as long as legacy answers anyone.
        """
        try:
            told = json.loads(self.path.read_bytes())["known"]
            return {name: _tally(one) for name, one in told.items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}

    def write(self, at: datetime, steered: Sequence[Steered], known: Mapping[str, Tally]) -> None:
        """Raises CannotWrite."""
        content = {
            "at": at.isoformat(timespec="seconds"),
            "domains": {one.domain: steered_value(one) for one in steered},
            "known": {name: asdict(one) for name, one in known.items() if one.answers},
        }
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            draft = write_draft(self.path, (json.dumps(content, indent=1) + "\n").encode())
            draft.replace(self.path)
        except OSError as exc:
            raise CannotWrite(f"{self.path} cannot be written: {reason_of(exc)}") from exc


def steered_value(one: Steered) -> dict[str, Any]:
    """One domain's course as JSON."""
    course, finding = one.course, one.course.finding
    return {
        "at": str(one.at),
        "move": str(course.move),
        "because": course.because,
        "next_share": None if course.share_bp is None else course.share_bp / 10_000,
        "waits_s": None if course.waits_s is None else round(course.waits_s),
        "verdict": None if finding is None else str(finding.verdict),
        "findings": [] if finding is None else list(finding.sentences),
        "inputs": {} if finding is None else dict(finding.inputs),
        "done": one.done,
        "problem": one.problem,
    }


def _tally(told: Mapping[str, Any]) -> Tally:
    within = {int(bound): int(count) for bound, count in told["within"].items()}
    return Tally(int(told["answers"]), int(told["errors"]), within)
