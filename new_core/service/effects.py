"""Whether what is done now may reach beyond the core's own rows.

Whoever sends mail, takes payment or calls others asks first:

    if not effects_off():
        await mail.send(letter)

Whoever cannot answer truly without the effect says so, and the dry run is refused as a whole:

    if effects_off():
        refuse_effect("the gateway was to be called")
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NoReturn

from new_core.errors import DryRunStrayed

_OFF: ContextVar[list[str] | None] = ContextVar("effects_off", default=None)


def effects_off() -> bool:
    """Whether this is a dry run: its rows are taken back, and a letter never is.

    True also in tasks and threads that the dry run started, even when it is over by then.
    A pool of threads that does not copy the context does not know; use asyncio.to_thread.
    """
    return _OFF.get() is not None


def refuse_effect(what: str) -> NoReturn:
    """Say that a dry run cannot tell what would come of it; whatever it answers does not count.

    Raises:
        DryRunStrayed: always.
    """
    refused = _OFF.get()
    if refused is not None:
        refused.append(what)
    raise DryRunStrayed(what)


@contextmanager
def without_effects() -> Iterator[list[str]]:
    """Effects are off for what this block does and starts. Gives what was refused in it."""
    refused: list[str] = []
    before = _OFF.set(refused)
    try:
        yield refused
    finally:
        _OFF.reset(before)
