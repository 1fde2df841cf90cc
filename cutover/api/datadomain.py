"""One domain of data: what stands behind its card, and its flips."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, urlencode

from cutover.api.datagather import LISTED, SHEET, DataFacts, DomainData, Sheet
from cutover.api.datajudging import flip_facts, judged, owner_of
from cutover.api.dataview import DataCard, StreamView, data_card, stream_view
from cutover.api.figures import count, milliseconds
from cutover.api.judgement import Light
from cutover.core.flip_gates import Gate
from legacy_adapters.mapping.versions import Side
from legacy_adapters.ports.flips import FlipRecord, Phase
from legacy_adapters.ports.stage import Parked, Rogue
from legacy_adapters.storage.overlook import DomainLists, Overlook
from shadow_compare.core.drift_record import Drift, DriftSample
from shadow_compare.core.stake import money
from shadow_compare.storage.reconcile_reading import DriftSheet

_FIELDS = 6
ENDINGS = {
    "committed": (Light.PASS, "Committed"),
    "rehearsed": (Light.PASS, "Rehearsed"),
    "aborted": (Light.FAIL, "Aborted"),
    "nothing": (Light.OFF, "Refused"),
}


@dataclass(frozen=True, slots=True)
class ParkedRow:
    """An aggregate that cannot be taken across."""

    stream: str
    what: str
    reason: str
    since_s: float


@dataclass(frozen=True, slots=True)
class RogueRow:
    """A write of the side that does not own."""

    side: str
    row: str
    at_s: float


@dataclass(frozen=True, slots=True)
class FlipRow:
    """A flip in one line."""

    id: int
    words: str
    light: Light
    ending: str
    at_s: float
    freeze: str
    actor: str
    reason: str
    problem: str


@dataclass(frozen=True, slots=True)
class DriftLine:
    """A difference. `samples` are (field, the owner's, the other's), personal data hidden."""

    id: str
    drift: str
    what: str
    money: str
    note: str
    fields: tuple[str, ...]
    more: int
    samples: tuple[tuple[str, str, str], ...]
    first_s: float
    last_s: float


@dataclass(frozen=True, slots=True)
class DriftList:
    """A page of differences.

    Attributes:
        choices: classes to narrow to: words, address, chosen.
        pages: neighbours of this page: words, address.
    """

    total: int
    place: str
    lines: tuple[DriftLine, ...]
    choices: tuple[tuple[str, str, bool], ...]
    pages: tuple[tuple[str, str], ...]
    problem: str


@dataclass(frozen=True, slots=True)
class DataDomain:
    """The whole page."""

    now_s: float
    card: DataCard
    streams: tuple[StreamView, ...]
    gates: tuple[Gate, ...]
    drift: DriftList
    parked: tuple[ParkedRow, ...]
    rogues: tuple[RogueRow, ...]
    flips: tuple[FlipRow, ...]
    more_parked: bool
    more_rogues: bool
    problem: str
    as_of_s: float | None
    lists_problem: str


def data_domain(name: str, facts: DataFacts, data: DomainData) -> DataDomain:
    """Decide what a domain's page says. The facts are of a database that answered."""
    seen = facts.core.value or Overlook(is_installed=False)
    lists = data.lists.value or DomainLists()
    _, gates = judged(flip_facts(name, facts, seen))
    control = owner_of(name, seen)
    open_flip = control.flip if control.phase is not Phase.OWNED else 0
    return DataDomain(
        now_s=facts.now_s,
        card=data_card(name, facts, seen),
        streams=tuple(stream_view(side, facts, seen, name) for side in Side),
        gates=gates,
        drift=_drift_list(name, data, facts),
        parked=tuple(_parked(one) for one in lists.parked[:LISTED]),
        rogues=tuple(_rogue(one) for one in lists.rogues[:LISTED]),
        flips=tuple(flip_row(one, is_open=one.id == open_flip) for one in lists.flips[:LISTED]),
        more_parked=len(lists.parked) > LISTED,
        more_rogues=len(lists.rogues) > LISTED,
        problem=f"The core's database {facts.core.problem}" if facts.core.problem else "",
        as_of_s=facts.core.as_of_s,
        lists_problem=data.lists.problem or "",
    )


def _parked(one: Parked) -> ParkedRow:
    what = f"{one.key.kind} {one.key.key}"
    return ParkedRow(one.stream.replace(">", " to "), what, one.reason, one.since.timestamp())


def _rogue(one: Rogue) -> RogueRow:
    return RogueRow(one.side, f"{one.table} {one.key}", one.at.timestamp())


def flip_row(one: FlipRecord, *, is_open: bool) -> FlipRow:
    """A flip in one line."""
    light, ending = ENDINGS.get(one.outcome, (Light.OFF, one.outcome or "Never began"))
    if is_open:
        light, ending = Light.INCONCLUSIVE, "Under way"
    what = "Rehearsal" if one.start.kind == "rehearsal" else "Flip"
    return FlipRow(
        id=one.id,
        words=f"{what} from {one.start.source} to {one.start.target}",
        light=light,
        ending=ending,
        at_s=one.began_at.timestamp(),
        freeze="" if one.freeze_ms is None else f"writes waited {milliseconds(one.freeze_ms)}",
        actor=one.start.actor,
        reason=one.start.reason,
        problem=one.problem,
    )


def _drift_list(name: str, data: DomainData, facts: DataFacts) -> DriftList:
    standing = facts.drift.value
    counts = standing.counts.get(name, ()) if standing is not None else ()
    some = dict.fromkeys((*(one.drift for one in counts), *filter(None, (data.sheet.drift,))))
    found = data.drifts.value or DriftSheet()
    first = SHEET * (data.sheet.page - 1) + 1
    last = first + len(found.entries) - 1
    place = f"{count(first)} to {count(last)} of {count(found.total)}" if found.entries else ""
    return DriftList(
        total=found.total,
        place=place,
        lines=tuple(_drift_line(*entry) for entry in found.entries),
        choices=(
            ("every class", address(name, Sheet()), data.sheet.drift is None),
            *((one.value, address(name, Sheet(one)), data.sheet.drift is one) for one in some),
        ),
        pages=_pages(name, data.sheet, found.total),
        problem=data.drifts.problem or "",
    )


def _pages(name: str, sheet: Sheet, total: int) -> tuple[tuple[str, str], ...]:
    last = max(1, -(-total // SHEET))
    wanted = (
        ("first", 1, sheet.page > 2),
        ("earlier", min(sheet.page - 1, last), sheet.page > 1),
        ("later", sheet.page + 1, sheet.page < last),
        ("last", last, sheet.page + 1 < last),
    )
    return tuple(
        (words, address(name, Sheet(sheet.drift, page))) for words, page, is_there in wanted
        if is_there
    )  # fmt: skip


def address(name: str, sheet: Sheet) -> str:
    """Of a domain's page, at a page of its differences."""
    asked = {
        "class": sheet.drift.value if sheet.drift is not None else "",
        "page": str(sheet.page) if sheet.page > 1 else "",
    }
    query = urlencode({key: value for key, value in asked.items() if value})
    return f"/data/{quote(name, safe='')}{f'?{query}' if query else ''}#drift"


def _drift_line(one: Drift, samples: tuple[DriftSample, ...]) -> DriftLine:
    return DriftLine(
        id=one.id,
        drift=one.drift.value,
        what=f"{one.kind} {one.key}",
        money="" if one.stake is None else money(*one.stake),
        note=one.note,
        fields=one.fields[:_FIELDS],
        more=max(0, len(one.fields) - _FIELDS),
        samples=tuple((held.path, held.owner, held.other) for held in samples),
        first_s=one.first_s,
        last_s=one.last_s,
    )
