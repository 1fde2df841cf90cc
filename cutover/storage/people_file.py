"""People and tokens as one file that only its owner may read: people.json."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from cutover.core.access import Role
from cutover.core.people import Book, Person, Token
from cutover.errors import CannotRead, CannotWrite, Conflict
from cutover.storage.durable import reason_of, sweep_drafts, sync_folder, write_draft
from cutover.storage.turn import FileTurn

_VERSION = 1
_WAIT_S = 10.0


@dataclass(slots=True)
class PeopleFile:
    """Reads the book, again only when the file was replaced, and changes it.

    Several commands may write at once: each reads, changes and replaces in its turn.
    """

    path: Path
    _stamp: tuple[int, int, int] | None = field(default=None, init=False)
    _book: Book = field(default_factory=Book, init=False)

    def book(self) -> Book:
        """The book as it is now; an empty one where there is no file.

        Raises:
            CannotRead: there is a file, and it is none of ours. Nobody is known then,
                rather than those who were known before.
        """
        try:
            about = self.path.stat()
            stamp = (about.st_mtime_ns, about.st_ino, about.st_size)
            if stamp != self._stamp:
                self._book, self._stamp = _read(self.path.read_bytes()), stamp
        except FileNotFoundError:
            self._book, self._stamp = Book(), None
        except OSError as exc:
            raise CannotRead(f"{self.path} cannot be read: {reason_of(exc)}") from exc
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
            self._stamp = None
            raise CannotRead(
                f"{self.path} is damaged: put a good copy in its place, or move it away and"
                " add everybody anew with banyan people add"
            ) from exc
        return self._book

    def change(self, made: Callable[[Book], Book]) -> Book:
        """Replace the book by what is made of it, whole and for good.

        Raises:
            CannotRead: the file is damaged.
            CannotWrite: it cannot be replaced; the old one stands.
            Conflict: somebody else has been writing for too long.
        """
        lock = self.path.with_name(f".{self.path.name}.lock")
        turn = FileTurn(lock, time.monotonic, time.sleep)
        with turn.take(wait_s=_WAIT_S) as mine:
            if not mine:
                raise Conflict(f"somebody else is changing {self.path}; try again")
            sweep_drafts(self.path.parent)
            fresh = made(self.book())
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                write_draft(self.path, _written(fresh), mode=0o600).replace(self.path)
                sync_folder(self.path.parent)
            except OSError as exc:
                raise CannotWrite(f"{self.path} cannot be written: {reason_of(exc)}") from exc
            return fresh


def _read(content: bytes) -> Book:
    told = json.loads(content)
    if told["version"] != _VERSION:
        raise ValueError("another version")
    people = {name: _person(name, one) for name, one in told["people"].items()}
    tokens = {name: _token(name, one) for name, one in told["tokens"].items()}
    return Book(people, tokens)


def _person(name: str, told: Mapping[str, Any]) -> Person:
    generation, disabled = told["generation"], told["disabled"]
    if type(generation) is not int or type(disabled) is not bool:
        raise ValueError(name)
    return Person(
        name, _roles(told), str(told["password"]), _moment(told["since"]),
        generation, disabled,
    )  # fmt: skip


def _token(name: str, told: Mapping[str, Any]) -> Token:
    expires = told["expires"]
    return Token(
        name, _roles(told), str(told["sha256"]), _moment(told["since"]),
        None if expires is None else _moment(expires),
    )  # fmt: skip


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return moment


def _roles(told: Mapping[str, Any]) -> frozenset[Role]:
    return frozenset(Role(role) for role in told["roles"])


def _written(book: Book) -> bytes:
    def value(one: Person | Token) -> dict[str, Any]:
        told = {key: _plain(part) for key, part in asdict(one).items()}
        del told["name"]
        return told

    whole = {
        "version": _VERSION,
        "people": {name: value(one) for name, one in sorted(book.people.items())},
        "tokens": {name: value(one) for name, one in sorted(book.tokens.items())},
    }
    return (json.dumps(whole, indent=1) + "\n").encode()


def _plain(part: object) -> object:
    if isinstance(part, frozenset):
        return sorted(str(role) for role in part)
    return part.isoformat(timespec="seconds") if isinstance(part, datetime) else part
