"""A shop's folder with a routing file, and the commands in it, without a proxy."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from cutover.service.books import Books
from shadow_compare.core.evidence import DomainEvidence
from tests.fakes.cutover import Opening, books_in
from tests.fakes.evidence import FakeEvidence, some_evidence, some_parity
from tests.support.commands import Ended, run_banyan

_HEAD = """\
apiVersion: banyan/v1
stores: {legacy: {url: "http://a"}, core: {url: "http://b"}}
shopper: ["cookie:s"]
domains:
"""
_DOMAIN = """\
  NAME:
    owner: shop
    stage: STAGE
    routes: [{path: /NAME}]
    gates: {parity: {min: 99%, samples: 300}}
"""


def table(**stages: str) -> str:
    """A routing file: domain to its stage, "canary 10%" with its share."""
    text = _HEAD if stages else _HEAD.replace("domains:", "domains: {}")
    for name, stage in stages.items():
        at, _, share = stage.partition(" ")
        told = f"{at}\n    core_share: {share}" if share else at
        text += _DOMAIN.replace("NAME", name).replace("STAGE", told)
    return text


def seen(domain: str, matched: int, mismatched: int = 0) -> DomainEvidence:
    """Evidence of so many comparisons."""
    parity = some_parity(matched, mismatched=mismatched, lower_ppm=0)
    return some_evidence(domain, parity, heartbeat_s=1.0)


@dataclass(slots=True)
class Shop:
    """The folder, and the evidence that gates read."""

    folder: Path
    evidence: FakeEvidence = field(default_factory=FakeEvidence)

    @property
    def var(self) -> Path:
        return self.folder / "var"

    @property
    def books(self) -> Books:
        return books_in(self.var)

    def revision_file(self, n: int) -> Path:
        return self.var / "revisions" / f"{n:06}.json"

    def write(self, text: str) -> None:
        (self.folder / "routing.yaml").write_text(text)

    def run(self, *words: object, ends_with: int = 0) -> Ended:
        ended = run_banyan(*words)
        assert ended.code == ends_with, ended
        return ended

    def json(self, *words: object, ends_with: int = 0) -> Any:
        return json.loads(self.run(*words, "--json", ends_with=ends_with).out)

    def apply(self, *, why: str = "", **stages: str) -> None:
        self.write(table(**stages))
        self.run("apply", "--yes", "--reason", why)

    @property
    def in_force(self) -> str:
        return (self.var / "applied.yaml").read_text()


def opened_shop(folder: Path) -> Iterator[Shop]:
    """A shop to run commands in; what they read from outside is set for as long."""
    found = Shop(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("BANYAN_VAR", "var")
        patch.setenv("BANYAN_ACTOR", "night shift")
        patch.setenv("BANYAN_SIDE_DOOR", "nowhere://")  # no proxy, known at once
        patch.delenv("BANYAN_LEGACY_DATABASE", raising=False)
        patch.setattr("cutover.app.evidence", lambda _: Opening(found.evidence).how())
        yield found
