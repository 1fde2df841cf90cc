"""How much of its log a MariaDB keeps for a reader that is behind."""

from __future__ import annotations

from legacy_adapters.capture.mariadb_server import Session, gtids_at, position_of, variable
from legacy_adapters.mapping.versions import Position
from legacy_adapters.ports.capture import Retention

_DAY_S = 86_400.0


def held(session: Session, position: Position | None, place: tuple[str, int] | None) -> Retention:
    """What is behind a position; `place` is its file and byte where they are known.

    Without a place everything from the beginning of its file counts as behind it.
    """
    files = [(str(row[0]), int(row[1])) for row in session.rows("SHOW BINARY LOGS")]
    limit = int(variable(session, "max_binlog_total_size") or 0) or None
    kept_s = _kept_s(session)
    if position is None:
        return Retention(0, limit, kept_s, "ok")
    names = [name for name, _ in files]
    file = place[0] if place and place[0] in names else _file_of(session, names, position)
    if file is None:
        return Retention(sum(size for _, size in files), limit, kept_s, "lost")
    first = names.index(file)
    skipped = place[1] if place and place[0] == file else 0
    behind = max(0, sum(size for _, size in files[first:]) - skipped)
    return Retention(behind, limit, kept_s, "alarm" if limit and behind > limit / 2 else "ok")


def _file_of(session: Session, names: list[str], position: Position) -> str | None:
    """The last file that begins at or before a position; None when all begin behind it."""
    for name in reversed(names):
        if position_of(gtids_at(session, name)).order <= position.order:
            return name
    return None


def _kept_s(session: Session) -> float | None:
    seconds = float(variable(session, "binlog_expire_logs_seconds") or 0)
    days = float(variable(session, "expire_logs_days") or 0)
    return seconds or days * _DAY_S or None
