"""A core to ask in this process, and people to ask it as."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from fastapi import FastAPI
from pydantic import SecretStr

from new_core.app import build_core
from new_core.settings import CoreSettings
from tests.support.asgi import Answered, send_to

ADMIN_SECRET = "s" * 40
PASSWORD = "correct horse"


@dataclass
class Core:
    """A core that answers; `token` is sent with every request."""

    app: FastAPI
    token: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    def as_(self, token: str) -> Core:
        return Core(self.app, token, self.headers)

    async def ask(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Answered:
        sent = {**self.headers, **(headers or {})}
        if self.token:
            sent["authorization"] = f"Bearer {self.token}"
        content = b""
        if body is not None:
            content, sent["content-type"] = json.dumps(body).encode(), "application/json"
        return await send_to(self.app, method, path, content, sent)

    async def get(self, path: str, status: int = 200) -> Any:
        return _read(await self.ask("GET", path), status)

    async def post(self, path: str, body: Any = None, status: int = 201) -> Any:
        return _read(await self.ask("POST", path, body), status)

    async def form(
        self, path: str, fields: Mapping[str, str], basic: tuple[str, str] | None = None
    ) -> Answered:
        sent = {**self.headers, "content-type": "application/x-www-form-urlencoded"}
        if basic is not None:
            sent["authorization"] = "Basic " + base64.b64encode(":".join(basic).encode()).decode()
        return await send_to(self.app, "POST", path, urlencode(fields).encode(), sent)

    async def admin(self) -> Core:
        return self.as_(await self.client_token("admin", ADMIN_SECRET))

    async def client_token(self, client_id: str, secret: str, scope: str = "") -> str:
        fields = {"grant_type": "client_credentials", "scope": scope}
        answer = await self.form("/v1/oauth/token", fields, (client_id, secret))
        return str(_read(answer, 200)["access_token"])


def _read(answer: Answered, status: int) -> Any:
    assert answer.status == status, answer.text
    return answer.json() if answer.content else None


@asynccontextmanager
async def served(url: str, **more: Any) -> AsyncIterator[Core]:
    """A core on this database, started whole."""
    settings = CoreSettings(
        core_database=url, core_admin_secret=SecretStr(ADMIN_SECRET), pool_size=4, **more
    )
    app = build_core(settings)
    async with app.router.lifespan_context(app):
        yield Core(app)
