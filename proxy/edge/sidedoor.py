"""The side door: health, metrics, answers about routing, levers. Never on the data port."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from proxy.core.problem import problem
from proxy.edge.collector import ProxyCollector, Snapshot
from proxy.edge.levers import Levers, Reload
from proxy.edge.switchboard import Switchboard, SwitchError
from proxy.routing import RequestHead, RoutingTable, decide, explanation

_MAX_BODY_BYTES = 64 * 1024

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _BadQuestionError(Exception):
    """The question cannot be understood; the text says why."""


class SideDoor:
    """Answers from a snapshot, and has the levers."""

    def __init__(
        self,
        snapshot: Callable[[], Snapshot],
        is_draining: Callable[[], bool],
        board: Switchboard,
        reload: Reload,
    ) -> None:
        self._snapshot = snapshot
        self._is_draining = is_draining
        self._levers = Levers(board, reload)
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(ProxyCollector(snapshot))

    def app(self) -> web.Application:
        """The application, to be run by the supervisor."""
        app = web.Application(middlewares=[_problems], client_max_size=_MAX_BODY_BYTES)
        app.router.add_get("/healthz", self.healthz)
        app.router.add_get("/readyz", self.readyz)
        app.router.add_get("/metrics", self.metrics)
        app.router.add_get("/explain", self.explain)
        app.router.add_post("/explain", self.explain)
        app.router.add_get("/stages", self.stages)
        self._levers.add_to(app)
        return app

    async def healthz(self, _request: web.Request) -> web.Response:
        """200 as long as the supervisor lives."""
        return web.json_response({"status": "ok"})

    async def readyz(self, _request: web.Request) -> web.Response:
        """200 when every worker serves, 503 otherwise."""
        now = self._snapshot()
        revisions = {str(note.pid): note.revision for note in now.notes.values()}
        agreed = set(revisions.values())
        is_ready = len(revisions) == now.workers > 0 and not self._is_draining()
        body = {
            "ready": is_ready,
            "workers": now.workers,
            "revision": agreed.pop() if len(agreed) == 1 else None,
            "revisions": revisions,
            "problem": now.problem,
            "kill": list(now.kill.scopes),
            "kill_problem": now.kill_problem,
            "compiled": all(note.compiled for note in now.notes.values()),
            "killed": {str(note.pid): list(note.kill) for note in now.notes.values()},
        }
        return web.json_response(body, status=200 if is_ready else 503)

    async def metrics(self, _request: web.Request) -> web.Response:
        """Prometheus text."""
        text = generate_latest(self._registry)
        return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def stages(self, _request: web.Request) -> web.Response:
        """Per domain what is in force."""
        table = self._snapshot().table
        return web.json_response({"revision": table.revision, "domains": _stages(table)})

    async def explain(self, request: web.Request) -> web.Response:
        """What would happen to a request, and why."""
        head = await _question(request)
        return web.json_response(explanation(decide(head, self._snapshot().in_force)))


def _stages(table: RoutingTable) -> list[dict[str, object]]:
    return [
        {
            "name": domain.name,
            "owner": domain.owner,
            "stage": str(domain.stage),
            "core_share_bp": domain.core_share_bp,
            "shadow_sample_bp": domain.shadow.sample_bp,
            "routes": [route.name for route in domain.routes],
        }
        for domain in table.domains
    ]


async def _question(request: web.Request) -> RequestHead:
    if request.method == "GET":
        query = request.query
        pairs = [_pair(text) for text in query.getall("header", [])]
        return _head(query.get("method", "GET"), query.get("target"), pairs)
    try:
        body = await request.json()
    except (ValueError, UnicodeDecodeError) as exc:
        raise _BadQuestionError("the body is no JSON") from exc
    if not isinstance(body, dict):
        raise _BadQuestionError("the body is no JSON object")
    headers = body.get("headers", {})
    if not isinstance(headers, dict):
        raise _BadQuestionError('"headers" is no JSON object')
    pairs = [(str(name), str(value)) for name, value in headers.items()]
    return _head(body.get("method", "GET"), body.get("target"), pairs)


def _head(method: Any, target: Any, headers: Iterable[tuple[str, str]]) -> RequestHead:
    if not isinstance(target, str) or not target.startswith("/"):
        raise _BadQuestionError('"target" is missing, or is no path that begins with /')
    if not isinstance(method, str):
        raise _BadQuestionError('"method" is no text')
    lookup = _joined(headers)
    path, _, query = target.partition("?")
    return RequestHead(
        method=method.upper(),
        path=path,
        headers=lookup,
        query=query,
        request_id=lookup.get("x-request-id", ""),
    )


def _joined(headers: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    lookup: dict[str, str] = {}
    for name, value in headers:
        lower = name.strip().lower()
        joint = "; " if lower == "cookie" else ", "
        lookup[lower] = f"{lookup[lower]}{joint}{value}" if lower in lookup else value.strip()
    return lookup


def _pair(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise _BadQuestionError(f'header "{text}" is not Name:value')
    return name, value.strip()


@web.middleware
async def _problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every error as problem details."""
    try:
        return await handler(request)
    except _BadQuestionError as exc:
        return _problem(400, str(exc))
    except SwitchError as exc:
        return _problem(exc.status, str(exc))
    except web.HTTPException as exc:
        return _problem(exc.status, exc.reason)


def _problem(status: int, detail: str) -> web.Response:
    return web.Response(
        status=status,
        text=json.dumps(problem(status, detail, "")),
        content_type="application/problem+json",
    )
