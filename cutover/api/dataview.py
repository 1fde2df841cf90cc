"""The data half's first page: both streams, and a card per domain."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from cutover.api.datagather import DataFacts
from cutover.api.datajudging import BUDGET_MS, flip_facts, judged, owner_of, proven_at_s
from cutover.api.figures import count, counted, milliseconds, percent_of_ppm
from cutover.api.judgement import Light
from cutover.api.words import When, Words
from cutover.core.flip_gates import LONGEST_LAG_MS, OLDEST_CANARY_S, Gate
from cutover.core.readiness import Readiness
from legacy_adapters.mapping.marks import stream_from
from legacy_adapters.mapping.versions import Side
from legacy_adapters.ports.flips import Control, Phase
from legacy_adapters.storage.overlook import Carried, Copying, Overlook
from shadow_compare.core.reconcile_pass import PassRecord
from shadow_compare.core.stake import money
from shadow_compare.storage.reconcile_reading import DriftCount, DriftStanding

PPM = 1_000_000
_SIDES = {Side.LEGACY: "legacy", Side.CORE: "new core"}


@dataclass(frozen=True, slots=True)
class StreamView:
    """One stream, for people.

    Attributes:
        problem: why it does not go on; "" while it does. `way_out` is what to do then.
        command: to be copied; "" where none helps.
    """

    title: str
    light: Light
    word: str
    position: str
    lag: str
    beat_s: float | None
    dirty: str
    parked: str
    rogue: str
    problem: str
    way_out: str
    command: str


@dataclass(frozen=True, slots=True)
class DriftRow:
    """Open differences of one class."""

    name: str
    count: str
    money: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a backfill is, and how long it still takes."""

    done: int
    total: int
    words: str


@dataclass(frozen=True, slots=True)
class DataCard:
    """A domain of data in brief.

    Attributes:
        anchor: id of its element.
        blocked: what stands against the next step, in one sentence; "" when nothing does.
        fix: what makes that go away.
        command: the next step, to be copied.
    """

    name: str
    anchor: str
    owner: str
    phase: str
    term: int
    light: Light
    word: str
    ready: Words
    rehearsed: Words
    clean: Words
    verified: str
    drift: tuple[DriftRow, ...]
    drift_problem: str
    copying: Progress | None
    copied: str
    blocked: str
    fix: str
    command: str
    open_flip: int


@dataclass(frozen=True, slots=True)
class DataView:
    """The whole page.

    Attributes:
        problem: why figures are old or missing; "" when they are not.
    """

    now_s: float
    headline: str
    is_installed: bool
    problem: str
    as_of_s: float | None
    streams: tuple[StreamView, ...]
    cards: tuple[DataCard, ...]


def data_view(facts: DataFacts) -> DataView:
    """Decide what the page says."""
    seen = facts.core.value
    problem = f"The core's database {facts.core.problem}" if facts.core.problem else ""
    if seen is None or not seen.is_installed:
        is_away = seen is None
        headline = "Nothing is known of the data" if is_away else "The sync is not installed yet"
        return DataView(facts.now_s, headline, is_away, problem, None, (), ())
    cards = tuple(data_card(name, facts, seen) for name in facts.names)
    return DataView(
        now_s=facts.now_s,
        headline=_headline(cards),
        is_installed=True,
        problem=problem,
        as_of_s=facts.core.as_of_s,
        streams=tuple(stream_view(side, facts, seen) for side in Side),
        cards=cards,
    )


def _headline(cards: tuple[DataCard, ...]) -> str:
    on_core = sum(card.owner == _SIDES[Side.CORE] for card in cards)
    lead = f"{count(on_core)} of {counted(len(cards), 'domain')} of data on the new core"
    flipping = [card.name for card in cards if card.open_flip]
    if flipping:
        return f"{lead}; {', '.join(flipping[:3])} flips now"
    blocked = [card for card in cards if card.blocked]
    if not blocked:
        return f"{lead}; nothing blocks the next step"
    first = blocked[0]
    more = f", and {len(blocked) - 1} more are blocked" if len(blocked) > 1 else ""
    return f"{lead}; {first.name} is blocked: {first.blocked}{more}"


def stream_view(side: Side, facts: DataFacts, seen: Overlook, name: str = "") -> StreamView:
    """The stream that reads a side; of one domain where one is named."""
    stream = stream_from(side)
    at = seen.checkpoints.get(stream)
    mine = [
        one for (of, domain), one in seen.carried.items() if of == stream and name in ("", domain)
    ]
    rogue = sum(
        many for (of, domain), many in seen.rogues.items() if of == side and name in ("", domain)
    )
    beat_s = None if at is None or at.beat_at is None else at.beat_at.timestamp()
    parked = sum(one.parked for one in mine)
    problem, way_out, command = _trouble(stream, side, facts, seen)
    light, word = _stream_light(problem, parked + rogue, None if at is None else at.lag_ms)
    return StreamView(
        title=f"{_SIDES[side]} to {_SIDES[side.other]}",
        light=light,
        word=word,
        position="none" if at is None else count(at.position.order),
        lag="not known" if at is None or at.lag_ms is None else milliseconds(at.lag_ms),
        beat_s=beat_s,
        dirty=count(sum(one.dirty for one in mine)),
        parked=count(parked),
        rogue=count(rogue),
        problem=problem,
        way_out=way_out,
        command=command,
    )


def _trouble(stream: str, side: Side, facts: DataFacts, seen: Overlook) -> tuple[str, str, str]:
    at = seen.checkpoints.get(stream)
    if at is None:
        return "It never ran.", "Installed, it begins where the log is then.", "banyan sync install"
    if at.problem:
        told = at.problem[:1].upper() + at.problem[1:].rstrip(".") + "."
        return told, "Mend what it says; then set it going again.", f"banyan sync resume '{stream}'"
    beat_s = None if at.beat_at is None else at.beat_at.timestamp()
    if beat_s is None or facts.now_s - beat_s > OLDEST_CANARY_S:
        told = "No heartbeat came through yet." if beat_s is None else "Its heartbeat stopped."
        return told, f"Nobody carries it, or the {_SIDES[side]} is away.", "banyan sync run"
    altered = [table for of, table in seen.altered if of == stream]
    if altered:
        told = f"The definition of {', '.join(altered[:3])} changed."
        return told, "Look at the mapping, then accept it.", f"banyan sync resume {altered[0]}"
    return "", "", ""


def _stream_light(problem: str, wrong: int, lag_ms: float | None) -> tuple[Light, str]:
    if problem:
        return Light.FAIL, "Stands"
    if wrong:
        return Light.FAIL, "Needs a person"
    if lag_ms is None or lag_ms >= LONGEST_LAG_MS:
        return Light.INCONCLUSIVE, "Behind"
    return Light.PASS, "In step"


def data_card(name: str, facts: DataFacts, seen: Overlook) -> DataCard:
    """Decide what a domain's card says."""
    control = owner_of(name, seen)
    found = flip_facts(name, facts, seen)
    ready, gates = judged(found)
    against = next((gate for gate in gates if not gate.is_green), None)
    is_open = control.phase is not Phase.OWNED
    light, word = _card_light(ready, against, is_open=is_open)
    known = facts.drift.value
    copied = seen.copying.get(name)
    return DataCard(
        name=name,
        anchor=f"data-{quote(name, safe='')}",
        owner=_SIDES[control.owner],
        phase=control.phase.value,
        term=control.term,
        light=light,
        word=word,
        ready=ready_words(ready, proven_at_s(found, facts.now_s)),
        rehearsed=_rehearsed(control, seen),
        clean=_clean(control, known),
        verified=_verified(control, known),
        drift=drift_rows(known.counts.get(name, ()) if known else ()),
        drift_problem=facts.drift.problem or "",
        copying=_copying(copied, facts.now_s),
        copied=_copied(copied),
        blocked="" if is_open or against is None else _blocked(against),
        fix="" if is_open or against is None else against.fix,
        command=_command(name, control, against),
        open_flip=control.flip if is_open else 0,
    )


def _card_light(ready: Readiness, against: Gate | None, *, is_open: bool) -> tuple[Light, str]:
    if is_open:
        return Light.INCONCLUSIVE, "Flips now"
    if not ready.is_ready:
        return Light.FAIL, "Not ready"
    return (Light.PASS, "Ready") if against is None else (Light.INCONCLUSIVE, "Almost ready")


def _blocked(gate: Gate) -> str:
    return f"{gate.name}, {gate.told}"


def ready_words(ready: Readiness, proven_s: float | None) -> Words:
    """The sentence of readiness, with its moment."""
    if not ready.is_ready or proven_s is None:
        return (ready.sentence,)
    what = "rollback" if ready.to is Side.LEGACY else "flip"
    cost = "unknown" if ready.cost_ms is None else f"about {milliseconds(ready.cost_ms)}"
    return f"{what} ready: yes, proven ", When(proven_s), f", costs {cost}"


def _rehearsed(control: Control, seen: Overlook) -> Words:
    tried = seen.tried.get((control.domain, control.owner.value))
    if tried is None or tried.freeze_ms is None or tried.ended_at is None:
        return (f"The way to the {_SIDES[control.owner.other]} was never tried.",)
    what = "Rehearsed" if tried.start.kind == "rehearsal" else "Flipped"
    froze = milliseconds(tried.freeze_ms)
    return (
        f"{what} ", When(tried.ended_at.timestamp()),
        f": writes waited {froze} of the {milliseconds(BUDGET_MS)} allowed.",
    )  # fmt: skip


def _clean(control: Control, known: DriftStanding | None) -> Words:
    clean = known.clean.get((control.domain, control.owner.value)) if known else None
    if clean is None or clean.ended_s is None:
        return ("no pass was clean yet",)
    return "last clean pass ", When(clean.ended_s)


def _verified(control: Control, known: DriftStanding | None) -> str:
    if known is None:
        return "not known"
    running = known.running.get(control.domain)
    now = "" if running is None or not running.holder else f"; {_pass_share(running)}"
    whole = known.whole.get((control.domain, control.owner.value))
    if whole is None:
        return f"never compared as a whole{now}"
    tally = whole.tally
    looked = tally.checked + tally.unsettled
    if not looked:
        return f"100 %, as there is nothing to compare{now}"
    equal = tally.checked - tally.different
    share = percent_of_ppm(equal * PPM // looked)
    return f"{share}, {count(equal)} of {count(looked)} equal{now}"


def _pass_share(running: PassRecord) -> str:
    done = running.tally.checked
    expected = max(running.expected, done, 1)
    return f"a pass runs, {done * 100 // expected} % of about {count(expected)} done"


def drift_rows(counts: tuple[DriftCount, ...]) -> tuple[DriftRow, ...]:
    """Classes with how many and the money at stake."""
    return tuple(
        DriftRow(
            one.drift.value,
            count(one.count),
            ", ".join(money(minor, currency) for currency, minor in one.stakes.items()) or "none",
        )
        for one in counts
    )


def _copying(copied: Copying | None, now_s: float) -> Progress | None:
    if copied is None or copied.finished_at is not None:
        return None
    total = max(copied.total, copied.rows, 1)
    told = f"{count(copied.rows)} of about {count(total)} rows copied"
    worked_s = now_s - copied.started_at.timestamp()
    if copied.rows and worked_s > 0:
        told += f", {_lasting((total - copied.rows) * worked_s / copied.rows)} left"
    return Progress(copied.rows, total, told)


def _lasting(left_s: float) -> str:
    if left_s < 90:
        return f"about {left_s:.0f} s"
    if left_s < 5_400:
        return f"about {left_s / 60:.0f} min"
    return f"about {left_s / 3_600:.0f} h"


def _copied(copied: Copying | None) -> str:
    if copied is None:
        return "no row was copied yet"
    return "" if copied.finished_at is None else f"{count(copied.rows)} rows were copied"


def _command(name: str, control: Control, against: Gate | None) -> str:
    if control.phase is not Phase.OWNED:
        return f"banyan flip {name} --resume"
    flip = f"banyan flip {name} --to {control.owner.other}"
    if against is None:
        return f"{flip} --watch 10m --arm"
    return f"{flip} --rehearse" if against.name == "rehearsal" else f"banyan readiness {name}"


def carried_of(side: Side, name: str, seen: Overlook) -> Carried:
    """What the stream that reads a side has done for a domain."""
    return seen.carried.get((stream_from(side), name), Carried())
