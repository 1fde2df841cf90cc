"""How requests name orders, and which of them a list holds."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import Header, Query
from pydantic import BaseModel, ConfigDict, Field

from new_core.api.answers import read_time_cursor
from new_core.api.parameters import MAX_PAGE, Moment
from new_core.domain.actor import Actor, ActorKind
from new_core.domain.order import OrderStatus
from new_core.errors import Forbidden
from new_core.ports import OrderQuery
from new_core.service.ordering import READ

OrderToken = Annotated[
    str | None, Header(max_length=100, description="the secret of a guest's order")
]
IfMatch = Annotated[str | None, Header(max_length=1000, description="tags that it must have now")]


class OrdersWanted(BaseModel):
    """Which orders a page holds."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    limit: Annotated[int, Field(ge=1, le=MAX_PAGE, description="most items on the page")] = 50
    after: Annotated[
        str | None, Field(max_length=200, description="`page.next` of the page before")
    ] = None
    status: Annotated[list[OrderStatus], Field(max_length=8)] = []
    customer_id: UUID | None = None
    number: Annotated[str | None, Field(max_length=64, pattern=r"^[^\x00]*$")] = None
    placed_from: Moment | None = None
    placed_before: Moment | None = None
    updated_since: Moment | None = None
    sort: Annotated[
        Literal["updated_at", "-created_at"],
        Field(description="updated_at: for whoever keeps a copy; -created_at: newest first"),
    ] = "updated_at"
    expand: Annotated[list[Literal["lines"]], Field(max_length=1)] = []

    def query(self, actor: Actor) -> OrderQuery:
        """What the store is asked, for one item more than the page holds.

        A customer has their own orders, a partner those of its accounts, staff all.

        Raises:
            Forbidden: neither is theirs, nor do they have the scope.
            InvalidValue: `after` is no cursor.
        """
        customer_id, account_ids = self.customer_id, None
        if actor.kind is ActorKind.CUSTOMER:
            customer_id = actor.customer_id
        elif READ not in actor.scopes:
            raise Forbidden(READ)
        elif actor.kind is ActorKind.PARTNER:
            account_ids = actor.account_ids
        return OrderQuery(
            limit=self.limit + 1,
            after=read_time_cursor(self.after) if self.after is not None else None,
            newest_first=self.sort == "-created_at",
            statuses=tuple(self.status),
            customer_id=customer_id,
            account_ids=account_ids,
            number=self.number,
            placed_from=self.placed_from,
            placed_before=self.placed_before,
            updated_since=self.updated_since,
            with_lines="lines" in self.expand,
        )


Wanted = Annotated[OrdersWanted, Query()]
