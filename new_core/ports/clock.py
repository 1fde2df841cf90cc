"""What gives times and names."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

Clock = Callable[[], datetime]
"""Gives the time, aware and in UTC."""

NewId = Callable[[], UUID]
"""Gives a new id; later ones sort after earlier ones, so that indexes grow at one end."""
