"""How far the telling of each hook has come, as one file. It holds no secrets and no texts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cutover.core.hook import Outcome, Progress, Tried
from cutover.errors import CannotWrite
from cutover.storage.durable import reason_of, sync_folder, write_draft


@dataclass(frozen=True, slots=True)
class NoticesFile:
    """Implements ports.notices.Notices: a file that is replaced after each try."""

    path: Path

    def read(self) -> Mapping[str, Progress]:
        try:
            told = json.loads(self.path.read_bytes())["hooks"]
            return {name: _progress(one) for name, one in told.items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return {}

    def write(self, progress: Mapping[str, Progress]) -> None:
        content = {"hooks": {name: progress_value(one) for name, one in progress.items()}}
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            text = (json.dumps(content, indent=1) + "\n").encode()
            write_draft(self.path, text).replace(self.path)
            sync_folder(self.path.parent)
        except OSError as exc:
            raise CannotWrite(f"{self.path} cannot be written: {reason_of(exc)}") from exc


def progress_value(one: Progress) -> dict[str, Any]:
    """One hook's progress as JSON."""
    return {
        "n": one.n,
        "done": list(one.done),
        "tries": one.tries,
        "failing_since": _spelled(one.failing_since),
        "waiting_since": _spelled(one.waiting_since),
        "counts": {str(outcome): count for outcome, count in one.counts.items()},
        "recent": [tried_value(tried) for tried in one.recent],
    }


def tried_value(tried: Tried) -> dict[str, Any]:
    """One try as JSON."""
    return {
        "at": _spelled(tried.at),
        "event": tried.event,
        "kind": tried.kind,
        "outcome": str(tried.outcome),
        "status": tried.status,
        "problem": tried.problem,
    }


def _spelled(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="milliseconds")


def _read(at: str | None) -> datetime | None:
    return None if at is None else datetime.fromisoformat(at)


def _progress(told: dict[str, Any]) -> Progress:
    return Progress(
        n=int(told["n"]),
        done=tuple(map(str, told["done"])),
        tries=int(told["tries"]),
        failing_since=_read(told["failing_since"]),
        waiting_since=_read(told["waiting_since"]),
        counts={Outcome(name): int(count) for name, count in told["counts"].items()},
        recent=tuple(
            Tried(
                datetime.fromisoformat(one["at"]),
                str(one["event"]),
                str(one["kind"]),
                Outcome(one["outcome"]),
                one["status"],
                str(one["problem"]),
            )
            for one in told["recent"]
        ),
    )
