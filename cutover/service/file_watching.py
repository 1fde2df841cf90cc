"""Put a file in force when its content changes, and never again what was taken back.

Two may watch the same file: they take turns, and a swap compares before it replaces.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, takewhile
from pathlib import Path
from typing import Protocol

from cutover.core.drift import explain_drift
from cutover.core.flip_owners import Owners
from cutover.core.plan import Plan
from cutover.core.revision import DamagedRevision, Revision, from_json, sha256
from cutover.core.watched_file import (
    Next,
    Past,
    Standing,
    Watched,
    begin,
    decide,
    done,
    past_of,
    reason_for,
    recall,
    stands,
)
from cutover.errors import Conflict, CutoverError
from cutover.ports import Turn
from cutover.service.applying import Prepared, Reshare, commit, prepare
from cutover.service.books import Books
from cutover.service.gathering import OpenEvidence
from cutover.service.in_force import InForce, look
from proxy.errors import RoutingFileError
from proxy.routing import RoutingTable
from proxy.storage.tables import parse_routing, read_routing

AGAIN_S = 30.0
_LOOKS_BACK = 200


class Notes(Protocol):
    """What is known of watched files, over restarts."""

    def read(self) -> Watched:
        """What is known of the file; a new Watched where nothing is."""
        ...

    def write(self, watched: Watched) -> None:
        """Replace it, synced. Raises CannotWrite."""
        ...


@dataclass(frozen=True, slots=True)
class Watch:
    """What is needed to watch a file.

    Attributes:
        file: as messages and the ledger name it.
        turn: whoever has it looks; the others rest.
        clock_s: a monotonic clock.
        commit_of: what version control says of a file's content; "" where it says nothing.
    """

    file: Path
    actor: str
    books: Books
    notes: Notes
    turn: Turn
    reshare: Reshare
    open_evidence: OpenEvidence
    owners: Callable[[], Owners]
    clock_s: Callable[[], float]
    commit_of: Callable[[Path, bytes], str] = lambda _path, _content: ""

    @property
    def name(self) -> str:
        """The file's name."""
        return str(self.file)


class FileWatching:
    """Looks at one file again and again. Belongs to one event loop."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._seen: str | None = None
        self._asked: tuple[str, float] | None = None
        self._recalled_n = 0

    async def look(self) -> Watched | None:
        """Look once, and do what is to be done; None where somebody else looks just now.

        Content counts when two looks in a row find the same: an editor may still be writing.

        Raises:
            CannotRead, CannotWrite: what is in force, or what is known, is out of reach.
        """
        with self._watch.turn.take(wait_s=0) as is_ours:
            if not is_ours:
                return None
            before = await asyncio.to_thread(self._watch.notes.read)
            after = await self._looked(before)
            if after != before:
                await asyncio.to_thread(self._watch.notes.write, after)
            return after

    async def _looked(self, watched: Watched) -> Watched:
        watch = self._watch
        try:
            content = await asyncio.to_thread(read_routing, watch.file)
        except RoutingFileError as exc:
            self._seen = None
            return self._stands(watched, Standing.BROKEN, str(exc.problems[0]))
        digest = sha256(content)[:12]
        is_settled, self._seen = digest == self._seen, digest
        watched = await asyncio.to_thread(self._recalled, watched)
        if digest == watched.handled:
            return self._rests(watched)
        if not is_settled or self._was_just_asked(digest):
            return watched
        self._asked = digest, watch.clock_s()
        return await self._settled(watched, content, digest)

    def _was_just_asked(self, digest: str) -> bool:
        if self._asked is None or self._asked[0] != digest:
            return False
        return self._watch.clock_s() - self._asked[1] < AGAIN_S

    def _recalled(self, watched: Watched) -> Watched:
        """Most looks read one entry of the ledger, and no look reads the same ones again."""
        past = tuple(self._past(max(watched.n, self._recalled_n)))
        self._recalled_n = max(self._recalled_n, *(one.n for one in past), 0)
        return recall(watched, past)

    async def _settled(self, watched: Watched, content: bytes, digest: str) -> Watched:
        watch = self._watch
        try:
            table = await asyncio.to_thread(parse_routing, content, watch.name)
        except RoutingFileError as exc:
            return self._stands(watched, Standing.BROKEN, str(exc.problems[0]))
        seen = await asyncio.to_thread(look, watch.books.applied, watch.books.ledger)
        over = _digest(seen.on_disk)
        known = watched
        watched = await asyncio.to_thread(self._begun, known, digest, over)
        if watched != known:
            # Kept before anything is asked: what is taken back from now on, also while nobody
            # looks, is taken back from this content.
            await asyncio.to_thread(watch.notes.write, watched)
        why = await asyncio.to_thread(self._taken_back, watched, table, seen)
        match decide(watched, digest, is_taken_back=bool(why)):
            case Next.REST:
                return watched
            case Next.HOLD:
                held = done(watched, digest, _n(seen))
                return self._stands(held, Standing.TAKEN_BACK, why)
            case Next.PLAN:
                return await self._planned(watched, content, digest, seen)

    def _begun(self, watched: Watched, digest: str, over: str | None) -> Watched:
        return begin(watched, digest, self._past(0), over)

    async def _planned(
        self, watched: Watched, content: bytes, digest: str, seen: InForce
    ) -> Watched:
        watch = self._watch
        try:
            prepared = await prepare(
                watch.books,
                content,
                watch.name,
                watch.open_evidence,
                owners=await asyncio.to_thread(watch.owners),
                actor=watch.actor,
                reshare=watch.reshare,
            )
            _refuse_if_other(prepared.in_force, seen)
            if prepared.plan.refused:
                return self._stands(watched, Standing.REFUSED, _refusal(prepared.plan))
            if prepared.plan.is_empty:
                return self._stands(done(watched, digest, _n(seen)), Standing.SAME, "")
            revision = await asyncio.to_thread(self._commit, prepared, content, digest)
        except Conflict:
            self._asked = None  # the next look finds what came instead
            return watched
        except CutoverError as exc:
            return self._stands(watched, Standing.REFUSED, str(exc))
        told = f"as revision {revision.n}"
        return self._stands(done(watched, digest, revision.n), Standing.APPLIED, told)

    def _commit(self, prepared: Prepared, content: bytes, digest: str) -> Revision:
        watch = self._watch
        reason = reason_for(watch.name, digest, watch.commit_of(watch.file, content))
        return commit(watch.books, prepared, actor=watch.actor, reason=reason)

    def _rests(self, watched: Watched) -> Watched:
        """Back to how it stood, where the file was broken or another for a while."""
        again = begin(watched, watched.handled or "", (), None)
        if watched.standing in {Standing.APPLIED, Standing.SAME, Standing.TAKEN_BACK}:
            return again
        return self._stands(again, Standing.APPLIED, f"by revision {watched.n} at the latest")

    def _stands(self, watched: Watched, standing: Standing, told: str) -> Watched:
        return stands(watched, standing, told, self._watch.books.now())

    def _taken_back(self, watched: Watched, table: RoutingTable, seen: InForce) -> str:
        """Who took back what the file asks for, after its content was first seen; "" for nobody."""
        since = tuple(takewhile(lambda one: one.n > watched.since_n, self._revisions()))
        undone = [one for one in since if past_of(one, self._watch.name).is_undo]
        if undone:
            return f"revision {undone[0].n} by {undone[0].entry.actor} took something back"
        if seen.found is not None and _digest(seen.on_disk) != watched.over:
            return f"{self._watch.books.applied.name} was changed outside Banyan meanwhile"
        if seen.table is None:
            return ""
        why: Mapping[str, str] = explain_drift(table, seen.table, since, self._watch.name)
        return next(iter(why.values()), "")

    def _past(self, n: int) -> Iterator[Past]:
        """Revisions that came into force, newest first, down to number `n`."""
        revisions = self._revisions()
        newest = next(revisions, None)
        if newest is None or newest.n <= n:
            return
        before = next(revisions, None)
        # Only the newest one can be of an apply that died, or is not through yet.
        if self._came_into_force(newest, before):
            yield past_of(newest, self._watch.name)
        for one in chain(() if before is None else (before,), revisions):
            if one.n <= n:
                return
            yield past_of(one, self._watch.name)

    def _came_into_force(self, newest: Revision, before: Revision | None) -> bool:
        table = _digest(self._watch.books.applied.read())
        replaced = None if before is None else before.table_sha256[:12]
        return table == newest.table_sha256[:12] or table != replaced

    def _revisions(self) -> Iterator[Revision]:
        for looked, (_, content) in enumerate(self._watch.books.ledger.backwards()):
            if looked == _LOOKS_BACK:
                return
            try:
                yield from_json(content)
            except DamagedRevision:
                continue  # banyan ledger verify names it


def _digest(content: bytes | None) -> str | None:
    return None if content is None else sha256(content)[:12]


def _refuse_if_other(now: InForce, seen: InForce) -> None:
    """A rollback may have come since it was asked what was taken back. Raises Conflict."""
    if (now.last, now.on_disk) != (seen.last, seen.on_disk):
        raise Conflict("what is in force changed meanwhile")


def _n(seen: InForce) -> int:
    return 0 if seen.last is None else seen.last.n


def _refusal(plan: Plan) -> str:
    first = plan.refused[0]
    return f"{first.domain}: {first.refusals[0]}"
