"""A shopper of the tests: one session, one kept connection."""

from __future__ import annotations

import http.client
import json
from types import TracebackType
from typing import Any, Self


class ShopClient:
    """Speaks oscarapi as one guest. Not safe for several threads."""

    def __init__(self, port: int, session: str) -> None:
        self.base = f"http://127.0.0.1:{port}/api/"
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._headers = {
            "Accept": "application/json",
            "Content-Type": "application/json",
            "Session-Id": f"SID:ANON:127.0.0.1:{session}",
        }
        self.sockets: set[int] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.close()

    def call(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Status and parsed body; a body that is no JSON comes as text."""
        payload = None if body is None else json.dumps(body)
        self._connection.request(method, f"/api/{path}", payload, self._headers)
        if self._connection.sock is not None:
            self.sockets.add(self._connection.sock.getsockname()[1])
        answer = self._connection.getresponse()
        content = answer.read()
        try:
            return answer.status, json.loads(content)
        except ValueError:
            return answer.status, content.decode(errors="replace")

    def add(self, product: int, quantity: int = 1) -> tuple[int, Any]:
        """Put a product into the basket."""
        url = f"{self.base}products/{product}/"
        return self.call("POST", "basket/add-product/", {"url": url, "quantity": quantity})

    def check_out(self, basket_url: str) -> tuple[int, Any]:
        """Order the basket as a guest in London."""
        address = {
            "country": f"{self.base}countries/GB/",
            "first_name": "Ada",
            "last_name": "Reader",
            "line1": "1 Book Street",
            "line4": "London",
            "postcode": "EN1 9EL",
        }
        order = {
            "basket": basket_url,
            "guest_email": "reader@example.com",
            "shipping_address": address,
        }
        return self.call("POST", "checkout/", order)
