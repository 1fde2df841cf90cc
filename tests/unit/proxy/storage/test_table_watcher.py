"""A watched routing file: the last good table stays in force, whatever happens to the file."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from proxy.errors import RoutingFileError
from proxy.routing import RoutingTable
from proxy.storage.tables import TableWatcher, load_routing

TEXT = """\
apiVersion: banyan/v1
stores: {legacy: {url: "http://a"}, core: {url: "http://b"}}
domains: {}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "routing.yaml"
    file.write_text(TEXT)
    return file


def has_problem(watcher: TableWatcher) -> bool:
    return watcher.problem is not None


def test_a_file_that_is_not_there_is_a_problem_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(RoutingFileError, match=r"none.yaml:1: file: The file cannot be read"):
        load_routing(tmp_path / "none.yaml")


def test_a_folder_is_no_routing_file(tmp_path: Path) -> None:
    with pytest.raises(RoutingFileError, match="cannot be read"):
        load_routing(tmp_path)


def test_an_edit_gives_a_new_table_once(path: Path) -> None:
    watcher = TableWatcher(path)
    first = watcher.load()
    path.write_text(TEXT + "# more\n")

    changes = [watcher.poll() for _ in range(3)]

    assert changes == [True, False, False]
    assert watcher.table is not None
    assert watcher.table.revision != first.revision


def test_a_bad_edit_keeps_the_last_good_table_until_it_is_mended(path: Path) -> None:
    watcher = TableWatcher(path)
    good = watcher.load()

    path.write_text("domains: [")
    was_told = [watcher.poll(), watcher.poll()]

    assert was_told == [True, False]
    assert (watcher.table is good, has_problem(watcher)) == (True, True)
    path.write_text(TEXT)
    assert watcher.poll()
    assert (watcher.table == good, has_problem(watcher)) == (True, False)


def test_a_file_that_vanishes_and_returns_unchanged_is_in_force_again(path: Path) -> None:
    watcher = TableWatcher(path)
    good = watcher.load()
    path.unlink()
    assert watcher.poll()
    assert (watcher.table is good, has_problem(watcher)) == (True, True)

    path.write_text(TEXT)

    assert watcher.poll()
    assert not has_problem(watcher)


def test_two_edits_within_one_tick_of_the_clock_are_both_seen(path: Path) -> None:
    watcher = TableWatcher(path)
    watcher.load()
    path.write_text(TEXT + "# 1\n")
    stat = path.stat()
    assert watcher.poll()

    # 1. the file is edited, 2. it is polled, 3. it is edited again: same size, same time.
    path.write_text(TEXT + "# 2\n")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))

    assert watcher.is_due()
    assert watcher.poll()
    assert watcher.table is not None
    assert watcher.table.revision == load_routing(path).revision


def test_a_file_at_rest_is_not_read_again(path: Path) -> None:
    watcher = TableWatcher(path)
    watcher.load()
    watcher.poll()
    watcher.poll()

    assert not watcher.is_due()


async def test_the_watcher_reports_tables_and_problems_as_the_file_is_replaced(
    path: Path, tmp_path: Path
) -> None:
    watcher = TableWatcher(path)
    watcher.load()
    tables: asyncio.Queue[RoutingTable] = asyncio.Queue()
    problems: asyncio.Queue[RoutingFileError] = asyncio.Queue()

    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        watching = group.create_task(
            watcher.run(tables.put_nowait, problems.put_nowait, poll_s=0.005)
        )
        for text, queue in ((TEXT + "# new\n", tables), ("nonsense", problems)):
            other = tmp_path / "other"
            other.write_text(text)
            other.replace(path)
            await queue.get()
        watching.cancel()

    assert watcher.table is not None
    assert watcher.table.revision != load_routing_of(TEXT, tmp_path).revision


def load_routing_of(text: str, folder: Path) -> RoutingTable:
    file = folder / "again.yaml"
    file.write_text(text)
    return load_routing(file)
