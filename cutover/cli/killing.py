"""The work of `banyan kill`, light to load: a file is written, then the proxy is told.

It needs neither the ledger nor the room nor a proxy that answers.
"""

from __future__ import annotations

import http.client
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cutover.errors import CutoverError
from cutover.settings import CutoverSettings, load_settings
from proxy.routing import Kill, KillError, parse_kill
from proxy.storage.kill_file import add_kill, remove_kill

NOT_TAKEN = 4
_DOOR_S = 5.0


@dataclass(frozen=True, slots=True)
class KillWish:
    """What was asked for. No domain and no shadow means everything."""

    domain: str | None = None
    shadow: bool = False
    release: bool = False
    yes: bool = False
    as_json: bool = False

    @property
    def kill(self) -> Kill:
        """Its scopes; a domain with `shadow` stops that domain's mirroring alone."""
        if self.domain is None:
            return Kill(shadow=True) if self.shadow else Kill(everything=True)
        names = frozenset((self.domain,))
        return Kill(shadows=names) if self.shadow else Kill(domains=names)


@dataclass(frozen=True, slots=True)
class DoorAnswer:
    """What the side door said. `status` is 0 when it did not answer; `body` says why."""

    status: int
    body: Mapping[str, Any]


def read_kill_wish(args: list[str]) -> KillWish | None:
    """Read the arguments behind `banyan kill`; None for what is not plainly right."""
    flags = {"--shadow", "--release", "--yes", "-y", "--json"}
    given = {word for word in args if word.startswith("-")}
    domains = [word for word in args if not word.startswith("-")]
    if given - flags or len(domains) > 1:
        return None
    return KillWish(
        domain=domains[0] if domains else None,
        shadow="--shadow" in given,
        release="--release" in given,
        yes=bool(given & {"--yes", "-y"}),
        as_json="--json" in given,
    )


def do_kill(wish: KillWish) -> int:
    """Kill or release, say so, and return the exit code.

    Raises:
        CutoverError: it could not be done, in one line.
    """
    settings = load_settings()
    if wish.domain is not None:
        _check_domain(wish.domain, settings)
    if wish.release:
        _ask_first(wish)
    began = time.monotonic()
    problem = _write(wish, kill_file(settings))
    answer = ask_door(
        settings.side_door,
        "DELETE" if wish.release else "POST",
        "/kill",
        None if _is_all(wish) else {"scope": ",".join(wish.kill.scopes)},
    )
    elapsed_s = time.monotonic() - began
    if problem and (wish.release or answer.status not in (200, 504)):
        said = f"; the side door: {answer.body.get('detail')}"
        raise CutoverError(f"{problem}{'' if wish.release else said}")
    if wish.as_json:
        print(json.dumps(_value(wish, answer, problem, elapsed_s)))
    else:
        _tell(wish, answer, problem, elapsed_s)
    return NOT_TAKEN if answer.status not in (0, 200) else 0


def kill_file(settings: CutoverSettings) -> Path:
    """Where the proxy looks for kills."""
    return Path(settings.environment.get("BANYAN_PROXY_KILL_FILE") or settings.var / "kill")


def ask_door(url: str, method: str, path: str, body: Mapping[str, Any] | None) -> DoorAnswer:
    """Pull a lever of the side door. Never raises for what the network does."""
    where = urlsplit(url)
    connection = http.client.HTTPConnection(
        where.hostname or "127.0.0.1", where.port or 80, timeout=_DOOR_S
    )
    data = None if body is None else json.dumps(body)
    try:
        connection.request(method, path, data, {"Content-Type": "application/json"} if data else {})
        got = connection.getresponse()
        found = json.loads(got.read())
    except (OSError, http.client.HTTPException, ValueError) as exc:
        return DoorAnswer(0, {"detail": f"{url} does not answer ({exc})"})
    finally:
        connection.close()
    return DoorAnswer(got.status, found if isinstance(found, dict) else {})


def _is_all(wish: KillWish) -> bool:
    """Whether everything is to be released, whatever it is."""
    return wish.release and wish.domain is None and not wish.shadow


def _write(wish: KillWish, file: Path) -> str | None:
    """Write it down; None, or why not."""
    try:
        if wish.release:
            remove_kill(file, None if _is_all(wish) else wish.kill)
        else:
            add_kill(file, wish.kill)
    except OSError as exc:
        return f"the kill file {file} cannot be written: {exc.strerror or exc}"
    return None


def _check_domain(domain: str, settings: CutoverSettings) -> None:
    """A kill with a misspelt name would kill nothing, and nobody would notice."""
    try:
        parse_kill(f"domain:{domain}")
    except KillError as exc:
        raise CutoverError(str(exc)) from exc
    from proxy.errors import RoutingFileError
    from proxy.storage.tables import load_routing

    try:
        table = load_routing(settings.applied)
    except RoutingFileError:
        print(f"note: {settings.applied} does not load; the name is not checked", file=sys.stderr)
        return
    known = [known.name for known in table.domains]
    if domain not in known:
        raise CutoverError(f"{domain} is no domain in force; there are: {', '.join(known)}")


def _ask_first(wish: KillWish) -> None:
    """A kill goes to the safe side and never asks; a release sends shoppers away from it."""
    if wish.yes:
        return
    what = "everything" if _is_all(wish) else ", ".join(wish.kill.scopes)
    if not sys.stdin.isatty():
        raise CutoverError(f"releasing {what} lets the core answer again; say --yes")
    print(f"Release {what}? The table in force decides again. [y/N] ", end="", flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise CutoverError("nothing was released")


def _tell(wish: KillWish, answer: DoorAnswer, problem: str | None, elapsed_s: float) -> None:
    what = "everything" if _is_all(wish) else ", ".join(wish.kill.scopes)
    done = "Released" if wish.release else "Killed"
    if problem:
        print(f"note: {problem}; it ends with the proxy", file=sys.stderr)
    if answer.status == 0:
        print(f"{done}: {what}, in the kill file. The side door does not answer; workers that")
        print("live look at the file ten times a second.")
        return
    workers, silent = answer.body.get("workers", {}), answer.body.get("silent", [])
    if answer.status == 200:
        print(f"{done}: {what}. {len(workers)} worker(s) took it in {elapsed_s:.2f} s.")
    elif silent:
        print(f"{done}: {what}, but workers {silent} did not confirm.")
    else:
        print(f"{done}: {what}, in the kill file; the side door: {answer.body.get('detail')}")
    left = answer.body.get("scopes", [])
    if wish.release and left:
        print(f"Still killed: {', '.join(left)}.")


def _value(
    wish: KillWish, answer: DoorAnswer, problem: str | None, elapsed_s: float
) -> dict[str, Any]:
    return {
        "scopes": list(wish.kill.scopes),
        "release": wish.release,
        "kept": problem is None,
        "door": answer.status,
        "proxy": dict(answer.body),
        "elapsed_s": round(elapsed_s, 3),
    }
