"""The work of `banyan rollback`, light to load: it imports no command-line library.

`read_wish` reads the usual ways to write the command. Whatever else there is (--help, a
wrong option) is left to the full command line, which explains it.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cutover.errors import CutoverError, RoomAway
from cutover.settings import CutoverSettings, load_settings
from proxy.routing import Stage

if TYPE_CHECKING:
    from cutover.service.acknowledge import Acknowledged
    from cutover.service.rolling_back import RolledBack

NOT_TAKEN = 4

_NAMES = {
    "--reason": "reason",
    "--to": "to",
    "--config": "config",
    "-c": "config",
    "--actor": "actor",
}


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for. `actor` is None when the settings say who it is."""

    domain: str
    reason: str
    to: Stage | None = None
    config: Path = Path("routing.yaml")
    actor: str | None = None
    as_json: bool = False


def read_wish(args: list[str]) -> Wish | None:
    """Read the arguments behind `banyan rollback`; None for what is not plainly right."""
    options: dict[str, str] = {}
    domains: list[str] = []
    rest = iter(args)
    for word in rest:
        name, equals, value = word.partition("=")
        if word == "--json":
            options["json"] = "yes"
        elif name in _NAMES and (equals or name == word):
            found = value if equals else next(rest, None)
            if found is None or found.startswith("-") or (equals and name == "-c"):
                return None
            options[_NAMES[name]] = found
        elif word.startswith("-"):
            return None
        else:
            domains.append(word)
    if len(domains) != 1 or "reason" not in options or options.get("to") not in (None, *Stage):
        return None
    return Wish(
        domain=domains[0],
        reason=options["reason"],
        to=Stage(options["to"]) if "to" in options else None,
        config=Path(options.get("config", "routing.yaml")),
        actor=options.get("actor"),
        as_json="json" in options,
    )


def take_back(wish: Wish) -> int:
    """Roll back, say so, and return the exit code.

    Raises:
        CutoverError: it could not be done, in one line.
    """
    from cutover import app
    from cutover.service.acknowledge import Ack, wait_until_taken
    from cutover.service.rolling_back import owners_or_note, roll_back
    from cutover.service.values import rolled_back_value
    from cutover.storage.restage import restage

    if wish.to not in (None, Stage.LEGACY, Stage.SHADOW):
        raise CutoverError(f"a rollback leads to legacy or shadow, not to {wish.to}")
    settings = load_settings()
    if settings.room:
        return _take_back_there(settings, wish)
    owners, notes = owners_or_note(lambda: app.owners(settings))
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    done = roll_back(
        app.books(settings),
        wish.domain,
        restage,
        to=wish.to,
        actor=wish.actor or settings.actor,
        reason=wish.reason,
        owners=owners,
    )
    taken = wait_until_taken(app.door(settings), done.revision, app.timer())
    if wish.as_json:
        print(json.dumps(rolled_back_value(done, taken), ensure_ascii=False))
    else:
        _tell(done, taken, wish.config)
    return NOT_TAKEN if taken.ack is Ack.NOT_TAKEN else 0


def _take_back_there(settings: CutoverSettings, wish: Wish) -> int:
    """The same through a control room elsewhere."""
    from urllib.parse import quote

    from cutover.app.elsewhere import client
    from cutover.edge.room_values import rolled_back_of
    from cutover.service.acknowledge import Ack

    said = {"reason": wish.reason, "to": None if wish.to is None else str(wish.to)}
    place = f"/domains/{quote(wish.domain, safe='')}/rollbacks"
    try:
        told = client(settings, wish.actor).post(place, said)
    except RoomAway as exc:
        raise CutoverError(
            f"{exc}. On the room's machine, with its BANYAN_VAR, this needs nothing but the disk:"
            f" env -u BANYAN_ROOM banyan rollback {wish.domain} --reason ..."
        ) from exc
    done, taken = told.read(rolled_back_of)
    if wish.as_json:
        print(json.dumps(told.value, ensure_ascii=False))
    else:
        _tell(done, taken, wish.config)
    return NOT_TAKEN if taken.ack is Ack.NOT_TAKEN else 0


def _tell(done: RolledBack, taken: Acknowledged, config: Path) -> None:
    for warning in done.warnings:
        print(f"note: {warning}", file=sys.stderr)
    if not done.is_change:
        print(f"{done.domain} is in stage {done.after} already. {taken.sentence}")
        return
    number = f"Revision {done.entry.n}: " if done.entry else ""
    step = f"{done.before} -> {done.after}"
    if done.before == done.after:
        step = f"stays in stage {done.after}, and the table is written again"
    print(f"{number}{done.domain} {step}. {taken.sentence}")
    print(f"{config} is as it was; banyan plan shows what it asks for.")
