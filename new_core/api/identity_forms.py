"""Forms, as OAuth sends them, and its errors."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

from fastapi import Request
from starlette.responses import JSONResponse, Response

from new_core.api.identity_schemas import NAME
from new_core.errors import GrantRefused

MOST_BYTES = 16 * 1024
_MOST_FIELDS = 20
_CLIENT_ID = re.compile(NAME)


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a form, each once.

    Raises:
        GrantRefused: it is none, too large, or says something twice.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise GrantRefused("invalid_request", "send application/x-www-form-urlencoded")
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            raise GrantRefused("invalid_request", "the form is too large")
    try:
        fields = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, errors="strict",
            max_num_fields=_MOST_FIELDS,
        )  # fmt: skip
    except ValueError as exc:
        raise GrantRefused("invalid_request", "the form cannot be read") from exc
    found = dict(fields)
    if len(found) != len(fields):
        raise GrantRefused("invalid_request", "the form says something twice")
    return found


def client_of(request: Request, form: Mapping[str, str]) -> tuple[str, str]:
    """The client and the secret that a request shows, in its head or in its form.

    Raises:
        GrantRefused: none, or in both.
    """
    sent = request.headers.get("authorization")
    if sent is None:
        client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
    else:
        client_id, secret = _basic(sent)
        if "client_secret" in form or form.get("client_id", client_id) != client_id:
            raise GrantRefused("invalid_request", "the client is shown twice")
    if not _CLIENT_ID.fullmatch(client_id):
        raise GrantRefused("invalid_client", "no such client, or not its secret")
    return client_id, secret


def _basic(sent: str) -> tuple[str, str]:
    kind, _, coded = sent.partition(" ")
    if kind.lower() != "basic":
        raise GrantRefused("invalid_client", "Authorization is no client's")
    try:
        name, _, secret = base64.b64decode(coded, validate=True).decode("ascii").partition(":")
    except (binascii.Error, ValueError) as exc:
        raise GrantRefused("invalid_client", "Authorization is no client's") from exc
    return unquote_plus(name), unquote_plus(secret)


def refused(error: GrantRefused) -> Response:
    """The answer for a refusal, as RFC 6749 has it."""
    body = {"error": error.error, "error_description": str(error)}
    status = 401 if error.error == "invalid_client" else 400
    headers = {"cache-control": "no-store"}
    if status == 401:
        headers["www-authenticate"] = 'Basic realm="clients"'
    return JSONResponse(body, status, headers)


def form_body(**fields: str) -> dict[str, Any]:
    """The OpenAPI entry of a form with these fields; a field that ends in `!` has to be there."""
    names = {name.removesuffix("_"): text for name, text in fields.items()}
    needed = [name for name, text in names.items() if text.endswith("!")]
    schema = {
        "type": "object",
        "properties": {
            name: {"type": "string", "description": text.removesuffix("!")}
            for name, text in names.items()
        },
        "required": needed,
    }
    content = {"application/x-www-form-urlencoded": {"schema": schema}}
    return {"requestBody": {"required": True, "content": content}}
