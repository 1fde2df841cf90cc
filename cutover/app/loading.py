"""Record traffic, and run load tests with it."""

from __future__ import annotations

import asyncio
import secrets
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cutover import app
from cutover.core.load_run import LoadRun, NotARun, SideRun, State, merged
from cutover.core.load_traffic import (
    NotTraffic,
    Traffic,
    make_traffic,
    plain_traffic,
    traffic_from_json,
)
from cutover.core.load_way import Route, phases, refused_because, routes, visitors
from cutover.edge.load_watch import LoadWatch
from cutover.edge.pressing import Aborted, Press, check_locust, press
from cutover.edge.recording import Recorder, follow
from cutover.errors import CannotRead, Conflict, CutoverError
from cutover.service.in_force import domain_of, look
from cutover.settings import CutoverSettings
from cutover.storage.loadtests import LoadFiles, work_folder
from cutover.storage.turn import FileTurn
from proxy.routing import SHADOW_HEADER, Domain, LoadProfile, RoutingTable, Side, Store
from proxy.routing.nodes import Scalar
from proxy.routing.values import Reader
from proxy.storage.tables import load_routing

_CONNECT_S = 2.0
_LONGEST_S = 3_600.0
_MOST_PER_S = 100_000.0
_MOST_FILE_BYTES = 64 * 1024 * 1024


class NeedsYes(CutoverError):
    """A load that may slow shoppers has to be asked for outright."""


@dataclass(frozen=True, slots=True)
class Found:
    """The table that a load is about.

    Attributes:
        in_force: whether shoppers follow it.
    """

    table: RoutingTable
    domain: Domain
    in_force: bool


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants of a load test.

    Attributes:
        sides: of legacy, core and proxy.
        proxy: URL of the proxy; "" to go straight at the stores.
        rate: requests per second that the profile multiplies; None takes the recording's.
        yes: also where it may slow shoppers.
    """

    domain: str
    profile: LoadProfile
    sides: tuple[str, ...]
    duration_s: float
    workers: int = 1
    rate: float | None = None
    traffic: Path | None = None
    proxy: str = ""
    yes: bool = False
    by: str = ""


def load_files(settings: CutoverSettings) -> LoadFiles:
    """Where results are kept."""
    return LoadFiles(settings.var / "loadtests")


def table_for(settings: CutoverSettings, config: Path, domain: str) -> Found:
    """The table in force, or where nothing is yet the file's, with a domain of it.

    Raises:
        UnknownDomain: it has none of that name.
        RoutingFileError: there is no table in force, and the file has problems.
    """
    books = app.books(settings)
    table = look(books.applied, books.ledger).table
    if table is not None:
        return Found(table, domain_of(table, domain), in_force=True)
    table = load_routing(config)
    return Found(table, domain_of(table, domain), in_force=False)


def record_traffic(
    spool: Path,
    domain: Domain,
    for_s: float | None,
    now_s: Callable[[], float],
    sleep: Callable[[float], None],
    tell: Callable[[float, int], None],
) -> Traffic:
    """Record from a spool: what lies there, or what comes within a span.

    Raises:
        CutoverError: nothing that a load could be made of was there.
    """
    recorder = Recorder(spool, domain.name)
    span_s = None
    if for_s is None:
        recorder.look()
    else:
        span_s = follow(recorder, for_s, now_s, sleep, tell)
    try:
        return make_traffic(domain, recorder.found, span_s, recorder.missed)
    except NotTraffic as exc:
        raise CutoverError(str(exc)) from exc


def seconds_of(option: str, text: str) -> float:
    """A duration as routing files write it. Raises CutoverError."""
    reader = Reader("the command line")
    found = reader.duration(Scalar(1, text), option, least_s=1, most_s=_LONGEST_S)
    if found is None:
        problem = reader.problems[0]
        raise CutoverError(f"{option} {text}: {problem.what} {problem.fix}")
    return found


async def run_load(
    settings: CutoverSettings, wish: Wish, found: Found, tell: Callable[[str, float, int], None]
) -> LoadRun:
    """Run a load test, keep its result, and return it.

    One that is aborted is kept too, marked so; it is no evidence. Cancelled, it keeps an
    aborted one and raises CancelledError.

    `tell` hears side, seconds so far, and requests.

    Raises:
        NeedsYes: it may slow shoppers, and was not asked for outright.
        Conflict: another one of the domain is running.
        CutoverError: it cannot begin.
    """
    check_locust()
    traffic = _traffic(settings, wish, found)
    base = wish.rate if wish.rate is not None else traffic.rate_per_s
    asked = phases(wish.profile, base, wish.duration_s)
    if not 0 < max(rate for _, rate in asked) <= _MOST_PER_S:
        raise CutoverError(f"{base:g} requests a second cannot be asked for; name another --rate")
    ways = _ways(wish, found)
    if not wish.yes and (
        why := refused_because(wish.sides, found.table if found.in_force else None)
    ):
        raise NeedsYes(why)
    files = load_files(settings)
    turn = FileTurn(files.folder / f".turn-{wish.domain}", time.monotonic, time.sleep)
    with turn.take(wait_s=0) as is_ours:
        if not is_ours:
            raise Conflict(f"a load test of {wish.domain} is running; wait for it, or end it")
        began = _Began(settings, wish, found, traffic, base, asked, _now_s())
        with work_folder(files.folder, wish.domain) as work:
            return await began.run(ways, work, files, tell)


@dataclass(frozen=True, slots=True)
class _Began:
    settings: CutoverSettings
    wish: Wish
    found: Found
    traffic: Traffic
    base: float
    asked: tuple[tuple[float, float], ...]
    at_s: float

    async def run(
        self,
        ways: tuple[Route, ...],
        work: Path,
        files: LoadFiles,
        tell: Callable[[str, float, int], None],
    ) -> LoadRun:
        sides: list[SideRun] = []
        try:
            for way in ways:
                sides.append(await self._side(way, work, tell))  # noqa: PERF401 - kept when one fails
        except (Aborted, NotARun) as exc:
            return self._keep(files, sides, str(exc))
        except asyncio.CancelledError:
            self._keep(files, sides, "somebody ended it")
            raise
        return self._keep(files, sides, "")

    async def _side(
        self, way: Route, work: Path, tell: Callable[[str, float, int], None]
    ) -> SideRun:
        side = way.way.side
        watch = LoadWatch(self.settings.side_door)
        length_s = sum(length for length, _ in self.asked)
        how = Press(work, length_s, watch.hurt, lambda s, n: tell(side, s, n))
        count = self.wish.workers
        parts = await press([self._press(way, number) for number in range(count)], how)
        return merged(way.way, parts, length_s, watch.most)

    def _press(self, way: Route, number: int) -> Mapping[str, Any]:
        """What one of the processes is told."""
        count = self.wish.workers
        store = self.found.table.stores[Side(way.way.side)] if not way.through else None
        url = self.wish.proxy if store is None else store.url
        parts = urlsplit(url)
        headers = {"User-Agent": "banyan-loadtest", "Accept": "*/*", **dict(way.headers)}
        if way.through:
            # Nobody is asked too, and no parity is counted, for requests of our own.
            headers[SHADOW_HEADER] = "loadtest"
        return {
            "url": f"{parts.scheme}://{parts.netloc}",
            "prefix": parts.path.rstrip("/"),
            "tls": _tls(store) if parts.scheme == "https" else None,
            "headers": headers,
            "phases": [(length, rate / count) for length, rate in self.asked],
            "users": -(-visitors(self.asked, self.traffic.think_s) // count),
            "seed": number + 1,
            "routes": [
                {"name": one.name, "method": one.method, "weight": one.weight,
                 "targets": [list(pair) for pair in one.targets]}
                for one in self.traffic.routes
            ],
        }  # fmt: skip

    def _keep(self, files: LoadFiles, sides: list[SideRun], why: str) -> LoadRun:
        table, wish = self.found.table, self.wish
        stamp = datetime.fromtimestamp(self.at_s, UTC).strftime("%Y%m%dT%H%M%S")
        run = LoadRun(
            id=f"{stamp}-{wish.domain}-{wish.profile}-{secrets.token_hex(2)}",
            domain=wish.domain,
            profile=str(wish.profile),
            state=State.ABORTED if why else State.DONE,
            at_s=self.at_s,
            ended_s=_now_s(),
            base_per_s=self.base,
            by_hand=wish.rate is not None,
            traffic=self.traffic.sha256,
            revision=table.revision if self.found.in_force else "",
            stores={str(side): table.stores[side].url for side in Side},
            releases={str(side): table.stores[side].release or "" for side in Side},
            by=wish.by,
            sides=sides,
            why=why,
        )
        files.write(run)
        return run


def _traffic(settings: CutoverSettings, wish: Wish, found: Found) -> Traffic:
    if wish.traffic is not None:
        return _traffic_in(wish.traffic, found.domain)
    try:
        return record_traffic(
            settings.var / "spool", found.domain, None, time.monotonic, time.sleep, lambda *_: None
        )
    except CutoverError:
        if wish.rate is None:
            raise
    try:
        return plain_traffic(found.domain, wish.rate)
    except NotTraffic as exc:
        raise CutoverError(str(exc)) from exc


def _traffic_in(path: Path, domain: Domain) -> Traffic:
    try:
        with path.open("rb") as file:
            traffic = traffic_from_json(file.read(_MOST_FILE_BYTES))
    except OSError as exc:
        raise CannotRead(f"{path} cannot be read: {exc.strerror or exc}") from exc
    except NotTraffic as exc:
        again = f"banyan traffic record {domain.name} --for 10m --out {path}"
        raise CannotRead(f"{path}: {exc}; record it anew: {again}") from exc
    if traffic.domain != domain.name:
        raise CannotRead(f"{path} is traffic of {traffic.domain}, not of {domain.name}")
    safe = {route.name for route in domain.routes if not (route.has_effects or route.has_writes)}
    unknown = [one.name for one in traffic.routes if one.route not in safe]
    if unknown:
        raise CannotRead(
            f"{path} has a route that {domain.name} has not, or that may not be asked again:"
            f" {unknown[0]}; record it anew"
        )
    return traffic


def _ways(wish: Wish, found: Found) -> tuple[Route, ...]:
    usable = bool(wish.proxy) and found.in_force and _answers(wish.proxy)
    if "proxy" in wish.sides and not usable:
        raise CutoverError(
            f"no proxy with a table in force answers at {wish.proxy or 'no address'}; start it,"
            " or name it with --proxy"
        )
    ways = routes(wish.sides, found.domain, proxy=usable)
    for way in ways:
        if not way.through and not _answers(url := found.table.stores[Side(way.way.side)].url):
            raise CutoverError(f"nobody answers at {url}, the {way.way.side} store; start it")
    return ways


def _answers(url: str) -> bool:
    """Whether somebody listens; sends nothing."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
        socket.create_connection((parts.hostname or "", port), _CONNECT_S).close()
    except (OSError, ValueError, KeyError):
        return False
    return True


def _tls(store: Store | None) -> Mapping[str, str | None]:
    """How a store is trusted; the proxy as any site."""
    if store is None:
        return {"trust": "system"}
    return {**dict(store.tls.files), "server_name": store.tls.server_name}


def _now_s() -> float:
    return time.time()  # noqa: TID251 - the edge's clock
