"""Where money stands: `compare.value` of a routing file."""

from __future__ import annotations

import pytest

from proxy.errors import RoutingFileError
from proxy.routing import RoutingTable, ValueRule
from proxy.storage.tables import parse_routing

FILE = """\
apiVersion: banyan/v1
stores: {{legacy: {{url: "http://a"}}, core: {{url: "http://b"}}}}
domains:
  price:
    owner: pricing
    stage: shadow
    routes: [{{path: "/price/", methods: [GET]}}, {{path: "/cart/", methods: [GET]}}]
    compare: {{value: {value}}}
"""


ONE = "{path: $.a, currency: EUR, routes: [/cart/]}"
TWICE = f"[{ONE}, {ONE}]"


def read(value: str) -> RoutingTable:
    return parse_routing(FILE.format(value=value).encode(), "routing.yaml")


def test_a_rule_may_stand_alone_or_in_a_list() -> None:
    alone = read('{path: "$.incl_tax", currency: EUR}')
    many = read(
        '[{path: "$.t", currency: "$.c", unit: minor, routes: ["/cart/"]},'
        ' {path: "$.p", currency: USD}]'
    )

    assert alone.domain("price").compare.values == (ValueRule("$.incl_tax", "EUR"),)
    assert many.domain("price").compare.values == (
        ValueRule("$.t", "$.c", ("/cart/",), in_minor=True),
        ValueRule("$.p", "USD"),
    )


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("{currency: EUR}", '"path" is missing'),
        ('{path: "$.a"}', '"currency" is missing'),
        ('{path: "a.b", currency: EUR}', "is not understood as a path"),
        ('{path: "$.a[0]", currency: EUR}', "is not understood as a path"),
        ('{path: "$.a", currency: euro}', '"euro" is no currency'),
        ('{path: "$.a", currency: "$["}', "is not understood as a path"),
        ('{path: "$.a", currency: EUR, unit: cents}', "none of major, minor"),
        ('{path: "$.a", currency: EUR, routes: []}', "limits the rule to nothing"),
        ('{path: "$.a", currency: EUR, routes: ["/carts/"]}', 'Did you mean "/cart/"?'),
        ('{path: "$.a", currency: EUR, rate: 2}', 'Unknown key "rate"'),
        ("[]", "An empty list says nothing"),
        ("12", "A mapping is expected"),
        (
            '[{path: "$.a", currency: EUR}, {path: "$.b", currency: EUR}]',
            "money of every other route stands",
        ),
        (
            TWICE,
            'money of "/cart/" stands',
        ),
    ],
)
def test_a_rule_that_cannot_be_right_is_named_with_the_way_out(value: str, told: str) -> None:
    with pytest.raises(RoutingFileError) as caught:
        read(value)

    assert told in str(caught.value)
    assert all(problem.line == 8 and problem.fix for problem in caught.value.problems)
