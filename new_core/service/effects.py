"""Whether what is done now may reach beyond the core's own rows.

Whoever sends mail, takes payment or calls others asks first:

    if not effects_off():
        await mail.send(letter)
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_OFF: ContextVar[bool] = ContextVar("effects_off", default=False)


def effects_off() -> bool:
    """Whether this is a dry run: its rows are taken back, and a letter never is.

    True also in tasks and threads that the dry run started, even when it is over by then.
    A pool of threads that does not copy the context does not know; use asyncio.to_thread.
    """
    return _OFF.get()


@contextmanager
def without_effects() -> Iterator[None]:
    """Effects are off for what this block does and starts."""
    before = _OFF.set(True)
    try:
        yield
    finally:
        _OFF.reset(before)
