"""The side door's levers: requests that change something. JSON in, JSON out.

Only `application/json` is taken: a web page that an operator has open cannot send that
to another site, so no page can pull a lever behind their back.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from proxy.edge.switchboard import HeldState, KillState, Reloaded, Switchboard, SwitchError
from proxy.routing import Kill, KillError, parse_kill

_DURATION = re.compile(r"(\d{1,6}(?:\.\d{1,6})?)(ms|s)?")


Reload = Callable[[], Awaitable[Reloaded]]


class Levers:
    """Handlers of /kill, /hold, /release, /holds and /reload."""

    def __init__(self, board: Switchboard, reload: Reload) -> None:
        self._board = board
        self._reload = reload

    def add_to(self, app: web.Application) -> None:
        """Put the handlers in their places."""
        app.router.add_get("/kill", self.kill_state)
        app.router.add_post("/kill", self.kill)
        app.router.add_delete("/kill", self.release_kill)
        app.router.add_get("/holds", self.holds)
        app.router.add_post("/hold", self.hold)
        app.router.add_post("/release", self.release)
        app.router.add_post("/reload", self.reload)

    async def kill_state(self, _request: web.Request) -> web.Response:
        """What is killed, and in which worker."""
        return _kill_answer(await self._board.kill_state())

    async def kill(self, request: web.Request) -> web.Response:
        """Kill a scope; answers when every worker has taken it."""
        return _kill_answer(await self._board.kill(_scope(await _asked(request))))

    async def release_kill(self, request: web.Request) -> web.Response:
        """Take a scope back, or everything without a body."""
        kill = _scope(await _asked(request)) if request.can_read_body else None
        return _kill_answer(await self._board.release_kill(kill))

    async def holds(self, _request: web.Request) -> web.Response:
        """Every hold in force."""
        return web.json_response({"holds": [_held(hold) for hold in await self._board.held()]})

    async def hold(self, request: web.Request) -> web.Response:
        """Hold a domain's writes, or several's; answers when every worker holds all."""
        asked = await _asked(request)
        for_s = _seconds(asked.get("for"))
        if "domains" in asked:
            held = await self._board.hold_all(_domains(asked), for_s)
            return web.json_response({"holds": [_held(hold) for hold in held]})
        return web.json_response(_held(await self._board.hold(_domain(asked), for_s)))

    async def release(self, request: web.Request) -> web.Response:
        """End holds; answers when every worker has let their writes go on."""
        asked = await _asked(request)
        if "domains" not in asked:
            domain = _domain(asked)
            silent = await self._board.release(domain)
            return web.json_response({"domain": domain, "released": True, "silent": silent})
        over, silent = [], []
        for domain in _domains(asked):
            try:
                silent += await self._board.release(domain)
            except SwitchError:  # its time was over; the others' may not be
                over.append(domain)
        body = {"released": not over, "over": over, "silent": sorted(set(silent))}
        return web.json_response(body)

    async def reload(self, request: web.Request) -> web.Response:
        """Look at the routing file at once; answers when every worker goes by it."""
        await _asked(request)
        done = await self._reload()
        body = {"revision": done.revision, "problem": done.problem, "silent": done.silent}
        return web.json_response(body, status=504 if done.silent else 200)


async def _asked(request: web.Request) -> dict[str, Any]:
    if request.content_type != "application/json":
        raise SwitchError(415, "send JSON, with Content-Type: application/json")
    try:
        asked = await request.json()
    except (ValueError, UnicodeDecodeError) as exc:
        raise SwitchError(400, "the body is no JSON") from exc
    if not isinstance(asked, dict):
        raise SwitchError(400, "the body is no JSON object")
    return asked


def _scope(asked: dict[str, Any]) -> Kill:
    text = asked.get("scope")
    if not isinstance(text, str) or not text.strip():
        raise SwitchError(400, '"scope" is missing; write {"scope": "all"} or "domain:NAME"')
    try:
        return parse_kill(text)
    except KillError as exc:
        raise SwitchError(400, str(exc)) from exc


def _domain(asked: dict[str, Any]) -> str:
    domain = asked.get("domain")
    if not isinstance(domain, str) or not domain:
        raise SwitchError(400, '"domain" is missing; write {"domain": "cart", "for": "5s"}')
    return domain


def _domains(asked: dict[str, Any]) -> list[str]:
    domains = asked["domains"]
    if not isinstance(domains, list) or not all(isinstance(one, str) and one for one in domains):
        raise SwitchError(400, '"domains" is no list of names; write {"domains": ["cart"]}')
    return list(dict.fromkeys(domains))


def _seconds(text: Any) -> float:
    found = _DURATION.fullmatch(str(text))
    if found is None:
        raise SwitchError(400, '"for" is missing or no time; write "5s" or "500ms"')
    return float(found[1]) / (1_000 if found[2] == "ms" else 1)


def _kill_answer(state: KillState) -> web.Response:
    body = {
        "scopes": list(state.kill.scopes),
        "kept": state.is_kept,
        "problem": state.problem,
        "workers": {str(pid): list(scopes) for pid, scopes in state.workers.items()},
        "silent": state.silent,
    }
    # Said, and not known to be done: a worker that is stuck looks at the file by itself.
    return web.json_response(body, status=504 if state.silent else 200)


def _held(hold: HeldState) -> dict[str, object]:
    return {
        "domain": hold.domain,
        "remaining_s": round(hold.remaining_s, 3),
        "waiting": hold.waiting,
        "waiting_bytes": hold.waiting_bytes,
        "in_flight_writes": hold.in_flight_writes,
        "workers": {str(pid): writes for pid, writes in hold.workers.items()},
        "silent": hold.silent,
    }
