"""What a worker counts, as slots of its account. Counting is one store into memory."""

from __future__ import annotations

from bisect import bisect_left

from proxy.routing import Decision, Side
from proxy.storage import Account, counter_name

REQUESTS = "requests"
DURATION = "duration"
DURATION_SUM_US = "duration_us"
UNMATCHED = "unmatched"
REFUSED = "refused"
CLIENT_GONE = "client_gone"
STORE_ERRORS = "store_errors"
STORE_RETRIES = "store_retries"
STORE_OPENED = "store_opened"
STORE_CONNECTIONS = "store_connections"
STORE_CONNECT_FAILURES = "store_connect_failures"
STORE_TURNED_AWAY = "store_turned_away"
STORE_BREAKER_OPENED = "store_breaker_opened"
STORE_BREAKER = "store_breaker"
STORE_HEALTH = "store_health"
STORE_CHECKS = "store_checks"
STORE_WAITING = "store_waiting"
LISTENER_REFUSED = "listener_refused"
CERTIFICATE_RELOADS = "certificate_reloads"
IN_FLIGHT = "in_flight"
CLIENTS = "clients"
RELOADS = "reloads"
CAPTURE_QUEUE = "capture_queue"
HELD = "held"
HOLDS_ENDED = "holds_ended"
HOLD_WAITING = "hold_waiting"
UNOBSERVED = "unobserved"
FALLBACK = "fallback"
UPGRADES = "upgrades"
TUNNELS = "tunnels"
TICKETS = "tickets"
EARLY_ANSWERS = "early_answers"

BUCKETS_US = (
    1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 5_000_000, 10_000_000,
)  # fmt: skip
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
OTHER_METHOD = "OTHER"
NO_DOMAIN = "unmatched"
_REMEMBERED = 20_000


class Counters:
    """The event loop's counters. All of them are incremented by its thread alone."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._values = account.values
        self._requests: dict[tuple[object, ...], tuple[int, int, tuple[int, ...]]] = {}
        self._named: dict[tuple[str, ...], int] = {}

    def answered(self, decision: Decision, method: str, status: int, elapsed_us: int) -> None:
        """Count an answer that went to a client, whoever made it."""
        # Members of an enumeration are hashed slowly. A domain's stage belongs to the revision.
        is_core = decision.side is Side.CORE
        key = (decision.domain, decision.route, decision.revision, is_core, method, status)
        slots = self._requests.get(key)
        if slots is None:
            slots = self._request_slots(decision, method, status)
            if len(self._requests) >= _REMEMBERED:  # many tables ago
                self._requests.clear()
            self._requests[key] = slots
        requests, total, buckets = slots
        values = self._values
        values[requests] += 1
        values[total] += elapsed_us
        values[buckets[bisect_left(BUCKETS_US, elapsed_us)]] += 1

    def slot(self, *name: str) -> int:
        """Index of a counter, for `count`."""
        return self._account.slot(counter_name(*name))

    def count(self, slot: int) -> None:
        """Count one more."""
        self._values[slot] += 1

    def add(self, *name: str) -> None:
        """Count one more of a kind with its labels."""
        self._values[self._slot(name)] += 1

    def set(self, value: int, *name: str) -> None:
        """Set a gauge."""
        self._values[self._slot(name)] = value

    def _slot(self, name: tuple[str, ...]) -> int:
        slot = self._named.get(name)
        if slot is None:
            slot = self._account.slot(counter_name(*name))
            if len(self._named) < _REMEMBERED:
                self._named[name] = slot
        return slot

    def _request_slots(
        self, decision: Decision, method: str, status: int
    ) -> tuple[int, int, tuple[int, ...]]:
        where = (decision.domain or NO_DOMAIN, decision.route, str(decision.side))
        label = method if method in METHODS else OTHER_METHOD
        slot = self._account.slot
        return (
            slot(counter_name(REQUESTS, *where, label, f"{status // 100}xx", str(decision.stage))),
            slot(counter_name(DURATION_SUM_US, *where)),
            tuple(
                slot(counter_name(DURATION, *where, str(bound))) for bound in (*BUCKETS_US, "inf")
            ),
        )
