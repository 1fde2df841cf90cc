"""Builds the hands that act on what is in force."""

from __future__ import annotations

from functools import partial

from cutover import app
from cutover.service.hands import Hands, Pens
from cutover.settings import CutoverSettings
from cutover.storage.graft import graft
from cutover.storage.restage import reshare, restage


def hands(settings: CutoverSettings) -> Hands:
    """Hands over the applied state under BANYAN_VAR. Touches nothing until they act."""
    return Hands(
        books=app.books(settings),
        pens=Pens(restage, reshare, graft),
        open_evidence=app.evidence(settings),
        open_proof=app.proof(settings),
        owners=partial(app.owners, settings),
        door=app.door(settings),
        timer=app.timer(),
    )
