"""What the documents say exists, and what exists is documented."""

from __future__ import annotations

import inspect
import re
import shlex
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from cutover.cli.tree import COMMANDS, GROUPS
from proxy.edge.collector import _COUNTERS, _GAUGES
from proxy.settings import ProxySettings
from proxy.storage.tables import load_routing

ROOT = Path(__file__).parents[3]
REFERENCE = ROOT / "docs" / "reference"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
ALL_REFERENCE = "\n".join(page.read_text(encoding="utf-8") for page in REFERENCE.glob("*.md"))
COMMAND_NAMES = {*COMMANDS, *GROUPS}
NO_METRICS = {"banyan_writing"}


def yaml_blocks(page: Path) -> list[str]:
    return re.findall(
        r"^```yaml\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )


def shell_lines(page: Path) -> list[str]:
    blocks = re.findall(
        r"^```sh\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    return [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    local = [link for link in links if "://" not in link and not link.startswith("mailto:")]

    broken = [link for link in local if not (page.parent / link).exists()]

    assert broken == []


def anchors(page: Path) -> set[str]:
    """What a link may say behind its #: one anchor for each heading, as GitHub makes them."""
    text = re.sub(
        r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE
    )
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_heading_finds_it(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s:]*)#([^)\s]+)\)", page.read_text(encoding="utf-8"))

    lost = [
        (file, anchor)
        for file, anchor in links
        if anchor not in anchors((page.parent / file) if file else page)
    ]

    assert lost == []


def test_the_index_lists_every_page_and_every_decision() -> None:
    index = ROOT / "docs" / "README.md"
    linked = set(re.findall(r"\]\(([^)#\s]+)", index.read_text(encoding="utf-8")))

    pages = {str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md")}

    assert pages - {"README.md"} <= linked


@pytest.mark.parametrize(
    "page",
    [ROOT / "README.md", ROOT / "docs" / "tutorial.md", REFERENCE / "routing.md"],
    ids=lambda page: page.name,
)
def test_a_routing_example_loads(page: Path, tmp_path: Path) -> None:
    whole = [block for block in yaml_blocks(page) if block.startswith("apiVersion:")]
    example = tmp_path / "routing.yaml"
    assert whole

    for block in whole:
        example.write_text(block, encoding="utf-8")
        assert load_routing(example).domains


def has_commands(page: Path) -> bool:
    return any(line.startswith("banyan ") for line in shell_lines(page))


@pytest.mark.parametrize(
    "page", [page for page in PAGES if has_commands(page)], ids=lambda page: page.name
)
def test_every_command_of_an_example_exists_with_its_options(page: Path) -> None:
    lines = [shlex.split(line, comments=True) for line in shell_lines(page)]
    ours = [words for words in lines if words[:1] == ["banyan"]]
    assert ours

    for words in ours:
        group = GROUPS.get(words[1])
        address = _address(words, group[1] if group else None)
        module, _, name = address.partition(":")
        known = inspect.getsource(getattr(import_module(module), name))
        known += inspect.getsource(import_module(module))
        parameters = inspect.signature(getattr(import_module(module), name)).parameters
        options = {word for word in words if word.startswith("--")}
        for option in options:
            spelled = option.removeprefix("--").replace("-", "_")
            assert spelled in parameters or f'"{option}"' in known, f"{' '.join(words)}: {option}"


def _address(words: list[str], group: Mapping[str, str] | None) -> str:
    if group is None:
        return COMMANDS[words[1]]
    inner = words[2] if len(words) > 2 else ""
    return group[inner] if inner in group or "list" not in group else group["list"]


def test_every_command_stands_in_the_reference() -> None:
    inner = {f"{group} {name}" for group, (_, names) in GROUPS.items() for name in names}

    missing = {
        name for name in {*COMMANDS, *inner} if not re.search(rf"banyan {name}\b", ALL_REFERENCE)
    }

    assert missing == set()


def test_every_setting_stands_in_the_reference() -> None:
    names: set[str] = set()
    for package in ("proxy", "new_core", "legacy_adapters", "shadow_compare"):
        settings = import_module(f"{package}.settings")
        for kind in vars(settings).values():
            if (
                inspect.isclass(kind)
                and issubclass(kind, BaseSettings)
                and kind is not BaseSettings
            ):
                names |= _variables(kind)
    names |= set(
        re.findall(r'"(BANYAN_[A-Z_]+)"', (ROOT / "cutover" / "settings.py").read_text("utf-8"))
    )

    missing = {name for name in names if name not in ALL_REFERENCE}

    assert len(names) > 20
    assert missing == set()


def _variables(kind: type[BaseSettings]) -> set[str]:
    prefix = kind.model_config.get("env_prefix", "")
    found = set()
    for name, field in kind.model_fields.items():
        alias = field.validation_alias
        choices = getattr(alias, "choices", None) or ([alias] if isinstance(alias, str) else [])
        named = [str(choice) for choice in choices if str(choice).startswith("BANYAN_")]
        found.add(named[0] if named else f"{prefix}{name}".upper())
    return found


def documented_metrics() -> dict[str, set[str]]:
    """Name to labels, of tables with the columns metric, type, labels, meaning."""
    rows = re.findall(r"^\| `(banyan_\w+)` \| \w+ \| ?([^|]*?) ?\|", ALL_REFERENCE, re.MULTILINE)
    return {name: set(filter(None, labels.split(", "))) for name, labels in rows}


def test_every_metric_of_the_proxy_is_documented_with_its_labels() -> None:
    counters = {f"{name}_total": labels for name, _, labels in _COUNTERS.values()}
    gauges = {name: labels for name, _, labels in _GAUGES.values()}
    declared = {name: set(labels) for name, labels in (counters | gauges).items()}

    documented = documented_metrics()

    assert len(declared) > 20
    assert {name: documented.get(name) for name in declared} == declared


def test_every_metric_in_the_code_stands_in_the_reference_and_the_other_way_round() -> None:
    source = "\n".join(
        path.read_text(encoding="utf-8")
        for package in ("proxy", "shadow_compare", "new_core", "cutover", "legacy_adapters")
        for path in (ROOT / package).rglob("*.py")
    )
    declared = set(re.findall(r'^[^"\n]*"(banyan_[a-z_]+)",?', source, re.MULTILINE)) - NO_METRICS

    assert {name for name in declared if name not in ALL_REFERENCE} == set()
    assert {
        name for name in documented_metrics() if not declared & {name, re.sub(r"_total$", "", name)}
    } == set()


def test_the_defaults_of_the_proxys_settings_are_those_of_the_code() -> None:
    page = (REFERENCE / "proxy.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| `BANYAN_PROXY_(\w+)` \| `?([^|`]*)`? \|", page, re.MULTILINE))
    fields = {name.upper(): field.default for name, field in ProxySettings.model_fields.items()}
    plain = {name: value for name, value in fields.items() if isinstance(value, int | float)}

    assert told.keys() == fields.keys() - {"VAR", "REDACTION_KEY", "SEALING_KEY", "LOG_LEVEL"}
    assert {name: float(told[name]) for name in plain} == plain


def test_every_metric_that_rules_and_pages_name_is_documented() -> None:
    rules = "\n".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "deploy").rglob("*.y*ml")
    )
    named = set(re.findall(r"\bbanyan_[a-z_]+(?:_total|_seconds|_info|_failed)\b", rules))

    missing = {name for name in named if name not in ALL_REFERENCE}

    assert named
    assert missing == set()


def test_decisions_are_numbered_without_gaps_and_titled() -> None:
    pages = sorted((ROOT / "docs" / "adr").glob("*.md"))

    numbers = [int(page.name[:4]) for page in pages]

    assert numbers == list(range(1, len(pages) + 1))
    for page in pages:
        assert page.read_text(encoding="utf-8").startswith(f"# {page.name[:4]}. ")


def test_a_decision_that_changes_another_is_named_there() -> None:
    pages = {page.name: page.read_text(encoding="utf-8") for page in (ROOT / "docs/adr").glob("*")}
    changes = [
        (name, other)
        for name, text in pages.items()
        for other in re.findall(r"^(?:Supersedes|Changes) \[\d{4}\]\(([^)]+)\)", text, re.MULTILINE)
    ]

    assert len(changes) >= 2
    for name, other in changes:
        assert re.search(
            rf"^(Superseded|Changed) by \[\d{{4}}\]\({name}\)", pages[other], re.MULTILINE
        )
