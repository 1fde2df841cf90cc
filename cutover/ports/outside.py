"""Asking others about a step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from cutover.core.outside_gates import Outside
from cutover.core.stages import Position
from proxy.routing import DataGate, WebhookGate


@dataclass(frozen=True, slots=True)
class StepAsked:
    """A step forward that others are asked about.

    Attributes:
        data: whether both databases are asked.
        webhooks: every system that is asked.
        desired: revision of the table in which the step stands.
    """

    domain: str
    before: Position
    after: Position
    actor: str
    at: datetime
    desired: str
    data: tuple[DataGate, ...]
    webhooks: tuple[WebhookGate, ...]


class AskOutside(Protocol):
    """Asks everybody whom steps name."""

    async def __call__(self, steps: Sequence[StepAsked]) -> Mapping[str, Outside]:
        """Domain to what they say. Never raises: silence is an answer too."""
        ...
