"""Use cases of endpoints: making, changing, giving a new secret, removing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from uuid import UUID

from new_core.domain.events import AuditEntry, Event
from new_core.domain.webhooks import OVERLAP, Endpoint
from new_core.errors import NotFound
from new_core.ports import UnitOfWork
from new_core.service.doing import Doing
from new_core.service.webhooks import disable

Expected = Callable[[Endpoint], None]
"""Raises when the endpoint is not what the caller wants to change."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an owner sets; None leaves it."""

    url: str | None = None
    description: str | None = None
    types: tuple[str, ...] | None = None
    enabled: bool | None = None


async def make_endpoint(uow: UnitOfWork, wanted: Wanted, secret: str, doing: Doing) -> Endpoint:
    """Begin to tell somebody of what happens from now on."""
    endpoint = Endpoint(
        id=doing.new_id(), url=wanted.url or "", description=wanted.description or "",
        types=wanted.types or (), enabled=wanted.enabled is not False, disabled_because="",
        secret=secret, old_secret=None, old_secret_until=None,
        created_by=doing.actor.id, created_at=doing.at,
    )  # fmt: skip
    await uow.webhooks.put_endpoint(endpoint, doing.at)
    await _note(uow, "created", None, endpoint, doing)
    return await stored_endpoint(uow, endpoint.id)


async def change_endpoint(
    uow: UnitOfWork, endpoint_id: UUID, wanted: Wanted, expected: Expected, doing: Doing
) -> Endpoint:
    """Change what an owner sets. Enabled again it begins with what happens from now on.

    Raises:
        NotFound: there is no such endpoint.
    """
    before = await _locked(uow, endpoint_id)
    expected(before)
    after = replace(
        before,
        url=before.url if wanted.url is None else wanted.url,
        description=before.description if wanted.description is None else wanted.description,
        types=before.types if wanted.types is None else wanted.types,
    )
    if wanted.enabled is True and not before.enabled:
        after = replace(after, enabled=True, disabled_because="")
        await uow.webhooks.succeeded(endpoint_id)
    if after != before:
        await uow.webhooks.put_endpoint(after, doing.at)
        await _note(uow, "changed", before, after, doing)
    if wanted.enabled is False and before.enabled:
        now = await stored_endpoint(uow, endpoint_id)
        await disable(uow, now, "its owner disabled it", doing.actor, doing.at)
    return await stored_endpoint(uow, endpoint_id)


async def rotate_secret(uow: UnitOfWork, endpoint_id: UUID, secret: str, doing: Doing) -> Endpoint:
    """Give an endpoint a new secret; the one before it signs too for a day.

    Raises:
        NotFound: there is no such endpoint.
    """
    before = await _locked(uow, endpoint_id)
    until = doing.at + OVERLAP
    after = replace(before, secret=secret, old_secret=before.secret, old_secret_until=until)
    await uow.webhooks.put_endpoint(after, doing.at)
    await _note(uow, "secret_rotated", None, after, doing)
    return await stored_endpoint(uow, endpoint_id)


async def remove_endpoint(
    uow: UnitOfWork, endpoint_id: UUID, expected: Expected, doing: Doing
) -> None:
    """Tell somebody no more, and delete the record of what they were told.

    Raises:
        NotFound: there is no such endpoint.
    """
    before = await _locked(uow, endpoint_id)
    expected(before)
    await uow.webhooks.remove_endpoint(endpoint_id)
    await _note(uow, "removed", before, None, doing)


async def stored_endpoint(uow: UnitOfWork, endpoint_id: UUID) -> Endpoint:
    """An endpoint.

    Raises:
        NotFound: there is no such endpoint.
    """
    found = await uow.webhooks.endpoint(endpoint_id)
    if found is None:
        raise NotFound("webhook endpoint", str(endpoint_id))
    return found


async def _locked(uow: UnitOfWork, endpoint_id: UUID) -> Endpoint:
    found = await uow.webhooks.locked_endpoint(endpoint_id)
    if found is None:
        raise NotFound("webhook endpoint", str(endpoint_id))
    return found


async def _note(
    uow: UnitOfWork, what: str, before: Endpoint | None, after: Endpoint | None, doing: Doing
) -> None:
    one = after or before
    if one is None:
        return
    data: dict[str, object] = {"endpoint_id": str(one.id)}
    event = Event(f"webhooks.endpoint.{what}.v1", "webhook_endpoint", one.id, data)
    await uow.outbox.add([event], doing.actor, doing.at)
    entry = AuditEntry(
        f"webhook_endpoint.{what}", "webhook_endpoint", str(one.id), _shown(before), _shown(after)
    )
    await uow.audit.add([entry], doing.actor, doing.at)


def _shown(endpoint: Endpoint | None) -> dict[str, object] | None:
    if endpoint is None:
        return None
    return {
        "url": endpoint.url,
        "description": endpoint.description,
        "types": list(endpoint.types),
        "enabled": endpoint.enabled,
    }
