"""The legacy of the demo as a process: prepared, started, stopped, killed."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.demo_store.conftest import RUN, prepare, serving
from tests.integration.demo_store.shop_client import ShopClient
from tests.support.processes import wait_for_http

pytestmark = pytest.mark.integration


def _children(parent: int) -> list[int]:
    """Processes whose parent is `parent`, from /proc."""
    listed = Path(f"/proc/{parent}/task/{parent}/children").read_text()
    return [int(pid) for pid in listed.split()]


def _alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def _within(seconds: float, condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return condition()


def _products(database: Path) -> int:
    with sqlite3.connect(database) as connection:
        (count,) = connection.execute("SELECT count(*) FROM catalogue_product").fetchone()
    connection.close()
    return int(count)


def test_preparing_twice_changes_nothing(tmp_path: Path) -> None:
    prepare(tmp_path)
    before = (tmp_path / "oscar.sqlite3").read_bytes()

    told = prepare(tmp_path)

    assert "already prepared" in told
    assert (tmp_path / "oscar.sqlite3").read_bytes() == before


@pytest.mark.soak
def test_a_store_made_from_nothing_equals_one_from_the_cache(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    command = [*RUN, "prepare", "--cache", str(cache), "--dir"]

    built = subprocess.run(
        [*command, str(tmp_path / "a")], check=False, capture_output=True, text=True
    )
    copied = subprocess.run(
        [*command, str(tmp_path / "b")], check=False, capture_output=True, text=True
    )

    assert "catalogue complete: 211 products" in built.stdout
    assert "copied from" in copied.stdout
    assert _products(tmp_path / "a/oscar.sqlite3") == _products(tmp_path / "b/oscar.sqlite3") == 211


def test_a_store_whose_seeding_was_cut_short_is_completed(tmp_path: Path) -> None:
    prepare(tmp_path)
    with sqlite3.connect(tmp_path / "oscar.sqlite3") as connection:
        connection.executescript(
            "PRAGMA foreign_keys=OFF; DELETE FROM partner_stockrecord;"
            "DELETE FROM catalogue_productattributevalue; DELETE FROM catalogue_productattribute;"
            "DELETE FROM catalogue_attributeoption; DELETE FROM catalogue_attributeoptiongroup;"
            "DELETE FROM catalogue_productcategory; DELETE FROM catalogue_product;"
            "DELETE FROM catalogue_category; DELETE FROM catalogue_productclass;"
            "DELETE FROM partner_partner; DELETE FROM offer_range_included_categories;"
            "DELETE FROM offer_conditionaloffer; DELETE FROM offer_condition;"
            "DELETE FROM offer_benefit; DELETE FROM offer_range;"
        )
    connection.close()
    (tmp_path / "oscar.seed").unlink()

    told = prepare(tmp_path)

    assert "catalogue complete: 211 products" in told


def test_terminate_ends_the_master_and_every_worker(tmp_path: Path) -> None:
    prepare(tmp_path)
    with serving(tmp_path) as store:
        workers = _children(store.process.pid)

        store.process.terminate()
        status = store.process.wait(10)

        assert (len(workers), status) == (2, 0)
        assert _within(1, lambda: not any(_alive(pid) for pid in workers))


def test_workers_of_a_killed_master_end_and_the_store_starts_again(tmp_path: Path) -> None:
    prepare(tmp_path)
    with serving(tmp_path) as store, ShopClient(store.port, "before_the_kill") as shop:
        _, basket = shop.add(9)
        workers = _children(store.process.pid)
        os.kill(store.process.pid, signal.SIGKILL)
        store.process.wait(5)
        orphans_gone = _within(5, lambda: not any(_alive(pid) for pid in workers))

        with serving(tmp_path, store.port) as again, ShopClient(again.port, "before_the_kill") as s:
            _, kept = s.call("GET", "basket/")

    assert (len(workers), orphans_gone) == (2, True)
    assert kept["id"] == basket["id"]
    assert kept["total_incl_tax"] == "15.00"


def test_a_killed_worker_is_replaced(tmp_path: Path) -> None:
    prepare(tmp_path)
    with serving(tmp_path) as store:
        victim, _ = _children(store.process.pid)

        os.kill(victim, signal.SIGKILL)

        assert _within(5, lambda: victim not in _children(store.process.pid))
        assert _within(5, lambda: len(_children(store.process.pid)) == 2)
        wait_for_http(f"{store.url}/api/products/9/")


def _error_of(*arguments: str) -> str:
    done = subprocess.run(
        [*RUN, *arguments], check=False, capture_output=True, text=True, timeout=30
    )
    assert (done.returncode, done.stdout) == (1, "")
    return done.stderr


def test_a_taken_port_is_one_clear_line(tmp_path: Path) -> None:
    prepare(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"

        told = _error_of("serve", "--dir", str(tmp_path), "--listen", address)

    assert told == f"demo store: cannot listen on {address}: Address already in use\n"


def test_serving_before_preparing_names_the_command(tmp_path: Path) -> None:
    told = _error_of("serve", "--dir", str(tmp_path))

    assert told.count("\n") == 1
    assert f"prepare --dir {tmp_path}" in told


def test_an_unknown_database_engine_is_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEGACY_DB", "oracle://scott@127.0.0.1/shop")

    told = _error_of("prepare", "--dir", str(tmp_path))

    assert told.count("\n") == 1
    assert "unknown engine 'oracle'" in told


def test_a_missing_package_names_the_extra_to_install(tmp_path: Path) -> None:
    script = Path("legacy_adapters/oscar/demo_store/run.py").resolve()
    # -I -S: an interpreter that sees no installed package at all.
    command = [sys.executable, "-I", "-S", str(script), "prepare", "--dir", str(tmp_path)]

    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)

    assert done.returncode == 1
    assert done.stderr == (
        "demo store: django-oscar is not installed; "
        "run: pip install 'banyan-migration[demo-store]'\n"
    )
