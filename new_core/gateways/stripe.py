"""Stripe, by its official library.

One payment intent for each attempt, created and confirmed in one call. Our ids are the
idempotency keys, and stand in the metadata, by which an intent whose name we never learned is
found: in the list, which is consistent at once, and not in the search, which is not.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import aiohttp
import stripe

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

_ATTEMPT, _MOVE = "attempt_id", "move_id"
_KEPT = ("id", "status", "amount", "amount_received", "currency", "created", "cancellation_reason")
_MOST_PAGES = 50

_STATES = {
    "requires_capture": BookState.AUTHORISED,
    "succeeded": BookState.CAPTURED,
    "processing": BookState.PENDING,
    "requires_action": BookState.PENDING,
    "requires_confirmation": BookState.PENDING,
    "requires_payment_method": BookState.DECLINED,
    "canceled": BookState.VOIDED,
}
_REFUNDS = {
    "succeeded": MoveState.DONE,
    "pending": MoveState.UNKNOWN,
    "requires_action": MoveState.UNKNOWN,
    "failed": MoveState.REFUSED,
    "canceled": MoveState.REFUSED,
}
# The bank was not asked, or could not be: another gateway may reach it.
_RETRYABLE = frozenset(
    {"processing_error", "issuer_not_available", "reenter_transaction", "try_again_later"}
)
_NOT_TAKEN = (stripe.RateLimitError, stripe.AuthenticationError, stripe.PermissionError)


class StripeGateway:
    """Calls Stripe. Connects when first used; one per process."""

    code = "stripe"
    needs_token = True
    is_outside = True

    def __init__(
        self, secret_key: str, webhook_secret: str, *, api_base: str, timeout_s: float
    ) -> None:
        """Begin without connections.

        Args:
            secret_key: as Stripe's dashboard gives it.
            webhook_secret: of the endpoint; empty means that no message is believed.
            api_base: where Stripe is.
            timeout_s: how long one call may take.
        """
        # It would tell Stripe of this machine, and write a file in the home folder.
        stripe.enable_telemetry = False
        self._secret_key = secret_key
        self._webhook_secret = webhook_secret
        self._api_base = api_base
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._http: stripe.AIOHTTPClient | None = None
        self._client: stripe.StripeClient | None = None

    @property
    def _api(self) -> Any:
        if self._client is None:
            self._http = stripe.AIOHTTPClient(timeout=self._timeout, connector=own_connections())
            self._client = stripe.StripeClient(
                self._secret_key,
                http_client=self._http,
                base_addresses={"api": self._api_base},
                # A retry inside the library would rest on idempotency keys alone.
                max_network_retries=0,
            )
        return self._client.v1

    async def authorise(self, charge: Charge) -> Charged:
        params: dict[str, Any] = {
            "amount": charge.minor,
            "currency": charge.currency.lower(),
            "payment_method": charge.token,
            "payment_method_types": ["card"],
            "confirm": True,
            "capture_method": "manual" if charge.capture is CaptureMode.LATER else "automatic",
            "metadata": {_ATTEMPT: str(charge.attempt_id), "order_number": charge.reference},
        }
        if charge.return_url:
            params["return_url"] = charge.return_url
        options: Any = {"idempotency_key": str(charge.attempt_id)}
        try:
            made = await self._api.payment_intents.create_async(params, options)
            return Charged(Reach.ANSWERED, _book(_dict(made), []))
        except stripe.CardError as exc:
            return Charged(Reach.ANSWERED, _declined(exc))
        except _NOT_TAKEN as exc:
            return Charged(Reach.NOT_SENT, reason=type(exc).__name__)
        except stripe.InvalidRequestError as exc:
            reason = exc.code or "invalid_request"
            book = Book("", BookState.DECLINED, reason=reason, is_retryable=True)
            return Charged(Reach.ANSWERED, book)
        except stripe.StripeError as exc:
            return Charged(reach_of(exc.__cause__), reason=type(exc).__name__)
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            return Charged(reach_of(exc), reason=type(exc).__name__)

    async def capture(self, move: Move) -> Moved:
        params: Any = {"amount_to_capture": move.minor}

        async def call(options: Any) -> Moved:
            ref = move.gateway_ref
            made = await self._api.payment_intents.capture_async(ref, params, options)
            return Moved(Reach.ANSWERED, MoveState.DONE, ref, raw=chosen(_KEPT, _dict(made)))

        return await self._moved(move, call)

    async def void(self, move: Move) -> Moved:
        async def call(options: Any) -> Moved:
            ref = move.gateway_ref
            made = await self._api.payment_intents.cancel_async(ref, {}, options)
            return Moved(Reach.ANSWERED, MoveState.DONE, ref, raw=chosen(_KEPT, _dict(made)))

        moved = await self._moved(move, call)
        if moved.state is MoveState.REFUSED and await self._is_let_go(move.gateway_ref):
            return Moved(Reach.ANSWERED, MoveState.DONE, move.gateway_ref)
        return moved

    async def refund(self, move: Move) -> Moved:
        params: Any = {
            "payment_intent": move.gateway_ref,
            "amount": move.minor,
            "metadata": {_MOVE: str(move.move_id), _ATTEMPT: str(move.attempt_id)},
        }

        async def call(options: Any) -> Moved:
            made = _dict(await self._api.refunds.create_async(params, options))
            state = _REFUNDS.get(made.get("status", ""), MoveState.UNKNOWN)
            return Moved(Reach.ANSWERED, state, made["id"], raw=chosen(_KEPT, made))

        return await self._moved(move, call)

    async def _moved(self, move: Move, call: Callable[[Any], Awaitable[Moved]]) -> Moved:
        try:
            return await call({"idempotency_key": str(move.move_id)})
        except _NOT_TAKEN as exc:
            return Moved(Reach.NOT_SENT, reason=type(exc).__name__)
        except (stripe.InvalidRequestError, stripe.CardError) as exc:
            return Moved(Reach.ANSWERED, MoveState.REFUSED, reason=exc.code or "refused")
        except stripe.StripeError as exc:
            return Moved(reach_of(exc.__cause__), reason=type(exc).__name__)
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            return Moved(reach_of(exc), reason=type(exc).__name__)

    async def _is_let_go(self, ref: str) -> bool:
        try:
            found = _dict(await self._api.payment_intents.retrieve_async(ref))
        except (stripe.StripeError, aiohttp.ClientError, TimeoutError, OSError):
            return False
        return found.get("status") == "canceled"

    async def lookup(self, question: Question) -> Book | None:
        try:
            found = await self._find(question)
            if found is None:
                return None
            refunds = [one async for one in self._refunds(found)]
        except (stripe.StripeError, aiohttp.ClientError, TimeoutError, OSError) as exc:
            raise GatewayUnavailable(self.code, type(exc).__name__) from exc
        return _book(found, refunds)

    async def _find(self, question: Question) -> dict[str, Any] | None:
        if question.gateway_ref:
            ref = question.gateway_ref
            return _dict(
                await self._api.payment_intents.retrieve_async(ref, {"expand": ["latest_charge"]})
            )
        since, last = searched_from(question.sent_at), ""
        for _ in range(_MOST_PAGES):
            params: Any = {"limit": 100} | ({"starting_after": last} if last else {})
            page = _dict(await self._api.payment_intents.list_async(params))
            rows: list[dict[str, Any]] = page["data"]
            for one in rows:
                if (one.get("metadata") or {}).get(_ATTEMPT) == str(question.attempt_id):
                    return one
            # Newest first: a page that is too old has nothing of ours behind it.
            if not page.get("has_more") or all(one["created"] < since for one in rows):
                return None
            last = rows[-1]["id"]
        raise GatewayUnavailable(self.code, "its list is too long to be searched")

    async def _refunds(self, intent: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        if intent.get("status") != "succeeded":
            return
        params: Any = {"payment_intent": intent["id"], "limit": 100}
        for one in _dict(await self._api.refunds.list_async(params))["data"]:
            yield one

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> GatewayNote:
        signature = headers.get("stripe-signature", "")
        if not self._webhook_secret:
            raise WebhookRefused("this shop expects no messages of stripe")
        try:
            text = body.decode("utf-8")
            stripe.WebhookSignature.verify_header(
                text, signature, self._webhook_secret, stripe.Webhook.DEFAULT_TOLERANCE
            )
        except (stripe.SignatureVerificationError, ValueError) as exc:
            raise WebhookRefused("the signature does not hold") from exc
        return _note(parsed(body))

    async def close(self) -> None:
        if self._http is not None:
            await self._http.close_async()  # type: ignore[no-untyped-call]  # as the library is


def _dict(found: Any) -> dict[str, Any]:
    kept: dict[str, Any] = found.to_dict(recursive=True)
    return kept


def _declined(error: stripe.CardError) -> Book:
    about = error.json_body.get("error", {}) if isinstance(error.json_body, dict) else {}
    reason = str(about.get("decline_code") or error.code or "card_declined")
    ref = (about.get("payment_intent") or {}).get("id", "")
    return Book(
        ref, BookState.DECLINED, reason=reason, is_retryable=reason in _RETRYABLE,
        raw=chosen(("code", "decline_code", "type"), about),
    )  # fmt: skip


def _book(intent: dict[str, Any], refunds: list[dict[str, Any]]) -> Book:
    state = _STATES.get(intent.get("status", ""), BookState.PENDING)
    if state is BookState.VOIDED and intent.get("cancellation_reason") == "automatic":
        state = BookState.EXPIRED
    charge = intent.get("latest_charge")
    charge = charge if isinstance(charge, dict) else {}
    error = intent.get("last_payment_error") or {}
    reason = str(error.get("decline_code") or error.get("code") or "")
    promised = intent["amount"] if state in (BookState.AUTHORISED, BookState.CAPTURED) else 0
    # What a partial capture let go stands in the books of older versions as a refund that was
    # asked for by nobody.
    let_go = [one for one in refunds if one.get("payment_intent") is None]
    given_back = [one for one in refunds if one.get("payment_intent") is not None]
    captured = 0
    if state is BookState.CAPTURED:
        captured = intent.get("amount_received") or promised - sum(one["amount"] for one in let_go)
    action = intent.get("next_action") or {}
    return Book(
        ref=intent["id"],
        state=state,
        authorised_minor=promised,
        captured_minor=captured,
        refunded_minor=sum(one["amount"] for one in given_back if one.get("status") == "succeeded"),
        reason=reason,
        is_retryable=reason in _RETRYABLE,
        is_disputed=bool(charge.get("disputed")),
        redirect_url=(action.get("redirect_to_url") or {}).get("url") or "",
        refunds=tuple(_refunded(given_back)),
        raw=chosen(_KEPT, intent),
    )


def _refunded(refunds: list[dict[str, Any]]) -> list[BookedMove]:
    found = []
    for one in refunds:
        move_id = uuid_in((one.get("metadata") or {}).get(_MOVE))
        if move_id is not None:
            state = _REFUNDS.get(one.get("status", ""), MoveState.UNKNOWN)
            reason = str(one.get("failure_reason") or "")
            found.append(BookedMove(move_id, state, one["amount"], one["id"], reason))
    return found


def _note(event: Any) -> GatewayNote:
    about = event.get("data", {}).get("object") if isinstance(event, dict) else None
    if not isinstance(about, dict) or not isinstance(event.get("id"), str):
        raise WebhookRefused("this is no event")
    is_intent = about.get("object") == "payment_intent"
    ref = about.get("id") if is_intent else about.get("payment_intent")
    return GatewayNote(
        event_id=event["id"][:255],
        type=str(event.get("type", "")),
        gateway_ref=ref if isinstance(ref, str) else "",
        attempt_id=uuid_in((about.get("metadata") or {}).get(_ATTEMPT)),
        raw=chosen(("id", "type", "created"), event) | {"about": about.get("object", "")},
    )
