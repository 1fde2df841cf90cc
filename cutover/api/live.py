"""One render for all who watch a page, and only what changed since each last looked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic, perf_counter

from cutover.api.approvalview import ApprovalsView, approvals_view, next_stage, to_read
from cutover.api.datagather import DataGatherer
from cutover.api.domainpage import DomainPage, domain_page
from cutover.api.gather import Gatherer
from cutover.api.portfolio import Overview, overview
from cutover.api.readings import Facts, SourceAway
from cutover.api.rendering import Fragments, Renderer, fill_ages
from proxy.routing import Domain

FRESH_S = 0.9
_KEPT_CHANNELS = 64


@dataclass(frozen=True, slots=True)
class Change:
    """What a viewer has not seen yet: element id to HTML, and where it stands then."""

    version: str
    parts: dict[str, str]
    listed: tuple[str, ...]
    now_s: float


@dataclass(frozen=True, slots=True)
class Drawn:
    """A page's parts, drawn at one moment."""

    fragments: Fragments
    now_s: float


class Channel:
    """A live page, drawn at most about once a second however many watch it.

    `draw` answers None when there is no such page (any more); `elapsed_s` is a clock that
    never goes back.
    """

    def __init__(
        self,
        boot: str,
        draw: Callable[[], Awaitable[Drawn | None]],
        elapsed_s: Callable[[], float] = monotonic,
    ) -> None:
        self._boot = boot
        self._draw = draw
        self._elapsed_s = elapsed_s
        self._lock = asyncio.Lock()
        self._version = 0
        self._changed_at: dict[str, int] = {}
        self._listed_at = 0
        self._drawn: Drawn | None = None
        self._fresh_until = 0.0

    @property
    def version(self) -> str:
        """Names what was drawn last; another process never uses the same name."""
        return f"{self._boot}.{self._version}"

    async def current(self) -> Drawn | None:
        """The page as drawn less than a second ago; drawn anew when nobody did."""
        async with self._lock:
            began = self._elapsed_s()
            if began >= self._fresh_until:
                self._take(await self._draw())
                # A page that takes long to gather is gathered less often, so that the room
                # never spends more than a third of its time asking.
                took = self._elapsed_s() - began
                self._fresh_until = self._elapsed_s() + max(FRESH_S, 2 * took)
            return self._drawn

    def expire(self) -> None:
        """Draw it anew for whoever asks next."""
        self._fresh_until = 0.0

    async def since(self, seen: str) -> Change | None:
        """What changed since the version a viewer has seen; None when nothing did."""
        drawn = await self.current()
        if drawn is None or seen == self.version:
            return None
        boot, _, number = seen.partition(".")
        is_ours = boot == self._boot and number.isascii() and number.isdecimal()
        after = int(number) if is_ours and len(number) < 18 else -1
        parts = {
            name: fill_ages(html, drawn.now_s)
            for name, html in drawn.fragments.parts.items()
            if self._changed_at[name] > after
        }
        return Change(self.version, parts, drawn.fragments.listed, drawn.now_s)

    def _take(self, drawn: Drawn | None) -> None:
        before = self._drawn.fragments if self._drawn else None
        self._drawn = drawn
        if drawn is None:
            return
        parts = drawn.fragments.parts
        changed = [n for n in parts if before is None or before.parts.get(n) != parts[n]]
        if changed or before is None or before.listed != drawn.fragments.listed:
            self._version += 1
        self._changed_at = {
            name: self._version if name in changed else self._changed_at[name] for name in parts
        }


class Channels:
    """Live pages by key; the least recently used goes when there are too many."""

    def __init__(self, boot: str) -> None:
        self._boot = boot
        self._channels: dict[str, Channel] = {}

    def get(self, key: str, draw: Callable[[], Awaitable[Drawn | None]]) -> Channel:
        """The channel of a key; made when there is none."""
        channel = self._channels.pop(key, None) or Channel(self._boot, draw)
        # Last used stands last.
        self._channels[key] = channel
        while len(self._channels) > _KEPT_CHANNELS:
            del self._channels[next(iter(self._channels))]
        return channel

    def expire(self) -> None:
        """Somebody acted: whoever asks next is to see it."""
        for channel in self._channels.values():
            channel.expire()


class Board:
    """All live pages of the room, by key. Belongs to one event loop.

    Args:
        boot: names this process's life, so that versions of an earlier one are not
            mistaken for its own.
        data: what the data half's pages are made of; None where there is no core's database.
        on_draw: told how long each drawing took, seconds, gathering left out.
    """

    def __init__(
        self,
        gatherer: Gatherer,
        *,
        boot: str,
        data: DataGatherer | None = None,
        on_draw: Callable[[float], None] | None = None,
    ) -> None:
        self.gatherer = gatherer
        self.data = data
        self.renderer = Renderer()
        self.channels = Channels(boot)
        self._on_draw = on_draw
        self._facts: Facts | None = None
        self._overview: Overview | None = None

    def overview(self) -> Channel:
        """The first page."""
        return self.channels.get("overview", self._draw_overview)

    def domain(self, name: str) -> Channel:
        """A domain's page; its channel draws None for a name the table lacks."""

        async def draw() -> Drawn | None:
            view = await self.domain_view(name)
            return None if view is None else self._timed(lambda: self.renderer.domain(view), view)

        return self.channels.get(f"domain/{name}", draw)

    async def domain_view(self, name: str) -> DomainPage | None:
        """What a domain's page says. Raises SourceAway while no table could be read."""
        found = await self.gatherer.domain(name)
        if found is None:
            return None
        return domain_page(*found, await self._approvals(*found))

    async def _approvals(self, domain: Domain, facts: Facts) -> ApprovalsView:
        """Who said yes to the domain's next stage, where it asks anybody."""
        if next_stage(domain) is None:
            return ApprovalsView()
        history = await self.gatherer.chronicle()
        if history.value is None:
            return ApprovalsView(problem=f"The ledger {history.problem}.")
        try:
            found = [await self.gatherer.revision(n) for n in to_read(domain.name, history.value)]
        except SourceAway as exc:
            return ApprovalsView(problem=str(exc))
        return approvals_view(domain, [one for one in found if one is not None], facts.now_s)

    async def overview_view(self) -> Overview:
        """What the first page says, shared with its viewers."""
        await self.overview().current()
        assert self._overview is not None  # noqa: S101 - drawn just now
        return self._overview

    async def _draw_overview(self) -> Drawn:
        view = self._overview = overview(await self.gatherer.overview())
        return self._timed(lambda: self.renderer.overview(view), view)

    def _timed(self, draw: Callable[[], Fragments], view: Overview | DomainPage) -> Drawn:
        began = perf_counter()
        fragments = draw()
        if self._on_draw is not None:
            self._on_draw(perf_counter() - began)
        return Drawn(fragments, view.now_s)
