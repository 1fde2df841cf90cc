"""The ledger of a control room elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from cutover.core.chain import Checked
from cutover.core.revision import Revision
from cutover.edge.room_client import RoomClient
from cutover.edge.room_values import checked_of, difference_of, page_of, revision_of
from cutover.service.ledger_reading import Difference, Page

_MOST = 200


@dataclass(frozen=True, slots=True)
class RoomReading:
    """Implements service.ledger_reading.Reading. Raises RoomAway, RoomRefused."""

    client: RoomClient

    @property
    def place(self) -> str:
        return self.client.url

    def page(self, *, limit: int, domain: str | None) -> Page:
        found: list[Revision] = []
        problems: list[str] = []
        before: int | None = None
        while True:
            asked = {"limit": min(limit - len(found), _MOST), "cursor": before, "domain": domain}
            said = urlencode({name: value for name, value in asked.items() if value is not None})
            page = self.client.get(f"/revisions?{said}").read(page_of)
            found += page.revisions
            problems += page.problems
            before = page.before
            if before is None or len(found) >= limit:
                return Page(tuple(found), tuple(problems), before, page.is_empty)

    def one(self, number: int) -> Revision:
        return self.client.get(f"/revisions/{number}").read(revision_of)

    def difference(self, before: int, after: int | None, *, as_text: bool) -> Difference:
        asked = {"text": str(as_text).lower()} | ({} if after is None else {"to": str(after)})
        return self.client.get(f"/revisions/{before}/diff?{urlencode(asked)}").read(difference_of)

    def verification(self, head: str | None) -> tuple[Checked, tuple[str, ...]]:
        asked = "" if head is None else f"?{urlencode({'head': head})}"
        return self.client.get(f"/ledger/verification{asked}").read(checked_of)
