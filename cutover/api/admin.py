"""The admin API under /admin/v1: what the command line does, for programs and from afar."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from starlette.routing import BaseRoute

from cutover.api import adminproblems
from cutover.api.adminacts import AdminActs
from cutover.api.adminonce import Once
from cutover.api.adminparts import AdminParts, schemas
from cutover.api.adminreads import AdminReads
from cutover.api.writing import Doorkeeper
from cutover.service.books import Books
from cutover.service.hands import Hands
from cutover.settings import CutoverSettings
from cutover.storage.answers import Answers
from cutover.storage.kept_plans import KeptPlans

PREFIX = "/admin/v1"


def parts_in(settings: CutoverSettings, books: Books, hands: Hands | None) -> AdminParts:
    """What the admin API works with, under BANYAN_VAR. Makes no file."""

    def newest() -> int:
        return next((n for n, _ in books.ledger.latest()), 0)

    return AdminParts(
        books=books,
        hands=hands,
        answers=Answers(settings.var / "answers", books.now, newest),
        plans=KeptPlans(settings.var / "plans", books.now),
        actor=settings.actor,
    )


def admin_app(parts: AdminParts, doorkeeper: Doorkeeper) -> FastAPI:
    """The application to be mounted at PREFIX."""
    app = FastAPI(
        title="Banyan admin API",
        description="Plans, applications, rollbacks, approvals and the ledger.",
        version="1",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    adminproblems.install(app)
    app.add_middleware(Once, answers=parts.answers, doorkeeper=doorkeeper)
    AdminReads(parts).add_to(app)
    AdminActs(parts).add_to(app)
    made = app.openapi

    def described() -> dict[str, Any]:
        return schemas(made())

    app.openapi = described  # type: ignore[method-assign]  # how the framework wants it
    return app


def admin_routes(app: FastAPI) -> list[BaseRoute]:
    """Its addresses that somebody may or may not ask for."""
    return [route for route in app.routes if hasattr(route, "dependant")]
