"""Mismatch groups on a terminal, and as JSON for programs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from proxy.routing import Side
from shadow_compare.core.evidence import Example, MismatchGroup
from shadow_compare.core.groups import GroupStory
from shadow_compare.core.life import Entry, Life, State
from shadow_compare.core.repeat import curl_of
from shadow_compare.core.rule_commands import rule_commands
from shadow_compare.core.stake import Stake, money
from shadow_compare.core.words import percent

_ROWS = 20
_VALUE_CHARS = 400


def groups_json(groups: Iterable[MismatchGroup]) -> list[dict[str, Any]]:
    """Groups as plain values; times in seconds since 1970, money in minor units."""
    return [_plain(dataclasses.asdict(group)) for group in groups]


def group_json(
    group: MismatchGroup,
    examples: Sequence[Example],
    story: GroupStory,
    stores: Mapping[Side, str],
) -> dict[str, Any]:
    """One group with its examples, each with a command that asks again, and its story."""
    return {
        "group": groups_json([group])[0],
        "examples": [
            {
                **dataclasses.asdict(example),
                "curl": {side.value: curl_of(example, url).text for side, url in stores.items()},
                "caveats": curl_of(example, "").caveats,
            }
            for example in examples
        ],
        **_plain(dataclasses.asdict(story)),
    }


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(member) for member in value]
    return value.isoformat() if isinstance(value, date) else value


def print_groups(console: Console, groups: Sequence[MismatchGroup]) -> None:
    """The groups in the order given."""
    if not groups:
        console.print("No mismatch of this kind in the current epoch.")
        return
    has_money = any(group.stakes for group in groups)
    table = Table(
        title="Mismatches that look the same",
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 2, 0, 0),
    )
    table.add_column("fingerprint", no_wrap=True)
    table.add_column("what differs, and where", overflow="fold")
    table.add_column("state", no_wrap=True)
    for name in ("count", "last hour", "share", *(("at risk",) if has_money else ())):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("last (UTC)", no_wrap=True)
    for group in groups:
        cells = [f"{group.count:,}", f"{group.per_hour:,}", percent(group.share_ppm)]
        if has_money:
            cells.append(_risk(group.stakes))
        table.add_row(
            Text(group.fingerprint),
            Text(f"{group.title}\n").append(f"{group.domain}: {group.route}", style="dim"),
            Text(_state(group.life)),
            *cells,
            _moment(group.last_seen_s)[5:16],
        )
    console.print(table)
    console.print(Text(f"Look at one: banyan mismatches show {groups[0].fingerprint}", "dim"))


def _state(life: Life) -> str:
    if life.state is State.ACCEPTED and life.expires is not None:
        return f"accepted\nto {life.expires}"
    return life.state.value + (f"\n{life.owner}" if life.owner else "")


def _risk(stakes: Sequence[Stake]) -> str:
    return "\n".join(money(stake.gap_minor, stake.currency) for stake in stakes)


def print_group(
    console: Console,
    group: MismatchGroup,
    example: Example | None,
    story: GroupStory,
    stores: Mapping[Side, str],
) -> None:
    """One group, an example side by side, how to ask again, siblings and journal."""
    console.print(Text(group.title, style="bold"))
    for line in told_of(group):
        console.print(Text(line))
    if example is not None:
        _print_example(console, example, stores)
    if story.siblings:
        console.print("\nGroups that share a difference:")
        for one in story.siblings:
            told = f"  {one.fingerprint}  {one.title} ({one.route}, {one.count:,} times)"
            console.print(Text(f"{told}, {one.state.value}"), soft_wrap=True)
    if story.journal:
        console.print("\nWhat was done:")
        for entry in story.journal:
            console.print(Text(f"  {entry_words(entry)}"), soft_wrap=True)


def told_of(group: MismatchGroup) -> list[str]:
    """What is known of a group, a sentence each."""
    times = "once" if group.count == 1 else f"{group.count:,} times"
    share = f"{percent(group.share_ppm)} of the route's comparisons"
    at_most = f"at most {percent(group.upper_ppm)} (95 % sure)"
    lines = [
        f"{group.domain}: {group.route} · {times}, {group.per_hour:,} in the last hour",
        f"{share}, {at_most}",
        f"state {life_words(group.life)}",
    ]
    lines += [stake_words(stake) for stake in group.stakes]
    if len(group.cohorts) > 1:
        met = ", ".join(f"{count:,} answered by {side}" for side, count in group.cohorts)
        lines.append(f"shoppers who met it: {met}")
    if any((*group.first_releases, *group.last_releases)):
        first, last = (
            " and ".join(filter(None, pair)) or "no release named"
            for pair in (group.first_releases, group.last_releases)
        )
        lines.append(f"first seen with {first}, last with {last} (legacy and core)")
    if group.noise_ppm:
        told = percent(group.noise_ppm)
        lines.append(
            f"Asked twice, the live side differed from itself there in {told} of the cases:"
            " a rule may be right."
        )
    if not group.current:
        lines.append("This was seen under earlier rules or releases.")
    return lines


def life_words(life: Life) -> str:
    """A state with its owner, ticket, day and note."""
    told = life.state.value
    if life.expires is not None:
        told += f" until {life.expires}"
    parts = [told]
    parts += [f"owned by {life.owner}"] if life.owner else []
    parts += [f"ticket {life.ticket}"] if life.ticket else []
    parts += [life.note] if life.note else []
    return "; ".join(parts)


def stake_words(stake: Stake) -> str:
    """Money in a sentence."""
    exchanges = "1 exchange" if stake.exchanges == 1 else f"{stake.exchanges:,} exchanges"
    told = f"{money(stake.affected_minor, stake.currency)} affected in {exchanges}"
    over, under = (money(part, stake.currency) for part in (stake.over_minor, stake.under_minor))
    if not stake.gap_minor:
        told += "; the core names the same amounts" if stake.compared else ""
    elif not stake.under_minor:
        told += f"; the core names {over} more"
    elif not stake.over_minor:
        told += f"; the core names {under} less"
    else:
        told += f"; the core names {over} more in some and {under} less in others"
    lacking = stake.exchanges - stake.compared
    return told + (f"; {lacking:,} lack an amount on one side" if lacking else "")


def entry_words(entry: Entry) -> str:
    """A line of the journal."""
    who = entry.by or "the comparer"
    told = f"{_moment(entry.at_s)} UTC {who}: {entry.before.value} -> {entry.after.value}"
    if entry.expires is not None:
        told += f" until {entry.expires}"
    said = "; ".join(filter(None, (entry.note, entry.ticket)))
    return f"{told}, {said}" if said else told


def _print_example(console: Console, example: Example, stores: Mapping[Side, str]) -> None:
    when = _moment(example.at_s)
    console.print(Text(f"\n{example.method} {example.target} at {when} UTC ({example.request_id})"))
    table = Table(show_lines=True)
    table.add_column("place", overflow="fold")
    table.add_column(f"legacy ({example.legacy_status})", overflow="fold")
    table.add_column(f"core ({example.core_status})", overflow="fold")
    for leaf in example.leaves[:_ROWS]:
        table.add_row(Text(f"{leaf.path}\n{leaf.kind}"), _value(leaf.legacy), _value(leaf.core))
    console.print(table)
    if len(example.leaves) > _ROWS:
        console.print(f"… and {len(example.leaves) - _ROWS} more places (see --json)")
    console.print("\nAsk again:")
    for side, url in stores.items():
        console.print(Text(f"  {side.value}: {curl_of(example, url).text}"), soft_wrap=True)
    for caveat in curl_of(example, "").caveats:
        console.print(Text(f"  {caveat}", style="dim"), soft_wrap=True)


def moved_lines(group: MismatchGroup) -> list[str]:
    """What is said after a person moved a group."""
    lines = [f"{group.fingerprint} is {life_words(group.life)}"]
    if group.life.state is not State.ACCEPTED:
        return lines
    commands = rule_commands(group)
    lines.append("It still counts against parity. Only a rule in routing.yaml accepts a difference")
    if not commands:
        return [*lines[:-1], f"{lines[-1]}; this one has no rule's shape."]
    lines[-1] += ", for example:"
    return [*lines, *(f"  {command}" for command in commands)]


def _value(text: str | None) -> Text:
    if text is None:
        return Text("absent", style="dim")
    return Text(text if len(text) <= _VALUE_CHARS else f"{text[:_VALUE_CHARS]}…")


def _moment(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M:%S")
