"""Say from the ledger why the file asks for something else than what is in force."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cutover.core.drift import explain_drift
from cutover.core.revision import DamagedRevision, Revision
from cutover.errors import CannotRead
from cutover.ports import Ledger
from cutover.service.revisions import read_back
from proxy.routing import RoutingTable

# What nobody applied over in so many revisions is not what surprises somebody today.
_LOOKS_BACK = 200


def drift(
    ledger: Ledger, desired: RoutingTable | None, in_force: RoutingTable | None, file: str
) -> Mapping[str, str]:
    """Domain to a sentence on who took it away from what the file asks for.

    Never raises: an explanation is no reason to keep a plan or a status back.
    """
    if desired is None or in_force is None:
        return {}
    try:
        return explain_drift(desired, in_force, _newest_first(ledger), file)
    except CannotRead:
        return {}  # said among the notes of what is in force


def _newest_first(ledger: Ledger) -> Iterator[Revision]:
    for looked, (_, content) in enumerate(ledger.backwards()):
        if looked == _LOOKS_BACK:
            return
        try:
            yield read_back(content)
        except DamagedRevision:
            continue  # likewise
