"""Load tests in the control room, and as one file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fastapi import FastAPI

from cutover.api.loadpage import load_page
from cutover.api.loadweb import LoadPages
from cutover.api.rendering import Renderer
from cutover.core.load_run import State
from cutover.storage.loadtests import LoadFiles
from tests.fakes.loads import ENDED_S, a_run, a_side, figures
from tests.support.asgi import get

EVIL = '"><script>alert(1)</script>'


@pytest.fixture
def files(tmp_path: Path) -> LoadFiles:
    return LoadFiles(tmp_path / "loadtests")


def app_over(files: LoadFiles) -> FastAPI:
    app = FastAPI()
    LoadPages(files, Renderer(), lambda: ENDED_S).add_to(app)
    return app


async def test_a_load_test_is_a_page_with_figures_and_plots(files: LoadFiles) -> None:
    run = a_run(a_side("core", figures(150.0)))
    files.write(run)
    app = app_over(files)

    page = await get(app, f"/loadtests/{run.id}")
    listed = await get(app, "/loadtests")
    twin = await get(app, f"/api/loadtests/{run.id}")

    assert page.status == listed.status == 200
    assert page.text.count("<polyline") == 4
    assert "1.5 times" in page.text
    assert f'href="/loadtests/{run.id}"' in listed.text
    assert twin.json()["comparison"][""]["p99"] == 1.5


async def test_what_is_not_kept_is_said_so(files: LoadFiles) -> None:
    app = app_over(files)

    assert "None is kept" in (await get(app, "/loadtests")).text
    for wanted in ("nothing", "..%2Fsecret"):
        assert (await get(app, f"/loadtests/{wanted}")).status == 404
    assert (await get(app, "/api/loadtests/nothing")).status == 404


async def test_a_damaged_result_is_named_in_the_list(files: LoadFiles) -> None:
    path = files.write(a_run())
    path.write_text("{}")

    assert "counts for nothing" in (await get(app_over(files), "/loadtests")).text


def test_names_of_others_are_written_as_text() -> None:
    core = a_side("core", routes={EVIL: figures()}, proxy={EVIL: 3.0}, doubts=[EVIL])
    run = a_run(core, by=EVIL, why=EVIL, state=State.ABORTED)

    html = Renderer().load_file(load_page(run))

    assert "<script" not in html
    assert "Aborted, no evidence" in html


def test_the_file_needs_nothing_else_and_a_long_run_keeps_it_small() -> None:
    long = a_side("core", seconds=[[20.0, 0.0, 5.0, 9.0]] * 3_600)

    html = Renderer().load_file(load_page(a_run(long)))

    assert not re.search(r'(?:src|href)="(?!#)', html)
    assert len(html) < 100_000


def test_a_run_that_asked_nothing_has_a_page_all_the_same() -> None:
    empty = figures(0.0, 0)
    run = a_run(a_side("core", empty, seconds=[]), a_side("legacy", empty, seconds=[]))

    html = Renderer().load_file(load_page(run))

    assert "<polyline" not in html
    assert "Load test of catalog at 3x" in html
    assert Renderer().load_file(load_page(a_run(sides=[], state=State.ABORTED, why="x")))
