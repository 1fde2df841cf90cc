"""A real server for real clients: echo, ranges, events, WebSockets, long bodies."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import threading
from collections.abc import Iterator

from aiohttp import WSMsgType, web

MIB = 1 << 20
PAGE = """<!doctype html><title>shop</title><script>
const said = [];
async function all() {
  const put = await fetch('/echo', {method: 'PUT', body: 'x'.repeat(70000)});
  said.push((await put.json()).size);
  const part = await fetch('/file', {headers: {Range: 'bytes=2-4'}});
  said.push(part.status + await part.text());
  await new Promise(done => {
    const events = new EventSource('/events');
    events.onmessage = async event => {
      said.push(event.data);
      await fetch('/seen', {method: 'POST'});
      if (event.data === '2') { events.close(); done(); }
    };
  });
  document.title = 'done ' + said.join(' ');
}
all().catch(error => document.title = 'failed ' + error);
</script>"""


class RealStore:
    """aiohttp's server in an event loop and a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._runner: web.AppRunner | None = None
        self._seen = asyncio.Event()
        self.port = 0

    def start(self) -> None:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)

    def stop(self) -> None:
        assert self._runner is not None
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(20)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _start(self) -> None:
        app = web.Application(client_max_size=4096 * MIB)
        app.router.add_get("/", self._page)
        app.router.add_get("/file", self._file)
        app.router.add_get("/events", self._events)
        app.router.add_get("/ws", self._socket)
        app.router.add_get("/big/{mib}", self._big)
        app.router.add_post("/seen", self._saw)
        app.router.add_route("*", "/echo", self._echo)
        app.router.add_route("*", "/sink", self._sink)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def _page(self, _request: web.Request) -> web.Response:
        return web.Response(text=PAGE, content_type="text/html")

    async def _echo(self, request: web.Request) -> web.Response:
        body = await request.read()
        fields = [[name, value] for name, value in request.headers.items()]
        return web.json_response(
            {
                "method": request.method,
                "path": request.raw_path,
                "fields": fields,
                "size": len(body),
                "sha256": hashlib.sha256(body).hexdigest(),
            }
        )

    async def _file(self, request: web.Request) -> web.Response:
        content, part = b"0123456789", request.http_range
        if part.start is None:
            return web.Response(body=content, headers={"ETag": '"f"', "Accept-Ranges": "bytes"})
        found = content[part]
        fields = {"Content-Range": f"bytes {part.start}-{part.start + len(found) - 1}/10"}
        return web.Response(status=206, body=found, headers=fields)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """The second event comes only when the first was seen: nobody may hold it back."""
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        for number in (1, 2):
            self._seen.clear()
            await answer.write(b"data: %d\n\n" % number)
            async with asyncio.timeout(10):
                await self._seen.wait()
        await answer.write_eof()
        return answer

    async def _saw(self, _request: web.Request) -> web.Response:
        self._seen.set()
        return web.Response(status=204)

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(max_msg_size=16 * MIB)
        await socket.prepare(request)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                await socket.send_str(message.data)
            elif message.type is WSMsgType.BINARY:
                await socket.send_bytes(message.data)
        return socket

    async def _big(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        if request.query.get("chunked"):
            answer.enable_chunked_encoding()
        else:
            answer.content_length = int(request.match_info["mib"]) * MIB
        await answer.prepare(request)
        block = b"banyan!\n" * (MIB // 8)
        for _ in range(int(request.match_info["mib"])):
            await answer.write(block)
        await answer.write_eof()
        return answer

    async def _sink(self, request: web.Request) -> web.Response:
        size = 0
        async for piece in request.content.iter_any():
            size += len(piece)
        return web.Response(text=str(size))


@contextlib.contextmanager
def real_store() -> Iterator[RealStore]:
    store = RealStore()
    store.start()
    try:
        yield store
    finally:
        store.stop()
