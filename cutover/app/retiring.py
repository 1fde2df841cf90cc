"""Puts a retirement together: judges, archives, signs."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from cutover.api.sampling import open_sampler
from cutover.core.retirement import Case, Finding, Sample
from cutover.edge.proxy_answers import answered
from cutover.errors import CannotWrite, SettingsError, UnknownDomain
from cutover.service.retirement_sampling import Sampler
from cutover.settings import CutoverSettings
from cutover.storage.certificate import archive, certify, signing_key
from legacy_adapters.storage import upgrade_sync
from legacy_adapters.storage.opening import open_engine
from legacy_adapters.storage.retirement_reads import whole_tables
from new_core.storage import make_engine


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be retired, by whom, and why what is not shown is accepted."""

    domain: str
    days: int
    folder: Path
    key: Path
    actor: str
    accepted: str


@asynccontextmanager
async def open_retirement(settings: CutoverSettings) -> AsyncIterator[Sampler]:
    """Open both databases; the core's tables are brought up to date.

    Raises:
        SettingsError: BANYAN_LEGACY_DATABASE is missing.
        AdapterError, CoreError: a database cannot be opened.
    """
    legacy = legacy_url(settings)
    engine = make_engine(settings.core_database, pool_size=1)
    try:
        await upgrade_sync(engine)
    finally:
        await engine.dispose()
    ask = partial(answered, settings.side_door)
    async with open_sampler(settings.core_database, legacy, ask) as sampler:
        yield sampler


def legacy_url(settings: CutoverSettings) -> str:
    """Of the legacy's database. Raises SettingsError."""
    legacy = settings.environment.get("BANYAN_LEGACY_DATABASE", "")
    if not legacy:
        raise SettingsError("BANYAN_LEGACY_DATABASE is not set; a retirement needs both databases")
    return legacy


def check_known(sampler: Sampler, domain: str) -> None:
    """Raises UnknownDomain."""
    if domain not in sampler.tables:
        known = ", ".join(sampler.tables)
        raise UnknownDomain(f"no data is called {domain}; there are: {known}")


async def retire(
    settings: CutoverSettings, sampler: Sampler, wish: Wish, case: Case, found: Sequence[Finding]
) -> str:
    """Archive, sign, and note it. Returns the certificate's digest.

    Raises:
        CannotWrite: the folder is not empty, or takes no file.
        CannotRead: the key is none.
        AdapterError, StoreUnavailable: a database does not answer; the folder has no certificate.
    """
    key = signing_key(wish.key)
    _prepare(wish.folder)
    store = open_engine(legacy_url(settings))
    try:
        async with whole_tables(store) as tables:
            files = [
                await archive(wish.folder, table, tables.lines(table))
                for table in sorted(sampler.tables[wish.domain])
            ]
    finally:
        await store.dispose()
    files.append(await archive(wish.folder, "samples", _lines(case.samples)))
    now = datetime.fromtimestamp(case.now_s, UTC)
    digest = certify(wish.folder, key, _facts(wish, case, found, now), files)
    await sampler.kept.retire(wish.domain, now, wish.actor, digest)
    return digest


def _prepare(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise CannotWrite(f"{folder} is not empty; name a new folder")
    except OSError as exc:
        raise CannotWrite(f"{folder}: {exc.strerror or exc}") from exc


def _facts(wish: Wish, case: Case, found: Sequence[Finding], now: datetime) -> Mapping[str, Any]:
    return {
        "domain": wish.domain,
        "days": wish.days,
        "at": now.isoformat(),
        "actor": wish.actor,
        "accepted": wish.accepted,
        "rogues": case.rogues,
        "owned_since_s": case.owned_since_s,
        "samples": len(case.samples),
        "findings": [asdict(one) for one in found],
    }


async def _lines(samples: Sequence[Sample]) -> AsyncIterator[bytes]:
    for one in samples:
        yield json.dumps(asdict(one), default=dict).encode() + b"\n"
