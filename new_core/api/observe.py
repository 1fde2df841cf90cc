"""Request ids and metrics around the whole application, its mounted parts included."""

from __future__ import annotations

import re
import time
import uuid
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from new_core.api.deprecation import deprecation_headers

_SANE_ID = re.compile(rb"[\x21-\x7e]{1,128}")
_ORDER_BUCKETS_S = (0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.8, 1.2, 2, 5, 10, 20, 60)
CheckoutOutcome = Literal["started", "completed", "refused", "failed"]
CallOutcome = Literal["ok", "refused", "failed", "late"]
_BUCKETS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)


class Metrics:
    """The counters of one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "banyan_core_requests_total", "Answers", ("route", "method", "status"),
            registry=self.registry,
        )  # fmt: skip
        self.seconds = Histogram(
            "banyan_core_request_seconds", "Time to the last byte of an answer", ("route",),
            buckets=_BUCKETS_S, registry=self.registry,
        )  # fmt: skip
        self.dry_runs = Counter(
            "banyan_core_dry_runs_total", "Dry runs", ("outcome",), registry=self.registry
        )
        self.answers = Counter(
            "banyan_core_module_answers_total", "Answers of a module by kind", ("module", "kind"),
            registry=self.registry,
        )  # fmt: skip
        self.checkouts = Counter(
            "banyan_core_checkouts_total", "Completions of checkouts", ("outcome",),
            registry=self.registry,
        )  # fmt: skip
        self.order_seconds = Histogram(
            "banyan_core_order_seconds", "From completing a checkout to its order being placed",
            buckets=_ORDER_BUCKETS_S, registry=self.registry,
        )  # fmt: skip
        self.calls = Counter(
            "banyan_core_calls_total", "Calls to others", ("adapter", "outcome"),
            registry=self.registry,
        )  # fmt: skip
        self.call_seconds = Histogram(
            "banyan_core_call_seconds", "How long others take", ("adapter",),
            buckets=_ORDER_BUCKETS_S, registry=self.registry,
        )  # fmt: skip

    def checkout(self, outcome: CheckoutOutcome) -> None:
        """Count one step of completing a checkout. Each that is started ends as one of the
        others; `refused` is one that the buyer could mend: a price that changed, too little
        stock, a card that was declined.
        """
        self.checkouts.labels(outcome).inc()

    def called(self, adapter: str, outcome: CallOutcome, seconds: float) -> None:
        """Count one call over an adapter, e.g. "stripe". `refused` is a usable answer that
        says no; `failed` and `late` (over its deadline) are none.
        """
        self.calls.labels(adapter, outcome).inc()
        self.call_seconds.labels(adapter).observe(seconds)


class Observed:
    """Wraps an application: every answer carries X-Request-ID and is counted.

    A sane id of the client is kept, anything else replaced, so that logs of all stations of
    a request can be joined and nobody writes line breaks into them.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope["banyan.request_id"] = request_id.decode("ascii")
        started = time.perf_counter()
        status = 500

        async def stamped(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                own = [(b"x-request-id", request_id), *deprecation_headers(scope)]
                message["headers"] = [*message["headers"], *own]
            await send(message)

        try:
            await self._app(scope, receive, stamped)
        finally:
            route = _route(scope)
            self._metrics.seconds.labels(route).observe(time.perf_counter() - started)
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._metrics.requests.labels(route, method, str(status)).inc()
            self._metrics.answers.labels(_module(scope), _kind(status)).inc()


_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})


def _request_id(scope: Scope) -> bytes:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _SANE_ID.fullmatch(value):
            return bytes(value)
    return uuid.uuid4().hex.encode()


def _route(scope: Scope) -> str:
    """The route's template; a path would make a label per product."""
    if "banyan.route" in scope:
        return str(scope["banyan.route"])
    return getattr(scope.get("route"), "path", "unmatched")


def _module(scope: Scope) -> str:
    """The first tag of the route: modules tag theirs."""
    tags = getattr(scope.get("route"), "tags", None)
    return str(tags[0]) if tags else "other"


def _kind(status: int) -> str:
    """What an answer counts as: 409 and 422 are a rule that held, not an error."""
    if status < 400:
        return "ok"
    if status in {409, 422}:
        return "refused"
    return "client_error" if status < 500 else "server_error"
