"""Tell every hook what the ledger says, in its order, at least once.

1. A try is answered. 2. The process is killed before it writes that down. 3. The next one
tries again, under the same id. So a receiver may hear a thing twice, and never misses one
that was not given up.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from cutover.core.hook import Hook, Outcome, Progress, after_try, past, pause_s
from cutover.core.notice import Event, events_of
from cutover.core.notice_shapes import body_of, headers_of
from cutover.core.revision import DamagedRevision, Revision, RevisionKind, from_json, sha256
from cutover.errors import CannotRead, CannotWrite
from cutover.ports.notices import Hooks, Notices, Post, PostAnswer
from cutover.service.books import Books

EVERY_S = 1.0
_LOG = logging.getLogger(__name__)
_BATCH = 50
#: Longer than this no apply stands between its revision and its swap.
_SETTLES = timedelta(seconds=15)
_AFTER_FAULT_S = 30.0


@dataclass(frozen=True, slots=True)
class Outlets:
    """What is needed to tell others.

    Attributes:
        lot: a number in [0, 1), another each time.
        room_url: where people open the control room; "" where nobody said.
    """

    books: Books
    hooks: Hooks
    notices: Notices
    post: Post
    lot: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    room_url: str = ""


class Teller:
    """Tells all hooks, each at its own pace. Belongs to one event loop; one may be at work."""

    def __init__(self, outlets: Outlets) -> None:
        self._outlets = outlets
        self._progress: dict[str, Progress] = {}
        self._saving = asyncio.Lock()
        self._problem = ""

    async def run(self) -> None:
        """Until it is cancelled. Hooks that are added and removed meanwhile count."""
        self._progress = dict(await asyncio.to_thread(self._outlets.notices.read))
        at_work: dict[str, asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as tasks:
            while True:
                hooks = await self._hooks()
                if hooks is not None:
                    known = {one.id for one in hooks}
                    for name in at_work.keys() - known:
                        at_work.pop(name).cancel()
                    self._progress = {n: p for n, p in self._progress.items() if n in known}
                    for one in hooks:
                        if one.id not in at_work:
                            at_work[one.id] = tasks.create_task(self._tell(one))
                await self._outlets.sleep(EVERY_S)

    async def _hooks(self) -> Sequence[Hook] | None:
        """None where they cannot be read: then those that are known stay."""
        try:
            found = await asyncio.to_thread(self._outlets.hooks.all)
        except CannotRead as exc:
            self._say_once(str(exc))
            return None
        return found

    async def _tell(self, hook: Hook) -> None:
        while True:
            try:
                told = await self.tell_news(hook)
            except Exception:  # noqa: BLE001 - logged below
                # One hook's odd answer must neither end the others nor the room.
                _LOG.exception("hook %s (%s) ended in a fault of its own", hook.id, hook.place)
                await self._outlets.sleep(_AFTER_FAULT_S)
            else:
                if not told:
                    await self._outlets.sleep(EVERY_S)

    async def tell_news(self, hook: Hook) -> bool:
        """Tell a hook what came since; False when nothing did.

        Returns when all of it is delivered or given up, which may take days.
        """
        progress = self._progress.setdefault(hook.id, Progress(hook.after))
        try:
            news = await asyncio.to_thread(self._news, progress.n)
        except CannotRead as exc:
            self._say_once(f"the ledger is out of reach: {exc}")
            return False
        for n, revision in news:
            events = () if revision is None else events_of(revision, self._outlets.room_url)
            for event in events:
                if hook.wants(event) and event.id not in self._progress[hook.id].done:
                    await self._deliver(hook, event)
            self._progress[hook.id] = past(self._progress[hook.id], n)
        if news:
            await self._save()
        return bool(news)

    async def _deliver(self, hook: Hook, event: Event) -> None:
        body = body_of(event, hook.shape)
        while True:
            at = self._outlets.books.now()
            headers = headers_of(event, hook.secret, at, body)
            answer = await self._outlets.post(hook.url, headers, body)
            before, at = self._progress[hook.id], self._outlets.books.now()
            after, outcome = after_try(before, event, at, answer.status, answer.problem)
            self._progress[hook.id] = after
            await self._save()
            _log(hook, event, before, outcome, answer)
            if outcome is not Outcome.FAILED:
                return
            lot = self._outlets.lot()
            await self._outlets.sleep(pause_s(after.tries, lot, answer.asked_pause_s))

    async def _save(self) -> None:
        async with self._saving:
            kept: Mapping[str, Progress] = dict(self._progress)
            try:
                await asyncio.to_thread(self._outlets.notices.write, kept)
            except CannotWrite as exc:
                # What is told now is told again by the next process: better than not at all.
                self._say_once(str(exc))

    def _say_once(self, problem: str) -> None:
        if problem != self._problem:
            _LOG.warning("notices: %s", problem)
        self._problem = problem

    def _news(self, n: int) -> list[tuple[int, Revision | None]]:
        """The next revisions after `n`, oldest first; None for those with nothing to tell."""
        newest: int | None = None
        kept: deque[tuple[int, bytes]] = deque()
        for m, content in self._outlets.books.ledger.backwards():
            newest = m if newest is None else newest
            kept.appendleft((m, content))
            if m <= n:
                break
            if len(kept) == _BATCH:
                kept.pop()  # the newest of them: its turn comes
        if newest is None or newest < n:
            # The ledger is another, or an older one from a backup: what it says is known.
            return [(newest or 0, None)] if n else []
        news = [(m, _readable(m, content)) for m, content in kept if m > n]
        if news and news[-1][0] == newest:
            known = [*kept][:-1][-1:]
            previous = _readable(*known[0]) if known else None
            news = [*news[:-1], *self._settled(*news[-1], previous)]
        return news

    def _settled(
        self, n: int, newest: Revision | None, previous: Revision | None
    ) -> list[tuple[int, Revision | None]]:
        """The newest revision, unless it has not come into force yet, or never did.

        1. An apply writes its revision. 2. Somebody else's swap makes its own fail. 3. The
        revision is withdrawn. What is told between 1 and 3 would have been a lie.
        """
        if newest is None or newest.entry.kind not in {RevisionKind.APPLY, RevisionKind.INIT}:
            return [(n, newest)]
        on_disk = self._outlets.books.applied.read()
        table = None if on_disk is None else sha256(on_disk)
        replaced = None if previous is None else previous.table_sha256
        if table == newest.table_sha256 or table != replaced:
            return [(n, newest)]
        if self._outlets.books.now() - newest.entry.at < _SETTLES:
            return []
        return [(n, None)]


def _readable(n: int, content: bytes) -> Revision | None:
    try:
        return from_json(content)
    except DamagedRevision as exc:
        _LOG.debug("revision %d is damaged and nothing is told of it: %s", n, exc)
        return None


def _log(hook: Hook, event: Event, before: Progress, outcome: Outcome, answer: PostAnswer) -> None:
    """One line when a hook begins to fail, when it is well again, and for what is given up."""
    who = f"hook {hook.id} ({hook.place})"
    match outcome:
        case Outcome.GIVEN_UP:
            _LOG.warning("%s: gave up on %s after a day: %s", who, event.id, answer.problem)
        case Outcome.FAILED if before.failing_since is None:
            _LOG.warning("%s did not take %s: %s; tried again", who, event.id, answer.problem)
        case Outcome.DELIVERED if before.failing_since is not None:
            _LOG.warning("%s takes notices again", who)
        case _:
            pass
