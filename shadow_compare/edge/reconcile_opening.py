"""Both stores of an oscar shop and the evidence, opened for reconciliation."""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from legacy_adapters.app.syncing import Shop, Sync, open_sync
from legacy_adapters.mapping.versions import Side
from legacy_adapters.oscar.totals import ALL, sums_of
from legacy_adapters.ports.capture import ChangeSource
from legacy_adapters.storage.flips import SqlFlips
from legacy_adapters.storage.opening import open_engine
from new_core.settings import CoreSettings
from proxy.core.marks import mark_of
from shadow_compare.core.drift_sample import hidden
from shadow_compare.errors import CompareError
from shadow_compare.service.reconciling_core_owned import CoreOwned
from shadow_compare.service.reconciling_legacy_owned import LegacyOwned
from shadow_compare.service.reconciling_looks import Looker
from shadow_compare.service.reconciling_sides import Stores, unavailable
from shadow_compare.service.totals import TotalsCompared, compare_totals
from shadow_compare.storage.engine import parse, sqlite_file, writer_engine
from shadow_compare.storage.reconcile_books import SqlReconcileBooks
from shadow_compare.storage.reconcile_versions import SqlAppliedVersions
from shadow_compare.storage.schema import migrate


@dataclass(frozen=True, slots=True)
class Places:
    """Where everything is.

    Attributes:
        legacy, core, evidence: URLs.
        key: that personal data in samples is marked under; None hides it wholly.
    """

    legacy: str
    core: str
    evidence: str
    key: bytes | None


def holder_name() -> str:
    """What this process alone is called: host/pid/random."""
    return f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(4)}"


def may_live(holder: str) -> bool:
    """Whether the process of a holder may still run; of another host nobody can tell."""
    host, _, rest = holder.partition("/")
    pid = rest.partition("/")[0]
    if host != socket.gethostname() or not pid.isdecimal():
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


class Reconciliation:
    """Opened stores. Make it with `open_reconciliation`."""

    def __init__(
        self,
        stores: Stores,
        books: SqlReconcileBooks,
        sync: Sync,
        owners: Mapping[str, Side],
        engines: tuple[AsyncEngine, AsyncEngine],
        key: bytes | None,
    ) -> None:
        self.books = books
        self._stores = stores
        self._sync = sync
        self._owners = owners
        self._engines = engines
        self._hide = _hide(key)

    @property
    def domains(self) -> Sequence[str]:
        """Those of which something is mapped, in the order in which they are applied."""
        return [domain.name for domain in self._sync.domains]

    @property
    def sources(self) -> Mapping[Side, ChangeSource]:
        """Both stores' logs, to be asked and not to be read."""
        return {Side.LEGACY: self._stores.legacy, Side.CORE: self._stores.core}

    def owner(self, domain: str) -> Side:
        """Who owns it now; the legacy while nothing was ever flipped."""
        return self._owners.get(domain, Side.LEGACY)

    def looker(self, domain: str, owner: Side | None = None) -> Looker:
        """What looks at a domain."""
        side = owner or self.owner(domain)
        of = LegacyOwned if side is Side.LEGACY else CoreOwned
        sides = of(domain, self._sync.of(domain), self._stores, self._sync.kinds)
        wall_s = time.time  # noqa: TID251 - the edge's clock
        return Looker(sides, time.monotonic, wall_s, self._hide)

    async def totals(self, domain: str | None) -> Sequence[TotalsCompared]:
        """Business totals of both sides, by SQL of their own."""
        found = []
        with unavailable():
            for one in ALL:
                if domain in (None, one.domain):
                    legacy = await sums_of(self._engines[0], one, Side.LEGACY)
                    core = await sums_of(self._engines[1], one, Side.CORE)
                    zero = one.name == "orphans"
                    found.append(compare_totals(one.name, legacy, core, zero=zero))
        return found

    async def total_problems(self, domain: str, _owner: Side) -> Sequence[str]:
        """Sentences for a flip's exact compare."""
        return [gap.sentence for one in await self.totals(domain) for gap in one.gaps]


@asynccontextmanager
async def open_reconciliation(
    places: Places, shop: Shop | None = None
) -> AsyncIterator[Reconciliation]:
    """Open both stores of a shop, by default oscar's, and the evidence, whose tables are made
    when there are none.

    Raises:
        CompareError: no shop is named.
        SidesUnavailable, EvidenceUnavailable: one of them does not answer.
    """
    if not places.legacy:
        raise CompareError("which shop? name its database, or set BANYAN_LEGACY_DATABASE")
    settings = CoreSettings(core_database=places.core)
    async with AsyncExitStack() as stack:
        with unavailable():
            sync = await stack.enter_async_context(open_sync(settings, places.legacy, shop))
            legacy = _kept(stack, open_engine(places.legacy))
            owners = await _owners(sync.engine)
        evidence = parse(places.evidence)
        if (file := sqlite_file(evidence)) is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
        engine = _kept(stack, writer_engine(evidence))
        await migrate(engine)
        wall_s = time.time  # noqa: TID251 - the edge's clock
        books = SqlReconcileBooks(engine, wall_s, may_live)
        engines = (legacy, sync.engine)
        yield Reconciliation(_stores(sync, legacy), books, sync, owners, engines, places.key)


def _stores(sync: Sync, legacy: AsyncEngine) -> Stores:
    return Stores(
        system=sync.shop.system,
        legacy=sync.sources[Side.LEGACY],
        core=sync.sources[Side.CORE],
        stage=sync.stage,
        core_versions=SqlAppliedVersions(sync.engine),
        legacy_versions=SqlAppliedVersions(legacy),
        reading=sync.core.reading,
    )


async def _owners(engine: AsyncEngine) -> dict[str, Side]:
    """As the control rows say."""
    controls = await SqlFlips(engine, lambda: datetime.now(UTC)).controls()  # noqa: TID251
    return {name: control.owner for name, control in controls.items()}


def _kept(stack: AsyncExitStack, engine: AsyncEngine) -> AsyncEngine:
    stack.push_async_callback(engine.dispose)
    return engine


def _hide(key: bytes | None) -> Callable[[str], str]:
    if key is None:
        return hidden

    def mark(text: str) -> str:
        return mark_of(key, text.encode("utf-8", "surrogatepass"))

    return mark
