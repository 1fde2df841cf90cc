"""Which requests the table lets a shadow see, and what the file may say about it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import RoutingFileError
from proxy.routing import (
    Credentials,
    Domain,
    KeyKind,
    RequestHead,
    Route,
    RoutingTable,
    ShadowPolicy,
    ShopperKey,
    Side,
    Stage,
    Store,
    Unmirrored,
    VerifyRead,
    When,
    Writes,
    decide,
)
from proxy.storage.tables import parse_routing

KEY = ShopperKey(KeyKind.HEADER, "session-id")
FILE = """apiVersion: banyan/v1
stores: {legacy: {url: "http://127.0.0.1:1"}, core: {url: "http://127.0.0.1:2"}}
domains:
  baskets:
    owner: checkout
    stage: shadow
    routes:
      - {path: "/baskets/{id}/", methods: [GET]}
      - {path: "/baskets/{id}/lines/", methods: [POST]}
    shadow: SHADOW
"""


def shadow_of(text: str, stage: str = "shadow") -> ShadowPolicy:
    content = FILE.replace("SHADOW", text).replace("stage: shadow", f"stage: {stage}")
    return parse_routing(content.encode(), "routing.yaml").domains[0].shadow


def table(stage: Stage, writes: Writes, *, share_bp: int = 0) -> RoutingTable:
    domain = Domain(
        "baskets",
        "checkout",
        stage,
        (
            Route("baskets", "/baskets/", ("GET", "POST")),
            Route("baskets", "/unsubscribe/", ("GET",), has_effects=True),
        ),
        core_share_bp=share_bp,
        shadow=ShadowPolicy(writes=writes),
    )
    stores = {side: Store(side, f"http://127.0.0.1:{n}") for n, side in enumerate(Side, 1)}
    return RoutingTable((domain,), stores, (KEY,), "abc")


def head(method: str, path: str = "/baskets/", **headers: str) -> RequestHead:
    return RequestHead(method, path, {"session-id": "one", **headers}, request_id="r-1")


@pytest.mark.parametrize(
    ("writes", "post", "effects"),
    [
        (Writes.NEVER, Unmirrored.UNSAFE_METHOD, Unmirrored.EFFECTS),
        (Writes.DRY_RUN, None, None),
        (Writes.VERIFY, None, None),
    ],
)
def test_writes_and_reads_with_effects_are_mirrored_only_by_the_ladder(
    writes: Writes, post: Unmirrored | None, effects: Unmirrored | None
) -> None:
    rules = table(Stage.SHADOW, writes)

    assert decide(head("GET"), rules).unmirrored is None
    assert decide(head("POST"), rules).unmirrored is post
    assert decide(head("GET", "/unsubscribe/"), rules).unmirrored is effects


@given(share_bp=st.integers(0, 10_000), session=st.text(min_size=1), path=st.booleans())
def test_legacy_is_never_given_a_dry_run(*, share_bp: int, session: str, path: bool) -> None:
    asked = head(*(("GET", "/unsubscribe/") if path else ("POST", "/baskets/")))
    asked = replace_session(asked, session)

    for stage in (Stage.SHADOW, Stage.CANARY, Stage.CORE):
        decision = decide(asked, table(stage, Writes.DRY_RUN, share_bp=share_bp))
        expected = Side.CORE if decision.side is Side.LEGACY else None
        assert decision.shadow is expected
        assert (decision.unmirrored is None) is (expected is not None)
        assert "legacy cannot take a write back" in decision.reason or expected


def replace_session(asked: RequestHead, session: str) -> RequestHead:
    return RequestHead(
        asked.method, asked.path, {"session-id": session}, request_id=asked.request_id
    )


def test_a_shadow_is_never_mirrored_whatever_the_ladder_says() -> None:
    rules = table(Stage.SHADOW, Writes.DRY_RUN)

    decision = decide(head("POST", **{"x-banyan-shadow": "r-0"}), rules)

    assert decision.unmirrored is Unmirrored.IS_SHADOW


def test_a_file_says_all_of_it() -> None:
    found = shadow_of(
        "{sample: 50%, noise: 1%, writes: verify, when: after_live, after: 3s, recheck: 2s,"
        ' verify: [{read: "/baskets/{id}/"}],'
        ' credentials: {forward: ["cookie:sessionid", "header:Authorization"],'
        ' set: {X-Shop: "env:SHOP_TOKEN"}}}'
    )

    assert found == ShadowPolicy(
        sample_bp=5_000,
        noise_bp=100,
        writes=Writes.VERIFY,
        when=When.AFTER_LIVE,
        after_s=3.0,
        recheck_s=2.0,
        credentials=Credentials(
            (
                ShopperKey(KeyKind.COOKIE, "sessionid"),
                ShopperKey(KeyKind.HEADER, "authorization"),
            ),
            (("x-shop", "SHOP_TOKEN"),),
        ),
        verify=(VerifyRead("/baskets/{id}/", 1.0),),
    )


def test_a_pause_has_a_usual_length() -> None:
    assert shadow_of("{when: after_live}").after_s == 2.0
    assert shadow_of("{}") == ShadowPolicy()


def pauses(said: str, domains: str = "{}") -> list[float | None]:
    content = FILE.replace("SHADOW", domains).replace("[GET]}", f"[GET], shadow: {said}}}")
    return [route.pause_s for route in parse_routing(content.encode(), "r.yaml").domains[0].routes]


def test_a_route_may_have_a_pause_of_its_own_or_none() -> None:
    assert pauses("{when: after_live, after: 5s}") == [5.0, None]
    assert pauses("{when: after_live}") == [2.0, None]
    assert pauses("{when: parallel}", "{when: after_live}") == [0.0, None]


@pytest.mark.parametrize(
    ("said", "place", "word"),
    [
        ("{}", "routes[0].shadow", "says nothing"),
        ("{after: 5s}", "routes[0].shadow.after", "only after the live answer"),
        ("{when: later}", "routes[0].shadow.when", "later"),
        ("{when: after_live, after: 1h}", "routes[0].shadow.after", "out of bounds"),
        ("{sample: 5%}", "routes[0].shadow.sample", "sample"),
    ],
)
def test_a_pause_of_a_route_that_cannot_be_is_named(said: str, place: str, word: str) -> None:
    with pytest.raises(RoutingFileError) as caught:
        pauses(said)

    [problem] = caught.value.problems
    assert (problem.key, problem.line) == (f"domains.baskets.{place}", 8)
    assert word in problem.what


@pytest.mark.parametrize(
    ("text", "key", "word"),
    [
        ("{writes: verify}", "shadow.verify", "missing"),
        ('{verify: [{read: "/baskets/{id}/"}]}', "shadow.verify", "only with writes: verify"),
        ("{writes: verify, verify: []}", "shadow.verify", "Nothing would be compared"),
        (
            '{writes: verify, verify: [{read: "/basket/{id}/"}]}',
            "shadow.verify[0].read",
            "is no GET route",
        ),
        (
            '{writes: verify, verify: [{read: "/baskets/{id}/", after: 1h}]}',
            "shadow.verify[0].after",
            "out of bounds",
        ),
        ("{after: 2s}", "shadow.after", "only after the live answer"),
        ('{credentials: {forward: ["sessionid"]}}', "credentials.forward[0]", "no header or"),
        ('{credentials: {forward: ["header:Cookie"]}}', "credentials.forward[0]", "by a rule"),
        (
            '{credentials: {forward: ["cookie:a", "cookie:a"]}}',
            "credentials.forward[1]",
            "stands twice",
        ),
        ("{credentials: {set: {Authorization: s3cret}}}", "credentials.set", "A secret does not"),
        ('{credentials: {set: {Banyan-Dry-Run: "env:X"}}}', "credentials.set", "by a rule"),
        ("{recheck: soon}", "shadow.recheck", "no duration"),
    ],
)
def test_what_cannot_be_is_named_with_its_place(text: str, key: str, word: str) -> None:
    with pytest.raises(RoutingFileError) as caught:
        shadow_of(text)

    [problem] = caught.value.problems
    assert key in problem.key
    assert word in problem.what
    assert problem.line == 10


def test_a_read_that_no_write_can_fill_is_refused() -> None:
    with pytest.raises(RoutingFileError, match="says what"):
        parse_routing(
            FILE.replace("/baskets/{id}/lines/", "/baskets/{basket}/lines/")
            .replace("SHADOW", '{writes: verify, verify: [{read: "/baskets/{id}/"}]}')
            .encode(),
            "routing.yaml",
        )


def test_legacy_cannot_be_asked_for_a_dry_run() -> None:
    with pytest.raises(RoutingFileError, match="legacy cannot take a write back"):
        shadow_of("{writes: dry_run}", stage="core")


def test_effects_are_said_with_true_or_false() -> None:
    content = FILE.replace("SHADOW", "{}")

    with pytest.raises(RoutingFileError, match="Either it has effects or not"):
        parse_routing(content.replace("[POST]}", "[POST], effects: mail}").encode(), "r.yaml")
    said = content.replace("[POST]}", "[POST], effects: true}").encode()
    assert [route.has_effects for route in parse_routing(said, "r.yaml").domains[0].routes] == [
        False,
        True,
    ]
