"""Who is told, as a file that only its owner reads: it holds secrets."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cutover.core.hook import Hook
from cutover.core.notice_shapes import SECRET_BYTES, Shape, is_secret, make_secret
from cutover.errors import CannotRead, CannotWrite, Conflict, CutoverError
from cutover.ports import Turn
from cutover.storage.durable import reason_of, sync_folder, write_draft

_WAIT_S = 5.0
_PRIVATE = 0o600
_MOST_HOOKS = 50


@dataclass(frozen=True, slots=True)
class Wanted:
    """A hook that is to be. See Hook."""

    url: str
    shape: Shape
    events: tuple[str, ...]
    domains: tuple[str, ...]
    after: int
    at: datetime


@dataclass(frozen=True, slots=True)
class HooksFile:
    """Implements ports.notices.Hooks. `turn` is taken by who changes it."""

    path: Path
    turn: Turn

    def all(self) -> Sequence[Hook]:
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return ()
        except OSError as exc:
            raise CannotRead(f"{self.path} cannot be read: {reason_of(exc)}") from exc
        try:
            return tuple(_hook(one) for one in json.loads(content)["hooks"])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
            raise CannotRead(
                f"{self.path} is damaged; restore it from a backup, or remove it and add the"
                " hooks anew"
            ) from exc

    def add(self, wanted: Wanted) -> Hook:
        """Raises CutoverError where it is there already, CannotRead, CannotWrite, Conflict."""
        with self._ours():
            hooks = self.all()
            for one in hooks:
                if (one.url, one.shape) == (wanted.url, wanted.shape):
                    raise CutoverError(
                        f"hook {one.id} tells that place already; banyan hooks remove {one.id}"
                        " takes it away"
                    )
            if len(hooks) >= _MOST_HOOKS:
                raise CutoverError(f"there are {_MOST_HOOKS} hooks already; remove one first")
            hook = Hook(
                id=f"h{secrets.token_hex(4)}",
                url=wanted.url,
                shape=wanted.shape,
                secret=make_secret(secrets.token_bytes(SECRET_BYTES)),
                after=wanted.after,
                added_at=wanted.at,
                events=wanted.events,
                domains=wanted.domains,
            )
            self._write((*hooks, hook))
        return hook

    def get(self, name: str) -> Hook:
        """A hook by its id. Raises CutoverError where there is none, CannotRead."""
        hooks = self.all()
        for one in hooks:
            if one.id == name:
                return one
        known = ", ".join(one.id for one in hooks) or "none"
        raise CutoverError(f"there is no hook {name}; there are: {known}")

    def remove(self, name: str) -> Hook:
        """Raises as `get` and `add` do."""
        with self._ours():
            gone = self.get(name)
            self._write([one for one in self.all() if one.id != name])
        return gone

    @contextmanager
    def _ours(self) -> Iterator[None]:
        with self.turn.take(wait_s=_WAIT_S) as is_ours:
            if not is_ours:
                raise Conflict(f"somebody else changes {self.path}; try again")
            yield

    def _write(self, hooks: Sequence[Hook]) -> None:
        told = {"hooks": [_value(one) for one in hooks]}
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            content = (json.dumps(told, indent=1) + "\n").encode()
            write_draft(self.path, content, mode=_PRIVATE).replace(self.path)
            sync_folder(self.path.parent)
        except OSError as exc:
            raise CannotWrite(f"{self.path} cannot be written: {reason_of(exc)}") from exc


def _value(hook: Hook) -> dict[str, Any]:
    return {**asdict(hook), "added_at": hook.added_at.isoformat(timespec="seconds")}


def _hook(told: dict[str, Any]) -> Hook:
    secret = str(told["secret"])
    if not is_secret(secret):
        raise ValueError("a secret that cannot sign")
    return Hook(
        id=str(told["id"]),
        url=str(told["url"]),
        shape=Shape(told["shape"]),
        secret=secret,
        after=int(told["after"]),
        added_at=datetime.fromisoformat(told["added_at"]),
        events=tuple(map(str, told["events"])),
        domains=tuple(map(str, told["domains"])),
    )
