"""Routes and workers of the audit."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from new_core.api.answers import answer
from new_core.api.auth import needs
from new_core.api.house import House, Worker
from new_core.api.parameters import Limit
from new_core.api.problems import described
from new_core.api.schemas import Page
from new_core.domain.actor import Actor
from new_core.domain.audit import Break, Link, Sealed
from new_core.ports.audit import AuditQuery
from new_core.service.audit import ChainReport, seal_entries, verify_chain

_SEAL_EVERY_S = 0.5
_MOST_CHECKED = 5_000

AfterPlace = Annotated[int, Query(ge=0, le=2**62, description="`seq` of the last entry you have")]
Name = Annotated[str | None, Query(min_length=1, max_length=120, pattern=r"^[a-z0-9_.-]+$")]
Ident = Annotated[str | None, Query(min_length=1, max_length=255, pattern=r"^[!-~]+$")]


class AuditOut(BaseModel):
    """One entry of the audit, in its place."""

    seq: int
    at: datetime
    actor_kind: str
    actor_id: str
    request_id: str
    action: str
    entity: str
    entity_id: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    reason: str
    prev_hash: str
    hash: str

    @classmethod
    def of(cls, sealed: Sealed) -> AuditOut:
        written = sealed.written
        return cls(
            seq=sealed.link.seq, at=written.at, actor_kind=written.actor_kind,
            actor_id=written.actor_id, request_id=written.request_id, action=written.action,
            entity=written.entity, entity_id=written.entity_id, before=_json(written.before),
            after=_json(written.after), reason=written.reason, prev_hash=sealed.prev_hash,
            hash=sealed.link.hash,
        )  # fmt: skip


class AuditsOut(BaseModel):
    """Entries, ascending by seq."""

    data: list[AuditOut]
    page: Page


class LinkOut(BaseModel):
    """A place in the chain."""

    seq: int
    hash: str = Field(description="over this entry and all before it")

    @classmethod
    def of(cls, link: Link) -> LinkOut:
        return cls(seq=link.seq, hash=link.hash)


class BreakOut(BaseModel):
    """A place where the chain does not hold."""

    seq: int
    fault: str = Field(description="changed, missing, unlinked, truncated or beyond_the_head")

    @classmethod
    def of(cls, one: Break) -> BreakOut:
        return cls(seq=one.seq, fault=one.fault)


class ChainOut(BaseModel):
    """What a look at a part of the chain found."""

    intact: bool
    checked: int
    breaks: list[BreakOut]
    last: LinkOut = Field(description="where this look ended: `after` of the next one")
    head: LinkOut
    unsealed: int = Field(description="entries without a place yet")
    has_more: bool

    @classmethod
    def of(cls, report: ChainReport) -> ChainOut:
        return cls(
            intact=not report.breaks,
            checked=report.checked,
            breaks=[BreakOut.of(one) for one in report.breaks],
            last=LinkOut.of(report.last),
            head=LinkOut.of(report.head),
            unsealed=report.unsealed,
            has_more=not report.is_end,
        )


def routes(house: House) -> APIRouter:
    """All routes of this module."""
    router = APIRouter(prefix="/v1", tags=["audit"])
    _add_list(router, house)

    @router.get("/audit/chain", response_model=ChainOut, responses=described(422))
    async def check_chain(
        request: Request,
        _actor: Annotated[Actor, needs("audit:read")],
        limit: Annotated[int, Query(ge=1, le=_MOST_CHECKED)] = 1_000,
        after: AfterPlace = 0,
        known_hash: Annotated[
            str | None,
            Query(pattern=r"^[0-9a-f]{64}$", description="the hash at `after`, as you kept it"),
        ] = None,
    ) -> Response:
        """Whether the chain holds after a place, entry by entry, and at its end."""
        async with house.database.reading() as uow:
            report = await verify_chain(uow, after=after, limit=limit, known=known_hash)
        return answer(request, ChainOut.of(report))

    return router


def _add_list(router: APIRouter, house: House) -> None:
    @router.get("/audit", response_model=AuditsOut, responses=described(422))
    async def list_audit(
        request: Request,
        _actor: Annotated[Actor, needs("audit:read")],
        limit: Limit = 50,
        after: AfterPlace = 0,
        entity: Name = None,
        entity_id: Ident = None,
    ) -> Response:
        """Who changed what, in the order of the chain."""
        query = AuditQuery(after, limit + 1, entity, entity_id)
        async with house.database.reading() as uow:
            found = await uow.audit.page(query)
        shown = found[:limit]
        following = str(shown[-1].link.seq) if len(found) > limit else None
        page = Page(next=following, has_more=following is not None)
        body = AuditsOut(data=[AuditOut.of(one) for one in shown], page=page)
        return answer(request, body, next_page=following)


def workers(house: House) -> tuple[Worker, ...]:
    """What this module does beside the requests."""
    return (Worker("audit-sealer", lambda: seal_entries(house.database, house.now), _SEAL_EVERY_S),)


def _json(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    # Somebody changed the row by hand; the chain tells, and the list still shows it.
    return value if isinstance(value, dict) else {"unreadable": text}
