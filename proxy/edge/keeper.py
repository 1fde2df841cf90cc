"""The one who says which table is in force: looks at its file, checks it, keeps the last
good one with the certificates that go with it. Workers take what it hands them.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from proxy.core.address import AddressError
from proxy.edge.control import Handed
from proxy.edge.rules import check_stores, store_files
from proxy.edge.tls import ListenerTls, Pems, Stamp
from proxy.routing import RoutingTable
from proxy.storage.tables import TableWatcher

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.05
_LOOKS_PER_CERTIFICATES = 10


class TableKeeper:
    """Belongs to the supervisor's event loop.

    A table is kept when it loads and all its stores can be used; any other stays outside,
    for workers that run as for those to come. Their certificates' contents are kept with
    it: a worker that starts while one is being written begins with what was good.

    Attributes:
        table: the last good one.
        number: counts its changes.
        paper: descriptor of a file that holds `handed`; another one with each number.
        problem: why the file as it stands is not in force; None when it is.
    """

    def __init__(
        self, config: Path, tls: ListenerTls | None, on_result: Callable[[str], None]
    ) -> None:
        """Load for the first time.

        Args:
            config: the routing file.
            tls: the listener's certificate.
            on_result: told "failed" for each file that is not taken.

        Raises:
            RoutingFileError: the file does not load.
            AddressError: a store cannot be used.
        """
        self._base = config.parent
        self._tls = tls
        self._on_result = on_result
        self._watcher = TableWatcher(config)
        self.table = self._wanted = self._watcher.load()
        self._content = self._watcher.content
        self._stamps = self._stamps_of(self._wanted)
        self._pems = check_stores(self.table, self._base)
        self._until_certificates = _LOOKS_PER_CERTIFICATES
        self._looking = asyncio.Lock()
        self.problem: str | None = None
        self.number = 1
        self.paper = _write(self.handed)

    @property
    def handed(self) -> Handed:
        """What a worker that starts now goes by."""
        listener = {} if self._tls is None else self._tls.pems
        return Handed(self._content, {**self._pems, **listener})

    async def run(self, on_table: Callable[[], None]) -> None:
        """Look until cancelled; `on_table` is called when there is a table to hand on."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if await self.look():
                on_table()

    def close(self) -> None:
        """Give the paper back."""
        os.close(self.paper)

    async def look(self) -> bool:
        """Look at once. True when there is another table to hand on."""
        async with self._looking:
            return await self._look()

    async def _look(self) -> bool:
        watcher = self._watcher
        if watcher.is_due() and await asyncio.to_thread(watcher.poll):
            if watcher.problem is not None:
                # 1. a table is refused for its certificate, 2. a broken file replaces it,
                # 3. the certificate is mended: nobody asks for that table any more.
                self._wanted = self.table
                self._stamps = self._stamps_of(self._wanted)
                self._refuse("the routing file does not load", str(watcher.problem))
                return False
            return await self._check(watcher.table or self.table)
        self._until_certificates -= 1
        if self._until_certificates > 0:
            return False
        self._until_certificates = _LOOKS_PER_CERTIFICATES
        if self._tls is not None:
            self._tls.reload()
        if self._stamps_of(self._wanted) == self._stamps:
            return False
        return await self._check(self._wanted)

    async def _check(self, wanted: RoutingTable) -> bool:
        # Stamps are taken before the contents: what changes in between is seen next time.
        is_new = wanted is not self._wanted
        self._wanted, self._stamps = wanted, self._stamps_of(wanted)
        try:
            pems = await asyncio.to_thread(check_stores, wanted, self._base)
        except AddressError as exc:
            # A store in force keeps its last good certificate, and its workers say so.
            if is_new or wanted is not self.table:
                self._refuse("the table cannot be used", str(exc))
            return False
        return self._keep(wanted, pems)

    def _keep(self, table: RoutingTable, pems: Pems) -> bool:
        """Workers look after changed certificates of stores in force by themselves."""
        self._pems = pems
        if table is self.table:
            return False
        self.table, self._content = table, self._watcher.content
        self.problem = None
        self.number += 1
        os.close(self.paper)
        self.paper = _write(self.handed)
        return True

    def _refuse(self, what: str, problem: str) -> None:
        if problem == self.problem:
            return
        self.problem = problem
        self._on_result("failed")
        log.error("%s; the last good one stays: %s", what, problem)

    def _stamps_of(self, table: RoutingTable) -> tuple[Stamp, ...]:
        return tuple(
            store_files(side, store, self._base).stamp() for side, store in table.stores.items()
        )


def _write(handed: Handed) -> int:
    paper = os.memfd_create("table")
    with open(paper, "wb", closefd=False) as file:
        file.write(msgspec.msgpack.encode(handed))
    return paper


def read_handed(paper: int) -> Handed:
    """Read what came with `TakeTable`, and close it. All workers share its position."""
    try:
        return msgspec.msgpack.decode(os.pread(paper, os.fstat(paper).st_size, 0), type=Handed)
    finally:
        os.close(paper)
