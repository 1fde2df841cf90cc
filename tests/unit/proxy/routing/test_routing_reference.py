"""The reference of routing.yaml: its examples load, and no key is missing."""

from __future__ import annotations

import re
from pathlib import Path

from proxy.storage.tables import parse_routing

ROOT = Path(__file__).parents[4]
PAGE = (ROOT / "docs" / "reference" / "routing.md").read_text("utf-8")


def test_the_examples_load() -> None:
    blocks = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)

    assert len(blocks) == 5
    for block in blocks:
        assert parse_routing(block.encode(), "routing.md").domains


def test_every_key_that_the_parser_reads_is_described() -> None:
    sources = "\n".join(
        path.read_text("utf-8") for path in (ROOT / "proxy" / "routing").glob("parse*.py")
    )
    read = set(re.findall(r'in fields|fields\["(\w+)"\]|fields\.get\("(\w+)"\)', sources))
    keys = {name for pair in read for name in pair if name}
    listed = re.findall(r'\(((?:\s*"\w+",?)+)\s*\)', sources)
    keys |= {name for text in listed for name in re.findall(r'"(\w+)"', text)}
    words = set(re.findall(r"\w+", PAGE))

    assert len(keys) > 50
    assert keys - words == set()
