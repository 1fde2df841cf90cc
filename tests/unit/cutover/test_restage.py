"""A rollback changes one stage in the text, and not another byte."""

from __future__ import annotations

import pytest

from cutover.core.stages import Position
from cutover.storage.restage import advance, restage
from proxy.routing import Stage
from proxy.storage.tables import parse_routing

TOP = """\
apiVersion: banyan/v1   # kept: stage: canary
stores: {legacy: {url: "http://a"}, core: {url: "http://b"}}
shopper: ["cookie:s"]
domains:
"""
OTHER = """\
  other: {owner: o, stage: canary, core_share: 3%, routes: [{path: /o}]}   # untouched
"""


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        pytest.param(
            "  cat:\n    owner: o\n    stage: canary   # why\n    core_share: 10%  # of shoppers\n"
            "    routes: [{path: /c}]\n",
            "  cat:\n    owner: o\n    stage: shadow   # why\n    routes: [{path: /c}]\n",
            id="block style",
        ),
        pytest.param(
            "  cat: {owner: o, stage: canary, core_share: 10%, routes: [{path: /c}]}\n",
            "  cat: {owner: o, stage: shadow, routes: [{path: /c}]}\n",
            id="flow style",
        ),
        pytest.param(
            '  cat: {routes: [{path: /c}], owner: o, "stage": "canary", core_share: 10%}\n',
            '  cat: {routes: [{path: /c}], owner: o, "stage": shadow, }\n',
            id="flow style, share last",
        ),
        pytest.param(
            "  cat:\n    core_share: 10%\n    routes: [{path: /c}]\n    owner: é\u00a0ü\n"
            "    stage: canary",
            "  cat:\n    routes: [{path: /c}]\n    owner: é\u00a0ü\n    stage: shadow",
            id="stage last, no newline, no ASCII",
        ),
        pytest.param(
            "  cat:\r\n    owner: o\r\n    stage: canary\r\n    core_share: 10%\r\n"
            "    routes: [{path: /c}]\r\n",
            "  cat:\r\n    owner: o\r\n    stage: shadow\r\n    routes: [{path: /c}]\r\n",
            id="lines that end as on Windows",
        ),
    ],
)
@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_only_the_stage_and_the_share_change(written: str, expected: str, bom: str) -> None:
    before, after = (bom + TOP + OTHER + text for text in (written, expected))

    assert restage(before.encode(), "cat", Stage.SHADOW).decode() == after


def test_a_comment_in_an_odd_place_does_not_stop_a_rollback() -> None:
    odd = "  cat: {core_share: 10% # of all\n    , owner: o, stage: canary, routes: [{path: /c}]}\n"

    changed = restage((TOP + OTHER + odd).encode(), "cat", Stage.SHADOW)

    table = parse_routing(changed, "t")
    assert table.domain("cat").stage is Stage.SHADOW
    assert table.domain("other") == parse_routing((TOP + OTHER).encode(), "t").domain("other")


@pytest.mark.parametrize(
    "entry",
    [
        "  catalog:\n    owner: shop\n    stage: shadow # soon\n    routes: [{path: /c}]\n",
        "  catalog: {owner: shop, stage: shadow, routes: [{path: /c}]}\n",
        "  catalog: {owner: shop, routes: [{path: /c}], stage: 'shadow'}\n",
    ],
)
def test_a_step_into_canary_brings_its_share_in_every_form_of_the_file(entry: str) -> None:
    head = (
        'apiVersion: banyan/v1\nstores: {legacy: {url: "http://a"}, core: {url: "http://b"}}\n'
        'shopper: ["cookie:s"]\ndomains:\n'
    )

    text = advance((head + entry).encode(), "catalog", Position(Stage.CANARY, 550))

    found = parse_routing(text, "t").domain("catalog")
    assert (found.stage, found.core_share_bp) == (Stage.CANARY, 550)
    assert len(text.splitlines()) <= len((head + entry).splitlines()) + 1


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        pytest.param(
            "  cat:\n    owner: o\n    stage: core\n    writes_to: legacy  # for now\n"
            "    routes: [{path: /c}]\n",
            "  cat:\n    owner: o\n    stage: core\n    routes: [{path: /c}]\n",
            id="block style",
        ),
        pytest.param(
            "  cat: {owner: o, stage: canary, core_share: 1%, writes_to: legacy,"
            " routes: [{path: /c}]}\n",
            "  cat: {owner: o, stage: core, routes: [{path: /c}]}\n",
            id="flow style",
        ),
    ],
)
def test_a_flip_frees_the_writes_and_a_step_leaves_them(written: str, expected: str) -> None:
    content = (TOP + OTHER + written).encode()

    freed = restage(content, "cat", Stage.CORE, frees_writes=True).decode()

    assert freed == TOP + OTHER + expected
    kept = restage(content, "cat", Stage.CORE)
    assert parse_routing(kept, "routing.yaml").domain("cat").writes_stay
