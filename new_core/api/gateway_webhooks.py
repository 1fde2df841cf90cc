"""Where gateways write to."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from new_core.api.auth import needs
from new_core.api.payment_schemas import WebhookTaken
from new_core.api.problems import described, problem
from new_core.domain.actor import Actor, system
from new_core.errors import GatewayUnavailable, NotFound, WebhookRefused
from new_core.service.paying import Till
from new_core.service.payment_webhooks import Heard, hear

MOST_BYTES = 256 * 1024

GatewayCode = Annotated[str, Path(pattern=r"^[a-z][a-z0-9-]{0,31}$")]


def add_webhooks(router: APIRouter, till: Till) -> None:
    """The route that gateways post to."""

    @router.post(
        "/gateway-webhooks/{gateway}", response_model=WebhookTaken,
        responses=described(400, 404, 503), tags=["payments"],
    )  # fmt: skip
    async def take_gateway_webhook(
        request: Request, gateway: GatewayCode, _actor: Annotated[Actor, needs()]
    ) -> Response:
        """Take a gateway's message. It is signed by the gateway, and needs no token.

        2xx: it is booked, known, or about nothing of this shop. 404: it names a payment of
        this shop that is not there, and 503: it cannot be checked now; it should come again.
        """
        body = await _body(request)
        if body is None:
            return problem(request, 400, "webhook_refused", "the message is too large")
        headers = {name.lower(): value for name, value in request.headers.items()}
        try:
            became = await hear(till, gateway, headers, body, system(f"gateway-{gateway}"))
        except WebhookRefused as exc:
            return problem(request, 400, "webhook_refused", str(exc))
        except GatewayUnavailable:
            detail = "the gateway's books cannot be looked at now"
            return problem(request, 503, "gateway_unavailable", detail)
        if became is Heard.LOST:
            raise NotFound("payment attempt", "of this message")
        taken = WebhookTaken(outcome=became.value)
        return Response(taken.model_dump_json(), media_type="application/json")


async def _body(request: Request) -> bytes | None:
    """The whole message; None when it is longer than any gateway's."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            return None
    return bytes(body)
