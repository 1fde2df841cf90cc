"""The proxy and the table that it follows, as a flip needs them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field

from cutover import ports
from cutover.core.flip import routed_stage
from cutover.core.revision import Entry, RevisionKind, sha256
from cutover.core.stages import position
from cutover.edge.flip_door import FlipDoor
from cutover.errors import CannotWrite, Conflict, CutoverError, NothingInForce
from cutover.ports.flips import HoldSeen
from cutover.service.books import Books
from cutover.service.in_force import InForce, look
from cutover.storage.restage import restage
from legacy_adapters.mapping.versions import Side

_TRIES = 5


@dataclass(frozen=True, slots=True)
class TableRouters:
    """Implements ports.flips.Routers."""

    door: FlipDoor
    books: Books

    async def hold(self, domains: Sequence[str], *, for_s: float) -> HoldSeen:
        return await self.door.hold(domains, for_s=for_s)

    async def holding(self, domains: Sequence[str]) -> HoldSeen | None:
        return await self.door.holding(domains)

    async def take(self, revision: str) -> None:
        await self.door.take(revision)

    async def release(self, domains: Sequence[str]) -> bool:
        return await self.door.release(domains)

    async def known(self, domains: Sequence[str]) -> Sequence[str]:
        seen = await asyncio.to_thread(look, self.books.applied, self.books.ledger)
        names = {domain.name for domain in seen.table.domains} if seen.table else set()
        return [name for name in domains if name in names]

    @asynccontextmanager
    async def draft(
        self, domains: Sequence[str], to: Side, *, actor: str, reason: str
    ) -> AsyncIterator[TableDraft]:
        with ExitStack() as files:
            draft = TableDraft(self.books, tuple(domains), to, actor, reason, files)
            await asyncio.to_thread(draft.write)
            yield draft


@dataclass(slots=True)
class TableDraft:
    """Implements ports.flips.Draft."""

    books: Books
    domains: tuple[str, ...]
    to: Side
    actor: str
    reason: str
    files: ExitStack
    seen: InForce | None = None
    text: bytes = b""
    changes: list[str] = field(default_factory=list)
    file: ports.Draft | None = None

    def write(self) -> None:
        """Work out the table, and write it beside the one in force."""
        seen = self.seen = look(self.books.applied, self.books.ledger)
        if seen.table is None or seen.text is None:
            raise NothingInForce("no table is in force, so no requests can be routed anew")
        self.text, self.changes, self.file = seen.text, [], None
        for domain in seen.table.domains:
            wanted = routed_stage(domain.stage, self.to)
            frees_writes = domain.writes_stay and self.to is Side.CORE
            is_moved = wanted is not domain.stage or frees_writes
            if domain.name in self.domains and is_moved:
                self.text = restage(self.text, domain.name, wanted, frees_writes=frees_writes)
                self.changes.append(f"{domain.name}: {position(domain)} -> {wanted}, by a flip")
        if self.text != seen.on_disk:
            self.file = self.files.enter_context(self.books.applied.draft(self.text))

    async def put_in_force(self) -> str:
        return await asyncio.to_thread(self._put)

    def _put(self) -> str:
        for _ in range(_TRIES):
            if self.seen is None:
                self.write()
            if self._is_swapped():
                return sha256(self.text)[:12]
            # Somebody swapped a table in since, which is taken along, or swept the draft away.
            self.seen = None
        raise Conflict("the table in force changes without end; who else writes it?")

    def _is_swapped(self) -> bool:
        assert self.seen is not None  # noqa: S101 - written by the caller
        if self.file is None:
            return self.books.applied.read() == self.text
        try:
            self.file.put_in_force(instead_of=self.seen.on_disk)
        except Conflict:
            return False
        except CannotWrite:
            self.seen = None
            raise
        # From now on it is in force; another try must find that, and swap nothing.
        self.file = None
        return True

    def write_down(self) -> Sequence[str]:
        seen = self.seen
        last = None if seen is None else seen.last
        if seen is None or (last is not None and last.table_sha256 == sha256(self.text)):
            return ()
        entry = Entry(
            at=self.books.now(),
            actor=self.actor,
            kind=RevisionKind.APPLY,
            reason=self.reason,
            changes=tuple(self.changes) or ("the table in force was written down",),
            evidence=(),
            routing_yaml=self.text.decode("utf-8"),
            found=seen.found,
        )
        try:
            self.books.ledger.append(entry)
        except CannotWrite as exc:
            return (f"in force, but not in the ledger: {exc}",)
        except CutoverError as exc:
            return (str(exc),)
        return ()
