"""Routes and workers of identity."""

from __future__ import annotations

from fastapi import APIRouter

from new_core.api.auth import Identify
from new_core.api.house import House, Worker
from new_core.domain.actor import Actor
from new_core.errors import Unauthenticated


def identify(house: House) -> Identify:
    """Tells whose token a request carries."""
    del house

    async def whose(_token: str) -> Actor:
        raise Unauthenticated("the token does not hold")

    return whose


def routes(house: House) -> APIRouter:
    """All routes of this module."""
    del house
    return APIRouter(prefix="/v1")


def workers(house: House) -> tuple[Worker, ...]:
    """What this module does beside the requests."""
    del house
    return ()
