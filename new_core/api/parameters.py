"""Parameters that many routes take."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import Query
from pydantic import AwareDatetime, BeforeValidator

MAX_PAGE = 200
_ISO = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d")


def _iso_alone(value: object) -> object:
    """Pydantic would take any number for seconds since 1970, which no schema says."""
    if isinstance(value, int | float) or (isinstance(value, str) and not _ISO.match(value)):
        raise ValueError("must be an ISO 8601 time with a zone")
    return value


Moment = Annotated[AwareDatetime, BeforeValidator(_iso_alone)]
"""A time with a zone."""

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
