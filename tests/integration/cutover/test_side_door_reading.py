"""The room reads the whole of the proxy's metrics, however they come."""

from __future__ import annotations

import aiohttp
import pytest
from aiohttp import web

from cutover.api.sidedoor import SideDoor
from loadtests.ports import free_port
from proxy.routing import Side

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

LINE = (
    'banyan_requests_total{{domain="d{n}",method="GET",route="GET /a",side="core",'
    'stage="canary",status_class="2xx"}} {n}\n'
)


async def test_metrics_that_come_in_pieces_are_read_to_their_end() -> None:
    async def readyz(_request: web.Request) -> web.Response:
        return web.json_response({"revision": "a1b2c3", "workers": 2})

    async def metrics(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        await answer.write(b"# TYPE banyan_requests_total counter\n")
        for n in range(300):
            await answer.write(LINE.format(n=n).encode())
        await answer.write_eof()
        return answer

    app = web.Application()
    app.add_routes([web.get("/readyz", readyz), web.get("/metrics", metrics)])
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        async with aiohttp.ClientSession() as session:
            state = await SideDoor(session, f"http://127.0.0.1:{port}").state()
    finally:
        await runner.cleanup()

    assert len(state.answered) == 300
    assert state.counts is not None
    assert state.counts.answers["d299", Side.CORE].answers == 299
