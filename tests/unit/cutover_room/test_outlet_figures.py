"""What the room shows and counts of hooks and of watched files."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from cutover.api.meters import Meters
from cutover.api.outletfigures import OutletFigures
from cutover.api.portfolio import overview
from cutover.api.stream import Seats
from cutover.core.hook import Outcome, Progress
from cutover.core.watched_file import Standing, Watched
from cutover.settings import NOTICES_FILE, WATCH_FILE
from cutover.storage.notices_file import NoticesFile
from cutover.storage.watch_file import WatchFile, waiting_lines, watch_lines
from tests.fakes.cutover import NOON
from tests.unit.cutover_room.samples import some_facts

NOW_S = NOON.timestamp()
REFUSED = Watched(
    pending="a" * 12, standing=Standing.REFUSED, told="it waits", since=NOON - timedelta(minutes=5)
)


def told(folder: Path) -> str:
    meters = Meters(Seats())
    meters.add(OutletFigures(folder, lambda: NOW_S))
    return meters.exposition().decode()


def watched(folder: Path, known: Watched, at_s: float = NOW_S) -> Path:
    file = WatchFile(folder / WATCH_FILE, "/srv/routing.yaml", "routing.yaml")
    file.write(known)
    os.utime(file.path, (at_s, at_s))
    return file.path


def test_tries_are_counted_by_what_became_of_them_over_all_hooks(tmp_path: Path) -> None:
    waits = NOON - timedelta(seconds=90)
    known = {
        "h1": Progress(3, counts={Outcome.DELIVERED: 5, Outcome.FAILED: 2}, waiting_since=waits),
        "h2": Progress(3, counts={Outcome.DELIVERED: 1, Outcome.GIVEN_UP: 1}),
    }
    NoticesFile(tmp_path / NOTICES_FILE).write(known)

    figures = told(tmp_path)

    assert 'banyan_notices_total{outcome="delivered"} 6.0' in figures
    assert 'banyan_notices_total{outcome="failed"} 2.0' in figures
    assert 'banyan_notices_total{outcome="given_up"} 1.0' in figures
    assert "banyan_notices_oldest_seconds 90.0" in figures


def test_where_nobody_is_told_and_nobody_watches_the_figures_say_so(tmp_path: Path) -> None:
    figures = told(tmp_path)

    assert 'banyan_notices_total{outcome="delivered"} 0.0' in figures
    assert "banyan_notices_oldest_seconds 0.0" in figures
    assert "banyan_watch_waiting_seconds" not in figures


def test_a_file_that_waits_is_counted_and_one_that_is_done_with_is_not(tmp_path: Path) -> None:
    watched(tmp_path, REFUSED)
    waits = told(tmp_path)
    watched(tmp_path, replace(REFUSED, standing=Standing.APPLIED))
    done = told(tmp_path)

    assert "banyan_watch_waiting_seconds 300.0" in waits
    assert "banyan_watch_waiting_seconds 0.0" in done


def test_a_file_that_nobody_watches_any_more_is_told_to_nobody(tmp_path: Path) -> None:
    path = watched(tmp_path, REFUSED, NOW_S - 120)

    assert watch_lines(path, NOW_S) == ()
    assert "banyan_watch_waiting_seconds" not in told(tmp_path)


def test_lines_say_how_a_file_stands(tmp_path: Path) -> None:
    path = watched(tmp_path, REFUSED)

    line = "routing.yaml is kept back and asked again every 30 s: it waits"
    assert watch_lines(path, NOW_S) == waiting_lines(path, NOW_S) == (line,)


def test_what_is_known_of_a_file_outlives_the_process_and_two_files_do_not_meet(
    tmp_path: Path,
) -> None:
    one = WatchFile(tmp_path / WATCH_FILE, "/a", "a")
    other = WatchFile(tmp_path / WATCH_FILE, "/b", "b")
    known = replace(REFUSED, handled="b" * 12, n=7, since_n=6, over="c" * 12)

    one.write(known)
    other.write(Watched(n=1))

    assert one.read() == known
    assert other.read() == Watched(n=1)


def test_damage_is_as_if_nothing_was_known(tmp_path: Path) -> None:
    file = WatchFile(tmp_path / WATCH_FILE, "/a", "a")
    for text in ("", "[]", '{"files": {"/a": {}}}', "[" * 100_000):
        file.path.write_text(text)

        assert file.read() == Watched()


def test_the_overview_asks_for_attention_where_a_watched_file_waits() -> None:
    facts = replace(some_facts(), watched=("routing.yaml is kept back: <b>",))

    words = str(overview(facts).attention)

    assert "Watched file: routing.yaml is kept back: <b>." in words
