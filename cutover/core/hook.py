"""Who is told: a hook, what it wants to hear, and how far its telling has come."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from urllib.parse import urlsplit

from cutover.core.notice import Event
from cutover.core.notice_shapes import Shape

GIVES_UP_AFTER = timedelta(hours=24)
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 300.0
#: A pause is up to so much shorter, by lot: a receiver that comes back is not met by all at once.
SPREAD = 0.3
LONGEST_ASKED_PAUSE_S = 3_600.0
_RECENT = 20
_MOST_URL = 2_000


class Outcome(StrEnum):
    """What became of one try, or of the event."""

    DELIVERED = "delivered"
    FAILED = "failed"
    GIVEN_UP = "given_up"


@dataclass(frozen=True, slots=True)
class Hook:
    """A place that is told.

    Attributes:
        url: a secret too, where the receiver knows its senders by it, as Slack does.
        events, domains: what it wants to hear; empty for all.
        after: number of the ledger's newest revision when it was added; what came before is
            not told.
    """

    id: str
    url: str
    shape: Shape
    secret: str
    after: int
    added_at: datetime
    events: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()

    def wants(self, event: Event) -> bool:
        """Whether it is told of an event. What is about no domain is for who asked for none."""
        is_kind = not self.events or event.kind in self.events
        return is_kind and (not self.domains or event.domain in self.domains)

    @property
    def place(self) -> str:
        """Its URL as lists and logs may show it: without path and query."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}/…"


@dataclass(frozen=True, slots=True)
class Tried:
    """One try that was made.

    Attributes:
        event: its id.
        status: of the answer; None where none came.
        problem: why it is no success; "" when it is one.
    """

    at: datetime
    event: str
    kind: str
    outcome: Outcome
    status: int | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the telling of one hook has come.

    Attributes:
        n: all revisions up to this one are done with.
        done: ids of events of revision n + 1 that are done with.
        tries: how often the next event was tried in vain.
        failing_since: of the first failure after the last success.
        waiting_since: when the event happened that could not be delivered yet.
        counts: outcome to how often.
        recent: the latest tries, newest last.
    """

    n: int
    done: tuple[str, ...] = ()
    tries: int = 0
    failing_since: datetime | None = None
    waiting_since: datetime | None = None
    counts: Mapping[Outcome, int] = field(default_factory=dict)
    recent: tuple[Tried, ...] = ()


def past(progress: Progress, n: int) -> Progress:
    """All events of revision `n` are done with."""
    return replace(progress, n=n, done=())


def after_try(
    progress: Progress, event: Event, at: datetime, status: int | None, problem: str
) -> tuple[Progress, Outcome]:
    """What a try makes of it: done, to be tried again, or given up after a day.

    The day begins when the event happened, or when the receiver began to fail, if that was
    later: what happened while nobody could send is not given up at its first try.
    """
    if not problem:
        outcome = Outcome.DELIVERED
        after = replace(progress, failing_since=None)
    else:
        failing_since = progress.failing_since or at
        is_over = at - max(event.at, failing_since) >= GIVES_UP_AFTER
        outcome = Outcome.GIVEN_UP if is_over else Outcome.FAILED
        after = replace(progress, failing_since=failing_since)
    tried = Tried(at, event.id, event.kind, outcome, status, problem)
    counts = {**progress.counts, outcome: progress.counts.get(outcome, 0) + 1}
    recent = (*progress.recent, tried)[-_RECENT:]
    if outcome is Outcome.FAILED:
        after = replace(after, tries=progress.tries + 1, waiting_since=event.at)
    else:
        after = replace(after, tries=0, waiting_since=None, done=(*progress.done, event.id))
    return replace(after, counts=counts, recent=recent), outcome


def pause_s(tries: int, lot: float, asked_s: float | None = None) -> float:
    """How long to wait after so many tries in vain; `lot` lies in [0, 1).

    A receiver that asks for a longer pause gets it, up to an hour.
    """
    doubled = FIRST_PAUSE_S * 2.0 ** min(max(tries - 1, 0), 30)
    pause = min(doubled, LONGEST_PAUSE_S) * (1 - SPREAD * lot)
    return max(pause, min(asked_s or 0.0, LONGEST_ASKED_PAUSE_S))


def url_problem(url: str, *, insecure: bool = False) -> str:
    """Why nothing can be sent to a URL, with the way out; "" where something can."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "it is no URL; write https://HOST/PATH"
    if len(url) > _MOST_URL or any(ord(one) <= 32 or ord(one) == 127 for one in url):
        return "it is too long, or has spaces in it; write https://HOST/PATH"
    if parts.scheme not in {"http", "https"} or not host:
        return "it is no URL of a web server; write https://HOST/PATH"
    if parts.username is not None or parts.password is not None:
        return "it holds a name and a password; what signs a notice is the hook's secret"
    if parts.scheme == "http" and not insecure and not _is_loopback(host):
        return "http carries reasons and names in the open; write https, or say --insecure"
    return ""


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
