"""Square, over its HTTP API, as its public documentation describes it.

Our attempt's id is the payment's `reference_id` and its idempotency key. Square keeps nothing
of ours with a refund but its reason, so that is where a refund's id stands.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aiohttp

from new_core.domain.gateway import (
    Book,
    BookedMove,
    BookState,
    Charge,
    Charged,
    GatewayNote,
    Move,
    Moved,
    MoveState,
    Question,
    Reach,
)
from new_core.domain.payment import CaptureMode
from new_core.errors import GatewayUnavailable, WebhookRefused
from new_core.gateways.wire import chosen, own_connections, parsed, reach_of, searched_from, uuid_in

_VERSION = "2025-01-23"
_REFUND = "refund "
_MOST_PAGES = 50
_KEPT = ("id", "status", "created_at", "location_id", "payment_id")

_STATES = {
    "APPROVED": BookState.AUTHORISED,
    "COMPLETED": BookState.CAPTURED,
    "PENDING": BookState.PENDING,
    "CANCELED": BookState.VOIDED,
    "FAILED": BookState.DECLINED,
}
_REFUNDS = {
    "COMPLETED": MoveState.DONE,
    "PENDING": MoveState.UNKNOWN,
    "REJECTED": MoveState.REFUSED,
    "FAILED": MoveState.REFUSED,
}
_NOT_TAKEN = frozenset({401, 403, 429})
_REFUSED = frozenset({400, 402, 404, 422})
_CARD = "PAYMENT_METHOD_ERROR"
_RETRYABLE = frozenset({"TEMPORARY_ERROR", "CARD_PROCESSING_NOT_ENABLED"})
_USED_BEFORE = "IDEMPOTENCY_KEY_REUSED"


@dataclass(frozen=True, slots=True)
class Notifications:
    """How Square's messages are known.

    Attributes:
        key: the subscription's signature key; empty means that no message is believed.
        url: where Square posts to, exactly as the subscription says.
    """

    key: str
    url: str


@dataclass(frozen=True, slots=True)
class _Answer:
    """What came back; status 0 when nothing did."""

    status: int
    body: dict[str, Any]
    reach: Reach
    problem: str = ""

    @property
    def errors(self) -> list[dict[str, Any]]:
        found = self.body.get("errors")
        return found if isinstance(found, list) else []

    @property
    def code(self) -> str:
        return str(self.errors[0].get("code", "")) if self.errors else self.problem


class SquareGateway:
    """Calls Square. Connects when first used; one per process."""

    code = "square"
    needs_token = True
    is_outside = True

    def __init__(
        self,
        access_token: str,
        location: str,
        notifications: Notifications,
        *,
        api_base: str,
        timeout_s: float,
    ) -> None:
        """Begin without connections.

        Args:
            access_token: of the application.
            location: the seller's place whose payments these are.
            notifications: how messages are known.
            api_base: where Square is.
            timeout_s: how long one call may take.
        """
        self._token = access_token
        self._location = location
        self._notifications = notifications
        self._api_base = api_base.rstrip("/")
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._session: aiohttp.ClientSession | None = None

    async def authorise(self, charge: Charge) -> Charged:
        answer = await self._post(
            "/v2/payments",
            {
                "source_id": charge.token,
                "idempotency_key": str(charge.attempt_id),
                "amount_money": {"amount": charge.minor, "currency": charge.currency},
                "autocomplete": charge.capture is CaptureMode.NOW,
                "location_id": self._location,
                "reference_id": str(charge.attempt_id),
                "note": charge.reference,
                "accept_partial_authorization": False,
            },
        )
        if answer.status == 200:
            return Charged(Reach.ANSWERED, _book(answer.body["payment"], []))
        if answer.status in _REFUSED and answer.code != _USED_BEFORE:
            return Charged(Reach.ANSWERED, _declined(answer))
        return Charged(answer.reach, reason=answer.code or f"http_{answer.status}")

    async def capture(self, move: Move) -> Moved:
        ref = move.gateway_ref
        if not move.is_whole:
            money = {"amount": move.minor, "currency": move.currency}
            smaller = {"idempotency_key": str(move.move_id), "payment": {"amount_money": money}}
            answer = await self._call("PUT", f"/v2/payments/{ref}", smaller)
            if answer.status != 200:
                return _moved(answer, "payment")
        return _moved(await self._post(f"/v2/payments/{ref}/complete", {}), "payment")

    async def void(self, move: Move) -> Moved:
        moved = _moved(await self._post(f"/v2/payments/{move.gateway_ref}/cancel", {}), "payment")
        if moved.state is MoveState.REFUSED:
            found = await self._call("GET", f"/v2/payments/{move.gateway_ref}")
            if found.body.get("payment", {}).get("status") == "CANCELED":
                return Moved(Reach.ANSWERED, MoveState.DONE, move.gateway_ref)
        return moved

    async def refund(self, move: Move) -> Moved:
        answer = await self._post(
            "/v2/refunds",
            {
                "idempotency_key": str(move.move_id),
                "payment_id": move.gateway_ref,
                "amount_money": {"amount": move.minor, "currency": move.currency},
                "reason": f"{_REFUND}{move.move_id}",
            },
        )
        return _moved(answer, "refund")

    async def lookup(self, question: Question) -> Book | None:
        payment = await self._find(question)
        if payment is None:
            return None
        refunds = []
        for one in payment.get("refund_ids") or []:
            found = self._known(await self._call("GET", f"/v2/refunds/{one}"))
            refunds.append(found["refund"])
        return _book(payment, refunds)

    async def _find(self, question: Question) -> dict[str, Any] | None:
        if question.gateway_ref:
            found = self._known(await self._call("GET", f"/v2/payments/{question.gateway_ref}"))
            by_ref: dict[str, Any] = found["payment"]
            return by_ref
        since = datetime.fromtimestamp(searched_from(question.sent_at), tz=UTC)
        wanted = {
            "begin_time": since.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "location_id": self._location,
            "sort_order": "ASC",
        }
        cursor: dict[str, str] = {}
        for _ in range(_MOST_PAGES):
            answer = self._known(await self._call("GET", "/v2/payments", query=wanted | cursor))
            rows: list[dict[str, Any]] = answer.get("payments") or []
            for one in rows:
                if one.get("reference_id") == str(question.attempt_id):
                    return one
            if not answer.get("cursor"):
                return None
            cursor = {"cursor": answer["cursor"]}
        raise GatewayUnavailable(self.code, "its list is too long to be searched")

    def _known(self, answer: _Answer) -> dict[str, Any]:
        if answer.status != 200:
            raise GatewayUnavailable(self.code, answer.code or f"http_{answer.status}")
        return answer.body

    async def _post(self, path: str, body: dict[str, Any]) -> _Answer:
        return await self._call("POST", path, body)

    async def _call(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        query: dict[str, str] | None = None,
    ) -> _Answer:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=self._timeout, connector=own_connections()
            )
        headers = {"authorization": f"Bearer {self._token}", "square-version": _VERSION}
        url = self._api_base + path
        try:
            async with self._session.request(
                method, url, json=body, params=query, headers=headers, allow_redirects=False
            ) as response:
                found = parsed(await response.read())
                status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            return _Answer(0, {}, reach_of(exc), type(exc).__name__)
        reach = Reach.NOT_SENT if status in _NOT_TAKEN else Reach.NO_ANSWER
        if not isinstance(found, dict):
            return _Answer(0 if status == 200 else status, {}, reach, "no_json")
        return _Answer(status, found, reach)

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> GatewayNote:
        known = self._notifications
        if not known.key:
            raise WebhookRefused("this shop expects no messages of square")
        made = hmac.new(known.key.encode(), known.url.encode() + body, hashlib.sha256).digest()
        given = headers.get("x-square-hmacsha256-signature", "")
        if not hmac.compare_digest(base64.b64encode(made), given.encode()):
            raise WebhookRefused("the signature does not hold")
        return _note(parsed(body))

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


def _declined(answer: _Answer) -> Book:
    first = answer.errors[0] if answer.errors else {}
    about_card = first.get("category") == _CARD
    payment = answer.body.get("payment") or {}
    return Book(
        ref=str(payment.get("id", "")),
        state=BookState.DECLINED,
        reason=answer.code.lower() or "declined",
        # Whatever is not about the card is about us and this gateway.
        is_retryable=not about_card or answer.code in _RETRYABLE,
        raw=chosen(("category", "code"), first),
    )


def _moved(answer: _Answer, what: str) -> Moved:
    if answer.status == 200:
        about = answer.body.get(what) or {}
        state = MoveState.DONE
        if what == "refund":
            state = _REFUNDS.get(about.get("status", ""), MoveState.UNKNOWN)
        return Moved(Reach.ANSWERED, state, str(about.get("id", "")), raw=chosen(_KEPT, about))
    if answer.status in _REFUSED and answer.code != _USED_BEFORE:
        return Moved(Reach.ANSWERED, MoveState.REFUSED, reason=answer.code.lower() or "refused")
    return Moved(answer.reach, reason=answer.code or f"http_{answer.status}")


def _book(payment: dict[str, Any], refunds: list[dict[str, Any]]) -> Book:
    state = _STATES.get(payment.get("status", ""), BookState.PENDING)
    promised = _money(payment, "approved_money") or _money(payment, "amount_money")
    holds = state in (BookState.AUTHORISED, BookState.CAPTURED)
    errors = (payment.get("card_details") or {}).get("errors") or [{}]
    done = [one for one in refunds if one.get("status") == "COMPLETED"]
    return Book(
        ref=payment["id"],
        state=state,
        authorised_minor=promised if holds else 0,
        captured_minor=_money(payment, "total_money") if state is BookState.CAPTURED else 0,
        refunded_minor=sum(_money(one, "amount_money") for one in done),
        reason=str(errors[0].get("code", "")).lower(),
        refunds=tuple(_refunded(refunds)),
        raw=chosen(_KEPT, payment),
    )


def _refunded(refunds: list[dict[str, Any]]) -> list[BookedMove]:
    found = []
    for one in refunds:
        move_id = uuid_in(str(one.get("reason", "")).removeprefix(_REFUND))
        if move_id is not None:
            state = _REFUNDS.get(one.get("status", ""), MoveState.UNKNOWN)
            found.append(BookedMove(move_id, state, _money(one, "amount_money"), one["id"]))
    return found


def _money(row: dict[str, Any], name: str) -> int:
    return int((row.get(name) or {}).get("amount") or 0)


def _note(event: Any) -> GatewayNote:
    if not isinstance(event, dict) or not isinstance(event.get("event_id"), str):
        raise WebhookRefused("this is no event")
    about = (event.get("data") or {}).get("object") or {}
    payment, refund = about.get("payment") or {}, about.get("refund") or {}
    ref = payment.get("id") or refund.get("payment_id") or ""
    return GatewayNote(
        event_id=event["event_id"][:255],
        type=str(event.get("type", "")),
        gateway_ref=str(ref),
        attempt_id=uuid_in(payment.get("reference_id")),
        raw=chosen(("event_id", "type", "created_at"), event),
    )
