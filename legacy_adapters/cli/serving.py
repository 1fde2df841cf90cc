"""Runs the core's application on uvicorn."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import socket
import sys
from functools import partial

import uvicorn
from typing_extensions import override
from uvicorn.supervisors import Multiprocess

from legacy_adapters.app.serving import Settings, build_app
from legacy_adapters.oscar.storage import upgrade_oscar
from new_core.settings import CoreSettings
from new_core.storage import make_engine, upgrade

_GRACE_S = 10


def serve(settings: CoreSettings, listener: socket.socket, workers: int) -> int:
    """Migrate, then answer on the open socket until SIGTERM or SIGINT; the exit status.

    Raises:
        CoreError: the database cannot be used; nothing was served.
    """
    log_json_lines()
    asyncio.run(_migrate(settings))
    config = uvicorn.Config(
        partial(_application, Settings(core=settings)),
        factory=True,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        workers=workers,
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=_GRACE_S,
    )
    if workers > 1:
        Multiprocess(config, [listener]).run()
        return 0
    # uvicorn drains, then raises the signal once more for whoever was there before it; a
    # command that was asked to end and did so has succeeded.
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, _leave)
    server = uvicorn.Server(config)
    server.run([listener])
    return 0 if server.started else 1


def _application(settings: Settings) -> object:
    """Built in the process that serves it."""
    log_json_lines()
    return build_app(settings)


def _leave(_signal: int, _frame: object) -> None:
    sys.exit(0)


async def _migrate(settings: CoreSettings) -> None:
    engine = make_engine(settings.database, busy_timeout_s=settings.busy_timeout_s, pool_size=1)
    try:
        await upgrade(engine)
        await upgrade_oscar(engine)
    finally:
        await engine.dispose()


class _JsonLine(logging.Formatter):
    @override
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def log_json_lines(level: int = logging.WARNING) -> None:
    """Log to stderr, a JSON value a line."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLine())
    logging.basicConfig(level=level, handlers=[handler], force=True)
