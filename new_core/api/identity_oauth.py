"""OAuth2: tokens, revocation, keys and metadata."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from starlette.responses import JSONResponse

from new_core.api.auth import AUTHORIZE_PATH, TOKEN_PATH, needs_its_own_proof
from new_core.api.house import House
from new_core.api.identity_desk import doing
from new_core.api.identity_forms import client_of, form_body, read_form, refused
from new_core.api.identity_schemas import OAuthError, TokensOut
from new_core.domain.actor import Actor
from new_core.domain.identity_roles import SCOPES
from new_core.domain.identity_tokens import asked_scopes
from new_core.errors import GrantRefused
from new_core.service.doing import Doing
from new_core.service.identity_tokens import Issued, Tokens

_KEYS_PATH = "/v1/oauth/jwks.json"
_REVOKE_PATH = "/v1/oauth/revoke"
_ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"model": OAuthError, "description": "Refused (RFC 6749, 5.2)"},
    401: {"model": OAuthError, "description": "No such client, or not its secret"},
}
_NO_STORE = {"cache-control": "no-store"}


def add_oauth(router: APIRouter, house: House, tokens: Tokens) -> None:
    """Add the routes of tokens."""

    @router.post(
        TOKEN_PATH, response_model=TokensOut, responses=_ERRORS, tags=["identity"],
        openapi_extra=form_body(
            grant_type="client_credentials, authorization_code or refresh_token!",
            client_id="unless Authorization says it", client_secret="as above",  # noqa: S106
            scope="names between spaces; empty for all", code="of authorization_code",
            redirect_uri="of authorization_code", code_verifier="of authorization_code",
            refresh_token="of refresh_token",  # noqa: S106 - a description
        ),
    )  # fmt: skip
    async def give_token(
        request: Request, actor: Annotated[Actor, needs_its_own_proof()]
    ) -> Response:
        """A token for a client that shows its secret, a code or a refresh token."""
        try:
            form = await read_form(request)
            client_id, secret = client_of(request, form)
            issued = await _issue(tokens, form, client_id, secret, doing(house, actor))
        except GrantRefused as exc:
            return refused(exc)
        body = TokensOut.of(issued).model_dump(exclude_none=True)
        return JSONResponse(body, headers=_NO_STORE)

    @router.post(
        _REVOKE_PATH, responses=_ERRORS | {200: {"description": "It does not hold any more"}},
        tags=["identity"],
        openapi_extra=form_body(
            token="a refresh token!",  # noqa: S106 - a description
            token_type_hint="ignored", client_id="unless Authorization says it",  # noqa: S106
            client_secret="as above",  # noqa: S106 - a description
        ),
    )  # fmt: skip
    async def revoke_token(
        request: Request, actor: Annotated[Actor, needs_its_own_proof()]
    ) -> Response:
        """End the login that a refresh token came of (RFC 7009)."""
        try:
            form = await read_form(request)
            async with house.database.reading() as uow:
                client = await tokens.known_client(uow, *client_of(request, form))
            await tokens.revoke(client, form.get("token", ""), doing(house, actor))
        except GrantRefused as exc:
            return refused(exc)
        return JSONResponse({}, headers=_NO_STORE)


def add_metadata(router: APIRouter, house: House, tokens: Tokens) -> None:
    """Add the routes that tell who signs tokens, and how to get one."""

    @router.get(_KEYS_PATH, tags=["identity"])
    async def get_keys(
        response: Response, _actor: Annotated[Actor, needs_its_own_proof()]
    ) -> dict[str, Any]:
        """The keys by which tokens are checked (RFC 7517); to be read again within the hour."""
        response.headers["cache-control"] = "public, max-age=3600"
        return {"keys": list(await tokens.keyring.public(house.now()))}

    @router.get("/.well-known/oauth-authorization-server", tags=["identity"])
    async def get_metadata(_actor: Annotated[Actor, needs_its_own_proof()]) -> dict[str, Any]:
        """How to get tokens here (RFC 8414)."""
        return _metadata(house.settings.core_issuer)


def _metadata(issuer: str) -> dict[str, Any]:
    methods = ["client_secret_basic", "client_secret_post", "none"]
    return {
        "issuer": issuer,
        "authorization_endpoint": issuer + AUTHORIZE_PATH,
        "token_endpoint": issuer + TOKEN_PATH,
        "revocation_endpoint": issuer + _REVOKE_PATH,
        "jwks_uri": issuer + _KEYS_PATH,
        "scopes_supported": sorted(SCOPES),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["client_credentials", "authorization_code", "refresh_token"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_methods_supported": methods,
        "authorization_response_iss_parameter_supported": True,
    }


async def _issue(
    tokens: Tokens, form: Mapping[str, str], client_id: str, secret: str, act: Doing
) -> Issued:
    wanted = asked_scopes(form.get("scope", ""))
    if wanted is None:
        raise GrantRefused("invalid_scope", "a scope is not there")
    kind = form.get("grant_type", "")
    if kind == "client_credentials":
        return await tokens.for_client(client_id, secret, wanted, act)
    if kind not in {"authorization_code", "refresh_token"}:
        raise GrantRefused("unsupported_grant_type", "no such kind of grant")
    async with tokens.database.reading() as uow:
        client = await tokens.known_client(uow, client_id, secret)
    if kind == "refresh_token":
        return await tokens.for_refresh(client, form.get("refresh_token", ""), wanted, act)
    code, verifier = form.get("code", ""), form.get("code_verifier", "")
    return await tokens.for_code(client, code, verifier, form.get("redirect_uri", ""), act)
