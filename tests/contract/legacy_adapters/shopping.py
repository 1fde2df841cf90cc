"""A client that was written for oscar, and keeps what it was told."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tests.contract.legacy_adapters.shops import Answer, Server

PASSWORD = "Tr0ub4dor-and-3"
HOME = {
    "first_name": "Ada",
    "last_name": "Reader",
    "line1": "1 Book Street",
    "line4": "London",
    "postcode": "EN1 9EL",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One request with its answer.

    Attributes:
        label: what it is in its journey.
    """

    label: str
    method: str
    path: str
    answer: Answer

    @property
    def body(self) -> Any:
        """The answer's JSON; text where it is none."""
        try:
            return json.loads(self.answer.body)
        except ValueError:
            return self.answer.body.decode(errors="replace")


@dataclass
class Client:
    """One shopper at one shop.

    Attributes:
        session: the header Session-Id; None for one with cookies.
        strangers: address of somebody else's basket.
        tag: what no other run of a journey has.
    """

    server: Server
    session: str | None = None
    strangers: str = ""
    tag: str = ""
    cookies: dict[str, str] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)

    @property
    def api(self) -> str:
        """Where the API is, as its answers say."""
        return f"http://{self.server.host}/api/"

    def ask(
        self,
        label: str,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: Mapping[str, str] | None = None,
        raw: bytes | None = None,
    ) -> Step:
        """Ask for a path below /api/, or for an address out of an answer."""
        target = _target(path)
        sent = {"Host": self.server.host, "Accept": "application/json"}
        if self.session is not None:
            sent["Session-Id"] = self.session
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        payload = raw
        if body is not None:
            payload = json.dumps(body).encode()
        if payload is not None:
            sent["Content-Type"] = "application/json"
        sent |= headers or {}
        answer = self._send(method, target, payload, sent)
        if self.session is not None and "session-id" in answer.headers:
            self.session = answer.headers["session-id"]
        self.steps.append(Step(label, method, target, answer))
        return self.steps[-1]

    def _send(
        self, method: str, target: str, payload: bytes | None, sent: Mapping[str, str]
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        try:
            connection.request(method, self.server.prefix + target, payload, dict(sent))
            response = connection.getresponse()
            self._keep(response.headers.get_all("set-cookie") or [])
            names = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, names, response.read())
        finally:
            connection.close()

    def _keep(self, lines: list[str]) -> None:
        if self.session is not None:
            return
        for line in lines:
            name, _, value = line.partition(";")[0].partition("=")
            if value.strip('"'):
                self.cookies[name] = value
            else:
                self.cookies.pop(name, None)

    def add(self, label: str, product: int, quantity: object = 1) -> Step:
        """Put a product into the basket."""
        url = f"{self.api}products/{product}/"
        return self.ask(label, "POST", "basket/add-product/", {"url": url, "quantity": quantity})

    def basket(self, label: str) -> Step:
        """Look into the basket."""
        return self.ask(label, "GET", "basket/")

    def lines(self, label: str) -> Step:
        """Look at the basket's lines."""
        return self.ask(label, "GET", self.basket(f"{label}: the basket").body["lines"])

    def address(self, **more: object) -> dict[str, object]:
        """Where the goods go."""
        return {"country": f"{self.api}countries/GB/", **HOME, **more}

    def check_out(self, label: str, basket: str, **more: object) -> Step:
        """Order a basket; as a guest unless told otherwise."""
        order = {
            "basket": basket,
            "guest_email": "Reader@Example.com",
            "shipping_address": self.address(),
            **more,
        }
        return self.ask(label, "POST", "checkout/", order)


def _target(path: str) -> str:
    if path.startswith("http"):
        parts = urlsplit(path)
        return parts.path + (f"?{parts.query}" if parts.query else "")
    return path if path.startswith("/") else f"/api/{path}"
