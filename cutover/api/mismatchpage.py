"""A mismatch group's page: one stored exchange, both answers side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from cutover.api.card import GroupLine, group_line
from cutover.api.figures import count, small_share
from cutover.api.grouplist import ListedGroup, listed
from cutover.api.inside import Parts, excerpt, gap, inside
from cutover.api.readings import MismatchReading
from cutover.api.sidebyside import SideBySide, side_by_side
from proxy.routing import Side, Store
from shadow_compare.core.evidence import Example, Leaf, MismatchGroup
from shadow_compare.core.fingerprint import gravest
from shadow_compare.core.groups import Sibling
from shadow_compare.core.life import BY_PEOPLE, TRANSITIONS, Act, Entry, State
from shadow_compare.core.repeat import curl_of
from shadow_compare.core.rule_commands import rule_commands

KIND_WORDS = {
    "status": "status differs",
    "header": "header differs",
    "missing": "missing in the core",
    "added": "only in the core",
    "type": "other type",
    "value": "other value",
    "order": "other order",
    "length": "other length",
    "body": "body differs",
}


@dataclass(frozen=True, slots=True)
class HeadRow:
    """A header of both answers; None where a side did not send it."""

    name: str
    legacy: str | None
    core: str | None
    differs: bool


@dataclass(frozen=True, slots=True)
class LeafRow:
    """One difference: where, in words, and both values in pieces; None where absent."""

    path: str
    words: str
    legacy: Parts | None
    core: Parts | None
    gap: str


@dataclass(frozen=True, slots=True)
class Curl:
    """A command that asks one side again; `caveats` say what it cannot repeat."""

    side: str
    command: str
    caveats: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ExampleView:
    """A stored exchange, ready to be shown."""

    request_id: str
    at_s: float
    request: str
    request_headers: tuple[tuple[str, str], ...]
    live_side: str
    legacy_status: int
    core_status: int
    head: tuple[HeadRow, ...]
    leaves: tuple[LeafRow, ...]
    body: SideBySide
    curls: tuple[Curl, ...]


@dataclass(frozen=True, slots=True)
class JournalLine:
    """One line of what was done with a group."""

    at_s: float
    words: str
    note: str


@dataclass(frozen=True, slots=True)
class Form:
    """What a person may do here.

    Attributes:
        token: of the form; "" when nothing may be changed from here.
        acts: what the state allows, each with the words of its button.
        filled: what was written before, when the form came back.
        problem: why it came back; "" when it did not.
    """

    token: str
    acts: tuple[tuple[str, str], ...]
    filled: Mapping[str, str]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class MismatchPage:
    """A group and the example that is open. `others` are the places of all examples.

    Attributes:
        headline: what differs in the open example, with the values.
        facts: what is known of the group, a sentence each.
        rules: commands that would write rules which accept it.
    """

    domain: str
    group: GroupLine
    line: ListedGroup
    headline: str
    facts: tuple[str, ...]
    patterns: tuple[str, ...]
    current: bool
    epoch: str
    example: ExampleView | None
    shown: int
    others: tuple[tuple[int, str, float], ...]
    now_s: float
    note: str
    ticket: str
    journal: tuple[JournalLine, ...]
    siblings: tuple[Sibling, ...]
    rules: tuple[str, ...]
    form: Form


BUTTONS = {
    Act.TRIAGE: "Triage: the owner looks into it",
    Act.ACCEPT: "Accept until the last day",
    Act.FIX: "It is fixed",
}


def mismatch_page(
    reading: MismatchReading,
    stores: Mapping[Side, Store],
    shown: int,
    now_s: float,
    form: Form | None = None,
) -> MismatchPage:
    """Decide what a group's page says; `shown` is the place of the example, 0 the newest."""
    group, examples = reading.group, reading.examples
    shown = min(max(shown, 0), max(0, len(examples) - 1))
    life = group.life
    return MismatchPage(
        domain=group.domain,
        group=group_line(group),
        line=listed(group),
        headline=headline(examples[shown]) if examples else "",
        facts=_facts(group),
        patterns=group.patterns,
        current=group.current,
        epoch=group.epoch,
        example=example_view(examples[shown], stores) if examples else None,
        shown=shown,
        others=tuple(
            (place, f"{entry.method} {entry.target}", entry.at_s)
            for place, entry in enumerate(examples)
        ),
        now_s=now_s,
        note=life.note,
        ticket=life.ticket,
        journal=tuple(_journal_line(entry) for entry in reading.story.journal),
        siblings=reading.story.siblings,
        rules=rule_commands(group) if life.state is State.ACCEPTED else (),
        form=form or Form("", (), {}),
    )


def form_for(group: MismatchGroup, token: str, filled: Mapping[str, str], problem: str) -> Form:
    """The form of a group's page, as its state allows."""
    acts = tuple(
        (act.value, BUTTONS[act]) for act in BY_PEOPLE if act in TRANSITIONS[group.life.state]
    )
    known = {"owner": group.life.owner, "ticket": group.life.ticket}
    return Form(token, acts, known | dict(filled), problem)


def headline(example: Example) -> str:
    """What differs in an exchange, with the values, in one sentence."""
    if not example.leaves:
        return ""
    leaf = gravest(example.leaves)
    place = leaf.path.removeprefix("header:")
    ours, theirs = inside(leaf.legacy, leaf.core)
    legacy, core = excerpt(ours), excerpt(theirs)
    if leaf.kind == "status":
        told = f"Legacy answers {legacy}, the core {core}"
    elif leaf.core is None:
        told = f"{place} is {legacy} in legacy and missing in the core"
    elif leaf.legacy is None:
        told = f"{place} is {core} in the core and missing in legacy"
    elif leaf.kind == "order":
        told = f"{place} holds the same in another order"
    else:
        how = gap(leaf.legacy, leaf.core)
        told = f"{place} is {legacy} in legacy and {core} in the core" + (f", {how}" if how else "")
    others = len(example.leaves) - 1
    more = (
        f" {others} more {'place differs' if others == 1 else 'places differ'}." if others else ""
    )
    return f"{told}.{more}"


def _facts(group: MismatchGroup) -> tuple[str, ...]:
    facts = []
    if len(group.cohorts) > 1:
        facts.append(
            "Met by shoppers that "
            + " and ".join(f"{side} answered ({count(n)} times)" for side, n in group.cohorts)
            + "."
        )
    if any((*group.first_releases, *group.last_releases)):
        first, last = (
            " and ".join(
                f"{side} {name}"
                for side, name in zip(("legacy", "core"), pair, strict=True)
                if name
            )
            for pair in (group.first_releases, group.last_releases)
        )
        same = first == last
        facts.append(
            f"Seen with {first}." if same else f"First seen with {first}, last with {last}."
        )
    if group.noise_ppm:
        facts.append(
            f"Asked twice, the live side differed from itself there in"
            f" {small_share(group.noise_ppm)} of the cases: a rule may be right."
        )
    return tuple(facts)


def _journal_line(entry: Entry) -> JournalLine:
    words = f"{entry.before.value} to {entry.after.value} by {entry.by or 'the comparer'}"
    if entry.expires is not None:
        words += f", until {entry.expires}"
    if entry.owner:
        words += f", owner {entry.owner}"
    said = ". ".join(filter(None, (entry.note, entry.ticket and f"Ticket {entry.ticket}")))
    return JournalLine(entry.at_s, words, said)


def example_view(example: Example, stores: Mapping[Side, Store]) -> ExampleView:
    """Lay out one stored exchange."""
    return ExampleView(
        request_id=example.request_id,
        at_s=example.at_s,
        request=f"{example.method} {example.target}",
        request_headers=example.request_headers,
        live_side=example.live_side,
        legacy_status=example.legacy_status,
        core_status=example.core_status,
        head=head_rows(example),
        leaves=tuple(_leaf(leaf) for leaf in example.leaves),
        body=side_by_side(example.legacy_body, example.core_body, example.leaves),
        curls=tuple(
            curl(example, stores[side]) for side in (Side.LEGACY, Side.CORE) if side in stores
        ),
    )


def head_rows(example: Example) -> tuple[HeadRow, ...]:
    """Both answers' headers by name. Only differences that were counted are marked."""
    counted = {
        leaf.pattern.removeprefix("header:").lower()
        for leaf in example.leaves
        if leaf.kind == "header"
    }
    names = dict.fromkeys(
        name.lower() for name, _ in (*example.legacy_headers, *example.core_headers)
    )
    rows = []
    for name in sorted(names):
        sides = (_values(example.legacy_headers, name), _values(example.core_headers, name))
        rows += [
            HeadRow(name, legacy, core, differs=name in counted and legacy != core)
            for legacy, core in zip_longest(*sides)
        ]
    return tuple(rows)


def _values(headers: Sequence[tuple[str, str]], name: str) -> list[str]:
    return [value for key, value in headers if key.lower() == name]


def _leaf(leaf: Leaf) -> LeafRow:
    ours, theirs = inside(leaf.legacy, leaf.core)
    return LeafRow(
        leaf.path,
        KIND_WORDS.get(leaf.kind, leaf.kind),
        None if leaf.legacy is None else ours,
        None if leaf.core is None else theirs,
        gap(leaf.legacy, leaf.core),
    )


def curl(example: Example, store: Store) -> Curl:
    """The request as a shell command against one store. Redacted headers cannot be sent."""
    command = curl_of(example, store.url)
    return Curl(store.side.value, command.text, command.caveats)
