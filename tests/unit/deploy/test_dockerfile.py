"""The Dockerfile builds from what is there, and its images run without rights."""

from __future__ import annotations

import fnmatch
import re
import shlex

import pytest

from proxy.compiled import directory
from tests.unit.deploy.compose_file import DEPLOY, ROOT, services

TEXT = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")


def stages() -> dict[str, tuple[str, list[str]]]:
    """Stage name to what it is built from and its instructions."""
    found: dict[str, tuple[str, list[str]]] = {}
    current: list[str] = []
    for line in TEXT.splitlines():
        start = re.fullmatch(r"FROM (\S+) AS (\S+)", line)
        if start:
            current = []
            found[start[2]] = (start[1], current)
        elif line and not line.startswith("#"):
            current.append(line.strip())
    return found


def inherited(stage: str) -> list[str]:
    """A stage's instructions after those of the stages it is built from."""
    base, own = stages()[stage]
    return [*(inherited(base) if base in stages() else []), *own]


@pytest.mark.parametrize("stage", ["banyan", "demo-store", "shoppers"])
def test_every_image_runs_as_a_user_without_rights(stage: str) -> None:
    users = [line.split()[1] for line in inherited(stage) if line.startswith("USER")]

    assert users[-1] == "banyan"


@pytest.mark.parametrize("stage", ["banyan", "demo-store"])
def test_every_server_is_probed(stage: str) -> None:
    assert any(line.startswith("HEALTHCHECK") for line in stages()[stage][1])


def test_no_compiler_or_source_reaches_an_image() -> None:
    for stage in ("banyan", "demo-store", "shoppers"):
        base, lines = stages()[stage]
        copied = [line for line in lines if line.startswith("COPY")]
        assert base == "base"
        assert all("--from=build" in line for line in copied)


def test_the_proxys_image_runs_compiled_without_the_compiler() -> None:
    made = inherited("build-compiled")
    base, lines = stages()["banyan"]
    python = re.search(r"python:(\d\.\d+)", stages()["build"][0])
    taken = [line.split()[-1] for line in lines if line.startswith("COPY --from=build-compiled ")]

    assert any("gcc" in line for line in made)
    assert "RUN pip install '.[compiled]'" in made
    assert made[-2:] == ["WORKDIR /", "RUN python -m proxy.compiled"]
    assert python is not None
    assert stages()[base][0] == stages()["build"][0], "another interpreter would not take it"
    assert taken == [f"/opt/banyan/lib/python{python[1]}/site-packages/{directory().name}"]
    assert "RUN python -m proxy.compiled --check" in lines


def test_the_targets_of_the_compose_file_are_stages() -> None:
    targets = {s["build"]["target"] for s in services().values() if "build" in s}

    assert targets == {"banyan", "demo-store", "shoppers"}
    assert targets <= stages().keys()
    assert list(stages())[-1] == "banyan"


def _sources() -> list[str]:
    copies = [line for line in TEXT.splitlines() if line.startswith("COPY ")]
    plain = [shlex.split(line)[1:] for line in copies if "--from" not in line]
    return [word for words in plain for word in words[:-1] if not word.startswith("--")]


def test_everything_that_is_copied_is_there_and_is_sent_to_the_builder() -> None:
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    allowed = [line[1:] for line in ignored if line.startswith("!")]

    assert "*" in ignored
    for source in _sources():
        assert (ROOT / source).exists(), source
        assert any(fnmatch.fnmatch(source, pattern) for pattern in allowed), source


def test_every_package_of_the_distribution_is_copied() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    listed = re.search(r"^packages = \[(.*)\]$", project, re.MULTILINE)
    assert listed is not None

    assert set(re.findall(r'"(\w+)"', listed[1])) <= set(_sources())
