"""Writes that the database itself refuses because this core does not own what they change."""

from __future__ import annotations

import re

import sqlalchemy as sa
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.ext.asyncio import AsyncEngine

from new_core.errors import WriteFenced

_FENCED = re.compile(r"MIG_FENCED (\w+)")
"""What the triggers say that migrations set up: the word, and the domain that is not the core's."""


def tell_fenced_writes(engine: AsyncEngine) -> None:
    """From now on a refused write comes out of this engine as WriteFenced.

    It is told here and not where units of work end: SQLite calls it a broken constraint, as it
    calls a value that is there already, and who asks for the one must not be told the other.
    """
    if not sa.event.contains(engine.sync_engine, "handle_error", _tell):
        sa.event.listen(engine.sync_engine, "handle_error", _tell)


def _tell(context: ExceptionContext) -> None:
    found = _FENCED.search(str(context.original_exception))
    if found is not None:
        raise WriteFenced(found[1]) from context.original_exception
