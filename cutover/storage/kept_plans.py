"""Plans that were made in the room, kept until they are applied or forgotten."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cutover.core.plan_file import NewerPlan, NotAPlan, PlanFile, plan_from_json, plan_to_json
from cutover.errors import CannotRead, CannotWrite
from cutover.storage.answers import prune, put
from cutover.storage.durable import reason_of, sweep_drafts

KEPT_S = 7 * 24 * 3_600
MOST = 500
_ID = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class KeptPlan:
    """A plan with how it was shown.

    Attributes:
        undoes: the first and the last revision that it takes back; None for another plan.
        shown: as the room answered it.
    """

    id: str
    planned: PlanFile
    undoes: tuple[int, int] | None
    shown: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class KeptPlans:
    """The folder, which is made when it is first needed."""

    folder: Path
    now: Callable[[], datetime]

    def keep(
        self, planned: PlanFile, shown: Mapping[str, Any], undoes: tuple[int, int] | None
    ) -> KeptPlan:
        """Keep a plan under a new name. Raises CannotWrite."""
        kept = KeptPlan(secrets.token_hex(8), planned, undoes, shown)
        content = {
            "plan_file": plan_to_json(planned).decode(),
            "undoes": undoes,
            "shown": dict(shown),
        }
        path = self.folder / f"{kept.id}.json"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            sweep_drafts(self.folder)
            prune(self.folder, older_than_s=self.now().timestamp() - KEPT_S, most=MOST - 1)
            put(path, json.dumps(content, ensure_ascii=False).encode(), self.now())
        except OSError as exc:
            raise CannotWrite(f"{path} cannot be written: {reason_of(exc)}") from exc
        return kept

    def find(self, plan_id: str) -> KeptPlan | None:
        """A kept plan; None for one that is not there. Raises CannotRead."""
        if not _ID.fullmatch(plan_id):
            return None
        path = self.folder / f"{plan_id}.json"
        try:
            told: Any = json.loads(path.read_bytes())
            undoes = None if told["undoes"] is None else (told["undoes"][0], told["undoes"][1])
            planned = plan_from_json(told["plan_file"].encode())
            return KeptPlan(plan_id, planned, undoes, dict(told["shown"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, NotAPlan, NewerPlan) as exc:
            raise CannotRead(f"{path} cannot be read: {exc}; make the plan anew") from exc
