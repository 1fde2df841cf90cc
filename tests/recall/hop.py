"""A hop between the comparer and the core that spoils a share of the answers.

    python -m tests.recall.hop --port 9001 --target http://127.0.0.1:8082 --share 0.01 \
        --journal var/journal.jsonl

Only shadow requests are spoilt. Which ones, and where, follows from the request's id. Of the
kinds that have a place in an answer, the one seeded least often so far is taken.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import signal
from collections import Counter
from pathlib import Path
from typing import IO

import aiohttp
from aiohttp import web

from shadow_compare.core.answer import Answer
from shadow_compare.core.seeding import DEFECTS, Seeded

_DROPPED = frozenset(("connection", "content-length", "keep-alive", "transfer-encoding", "date"))


class Hop:
    """Forwards everything to `target`, and spoils `share` of the shadow answers."""

    def __init__(self, target: str, share: float, journal: IO[str]) -> None:
        self._target = target
        self._share = share
        self._journal = journal
        self._seeded: Counter[str] = Counter()
        self._client = aiohttp.ClientSession(
            auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
        )

    async def close(self, _app: web.Application) -> None:
        await self._client.close()

    async def handle(self, request: web.Request) -> web.Response:
        headers = {k: v for k, v in request.headers.items() if k.lower() not in _DROPPED}
        headers["Accept-Encoding"] = "identity"
        async with self._client.request(
            request.method,
            self._target + request.raw_path,
            headers=headers,
            data=await request.read() or None,
            allow_redirects=False,
        ) as response:
            said = tuple(
                (name, value)
                for name, value in response.headers.items()
                if name.lower() not in _DROPPED
            )
            answer = Answer(response.status, said, await response.read())
        shadow = request.headers.get("X-Banyan-Shadow")
        if shadow is not None and request.method != "HEAD" and self._is_chosen(shadow):
            answer = self._spoilt(shadow, request.raw_path, answer)
        return web.Response(status=answer.status, headers=answer.headers, body=answer.body)

    def _is_chosen(self, shadow: str) -> bool:
        return _lot(shadow) % 1_000_000 < self._share * 1_000_000

    def _spoilt(self, shadow: str, target: str, answer: Answer) -> Answer:
        lot = _lot(shadow)
        for defect in sorted(DEFECTS, key=lambda one: self._seeded[one.kind]):
            spots: list[Seeded] = list(defect.spots(answer, lot))
            # Headers that the table does not compare would be missed by design.
            spots = [one for one in spots if defect.kind != "header_missing"]
            if spots:
                spot = spots[lot % len(spots)]
                self._seeded[defect.kind] += 1
                line = {"id": shadow, "kind": defect.kind, "at": spot.pattern, "target": target}
                self._journal.write(json.dumps(line) + "\n")
                self._journal.flush()
                return spot.answer
        return answer


def _lot(shadow: str) -> int:
    return int.from_bytes(hashlib.blake2b(shadow.encode(), digest_size=6).digest())


async def serve(port: int, hop: Hop) -> None:
    """Serve until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", hop.handle)
    app.on_cleanup.append(hop.close)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await stop.wait()
    await runner.cleanup()


async def _main(options: argparse.Namespace) -> None:
    with options.journal.open("w", encoding="utf-8") as journal:
        await serve(options.port, Hop(options.target, options.share, journal))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.recall.hop")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--target", required=True)
    parser.add_argument("--share", type=float, default=0.01)
    parser.add_argument("--journal", type=Path, required=True)
    asyncio.run(_main(parser.parse_args()))
