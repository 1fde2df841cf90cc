"""Tickets, cohorts and pins: who stays where, while shares move."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.routing import (
    BASIS_POINTS,
    Decision,
    Domain,
    KeyKind,
    Pin,
    PinPolicy,
    RequestHead,
    Route,
    RoutingTable,
    ShopperKey,
    Side,
    Stage,
    Ticket,
    Why,
    bucket,
    decide,
    expired_cookie,
    explanation,
    killed,
    parse_kill,
    read_ticket,
    ticket_cookie,
)
from tests.support.routing_tables import STAFF, STORES, domain, table

KEY = b"k" * 32
NOW = 1_800_000_000
NAMES = st.from_regex(r"[a-z][a-z0-9_-]{0,20}", fullmatch=True)
VISITORS = st.from_regex(r"[A-Za-z0-9_-]{1,32}", fullmatch=True)
SHARES = st.integers(0, BASIS_POINTS)
TICKETS = st.builds(
    Ticket,
    VISITORS | st.just(""),
    st.lists(
        st.builds(Pin, NAMES, st.sampled_from(Side), st.integers(NOW + 1, NOW + 10**6)),
        max_size=32,
        unique_by=lambda pin: pin.group,
    ).map(tuple),
)


def sent(ticket: Ticket, *, is_secure: bool = True, key: bytes = KEY) -> str:
    """The Cookie header a client answers a Set-Cookie with."""
    return ticket_cookie(ticket, key, is_secure=is_secure).decode().partition(";")[0]


@given(TICKETS, st.booleans())
def test_a_ticket_comes_back_as_it_was_given(ticket: Ticket, is_secure: bool) -> None:
    cookie = f"a=1; {sent(ticket, is_secure=is_secure)}; b=2"

    assert read_ticket(cookie, KEY, NOW) == ticket
    assert len(cookie) < 4_096


def test_the_cookie_is_for_this_host_and_out_of_reach_of_scripts() -> None:
    secure = ticket_cookie(Ticket("v"), KEY, is_secure=True, max_age_s=60)
    plain = ticket_cookie(Ticket("v"), KEY, is_secure=False)

    assert secure.startswith(b"__Host-banyan=1.v.")
    assert secure.endswith(b"; Max-Age=60; Path=/; HttpOnly; SameSite=Lax; Secure")
    assert plain.startswith(b"banyan=1.v.")
    assert plain.endswith(b"; Max-Age=2592000; Path=/; HttpOnly; SameSite=Lax")
    assert expired_cookie(is_secure=True) == (
        b"__Host-banyan=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax; Secure"
    )


@given(TICKETS, st.data())
def test_a_ticket_changed_by_a_character_is_none(ticket: Ticket, data: st.DataObject) -> None:
    cookie = sent(ticket)
    at = data.draw(st.integers(len("__Host-banyan="), len(cookie) - 1))
    other = data.draw(st.sampled_from("abzAZ019-_.:").filter(lambda char: char != cookie[at]))

    changed = cookie[:at] + other + cookie[at + 1 :]

    assert read_ticket(changed, KEY, NOW) is None


@given(TICKETS)
def test_a_ticket_of_another_key_is_none(ticket: Ticket) -> None:
    assert read_ticket(sent(ticket, key=b"x" * 32), KEY, NOW) is None


@given(st.none() | st.text(max_size=80) | st.text("banyan=1.:;_-Host ", max_size=80))
def test_any_cookie_header_is_a_ticket_or_none(header: str | None) -> None:
    assert read_ticket(header, KEY, NOW) is None


def test_a_cookie_planted_next_to_ours_does_not_hide_it() -> None:
    ours = sent(Ticket("v"))

    assert read_ticket(f"banyan=1.x.y; __Host-banyan=junk; {ours}", KEY, NOW) == Ticket("v")
    assert read_ticket(f"{sent(Ticket('w'), is_secure=False)}; {ours}", KEY, NOW) == Ticket("v")
    assert read_ticket("; ".join(["banyan=1.x.y"] * 9 + [ours[7:]]), KEY, NOW) is None


def test_an_oversize_cookie_is_none_and_pins_that_have_ended_are_left_out() -> None:
    ticket = Ticket("v", (Pin("cart", Side.CORE, NOW), Pin("cart2", Side.CORE, NOW + 1)))

    assert read_ticket(f"banyan={'a' * 5_000}", KEY, NOW) is None
    assert read_ticket(sent(ticket), KEY, NOW) == Ticket("v", ticket.pins[1:])


LONG = "1.v" + ".cart:1:1900000000" * 250


@pytest.mark.parametrize(
    "signed",
    ["1", "2.v", "1.v v", "1.v.cart", "1.v.cart:2:9", "1.v.Cart:1:9", "1.v.cart:1:x", "", LONG],
)
def test_what_we_signed_in_another_form_is_no_ticket(signed: str) -> None:
    mac = urlsafe_b64encode(hmac.digest(KEY, b"banyan-ticket\0" + signed.encode(), "sha256"))
    text = f"{signed}.{mac.decode().rstrip('=')}"

    assert read_ticket(f"banyan={text}", KEY, NOW) is None


def test_the_form_of_a_ticket_is_fixed_as_clients_keep_it_over_releases() -> None:
    pins = (Pin("cart", Side.CORE, NOW + 1), Pin("lists", Side.LEGACY, NOW + 2))

    assert sent(Ticket("v-1", pins), is_secure=False) == (
        "banyan=1.v-1.cart:1:1800000001.lists:0:1800000002."
        "fTmRSc2EHiPFI3saJRUXTPhBFFJeAC00L716Q_lzjqg"
    )


def test_a_visitor_that_no_ticket_can_carry_is_refused() -> None:
    for visitor in ("a b", "a.b", "a;b", "ä", "v" * 65):
        with pytest.raises(ValueError, match="visitor"):
            ticket_cookie(Ticket(visitor), KEY, is_secure=True)


# What a table makes of tickets.

CART = Route("cart", "/cart", ("GET", "POST"))
PAY = Route("checkout", "/pay", ("POST",))


def cart(share: int, *, until: str | None = None, stage: Stage = Stage.CANARY) -> Domain:
    found = domain("cart", stage, share if stage is Stage.CANARY else 0)
    return replace(found, routes=(CART,), pin=PinPolicy(1_800, until))


def checkout(share: int, stage: Stage = Stage.CANARY) -> Domain:
    found = domain("checkout", stage, share if stage is Stage.CANARY else 0)
    return replace(found, routes=(PAY,), cohort_with="cart")


def by_ticket(*domains: Domain) -> RoutingTable:
    keys = (ShopperKey(KeyKind.HEADER, "x-customer-id"), ShopperKey(KeyKind.TICKET))
    return RoutingTable(domains, STORES, keys, "r")


def ask(
    rules: RoutingTable,
    path: str = "/cart",
    *,
    ticket: Ticket | None = None,
    shopper: str | None = None,
    now_s: int = NOW,
    **more: str,
) -> Decision:
    headers = {name.replace("_", "-"): value for name, value in more.items()}
    if shopper is not None:
        headers["x-customer-id"] = shopper
    method = "POST" if path == "/pay" else "GET"
    head = RequestHead(
        method, path, headers, ticket=ticket, visitor="fresh", now_s=now_s, request_id="r"
    )
    return decide(head, rules)


def test_a_new_visitor_gets_a_ticket_and_is_drawn_once_it_comes_back_with_it() -> None:
    rules = by_ticket(domain(share=BASIS_POINTS))

    first = ask(rules, "/catalog/7")
    second = ask(rules, "/catalog/7", ticket=first.ticket)

    assert (first.side, first.why, first.ticket) == (Side.LEGACY, Why.NEW_VISITOR, Ticket("fresh"))
    assert (second.side, second.why, second.ticket) == (Side.CORE, Why.BELOW_SHARE, None)
    assert second.shopper == "fresh"
    assert second.bucket == bucket("catalog", "fresh")
    assert "no ticket yet" in first.reason


def test_a_shopper_key_goes_before_the_ticket_and_needs_none() -> None:
    decision = ask(by_ticket(domain(share=1)), "/catalog/7", shopper="c", ticket=Ticket("v"))

    assert (decision.shopper, decision.ticket) == ("c", None)


def test_without_tickets_in_the_list_a_visitor_gets_none() -> None:
    rules = table(domain(share=BASIS_POINTS))

    decision = ask(rules, "/catalog/7", ticket=Ticket("v"))

    assert (decision.why, decision.ticket) == (Why.NO_SHOPPER, None)
    assert not rules.uses_tickets
    assert by_ticket(domain()).uses_tickets
    assert table(cart(1)).uses_tickets


def test_only_a_domain_that_draws_or_pins_gives_tickets() -> None:
    rules = by_ticket(domain("a", Stage.CORE), domain("b", Stage.LEGACY))

    assert ask(rules, "/a/1").ticket is None
    assert ask(rules, "/b/1").ticket is None


@given(visitor=VISITORS, shares=st.tuples(SHARES, SHARES))
def test_a_visitor_stays_on_either_side_as_a_shopper_does(
    visitor: str, shares: tuple[int, int]
) -> None:
    small, large = (
        ask(by_ticket(domain(share=share)), "/catalog/1", ticket=Ticket(visitor)).side
        for share in sorted(shares)
    )

    assert small is large or (small, large) == (Side.LEGACY, Side.CORE)


@given(shopper=VISITORS, shares=st.tuples(SHARES, SHARES))
def test_of_domains_that_share_a_cohort_the_smaller_share_is_a_part_of_the_larger(
    shopper: str, shares: tuple[int, int]
) -> None:
    rules = table(replace(cart(shares[0]), pin=None), checkout(shares[1]))

    cart_side, pay_side = (ask(rules, path, shopper=shopper).side for path in ("/cart", "/pay"))

    small, large = (cart_side, pay_side) if shares[0] <= shares[1] else (pay_side, cart_side)
    assert small is Side.LEGACY or large is Side.CORE


def test_a_cohort_is_named_where_it_is_not_the_domains_own() -> None:
    rules = table(replace(cart(5_000), pin=None), checkout(5_000))

    decision = ask(rules, "/pay", shopper="s")

    assert explanation(decision)["cohort"] == "cart"
    assert "(drawn with cart)" in decision.reason
    assert "cohort" not in explanation(ask(rules, "/cart", shopper="s"))


STEPS = st.lists(
    st.tuples(
        SHARES, SHARES, st.integers(0, 1_500), st.sampled_from(["/cart", "/pay"]), st.booleans()
    ),
    min_size=1,
    max_size=12,
)


@given(shopper=VISITORS | st.none(), steps=STEPS)
def test_a_cart_and_its_checkout_end_where_they_began_however_shares_move(
    shopper: str | None, steps: list[tuple[int, int, int, str, bool]]
) -> None:
    ticket, began, now_s = None, None, NOW

    for share, other, wait_s, path, succeeds in steps:
        now_s += wait_s // 2
        # A payment that fails does not renew a pin, so one may end before the next request.
        lasts = ticket is not None and ticket.pin("cart", now_s) is not None
        rules = table(cart(share, until="POST /pay"), checkout(other))
        decision = ask(rules, path, shopper=shopper, ticket=ticket, now_s=now_s)

        assert not lasts or began is None or decision.side is began
        if decision.ticket is not None and (succeeds or not decision.ticket_on_success):
            ticket = decision.ticket
        is_paid = path == "/pay" and succeeds
        pinned = ticket is not None and ticket.pin("cart", now_s) is not None
        began = decision.side if pinned and not is_paid else None


def test_a_cart_that_is_paid_loses_its_pin_only_with_a_success() -> None:
    rules = table(cart(0, until="POST /pay"), checkout(0))
    pin = Pin("cart", Side.CORE, NOW + 1_000)

    paid = ask(rules, "/pay", shopper="s", ticket=Ticket("v", (pin, Pin("x", Side.CORE, NOW + 9))))

    assert (paid.side, paid.why, paid.pinned_until_s) == (Side.CORE, Why.PINNED, NOW + 1_000)
    assert (paid.ticket, paid.ticket_on_success) == (Ticket("v"), True)
    unpinned = ask(rules, "/pay", shopper="s")
    assert (unpinned.ticket, unpinned.side) == (None, Side.LEGACY)


def test_a_pin_is_made_once_and_renewed_when_less_than_half_is_left() -> None:
    rules = table(cart(BASIS_POINTS))
    made = ask(rules, shopper="s").ticket

    def left(seconds: int) -> Ticket | None:
        ticket = Ticket("", (Pin("cart", Side.CORE, NOW + seconds),))
        return ask(rules, shopper="s", ticket=ticket).ticket

    assert made == Ticket("", (Pin("cart", Side.CORE, NOW + 1_800),))
    assert left(900) is None
    assert left(899) == made
    assert left(0) == made


def test_a_cart_without_any_key_is_pinned_to_legacy_before_its_shopper_is_known() -> None:
    rules = table(cart(BASIS_POINTS))

    unknown = ask(rules)
    known = ask(rules, shopper="s", ticket=unknown.ticket)

    assert (unknown.side, unknown.why) == (Side.LEGACY, Why.NO_SHOPPER)
    assert (known.side, known.why) == (Side.LEGACY, Why.PINNED)


def test_a_cart_begun_in_shadow_stays_with_legacy_in_canary() -> None:
    begun = ask(table(cart(0, stage=Stage.SHADOW)), shopper="s")
    later = ask(table(cart(BASIS_POINTS)), shopper="s", ticket=begun.ticket)

    assert (later.side, later.why) == (Side.LEGACY, Why.PINNED)


@pytest.mark.parametrize("pinned", list(Side))
def test_a_stage_that_one_side_answers_overrides_pins(pinned: Side) -> None:
    ticket = Ticket("v", (Pin("cart", pinned, NOW + 1_000),))

    sides = {s: ask(table(cart(0, stage=s)), shopper="s", ticket=ticket).side for s in Stage}

    assert sides == {
        Stage.LEGACY: Side.LEGACY,
        Stage.SHADOW: Side.LEGACY,
        Stage.CANARY: pinned,
        Stage.CORE: Side.CORE,
        Stage.RETIRED: Side.CORE,
    }


def test_a_rollback_to_shadow_pins_a_cart_of_the_core_to_legacy() -> None:
    ticket = Ticket("v", (Pin("cart", Side.CORE, NOW + 1_800),))

    back = ask(table(cart(0, stage=Stage.SHADOW)), shopper="s", ticket=ticket)

    assert back.ticket == Ticket("v", (Pin("cart", Side.LEGACY, NOW + 1_800),))


def test_a_pilot_goes_before_a_pin_and_makes_none() -> None:
    ticket = Ticket("v", (Pin("cart", Side.LEGACY, NOW + 1_000),))

    decision = ask(table(cart(0)), ticket=ticket, x_banyan_pilot="internal")

    assert STAFF in table(cart(0)).domain("cart").pilots
    assert (decision.side, decision.why, decision.ticket) == (Side.CORE, Why.PILOT, None)


@pytest.mark.parametrize("scope", ["all", "canary", "domain:cart"])
def test_a_kill_overrides_pins(scope: str) -> None:
    ticket = Ticket("v", (Pin("cart", Side.CORE, NOW + 1_000),))

    decision = ask(killed(table(cart(0)), parse_kill(scope)), shopper="s", ticket=ticket)

    assert (decision.side, decision.ticket) == (Side.LEGACY, None)


def test_pins_of_domains_that_pin_no_more_are_dropped_with_the_next_ticket() -> None:
    ticket = Ticket("v", (Pin("gone", Side.CORE, NOW + 9_999), Pin("cart", Side.CORE, NOW + 1)))

    assert ask(table(cart(0)), shopper="s", ticket=ticket).ticket == Ticket(
        "v", (Pin("cart", Side.CORE, NOW + 1_800),)
    )


def test_explain_shows_the_pin_and_the_ticket() -> None:
    ticket = Ticket("v", (Pin("cart", Side.CORE, NOW + 5),))

    told = explanation(ask(table(cart(0)), shopper="s", ticket=ticket))

    assert told["pinned_until"] == NOW + 5
    assert told["ticket"] == {
        "pins": [{"cohort": "cart", "side": "core", "until": NOW + 1_800}],
        "set": "always",
    }
    assert "a ticket pins cart to core" in str(told["reason"])
