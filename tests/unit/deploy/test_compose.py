"""The compose file is one that Compose takes, and names only what exists."""

from __future__ import annotations

import importlib
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import compose_spec
import pytest
import yaml
from pydantic import AliasChoices
from pydantic_settings import BaseSettings

from proxy.core.hold import HoldLimits
from proxy.core.limits import Timeouts
from proxy.edge import supervisor
from tests.unit.deploy.compose_file import DEPLOY, PASSWORD, ROOT, compose, filled, services

HOUSE = ("init", "proxy", "comparer", "core", "room", "banyan", "backfill")
SETTINGS = ("proxy", "shadow_compare", "new_core", "cutover", "legacy_adapters")


def test_the_file_follows_the_compose_specification() -> None:
    parsed = compose_spec.PyCompose.from_yaml(yaml.safe_dump(compose()))

    parsed.validate()
    others = {"legacy", "shoppers", "postgres", "nats", "prometheus", "alertmanager", "grafana"}
    assert set(parsed.service_names()) == {*HOUSE, *others}


def _docker_compose() -> str | None:
    """The docker command, when it has Compose. The test above needs neither."""
    docker = shutil.which("docker")
    if docker is None:
        return None
    asked = subprocess.run([docker, "compose", "version"], capture_output=True, check=False)
    return docker if asked.returncode == 0 else None


if DOCKER := _docker_compose():

    def test_docker_compose_itself_takes_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(*next(iter(PASSWORD.items())))

        done = subprocess.run(
            [str(DOCKER), "compose", "-f", str(DEPLOY / "compose.yaml"), "config", "--quiet"],
            capture_output=True,
            text=True,
            check=False,
        )

        assert (done.returncode, done.stderr) == (0, "")


def test_without_a_database_password_nothing_starts() -> None:
    with pytest.raises(KeyError, match="POSTGRES_PASSWORD"):
        compose({})


def test_the_example_of_the_variables_sets_all_that_are_used() -> None:
    example = (DEPLOY / ".env.example").read_text()
    wanted = set(re.findall(r"\$\{(\w+)", (DEPLOY / "compose.yaml").read_text()))

    given = dict(re.findall(r"^(\w+)=(\w+)$", example, re.MULTILINE))

    assert given.keys() == wanted
    assert "@postgres" in filled("${POSTGRES_PASSWORD}@postgres", given)


@pytest.mark.parametrize("name", HOUSE)
def test_every_command_and_option_of_the_house_exists(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    command, *options = _banyan_command(name)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")

    helped = subprocess.run(
        [sys.executable, "-m", "cutover", command, "--help"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert helped.returncode == 0, helped.stderr
    for option in options:
        assert re.search(rf"(^|\s){option.partition('=')[0]}\b", helped.stdout), option


def _banyan_command(name: str) -> list[str]:
    """What follows the word "banyan"."""
    service = services()[name]
    if "entrypoint" not in service:
        return list(service["command"])
    (line,) = service["command"]
    words = shlex.split(line)
    after = words[words.index("banyan") + 1 :]
    return [word for word in after if word.startswith("--") or word == after[0]]


def test_every_option_of_the_shoppers_exists() -> None:
    helped = subprocess.run(
        [sys.executable, "-m", "loadtests.run", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )

    for option in services()["shoppers"]["command"]:
        assert f"{option.partition('=')[0]} " in helped.stdout


def _known_variables() -> set[str]:
    """All BANYAN_* variables that some settings module reads."""
    known: set[str] = set()
    for package in SETTINGS:
        path = ROOT / package / "settings.py"
        known |= set(re.findall(r"\bBANYAN_[A-Z_]+\b", path.read_text(encoding="utf-8")))
        for value in vars(importlib.import_module(f"{package}.settings")).values():
            if isinstance(value, type) and issubclass(value, BaseSettings):
                known |= _variables_of(value)
    return known


def _variables_of(settings: type[BaseSettings]) -> set[str]:
    prefix = settings.model_config.get("env_prefix", "")
    names: set[str] = set()
    for field, info in settings.model_fields.items():
        alias = info.validation_alias
        if isinstance(alias, AliasChoices):
            names |= {str(choice) for choice in alias.choices}
        else:
            names.add(f"{prefix}{field}".upper())
    return names


def test_every_variable_of_the_house_is_one_that_a_settings_module_reads() -> None:
    named = {
        variable
        for service in services().values()
        for variable in service.get("environment") or {}
        if variable.startswith("BANYAN_")
    }
    named |= set(re.findall(r"\bBANYAN_[A-Z_]+\b", (DEPLOY / "Dockerfile").read_text()))

    assert named
    assert named <= _known_variables()


@pytest.mark.parametrize("name", ["proxy", "comparer", "core", "room", "legacy"])
def test_services_of_the_house_run_without_rights_and_are_probed(name: str) -> None:
    service = services()[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["healthcheck"]["test"][:2] == ["CMD", "healthcheck"]


def test_the_proxy_has_the_time_that_its_drain_may_take() -> None:
    longest_s = Timeouts().drain_s + supervisor._ENDING_S + HoldLimits().longest_s

    assert int(services()["proxy"]["stop_grace_period"].removesuffix("s")) > longest_s


def test_only_the_shop_is_reachable_from_other_machines() -> None:
    published = {
        name: port for name, service in services().items() for port in service.get("ports", [])
    }

    assert published.pop("proxy") == "8080:8080"
    assert all(port.startswith("127.0.0.1:") for port in published.values())


def test_the_proxy_needs_nobody_but_the_legacy_store() -> None:
    """The first table needs no database either."""
    assert set(services()["proxy"]["depends_on"]) == {"init", "legacy"}
    assert "depends_on" not in services()["init"]


def test_the_proxy_and_the_comparer_share_the_spool_and_the_table() -> None:
    proxy, comparer = services()["proxy"], services()["comparer"]

    def shared(service: dict[str, Any]) -> set[str]:
        options = {one for one in service["command"] if one.startswith(("--spool", "--config"))}
        return options | set(service["volumes"])

    assert shared(proxy) == shared(comparer)


def test_every_bind_mount_and_build_file_is_there() -> None:
    for name, service in services().items():
        sources = [volume.split(":")[0] for volume in service.get("volumes", [])]
        for source in sources:
            if source.startswith("."):
                assert (DEPLOY / source).exists(), (name, source)
        if "build" in service:
            build = service["build"]
            assert (DEPLOY / build["context"]).resolve() == ROOT
            assert (ROOT / build["dockerfile"]).is_file()


def test_the_routing_table_differs_from_the_repositorys_own_by_addresses_only() -> None:
    ours = yaml.safe_load((ROOT / "routing.yaml").read_text())
    deployed = yaml.safe_load((DEPLOY / "routing" / "routing.yaml").read_text())

    assert {name: store["url"] for name, store in deployed.pop("stores").items()} == {
        "legacy": "http://legacy:8083",
        "core": "http://core:8082/facade/oscar",
    }
    del ours["stores"]
    assert deployed == ours


def test_every_scraped_target_is_a_service() -> None:
    path: Path = DEPLOY / "prometheus" / "prometheus.yml"
    jobs = yaml.safe_load(path.read_text())["scrape_configs"]
    targets = [t for job in jobs for static in job["static_configs"] for t in static["targets"]]

    hosts = {target.partition(":")[0] for target in targets} - {"127.0.0.1", "alertmanager"}

    assert hosts == {"proxy", "comparer", "core", "room"}
    assert hosts <= services().keys()
    for host in hosts:
        port = next(target for target in targets if target.startswith(host)).partition(":")[2]
        assert any(f":{port}" in option for option in services()[host]["command"]), host
