"""Edits of orders: the money of what is left, exact to the minor unit."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from new_core.domain.address import PostalAddress
from new_core.domain.buyer import Buyer
from new_core.domain.money import UnitPrice, divide
from new_core.domain.order import FulfilmentStatus, Order, OrderLine, OrderStatus, PaymentStatus
from new_core.domain.order_edits import SetAddress, SetNote, SetQuantity, edited
from new_core.domain.totals import Discount, DiscountKind, PricedShipping, TaxLine
from new_core.errors import Conflict, NotFound

AT = datetime(2026, 3, 1, tzinfo=UTC)
SPACE = UUID(int=7)
PROMOTION = UUID(int=9)
GST, QST = ("GST", 50_000), ("QST", 99_750)


def a_line(
    number: int, quantity: int, unit_micro: int, off_ppm: int, *, included: bool
) -> OrderLine:
    base = UnitPrice(unit_micro, "CAD").times(quantity).minor
    off = base * off_ppm // 1_000_000
    due = base - off
    rates = (GST, QST)
    if included:
        whole = 1_000_000 + sum(ppm for _, ppm in rates)
        minors = [divide(due * ppm, whole) for _, ppm in rates]
        net = due - sum(minors)
    else:
        net = due
        minors = [divide(due * ppm, 1_000_000) for _, ppm in rates]
    discounts = (Discount(PROMOTION, "Off", DiscountKind.LINE, off),) if off else ()
    return OrderLine(
        id=uuid5(SPACE, str(number)), variant_id=uuid5(SPACE, f"v{number}"),
        product_id=uuid5(SPACE, f"p{number}"), sku=f"S-{number}", title="Bolt",
        quantity=quantity, unit_micro=unit_micro, base_minor=base, net_minor=net,
        gross_minor=net + sum(minors), discounts=discounts,
        taxes=tuple(
            TaxLine(code, code, "CA-QC", ppm, net, minor)
            for (code, ppm), minor in zip(rates, minors, strict=True)
        ),
        position=number,
    )  # fmt: skip


def an_order(lines: tuple[OrderLine, ...], shipping_minor: int = 500) -> Order:
    off = sum(d.minor for line in lines for d in line.discounts)
    taxes = tuple(
        TaxLine(
            code, code, "CA-QC", ppm,
            sum(t.base_minor for line in lines for t in line.taxes if t.code == code),
            sum(t.minor for line in lines for t in line.taxes if t.code == code),
        )
        for code, ppm in (GST, QST)
    )  # fmt: skip
    return Order(
        id=UUID(int=1), number="700", cart_id=UUID(int=2), buyer=Buyer("CAD"),
        status=OrderStatus.PLACED, payment_status=PaymentStatus.PAID,
        fulfilment_status=FulfilmentStatus.UNFULFILLED, lines=lines,
        shipping=PricedShipping("post", "Post", shipping_minor, (), shipping_minor, (),
                                shipping_minor),
        discounts=(Discount(PROMOTION, "Off", DiscountKind.LINE, off),) if off else (),
        taxes=taxes, total_minor=sum(one.gross_minor for one in lines) + shipping_minor,
        tax_included=False, created_at=AT,
        shipping_address=PostalAddress("CA", ("1 Main",), "Montréal", region="QC"),
    )  # fmt: skip


lines = st.builds(
    a_line, st.integers(0, 0), st.integers(2, 40), st.integers(0, 500_000_000),
    st.integers(0, 1_000_000), included=st.booleans(),
)  # fmt: skip


@given(first=lines, second=lines, part=st.floats(0, 1))
def test_what_is_left_adds_up_and_never_gets_dearer(
    first: OrderLine, second: OrderLine, part: float
) -> None:
    other = replace(second, id=uuid5(SPACE, "other"), position=1)
    order = an_order((first, other))
    wanted = min(int(first.quantity * part), first.quantity - 1)

    after, done = edited(order, [SetQuantity(first.id, wanted)])

    line = after.lines[0]
    off = sum(one.minor for one in line.discounts)
    assert line.base_minor == UnitPrice(line.unit_micro, "CAD").times(wanted).minor
    assert 0 <= off <= line.base_minor
    assert line.gross_minor == line.net_minor + sum(one.minor for one in line.taxes)
    assert 0 <= line.net_minor <= first.net_minor
    assert line.gross_minor <= first.gross_minor
    assert after.lines[1] == other
    assert after.total_minor == sum(one.gross_minor for one in after.lines) + 500
    assert sum(t.minor for t in after.taxes) == sum(
        t.minor for one in after.lines for t in one.taxes
    )
    assert sum(d.minor for d in after.discounts) == sum(
        d.minor for one in after.lines for d in one.discounts
    )
    assert line.quantity + line.cancelled_quantity == first.quantity
    assert done[0]["after"] == wanted


@given(line=lines)
def test_a_price_with_tax_in_it_stays_exact(line: OrderLine) -> None:
    includes = line.gross_minor == line.base_minor - sum(d.minor for d in line.discounts)
    order = an_order((line, replace(line, id=uuid5(SPACE, "other"))))

    after, _ = edited(order, [SetQuantity(line.id, line.quantity - 1)])

    left = after.lines[0]
    if includes:
        off = sum(one.minor for one in left.discounts)
        assert left.gross_minor == left.base_minor - off


def test_a_line_of_which_nothing_is_left_costs_nothing() -> None:
    one, other = (a_line(n, 3, 10_000_000, 100_000, included=False) for n in (0, 1))

    after, _ = edited(an_order((one, other)), [SetQuantity(one.id, 0)])

    gone = after.lines[0]
    assert (gone.base_minor, gone.net_minor, gone.gross_minor, gone.discounts) == (0, 0, 0, ())
    assert after.total_minor == other.gross_minor + 500


def test_a_part_costs_what_its_rates_say() -> None:
    line = a_line(0, 3, 19_990_000, 0, included=False)

    after, _ = edited(an_order((line,)), [SetQuantity(line.id, 2)])

    left = after.lines[0]
    assert [one.minor for one in left.taxes] == [200, 399]
    assert (left.net_minor, left.gross_minor, after.total_minor) == (3998, 4597, 5097)


def code_of(order: Order, *edits: SetQuantity | SetAddress | SetNote) -> str:
    with pytest.raises(Conflict) as told:
        edited(order, edits)
    return told.value.code


def test_an_edit_that_makes_more_or_nothing_of_an_order_is_refused() -> None:
    line = a_line(0, 3, 10_000_000, 0, included=False)
    order = an_order((line,))

    assert code_of(order, SetQuantity(line.id, 3)) == "quantity_not_lower"
    assert code_of(order, SetQuantity(line.id, 4)) == "quantity_not_lower"
    assert code_of(order, SetQuantity(line.id, 0)) == "order_would_be_empty"
    with pytest.raises(NotFound):
        edited(order, [SetQuantity(UUID(int=99), 1)])


def test_an_address_may_change_where_taxes_do_not() -> None:
    order = an_order((a_line(0, 3, 10_000_000, 0, included=False),))
    near = PostalAddress("CA", ("2 Rue",), "Québec", region="QC")

    after, done = edited(order, [SetAddress(near), SetNote("ring twice")])

    assert (after.shipping_address, after.note) == (near, "ring twice")
    assert after.total_minor == order.total_minor
    assert [one["action"] for one in done] == ["set_address", "set_note"]
    far = replace(near, region="ON")
    assert code_of(order, SetAddress(far)) == "destination_differs"
