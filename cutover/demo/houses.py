"""Which house is run: the settings' own, or the demo's in a folder of its own."""

from __future__ import annotations

import secrets
from dataclasses import replace
from pathlib import Path

from cutover.edge.services import House, Ports
from cutover.settings import CutoverSettings


def house_of(settings: CutoverSettings, workers: int = 1) -> House:
    """The house that the environment describes."""
    ports = Ports(
        proxy=settings.proxy_port,
        side_door=settings.side_door_port,
        room=settings.room_port,
        core=settings.core_port,
        legacy=settings.legacy_port,
    )
    env = {
        **settings.environment,
        "BANYAN_VAR": str(settings.var),
        "BANYAN_EVIDENCE_DATABASE": settings.evidence_database,
        "BANYAN_SIDE_DOOR": ports.url("side_door"),
    }
    return House(settings.var, ports, settings.evidence_database, env, workers)


def demo_house_of(settings: CutoverSettings) -> House:
    """The demo's house: embedded databases, in `demo` below the state directory.

    Databases and a bus that the environment names belong to somebody; the demo leaves them
    alone.
    """
    var = settings.var / "demo"
    evidence = f"sqlite+aiosqlite:///{var / 'evidence.sqlite3'}"
    foreign = ("_DATABASE", "_BUS")
    env = {k: v for k, v in settings.environment.items() if not k.endswith(foreign)}
    env |= {
        "BANYAN_LEGACY_DATABASE": f"sqlite:///{var / 'legacy' / 'oscar.sqlite3'}",
        "BANYAN_CORE_DATABASE": f"sqlite:///{var / 'core.sqlite3'}",
        "BANYAN_OSCAR_SECRET_KEY": secrets.token_urlsafe(32),
    }
    return house_of(replace(settings, var=var, evidence_database=evidence, environment=env))


def demo_cache_of(settings: CutoverSettings) -> Path:
    """Where the prepared store is kept between demos."""
    return settings.var / "cache" / "demo-store"
