"""What happens to a flip, besides flipping: to processes and to the network between them."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from tests.ledger.databases import is_locked
from tests.ledger.flips import STEPS, finish, flip, under_way
from tests.ledger.house import House
from tests.ledger.rows import altered_table, delivered_again, long_transaction, poison_row
from tests.support.tcp_relay import TcpRelay, Way

Play = Callable[[House, str, Random], str]


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that happens while a domain flips.

    Attributes:
        play: flips to a side with the fault; says what came of it. What it leaves is brought
            to its end by `finish`.
        is_gentle: nothing that answers shoppers dies and no coordinator is stopped, so no
            request may fail.
        needs_servers: for a relay between processes and databases.
    """

    play: Play
    is_gentle: bool = False
    needs_servers: bool = False


def undisturbed(house: House, side: str, _whim: Random) -> str:
    """Nothing else."""
    return str(flip(house, side))


def _coordinator_killed(step: str) -> Play:
    def play(house: House, side: str, whim: Random) -> str:
        """kill -9 when a step is done, or somewhere in the next one."""
        at_work = under_way(house, side)
        is_there = at_work.reached(step)
        time.sleep(whim.choice((0.0, 0.0, whim.uniform(0, 0.05), whim.uniform(0, 0.3))))
        at_work.signal(signal.SIGKILL)
        return f"{'' if is_there else 'not reached; '}ended with {at_work.wait()}; {at_work.steps}"

    return play


def coordinator_asleep(house: House, side: str, whim: Random) -> str:
    """A zombie: 1. it sleeps in the middle of its work, 2. another one takes over, 3. it wakes
    up and goes on where it was.
    """
    step = whim.choice(STEPS[:-1])
    at_work = under_way(house, side)
    at_work.reached(step)
    at_work.signal(signal.SIGSTOP)
    # Inside a transaction it would keep SQLite's only lock, and nobody could write anything,
    # whoever owns. Only its end helps then, so it sleeps between two transactions.
    while any(is_locked(url) for url in (house.legacy, house.core)):
        at_work.signal(signal.SIGCONT)
        time.sleep(0.005)
        at_work.signal(signal.SIGSTOP)
    try:
        finish(house)
        between = house.owner()
    finally:
        at_work.signal(signal.SIGCONT)
    status = at_work.wait()
    return f"slept after {step}, {between} owned, woke up and ended with {status}; {at_work.steps}"


def _while_flipping(name: str, how: str) -> Play:
    def play(house: House, side: str, whim: Random) -> str:
        at_work = under_way(house, side)
        step = whim.choice(STEPS[:6])
        at_work.reached(step)
        if how == "killed":
            house.procs[name].kill()
            house.procs[name].start(wait=False)
        else:
            house.procs[name].kill(signal.SIGSTOP)
            time.sleep(whim.uniform(0.5, 3.5))
            house.procs[name].kill(signal.SIGCONT)
        status = at_work.wait()
        return f"after {step}; flip ended with {status}; {at_work.steps}"

    return play


def proxy_worker_killed(house: House, side: str, whim: Random) -> str:
    """One of its workers; the supervisor starts another."""
    at_work = under_way(house, side)
    step = whim.choice(STEPS[:6])
    at_work.reached(step)
    if workers := house.procs["proxy"].children():
        with contextlib.suppress(ProcessLookupError):
            os.kill(whim.choice(workers), signal.SIGKILL)
    return f"after {step}; flip ended with {at_work.wait()}; {at_work.steps}"


def all_dead(house: House, side: str, whim: Random) -> str:
    """As in a power cut: everything but the databases' servers, at once."""
    at_work = under_way(house, side)
    step = whim.choice(STEPS[:-1])
    at_work.reached(step)
    at_work.signal(signal.SIGKILL)
    for proc in house.procs.values():
        proc.kill()
    return f"after {step}; flip ended with {at_work.wait()}; {at_work.steps}"


def _relayed(who: str, what: Callable[[TcpRelay, Random], str]) -> Play:
    def play(house: House, side: str, whim: Random) -> str:
        """Between who and one database or both, for longer than a flip may take, or shorter."""
        names = [name for name in house.relays if name.startswith(who)]
        chosen = whim.choice([[name] for name in names] + [names])
        at_work = under_way(house, side)
        step = whim.choice(STEPS[:6])
        at_work.reached(step)
        how = [what(house.relays[name], whim) for name in chosen]
        time.sleep(whim.uniform(0.3, 5.0))
        for name in chosen:
            house.relays[name].heal()
        status = at_work.wait()
        where = ", ".join(f"{name} {one}" for name, one in zip(chosen, how, strict=True))
        return f"{where} after {step}; flip ended with {status}; {at_work.steps}"

    return play


def _cut(relay: TcpRelay, _whim: Random) -> str:
    relay.cut()
    return "cut"


def _hang(relay: TcpRelay, whim: Random) -> str:
    """Both ways, or one."""
    ways = whim.choice([(), (Way.UP,), (Way.DOWN,)])
    relay.hang(*ways)
    return f"hung {' '.join(way.value for way in ways) or 'both ways'}"


def _slow(relay: TcpRelay, whim: Random) -> str:
    late_s = whim.uniform(0.01, 0.1)
    relay.slow(late_s)
    return f"{late_s * 1_000:.0f} ms late"


FAULTS: Mapping[str, Fault] = {
    "undisturbed": Fault(undisturbed, is_gentle=True),
    "sync killed": Fault(_while_flipping("sync", "killed"), is_gentle=True),
    "coordinator killed at fence": Fault(_coordinator_killed("fence")),
    "poison row": Fault(poison_row, is_gentle=True),
    "coordinator asleep": Fault(coordinator_asleep),
    "altered table": Fault(altered_table, is_gentle=True),
    "coordinator killed at commit": Fault(_coordinator_killed("commit")),
    "delivered again": Fault(delivered_again, is_gentle=True),
    "all dead": Fault(all_dead),
    "coordinator killed at hold": Fault(_coordinator_killed("hold")),
    "sync asleep": Fault(_while_flipping("sync", "asleep"), is_gentle=True),
    "core killed": Fault(_while_flipping("core", "killed")),
    "sync cut off": Fault(_relayed("sync", _cut), is_gentle=True, needs_servers=True),
    "long transaction": Fault(long_transaction),
    "coordinator killed at lease": Fault(_coordinator_killed("lease")),
    "store killed": Fault(_while_flipping("store", "killed")),
    "coordinator cut off": Fault(_relayed("desk", _cut), needs_servers=True),
    "coordinator killed at catch_up": Fault(_coordinator_killed("catch_up")),
    "proxy worker killed": Fault(proxy_worker_killed),
    "sync hung": Fault(_relayed("sync", _hang), is_gentle=True, needs_servers=True),
    "coordinator killed at verify": Fault(_coordinator_killed("verify")),
    "core asleep": Fault(_while_flipping("core", "asleep")),
    "coordinator hung": Fault(_relayed("desk", _hang), needs_servers=True),
    "coordinator killed at numbers": Fault(_coordinator_killed("numbers")),
    "sync late": Fault(_relayed("sync", _slow), is_gentle=True, needs_servers=True),
    "proxy killed": Fault(_while_flipping("proxy", "killed")),
    "coordinator killed at grant": Fault(_coordinator_killed("grant")),
    "coordinator late": Fault(_relayed("desk", _slow), is_gentle=True, needs_servers=True),
    "coordinator killed at release": Fault(_coordinator_killed("release")),
}
"""In the order in which a long run plays them."""

SHORT: Mapping[tuple[str, str], Sequence[str]] = {
    ("sqlite", "sqlite"): (
        "undisturbed", "undisturbed", "coordinator killed at fence", "poison row",
        "coordinator killed at commit", "delivered again",
    ),
    ("mariadb", "postgresql"): (
        "undisturbed", "sync cut off", "altered table", "coordinator asleep", "all dead",
        "undisturbed",
    ),
}  # fmt: skip
"""The most telling ones, for CI, by the legacy's database and the core's."""
