"""`banyan flip` and `banyan readiness`: a domain of data goes to the other store, and back."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cutover.errors import CutoverError
from cutover.settings import load_settings
from legacy_adapters.mapping.versions import Side

if TYPE_CHECKING:
    from cutover.app.flips import Desk
    from cutover.core.flip_gates import Gate
    from cutover.service.flipping import Done, Preflight
    from cutover.service.flipping_house import Moment
    from cutover.service.watching import Watched
    from legacy_adapters.mapping.aggregates import SyncDomain
    from legacy_adapters.ports.flips import Control

REFUSED, ABORTED = 3, 5
_URGENT = ("rogue writes", "drift", "last clean pass", "lag")
_TIME = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)(ms|s|m|h)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0}

_Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the options say. `watch_s` is 0 for no watch; urgent is the way back of a watch."""

    to: Side
    is_rehearsal: bool
    watch_s: float
    is_armed: bool
    without_rehearsal: str
    reason: str
    actor: str
    yes: bool
    as_json: bool
    is_urgent: bool = False


def flip(
    domain: Annotated[str, typer.Argument(help="What flips: catalog, customers, orders.")] = "",
    to: Annotated[Side | None, typer.Option(help="The side that is to own it.")] = None,
    rehearse: Annotated[
        bool, typer.Option("--rehearse", help="Measure the wait, and take it all back.")
    ] = False,
    watch: Annotated[str, typer.Option(help="Look after it for so long, e.g. 10m.")] = "",
    arm: Annotated[
        bool, typer.Option("--arm", help="With --watch: flip back when a bound breaks.")
    ] = False,
    without_rehearsal: Annotated[
        str, typer.Option(help="Flip without a fresh rehearsal; the reason is kept.")
    ] = "",
    budget: Annotated[str, typer.Option(help="How long writes may wait.")] = "3s",
    resume: Annotated[
        bool, typer.Option("--resume", help="End flips whose coordinator died.")
    ] = False,
    reason: Annotated[str, typer.Option(help="Why, for the ledger.")] = "",
    actor: Annotated[str | None, typer.Option(help="Who the ledger names.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: _Json = False,
) -> None:
    """Give a domain of data to the other store while shoppers wait for a moment, or back.

    Exit codes: 0 done; 1 failed; 3 refused by a gate, nothing happened; 5 aborted, all is as
    it was.

    Example: banyan flip orders --to core --watch 10m --arm
    """
    import asyncio

    settings = load_settings()
    budget_s = seconds(budget)
    if resume:
        raise typer.Exit(asyncio.run(_resume(domain, budget_s, as_json=as_json)))
    if not domain or to is None:
        raise CutoverError("say which domain, and --to core or --to legacy")
    if arm and not watch:
        raise CutoverError("--arm needs --watch: something has to look")
    asked = _Asked(
        to=to,
        is_rehearsal=rehearse,
        watch_s=seconds(watch) if watch else 0.0,
        is_armed=arm,
        without_rehearsal=without_rehearsal,
        reason=reason,
        actor=actor or settings.actor,
        yes=yes,
        as_json=as_json,
    )
    raise typer.Exit(asyncio.run(_flip(domain, asked, budget_s)))


def readiness(
    domain: Annotated[str, typer.Argument(help="Only this one.")] = "", as_json: _Json = False
) -> None:
    """Tell who owns each domain, and whether it could go to the other side now.

    Example: banyan readiness --json
    """
    import asyncio

    asyncio.run(_readiness(domain, as_json=as_json))


def seconds(text: str) -> float:
    """A time as it is written: 500ms, 3s, 10m, 1h."""
    found = _TIME.fullmatch(text)
    if found is None or float(found[1]) <= 0:
        raise CutoverError(f"{text!r} is no time; write 500ms, 3s, 10m or 1h")
    return float(found[1]) * _UNITS[found[2]]


async def _flip(name: str, asked: _Asked, budget_s: float) -> int:
    from cutover.app.flips import open_flips

    async with open_flips(load_settings(), budget_s=budget_s) as desk:
        domain = desk.domain(name)
        await _end_old(desk, domain, as_json=asked.as_json)
        done = await _go(desk, domain, asked)
        if not _is_flipped(done) or asked.is_rehearsal or not asked.watch_s:
            return _code(done)
        return await _look_after(desk, domain, asked, done)


async def _end_old(desk: Desk, domain: SyncDomain, *, as_json: bool) -> None:
    """What a dead coordinator left is ended before anything begins."""
    from cutover.service.flipping import finish
    from legacy_adapters.ports.flips import Phase

    row = await desk.control(domain.name)
    if row.phase is not Phase.OWNED:
        tell = _teller(as_json=as_json)
        done = await finish(desk.house, domain.name, desk.holder, await desk.routes(domain), tell)
        _say_done(done, domain.name, as_json=as_json)


async def _go(desk: Desk, domain: SyncDomain, asked: _Asked) -> Done:
    from cutover.core.flip import Kind
    from cutover.service.flipping import Wish, flip

    kind = Kind.REHEARSAL if asked.is_rehearsal else Kind.FLIP
    routes = await desk.routes(domain)
    reason = asked.reason or f"{kind} of {domain.name} to {asked.to}"
    if asked.without_rehearsal:
        reason = f"{reason} (without a rehearsal: {asked.without_rehearsal})"
    wish = Wish(domain.name, kind, asked.to, routes, desk.holder, asked.actor, reason)

    async def look(row: Control) -> Preflight:
        return await _preflight(desk, domain, asked, row)

    done = await flip(desk.house, wish, look, _teller(as_json=asked.as_json))
    _say_done(done, domain.name, as_json=asked.as_json)
    return done


async def _preflight(desk: Desk, domain: SyncDomain, asked: _Asked, row: Control) -> Preflight:
    from cutover.core.flip_gates import gates, reds
    from cutover.edge.flip_facts import plain
    from cutover.service.flipping import Preflight

    facts = await desk.observer.facts(domain, row, await desk.routes(domain))
    is_unrehearsed = asked.is_rehearsal or bool(asked.without_rehearsal)
    found = gates(facts, is_rehearsal=is_unrehearsed)
    for gate in found:
        _say_gate(gate, as_json=asked.as_json)
    # Whoever flees from a breach is not kept by it. What would make the way back wrong still
    # ends it: an aggregate that is not across keeps the barrier back, a difference the check.
    against = reds([one for one in found if not (asked.is_urgent and one.name in _URGENT)])
    if not against and not asked.yes:
        against = _ask(f"Let writes of {', '.join(domain.routes)} wait for this?")
    return Preflight(plain(facts), against)


def _ask(question: str) -> tuple[str, ...]:
    if not sys.stdin.isatty():
        return ("nobody is there to say yes; say --yes to go on without asking",)
    return () if typer.confirm(question) else ("nobody said yes",)


async def _look_after(desk: Desk, domain: SyncDomain, asked: _Asked, done: Done) -> int:
    from cutover.service.watching import watch
    from legacy_adapters.ports.flips import Line, Mark

    row = await desk.control(domain.name)
    before = await desk.seen(domain, row.owner, row)
    await desk.house.books.add(done.flip, desk.holder, [Line("watch", Mark.INTENT)])

    async def look() -> Any:
        return await desk.seen(domain, row.owner, row)

    found = await watch(look, before, desk.house.pace, for_s=asked.watch_s)
    mark = Mark.FAILED if found.broken else Mark.DONE
    await desk.house.books.add(done.flip, desk.holder, [Line("watch", mark, asdict(found))])
    _say_watch(found, as_json=asked.as_json)
    if not found.broken:
        return 0
    if asked.is_armed:
        back = await _go(desk, domain, _way_back(asked, row.owner.other, found.broken))
        return 1 if _is_flipped(back) else _code(back)
    return 1


def _way_back(asked: _Asked, to: Side, broken: tuple[str, ...]) -> _Asked:
    from dataclasses import replace

    why = "; ".join(broken)
    return replace(
        asked,
        to=to,
        yes=True,
        is_urgent=True,
        reason=f"back: {why}",
        without_rehearsal="a bound broke",
    )


async def _resume(name: str, budget_s: float, *, as_json: bool) -> int:
    from cutover.app.flips import open_flips
    from legacy_adapters.ports.flips import Phase

    async with open_flips(load_settings(), budget_s=budget_s) as desk:
        rows = await desk.house.books.controls()
        open_ones = [
            row.domain
            for row in rows.values()
            if row.phase is not Phase.OWNED and name in ("", row.domain)
        ]
        for one in open_ones:
            await _end_old(desk, desk.domain(one), as_json=as_json)
        if not open_ones and not as_json:
            typer.echo("No flip is left over.")
    return 0


async def _readiness(name: str, *, as_json: bool) -> None:
    from cutover.app.flips import open_flips
    from cutover.core.readiness import readiness as judge

    async with open_flips(load_settings()) as desk:
        domains = [desk.domain(name)] if name else list(desk.domains)
        for domain in domains:
            row = await desk.control(domain.name)
            found = judge(await desk.observer.facts(domain, row, await desk.routes(domain)))
            if as_json:
                told = {"owner": row.owner, "phase": row.phase, "term": row.term}
                typer.echo(json.dumps({**told, **asdict(found), "sentence": found.sentence}))
            else:
                typer.echo(f"{domain.name}: {row.owner} owns it ({row.phase}); {found.sentence}")
                for blocked in found.blocks:
                    typer.echo(f"  - {blocked}")


def _is_flipped(done: Done) -> bool:
    return done.ending.value == "committed"


def _code(done: Done) -> int:
    if _is_flipped(done):
        return 0
    if done.ending.value == "nothing":
        return REFUSED
    is_rehearsed = done.ending.value == "aborted" and not done.problem
    return 0 if is_rehearsed else ABORTED if done.ending.value == "aborted" else 1


def _teller(*, as_json: bool) -> Any:
    def tell(moment: Moment) -> None:
        if moment.took_ms is None:
            return
        facts = {name: value for name, value in moment.facts.items() if value not in ({}, [])}
        if as_json:
            told = {"step": moment.step, "mark": moment.mark, "at_ms": round(moment.at_ms, 1)}
            typer.echo(json.dumps({**told, "took_ms": round(moment.took_ms, 1), "facts": facts}))
            return
        said = ", ".join(f"{name} {value}" for name, value in facts.items())
        line = f"  {moment.step:<9} {moment.mark:<6} {moment.took_ms:8.1f} ms  {said}"
        typer.echo(line.rstrip())

    return tell


def _say_gate(gate: Gate, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"gate": gate.name, **asdict(gate)}))
        return
    colour = typer.colors.GREEN if gate.is_green else typer.colors.RED
    word = typer.style("green" if gate.is_green else "red  ", fg=colour)
    fix = f" ({gate.fix})" if gate.fix else ""
    typer.echo(f"  {word} {gate.name}: {gate.told}{fix}")


def _say_done(done: Done, name: str, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"domain": name, **asdict(done)}))
        return
    froze = "" if done.freeze_ms is None else f"; writes waited {done.freeze_ms:.0f} ms"
    why = f": {done.problem}" if done.problem else ""
    typer.echo(f"{name}: {done.ending}{froze}{why}")


def _say_watch(found: Watched, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"watch": asdict(found)}))
        return
    how = "; ".join(found.broken) if found.broken else "every bound held"
    typer.echo(
        f"Watched for {found.for_s:.0f} s: {found.answers} answers, {found.errors} errors; {how}."
    )
