"""How far a rule goes: what its terms mean, and each mistake's one line."""

from __future__ import annotations

from decimal import Decimal

import pytest

from proxy.errors import RoutingFileError
from proxy.routing import CompareRule
from proxy.routing.terms import Ignore, Minor, Same
from proxy.storage.tables import parse_routing

FILE = """\
apiVersion: banyan/v1
stores:
  legacy: {url: "http://127.0.0.1:8083"}
  core: {url: "http://127.0.0.1:8082"}
domains:
  catalog:
    owner: merchandising
    stage: shadow
    routes: [{path: /p/}]
    compare:
      cookies: [sid]
      rules:
        - path: $.a
          owner: o
          reason: r
          expires: 2027-06-30
"""


def read(*lines: str) -> CompareRule:
    """The one rule of a file, with these lines more."""
    text = FILE + "".join(f"          {line}\n" for line in lines)
    table = parse_routing(text.encode(), "routing.yaml")
    (rule,) = table.domain("catalog").compare.rules
    return rule


def test_terms_are_read() -> None:
    assert read("accept: keyed", "by: id").terms.by == ("id",)
    assert read("accept: keyed", "by: [sku, size]").terms.by == ("sku", "size")
    assert read("accept: timestamp", "within: 5s").terms.within == Decimal(5)
    assert read("accept: timestamp").terms.within is None
    assert read("accept: number", "within: 0.01").terms.within == Decimal("0.01")
    assert read("accept: money", "minor: core", "digits: 3").terms.minor is Minor.CORE
    assert read("accept: date", "same: day", 'formats: "%d.%m.%Y"').terms.same is Same.DAY
    assert read("accept: url", "hosts: any").terms.hosts == ("any",)
    assert read("accept: url", "hosts: [B.example, a.example:8443]").terms.hosts == (
        "a.example:8443",
        "b.example",
    )
    assert read("accept: text", "ignore: [case, space]").terms.ignore == (
        Ignore.CASE,
        Ignore.SPACE,
    )


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["accept: keyed"], '"by" is missing.'),
        (["accept: url"], '"hosts" is missing.'),
        (["accept: number"], '"within" is missing.'),
        (["accept: text"], '"ignore" is missing.'),
        (["accept: uuid", "within: 5s"], "A rule of kind uuid has no such key."),
        (["accept: keyed", "by: []"], "An empty list says nothing."),
        (["accept: timestamp", "within: soon"], "compare.rules[0].within"),
        (["accept: timestamp", "within: 60d"], "compare.rules[0].within"),
        (["accept: number", "within: -1"], "is no such number."),
        (["accept: number", "within: 1e3"], "is no such number."),
        (["accept: money", "minor: both sides"], "compare.rules[0].minor"),
        (["accept: money", "digits: 9"], "compare.rules[0].digits"),
        (["accept: date", "same: week"], "compare.rules[0].same"),
        (["accept: date", 'formats: "%H:%M"'], "is no form of a date."),
        (["accept: date", 'formats: "%d.%m.%y %"'], "is no form of a date."),
        (["accept: url", "hosts: [shop.example]"], "One host alone stands for no other."),
        (["accept: url", "hosts: [a.example, 'http://b']"], "is no host."),
        (["accept: url", "hosts: []"], "An empty list says nothing."),
        (["accept: text", "ignore: accents"], "compare.rules[0].ignore"),
        (["accept: text", "ignore: []"], "An empty list overlooks nothing."),
    ],
)
def test_a_mistake_in_a_term_is_told_with_its_place(lines: list[str], told: str) -> None:
    with pytest.raises(RoutingFileError) as refused:
        read(*lines)

    (problem,) = str(refused.value).splitlines()
    assert problem.startswith("routing.yaml:1")
    assert "domains.catalog.compare.rules[0]" in problem
    assert told in problem


def test_a_cookies_value_is_compared_only_where_the_cookie_is() -> None:
    text = FILE.replace("cookies: [sid]", "cookies: [sid]\n      cookie_values: [other]")
    with pytest.raises(RoutingFileError, match="is not among the compared cookies"):
        parse_routing(f"{text}          accept: any\n".encode(), "routing.yaml")
