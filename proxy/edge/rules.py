"""A table made ready to forward by: its stores' pools and its redactor."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from proxy.core.address import StoreAddress, parse_store_url
from proxy.core.breaker import BreakerState
from proxy.core.fields import FieldReader
from proxy.core.health import HealthState
from proxy.core.limits import Limits, Timeouts
from proxy.core.redaction import Redactor
from proxy.edge import health
from proxy.edge.counters import (
    IN_FLIGHT,
    STORE_BREAKER,
    STORE_CONNECTIONS,
    STORE_HEALTH,
    STORE_WAITING,
    Counters,
)
from proxy.edge.dial import Dialer
from proxy.edge.pool import Pool
from proxy.edge.sealing import Sealer
from proxy.edge.tasks import Tasks
from proxy.edge.tls import Pems, Stamp, StoreTlsFiles, TlsFileError
from proxy.edge.treatment import treatment_of
from proxy.routing import KeyKind, RoutingTable, Side, Store
from proxy.routing.model import StoreTls

log = logging.getLogger(__name__)

# A pool is another one when its address or its TLS identity is.
PoolKey = tuple[Side, tuple[str, int, bool], StoreTls | None]


@dataclass(frozen=True, slots=True)
class StoreTarget:
    """One side of a table: its pool and how its URL changes a request."""

    label: bytes
    address: StoreAddress
    pool: Pool


@dataclass(frozen=True, slots=True)
class Rules:
    """A table made ready. An exchange keeps the rules it began with.

    Attributes:
        fields: reads requests' fields, and tells those that `decide` looks at.
        sealer: None where no domain lets credentials through to the other side.
    """

    table: RoutingTable
    fields: FieldReader
    stores: Mapping[Side, StoreTarget]
    redactor: Redactor
    sealer: Sealer | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A store of a table that is being made, before anything was changed.

    Attributes:
        stamp: of the certificate files that `context` was made of.
        keeps: the pool in force goes on as it is.
    """

    store: Store
    address: StoreAddress
    key: PoolKey
    stamp: Stamp = ()
    context: ssl.SSLContext | None = None
    problem: str | None = None
    keeps: bool = False


class RulesMaker:
    """Turns tables into rules; stores that did not move keep their connections.

    Attributes:
        pools: in use, by side, address and TLS identity.
        problem: what is wrong with a certificate file of a store in force; its last good
            one stays in use, if there was one. None when all is well.
        kept: contents of certificate files that were good before, by path: taken for a
            store that is new here when its files cannot be used now.
        sealing_key: of credentials that are let through; at first the redactor's.
    """

    def __init__(
        self,
        key: bytes,
        limits: Limits,
        now: Callable[[], float],
        *,
        timeouts: Timeouts | None = None,
        counters: Counters | None = None,
        base: Path = Path(),
    ) -> None:
        """Begin without a table.

        Args:
            key: secret of the redactor.
            limits: for stores that say nothing else.
            now: monotonic seconds.
            timeouts: for stores that say nothing else.
            counters: for what pools tell.
            base: folder that relative paths of certificates start from.
        """
        self._key = key
        self._limits = limits
        self._timeouts = timeouts or Timeouts()
        self._now = now
        self._counters = counters
        self._base = base
        self._prepared: dict[PoolKey, Prepared] = {}
        self._wanted: RoutingTable | None = None
        self._stamps: tuple[Stamp, ...] = ()
        self.pools: dict[PoolKey, Pool] = {}
        self.problem: str | None = None
        self.kept: Pems = {}
        self.sealing_key = key

    def make(self, table: RoutingTable, *, is_first: bool = False) -> Rules:
        """Make a table ready and retire the pools that it no longer names.

        Args:
            table: to be in force.
            is_first: nothing is in force that could stay: a store whose certificate files
                cannot be used fails its exchanges until they can, and `problem` says so.

        A store that is named as before, but whose certificate files have become unusable,
        keeps its last good ones: a rollback must not wait for a certificate.

        Raises:
            AddressError: a store cannot be used; nothing changed.
        """
        # Kept also when it is refused: files that are mended bring it into force.
        self._wanted, self._stamps = table, self._look(table)
        prepared = {
            side: self.prepare(side, store, is_first=is_first)
            for side, store in table.stores.items()
        }
        before, self.pools = self.pools, {}
        self._prepared = {store.key: store for store in prepared.values()}
        stores = {}
        for side, store in prepared.items():
            kept = before.pop(store.key) if store.keeps else None
            pool = self.pools[store.key] = self._pool(side, store, kept)
            stores[side] = StoreTarget(str(side).encode(), store.address, pool)
        for pool in before.values():
            pool.retire()
        self.problem = next((p.problem for p in prepared.values() if p.problem), None)
        headers = [key.name for key in table.shopper if key.kind is KeyKind.HEADER]
        redactor = Redactor(self._key, headers, table.privacy.show, table.privacy.hide)
        return Rules(table, FieldReader(table.wanted), stores, redactor, self._sealer(table))

    def _sealer(self, table: RoutingTable) -> Sealer | None:
        forwards = {one.name: one.shadow.credentials.forward for one in table.domains}
        return Sealer(self.sealing_key, forwards) if any(forwards.values()) else None

    def tend(self, tasks: Tasks) -> RoutingTable | None:
        """Look after all pools: close what waited too long, turn the breakers' windows, keep
        health checks going. To be called by the sweeper, twice a second.

        Returns:
            A table to be made again, because a certificate file of its stores changed.
        """
        for pool in self.pools.values():
            pool.expire(self._timeouts.store_idle_s)
            pool.tick()
        health.follow(
            ((pool, self._prepared[key].address) for key, pool in self.pools.items()), tasks
        )
        if self._wanted is None or self._look(self._wanted) == self._stamps:
            return None
        return self._wanted

    def measure(self, counters: Counters) -> None:
        """Set the gauges of all pools."""
        for (side, _, _), pool in self.pools.items():
            name, idle = str(side), pool.idle
            counters.set(idle, STORE_CONNECTIONS, name, "idle")
            counters.set(len(pool.connections) - idle, STORE_CONNECTIONS, name, "busy")
            counters.set(pool.in_flight, IN_FLIGHT, name)
            counters.set(pool.connecting + pool.waiting, STORE_WAITING, name)
            for state in BreakerState:
                counters.set(int(pool.breaker_state is state), STORE_BREAKER, name, state.value)
            for condition in HealthState:
                is_it = int(pool.health_state is condition)
                counters.set(is_it, STORE_HEALTH, name, condition.value)

    def retire(self) -> None:
        """Close all connections that wait, at the end of a worker."""
        for pool in self.pools.values():
            pool.retire()

    def _look(self, table: RoutingTable) -> tuple[Stamp, ...]:
        return tuple(self._files(side, store).stamp() for side, store in table.stores.items())

    def _files(self, side: Side, store: Store) -> StoreTlsFiles:
        return store_files(side, store, self._base)

    def prepare(self, side: Side, store: Store, *, is_first: bool = False) -> Prepared:
        """Find out how a store is reached; nothing changes yet.

        Raises:
            AddressError: it cannot be used.
        """
        address = parse_store_url(store.url)
        place = (address.host, address.port, address.is_tls)
        if not address.is_tls:
            if store.tls != StoreTls():
                raise TlsFileError(f"stores.{side}.tls: {store.url} is not https; write https://")
            key: PoolKey = (side, place, None)
            return Prepared(store, address, key, keeps=key in self.pools)
        key = (side, place, store.tls)
        files = self._files(side, store)
        stamp, loaded = files.stamp(), self._prepared.get(key)
        if loaded is not None and loaded.stamp == stamp:
            return replace(loaded, store=store, address=address, keeps=True)
        try:
            return Prepared(store, address, key, stamp, files.context())
        except TlsFileError as exc:
            context = None
            if loaded is None and files.are_in(self.kept):
                context = files.context(self.kept)
            elif loaded is None and not is_first:
                raise
            # The stamp is that of the bad files, so that this is said once.
            log.error("%s; the last good files stay in use", exc)  # noqa: TRY400 - a wrong file
            problem, keeps = str(exc), loaded is not None
            return Prepared(store, address, key, stamp, context, problem=problem, keeps=keeps)

    def _pool(self, side: Side, store: Prepared, before: Pool | None) -> Pool:
        treatment = treatment_of(store.store, self._limits, self._timeouts)
        if before is not None:
            before.treat(treatment)
            return before
        dialer = Dialer(
            store.address,
            store.context,
            server_name=store.store.tls.server_name,
            problem=None if store.context is not None else store.problem,
        )
        if self._counters is None:
            return Pool(str(side), dialer, treatment, now=self._now)
        return Pool(str(side), dialer, treatment, now=self._now, count=self._counters.add)


def check_stores(table: RoutingTable, base: Path = Path()) -> Pems:
    """Find out before it is in force whether all stores of a table can be used.

    Returns:
        The contents of their certificate files, with which they can.

    Raises:
        AddressError: one cannot, such as for a certificate file that is not there.
    """
    pems: dict[str, bytes] = {}
    for side, store in table.stores.items():
        files = store_files(side, store, base)
        if parse_store_url(store.url).is_tls:
            found = files.read()
            files.context(found)
            pems.update(found)
        elif store.tls != StoreTls():
            raise TlsFileError(f"{files.where}: {store.url} is not https; write https://")
    return pems


def store_files(side: Side, store: Store, base: Path) -> StoreTlsFiles:
    """The certificate files of a table's store; relative paths start from `base`."""
    return StoreTlsFiles(store.tls, f"stores.{side}.tls", base)
