"""A routing file: every key read, and every mistake named with its line and its fix."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proxy.errors import Problem, RoutingFileError
from proxy.routing import (
    Accept,
    CompareRule,
    KeyKind,
    ParityGate,
    Pilot,
    RoutingTable,
    ShadowPolicy,
    ShopperKey,
    Side,
    Stage,
    decide,
)
from proxy.storage.tables import parse_routing
from tests.support.routing_tables import head

TOP = """\
apiVersion: banyan/v1
stores:
  legacy: {url: "http://127.0.0.1:8083", adapter: oscar, release: 4.20}
  core: {url: "http://core:8082/facade/oscar/"}
shopper: ["header:X-Customer-Id", "cookie:sessionid"]
domains:
"""
CATALOG = """\
  catalog:
    owner: merchandising
    stage: canary
    core_share: 10%
    pilots: [{header: {X-Banyan-Pilot: internal}}]
    routes:
      - {path: "/api/products/", methods: [POST, GET]}
      - {path: "/api/products/{id}/"}
    shadow: {sample: 50%, noise: 0.5%, writes: never}
    compare:
      headers: [Content-Type]
      rules:
        - path: "$.date_updated"
          accept: any
          owner: merchandising
          reason: the core stamps its own time
          expires: 2027-06-30
          routes: ["/api/products/{id}/"]
    gates: {parity: {min: 99.95%, confidence: 95%, samples: 3000, loss: 0.5%}}
"""
FILE = TOP + CATALOG
ROOT = Path(__file__).parents[4]


def load(text: str) -> RoutingTable:
    return parse_routing(text.encode(), "routing.yaml")


def problems_of(content: str | bytes) -> tuple[Problem, ...]:
    raw = content if isinstance(content, bytes) else content.encode()
    with pytest.raises(RoutingFileError) as caught:
        parse_routing(raw, "routing.yaml")
    return caught.value.problems


def test_every_key_of_the_file_is_read() -> None:
    found = load(FILE)

    catalog = found.domain("catalog")
    assert found.stores[Side.LEGACY].release == "4.20"
    assert found.stores[Side.CORE].url == "http://core:8082/facade/oscar"
    assert found.shopper == (
        ShopperKey(KeyKind.HEADER, "x-customer-id"),
        ShopperKey(KeyKind.COOKIE, "sessionid"),
    )
    assert (catalog.owner, catalog.stage, catalog.core_share_bp) == (
        "merchandising",
        Stage.CANARY,
        1_000,
    )
    assert catalog.pilots == (Pilot((("x-banyan-pilot", "internal"),)),)
    assert [route.name for route in catalog.routes] == [
        "GET,POST /api/products/",
        "GET /api/products/{id}/",
    ]
    assert catalog.shadow == ShadowPolicy(5_000, 50)
    assert catalog.compare.headers == ("content-type",)
    assert catalog.compare.rules == (
        CompareRule(
            "$.date_updated",
            Accept.ANY,
            "merchandising",
            "the core stamps its own time",
            date(2027, 6, 30),
            ("/api/products/{id}/",),
        ),
    )
    assert catalog.parity_gate == ParityGate(999_500, 9_500, 3_000, 5_000)
    assert not catalog.ungated


def test_what_is_left_out_has_a_default() -> None:
    text = TOP + "  a: {owner: me, stage: legacy, routes: [{path: /a}]}\n"

    domain = load(text).domain("a")

    assert domain.shadow == ShadowPolicy(10_000, 0)
    assert domain.parity_gate is None
    assert not domain.ungated
    assert domain.routes[0].methods == ("GET",)


def test_gates_written_empty_are_told_from_gates_left_out() -> None:
    text = TOP + "  a: {owner: me, stage: legacy, routes: [{path: /a}], gates: {}}\n"

    assert load(text).domain("a").ungated


def test_the_revision_is_of_the_bytes() -> None:
    assert load(FILE).revision == load(FILE).revision
    assert load(FILE).revision != load(FILE + "# a comment\n").revision
    assert len(load(FILE).revision) == 12


def test_the_example_at_the_root_loads_and_leaves_everything_with_legacy() -> None:
    found = parse_routing((ROOT / "routing.yaml").read_bytes(), "routing.yaml")

    assert {domain.name for domain in found.domains} == {
        "catalog",
        "price",
        "stock",
        "categories",
        "cart",
        "checkout",
    }
    assert {domain.stage for domain in found.domains} == {Stage.LEGACY}
    for method, path, owner in (
        ("GET", "/api/products/7/", "catalog"),
        ("GET", "/api/products/7/price/", "price"),
        ("GET", "/api/products/7/stockrecords/9/", "stock"),
        ("GET", "/api/categories/1/", "categories"),
        ("POST", "/api/basket/add-product/", "cart"),
        ("POST", "/api/checkout/", "checkout"),
    ):
        assert decide(head(path, method=method), found).domain == owner


@pytest.mark.parametrize(
    ("old", "new", "line", "key", "what", "fix"),
    [
        ("banyan/v1", "banyan/v9", 1, "apiVersion", "not known", "banyan/v1"),
        ("  core: {", "  cor: {", 4, "stores.cor", "Unknown store", '"core"'),
        ("http://core", "ftp://core", 4, "stores.core.url", "no address", "http://host"),
        ("core:8082", "core:99999", 4, "stores.core.url", "no address", "http://host"),
        ("core:8082", "me:pw@core", 4, "stores.core.url", "no address", "http://host"),
        ("cookie:sess", "cooky:sess", 5, "shopper[1]", "no shopper key", "cookie:name"),
        ("header:X-Cu", "header:X Cu", 5, "shopper[0]", "no name", "name"),
        ("cookie:sessionid", "header:x-customer-id", 5, "shopper[1]", "twice", "one"),
        ("  catalog:", "  Catalog:", 7, "domains.Catalog", "no name", "a letter first"),
        ("    owner: merchandising\n", "", 7, "domains.catalog.owner", "missing", "team"),
        ("owner: merch", "owners: merch", 8, "domains.catalog.owners", "Unknown", '"owner"'),
        ("    stage: canary\n", "", 7, "domains.catalog.stage", "missing", "legacy"),
        ("stage: canary", "stage: canry", 9, "domains.catalog.stage", "none of", '"canary"'),
        ("stage: canary", "stage:", 9, "domains.catalog.stage", "expected", "Write"),
        ("stage: canary", "stage: core", 10, "domains.catalog.core_share", "core", "Remove"),
        ("    core_share: 10%\n", "", 7, "domains.catalog.core_share", "missing", "1%"),
        ("share: 10%", "share: 10", 10, "domains.catalog.core_share", "no percent", "10%."),
        ("share: 10%", "share: 101%", 10, "domains.catalog.core_share", "more than", "100%"),
        ("share: 10%", "share: -1%", 10, "domains.catalog.core_share", "no percent", "12.5%"),
        ("share: 10%", "share: 0.001%", 10, "domains.catalog.core_share", "finer", "2"),
        ("share: 10%", "share: [10%]", 10, "domains.catalog.core_share", "Text", "Write"),
        ("{header: {X-B", "{headr: {X-B", 11, "domains.catalog.pilots[0].headr", "Un", '"header"'),
        (
            "{header: {X-Banyan-Pilot: internal}}",
            "{header: {}}",
            11,
            "domains.catalog.pilots[0].header",
            "needs a header",
            "X-Pilot",
        ),
        ("POST, GET", "post, GET", 13, "domains.catalog.routes[0].methods[0]", "no met", "POST"),
        ("[POST, GET]", "[]", 13, "domains.catalog.routes[0].methods", "takes nothing", "GET"),
        ("[POST, GET]", "GET", 13, "domains.catalog.routes[0].methods", "list", "dash"),
        ('/api/products/"', 'api/"', 13, "domains.catalog.routes[0].path", "slash", '"/api/"'),
        ("sample: 50%", "sample: half", 15, "domains.catalog.shadow.sample", "no perc", "12.5%"),
        ("writes: never", "writes: often", 15, "domains.catalog.shadow.writes", "none", "never"),
        ("$.date_updated", "$.a[0]", 19, "domains.catalog.compare.rules[0].path", "[0]", "$"),
        ("accept: any", "accept: all", 20, "domains.catalog.compare.rules[0].accept", "n", "any"),
        ("2027-06-30", "2027-06-31", 23, "domains.catalog.compare.rules[0].expires", "no", "20"),
        ("2027-06-30", "20270630", 23, "domains.catalog.compare.rules[0].expires", "no", "20"),
        (
            'routes: ["/api/products/{id}/"]',
            'routes: ["/api/products/{ID}/"]',
            24,
            "domains.catalog.compare.rules[0].routes[0]",
            "no route",
            "{id}",
        ),
        ("99.95%", "100%", 25, "domains.catalog.gates.parity.min", "No number", "99.99%"),
        ("99.95%", "99.95", 25, "domains.catalog.gates.parity.min", "no percentage", "12.5%"),
        ("95%, s", "40%, s", 25, "domains.catalog.gates.parity.confidence", "between", "95%"),
        ("samples: 3000", "samples: 0", 25, "domains.catalog.gates.parity.samples", "no", "from"),
        ("samples: 3000", "samples: 3e3", 25, "domains.catalog.gates.parity.samples", "no", "fr"),
        (", samples: 3000", "", 25, "domains.catalog.gates.parity.samples", "missing", "3000"),
        ("parity: {min", "parety: {min", 25, "domains.catalog.gates.parety", "Unkn", '"parity"'),
    ],
)
def test_a_mistake_is_named_with_line_key_and_fix(
    old: str, new: str, line: int, key: str, what: str, fix: str
) -> None:
    assert FILE.count(old) >= 1

    problems = problems_of(FILE.replace(old, new, 1))

    found = [p for p in problems if p.key == key and p.line == line]
    assert found, problems
    assert what in found[0].what
    assert fix in found[0].fix
    assert str(found[0]).startswith(f"routing.yaml:{line}: {key}: ")


@pytest.mark.parametrize("key", ["owner", "reason", "expires", "accept", "path"])
def test_a_rule_without_one_of_its_keys_is_no_rule(key: str) -> None:
    lines = FILE.splitlines(keepends=True)
    # The rule's own keys stand in lines 19 to 24 of the file.
    mended = [
        line.replace(f"{key}: ", f"x{key}: ") if 18 <= at < 23 else line
        for at, line in enumerate(lines)
    ]

    problems = problems_of("".join(mended))

    missing = [p for p in problems if p.key == f"domains.catalog.compare.rules[0].{key}"]
    assert [p.what for p in missing] == [f'"{key}" is missing.']


def test_a_key_that_stands_twice_names_both_places() -> None:
    (problem,) = problems_of(FILE.replace("    stage: canary\n", "    stage: canary\n" * 2))

    assert (problem.line, problem.key) == (10, "domains.catalog.stage")
    assert "line 9" in problem.what


def test_routes_that_overlap_name_both_places_across_domains() -> None:
    rival = "  rival: {owner: o, stage: legacy, routes: [{path: '/api/products/{x}/'}]}\n"

    (problem,) = problems_of(FILE + rival)

    assert (problem.line, problem.key) == (26, "domains.rival.routes[0]")
    assert '"GET /api/products/{id}/" of domain catalog (routing.yaml:14)' in problem.what


def test_a_share_without_any_shopper_key_is_refused() -> None:
    (problem,) = problems_of(
        FILE.replace('shopper: ["header:X-Customer-Id", "cookie:sessionid"]\n', "")
    )

    assert problem.key == "domains.catalog.core_share"
    assert "shopper:" in problem.fix


def test_all_mistakes_are_named_at_once_in_the_order_of_the_file() -> None:
    broken = FILE.replace("banyan/v1", "v0").replace("10%", "ten").replace("99.95%", "most")

    lines = [problem.line for problem in problems_of(broken)]

    assert lines == [1, 10, 25]


@pytest.mark.parametrize(
    ("content", "line", "what"),
    [
        (b"", 1, "empty"),
        (b"# nothing\n\n", 1, "empty"),
        (b"a: 1\nb: \xff\n", 2, "UTF-8"),
        (b"a: 1\n---\nb: 2\n", 2, "second document"),
        (b"a: &x 1\nb: *x\n", 2, "alias"),
        (b"a: [1,\nb: {\n", 2, "not YAML"),
        (b"a: 1\n\tb: 2\n", 2, "not YAML"),
        (b"a: 'open\n\n\n", 3, "not YAML"),
        (b"a: 1\nb: \x07\n", 2, "forbids"),
        (b"? [a]\n: b\n", 1, "A key is"),
        (b"[" * 100_000, 1, "deeper"),
        (b"- " * 100_000, 1, "deeper"),
        (b"[]", 1, "mapping is expected"),
        (b"just text", 1, "mapping is expected"),
        (b"apiVersion: !!python/name:os.system ''\n", 1, "Text is expected"),
    ],
)
def test_a_file_that_is_none_gets_one_clear_line(content: bytes, line: int, what: str) -> None:
    first = problems_of(content)[0]

    assert first.line == line
    assert what in first.what


def test_an_alias_bomb_costs_nothing() -> None:
    bomb = "a: &a [x, x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)}, *{chr(97 + n)}]\n" for n in range(20)
    )

    assert "alias" in problems_of(bomb)[0].what


def _mutations() -> st.SearchStrategy[bytes]:
    """The good file with a slice replaced: closer to what hands produce than pure noise."""
    raw = FILE.encode()
    places = st.tuples(st.integers(0, len(raw)), st.integers(0, 30))
    junk = st.binary(max_size=10) | st.text(alphabet="{}[]:,&*!|>-?#%'\"\n\t 9a", max_size=12).map(
        str.encode
    )
    return st.builds(
        lambda place, new: raw[: place[0]] + new + raw[place[0] + place[1] :], places, junk
    )


@given(_mutations() | st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
@example(b"a: \xe2\x80\xa8 b\n")
@example(b"\xef\xbb\xbf")
def test_any_bytes_are_a_table_or_problems_on_lines_of_the_file(content: bytes) -> None:
    try:
        found = parse_routing(content, "routing.yaml")
    except RoutingFileError as exc:
        problems = exc.problems
    else:
        assert decide(head("/api/products/7/", shopper="s"), found).revision == found.revision
        return

    last = max(1, len(content.decode("utf-8", "replace").splitlines()))
    assert problems
    for problem in problems:
        assert 1 <= problem.line <= last
        assert problem.what
        assert problem.fix
        assert "\n" not in str(problem)
