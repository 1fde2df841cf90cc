"""A Square on loopback, as its public documentation says it answers. Not Square.

It keeps books, and ignores idempotency keys unless told to heed them.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

TOKEN, LOCATION, WEBHOOK_KEY = "sq_loopback", "L-1", "sq_webhook_key"
WEBHOOK_URL = "https://shop.test/v1/gateway-webhooks/square"
CARD, DECLINED = "cnon:card-nonce-ok", "cnon:card-nonce-declined"
BUSY, SLOW_REFUND = "cnon:temporary-error", "slow"


class SquareBooks:
    """What it has, by id.

    Attributes:
        heeds_keys: whether the same idempotency key is the same payment.
        slow_refunds: whether refunds stay pending until `finish_refunds`.
    """

    def __init__(self) -> None:
        self.payments: dict[str, dict[str, Any]] = {}
        self.refunds: dict[str, dict[str, Any]] = {}
        self.keys: dict[str, str] = {}
        self.heeds_keys = False
        self.slow_refunds = False
        self.url = ""

    def charges(self, order: str) -> list[dict[str, Any]]:
        """Payments of an order that hold or took money which was not given back."""
        held = [
            one
            for one in self.payments.values()
            if one["note"] == order and one["status"] in ("APPROVED", "COMPLETED")
        ]
        return [one for one in held if self._given_back(one) < one["total_money"]["amount"]]

    def _given_back(self, payment: dict[str, Any]) -> int:
        return sum(
            self.refunds[one]["amount_money"]["amount"] for one in payment.get("refund_ids", [])
        )

    def finish_refunds(self) -> None:
        """The banks answered."""
        for one in self.refunds.values():
            one["status"] = "COMPLETED"

    def message(self, payment_id: str, event_id: str) -> tuple[dict[str, str], bytes]:
        """Headers and body of a signed message about a payment."""
        payment = web.json_response(
            {
                "merchant_id": "M-1",
                "type": "payment.updated",
                "event_id": event_id,
                "created_at": "2026-05-04T12:00:00Z",
                "data": {
                    "type": "payment",
                    "id": payment_id,
                    "object": {"payment": self.payments[payment_id]},
                },
            }
        )
        assert isinstance(payment.body, bytes)
        made = hmac.new(WEBHOOK_KEY.encode(), WEBHOOK_URL.encode() + payment.body, hashlib.sha256)
        signature = base64.b64encode(made.digest()).decode()
        return {"x-square-hmacsha256-signature": signature}, payment.body

    async def create(self, request: web.Request) -> web.Response:
        asked = await request.json()
        key = asked["idempotency_key"]
        if self.heeds_keys and key in self.keys:
            return web.json_response({"payment": self.payments[self.keys[key]]})
        refused = _refused(asked)
        if refused is not None:
            return refused
        ident = f"pay-{uuid.uuid4().hex[:12]}"
        self.keys[key] = ident
        money = asked["amount_money"]
        self.payments[ident] = {
            "id": ident,
            "created_at": _now(),
            "status": "COMPLETED" if asked["autocomplete"] else "APPROVED",
            "amount_money": money,
            "approved_money": money,
            "total_money": money,
            "reference_id": asked["reference_id"],
            "note": asked["note"],
            "location_id": asked["location_id"],
            "refund_ids": [],
            "card_details": {"card": {"last_4": "1111", "fingerprint": "sq-1-secret"}},
        }
        return web.json_response({"payment": self.payments[ident]})

    async def get(self, request: web.Request) -> web.Response:
        found = self.payments.get(request.match_info["id"])
        return web.json_response({"payment": found}) if found else _error(404, "NOT_FOUND")

    async def listed(self, request: web.Request) -> web.Response:
        begin = request.query.get("begin_time", "")
        rows = [one for one in self.payments.values() if one["created_at"] >= begin]
        at = int(request.query.get("cursor", "0"))
        page = rows[at : at + 2]
        more = {"cursor": str(at + 2)} if at + 2 < len(rows) else {}
        return web.json_response({"payments": page, **more} if page else {})

    async def update(self, request: web.Request) -> web.Response:
        found = self.payments[request.match_info["id"]]
        money = (await request.json())["payment"]["amount_money"]
        if found["status"] != "APPROVED":
            return _error(400, "BAD_REQUEST")
        found |= {"amount_money": money, "total_money": money, "approved_money": money}
        return web.json_response({"payment": found})

    async def complete(self, request: web.Request) -> web.Response:
        return self._turned(request.match_info["id"], "COMPLETED")

    async def cancel(self, request: web.Request) -> web.Response:
        return self._turned(request.match_info["id"], "CANCELED")

    def _turned(self, ident: str, status: str) -> web.Response:
        found = self.payments.get(ident)
        if found is None:
            return _error(404, "NOT_FOUND")
        if found["status"] != "APPROVED":
            return _error(400, "BAD_REQUEST")
        found["status"] = status
        return web.json_response({"payment": found})

    async def refund(self, request: web.Request) -> web.Response:
        asked = await request.json()
        payment = self.payments.get(asked["payment_id"])
        if payment is None or payment["status"] != "COMPLETED":
            return _error(400, "BAD_REQUEST")
        wanted = asked["amount_money"]["amount"]
        if self._given_back(payment) + wanted > payment["total_money"]["amount"]:
            return _error(400, "REFUND_AMOUNT_INVALID", "REFUND_ERROR")
        ident = f"ref-{uuid.uuid4().hex[:12]}"
        self.refunds[ident] = {
            "id": ident,
            "status": "PENDING" if self.slow_refunds else "COMPLETED",
            "amount_money": asked["amount_money"],
            "payment_id": payment["id"],
            "reason": asked["reason"],
            "created_at": _now(),
        }
        payment["refund_ids"].append(ident)
        return web.json_response({"refund": self.refunds[ident]})

    async def get_refund(self, request: web.Request) -> web.Response:
        found = self.refunds.get(request.match_info["id"])
        return web.json_response({"refund": found}) if found else _error(404, "NOT_FOUND")


@asynccontextmanager
async def square_books() -> AsyncIterator[SquareBooks]:
    """Start one with empty books, in this process."""
    books = SquareBooks()

    @web.middleware
    async def known(request: web.Request, handler: Any) -> web.StreamResponse:
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return _error(401, "UNAUTHORIZED", "AUTHENTICATION_ERROR")
        response: web.StreamResponse = await handler(request)
        return response

    app = web.Application(middlewares=[known])
    app.add_routes(
        [
            web.post("/v2/payments", books.create),
            web.get("/v2/payments", books.listed),
            web.get("/v2/payments/{id}", books.get),
            web.put("/v2/payments/{id}", books.update),
            web.post("/v2/payments/{id}/complete", books.complete),
            web.post("/v2/payments/{id}/cancel", books.cancel),
            web.post("/v2/refunds", books.refund),
            web.get("/v2/refunds/{id}", books.get_refund),
        ]
    )
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    books.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield books
    finally:
        await runner.cleanup()


def _refused(asked: dict[str, Any]) -> web.Response | None:
    if asked["source_id"] == DECLINED:
        return _error(402, "GENERIC_DECLINE", "PAYMENT_METHOD_ERROR")
    if asked["source_id"] == BUSY:
        return _error(402, "TEMPORARY_ERROR", "PAYMENT_METHOD_ERROR")
    if asked["source_id"] != CARD:
        return _error(404, "NOT_FOUND")
    return None


def _error(status: int, code: str, category: str = "INVALID_REQUEST_ERROR") -> web.Response:
    return web.json_response({"errors": [{"category": category, "code": code}]}, status=status)


def _now() -> str:
    return datetime.now(tz=UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
