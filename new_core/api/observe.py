"""Request ids and metrics around the whole application, its mounted parts included."""

from __future__ import annotations

import re
import time
import uuid

from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SANE_ID = re.compile(rb"[\x21-\x7e]{1,128}")
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
                message["headers"] = [*message["headers"], (b"x-request-id", request_id)]
            await send(message)

        try:
            await self._app(scope, receive, stamped)
        finally:
            route = _route(scope)
            self._metrics.seconds.labels(route).observe(time.perf_counter() - started)
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._metrics.requests.labels(route, method, str(status)).inc()


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
