"""Parameters that many routes take."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

MAX_PAGE = 200

Limit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="most items on the page")]
After = Annotated[str | None, Query(max_length=200, description="`page.next` of the page before")]
Sku = Annotated[str | None, Query(min_length=1, max_length=255, pattern=r"^[^\x00]*$")]
Code = Annotated[str | None, Query(min_length=1, max_length=255, pattern=r"^[^\x00]*$")]
Slugs = Annotated[
    str | None,
    Query(
        min_length=1, max_length=1000, pattern=r"^[^\x00]*$",
        description="slugs from the top, e.g. books/fiction; takes those below it too",
    ),
]  # fmt: skip
