"""Routes and workers of the audit."""

from __future__ import annotations

from fastapi import APIRouter

from new_core.api.house import House, Worker


def routes(house: House) -> APIRouter:
    """All routes of this module."""
    del house
    return APIRouter(prefix="/v1")


def workers(house: House) -> tuple[Worker, ...]:
    """What this module does beside the requests."""
    del house
    return ()
