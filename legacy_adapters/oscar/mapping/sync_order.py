"""Orders, from oscar's rows to a document and back."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from legacy_adapters.errors import RowCorrupt
from legacy_adapters.mapping.aggregates import AggregateRows, Loss, Shape
from legacy_adapters.mapping.columns import Fate
from legacy_adapters.oscar.mapping.orders import NOBODYS, address_ids
from legacy_adapters.oscar.mapping.sync_order_documents import OrderDoc
from legacy_adapters.oscar.mapping.sync_order_numbers import (
    Writing,
    option_ids,
    reduction_ids,
    share_ids,
)
from legacy_adapters.oscar.mapping.sync_order_reading import (
    BILL_TO_TYPE,
    SHIP_TO_TYPE,
    offer_key,
    order_of,
    own_names,
)
from legacy_adapters.oscar.mapping.sync_order_tables import COLUMNS, DISCOUNT, LINE, ORDER, SHAPE
from legacy_adapters.oscar.mapping.sync_order_writing import rows_of
from legacy_adapters.ports.documents import Own

_LOSSES = (
    Loss("order_surcharge", "the core has no surcharges: they are in the order's sums alone"),
    Loss("order_orderdiscount of category Deferred", "no money; the core does not have them"),
    Loss("order_lineprice", "what single units of a line cost is not told of lines of the core"),
    Loss("order_lineattribute", "a value that is no text comes back as text once it changes"),
    Loss("order_line.unit_price_*", "the line's price by its quantity; NULL where that is no cent"),
    Loss("order_line.line_price_before_discounts_*", "one of the two may be a cent off in a "
         "shop with taxes, where the tax of what was taken off was rounded otherwise"),
    Loss("order_line.partner_id, upc, tax_code", "empty in lines that the core made"),
    Loss("order_order.site_id, shipping_tax_code", "empty in orders that the core placed"),
    Loss("order_*address.search_text", "ends with the country's usual name, which a shop may "
         "have changed"),
    Loss("order_orderstatuschange, order_communicationevent, order_ordernote",
         "what happens in the core is not told in oscar's books of events"),
    Loss("order_shippingevent, order_paymentevent, payment_source",
         "the types of events are the shop's own: none are written for what the core does"),
    Loss("OrderDoc.stage", "oscar has four steps for the core's eight"),
    Loss("PostalAddress.company", "oscar has no such line"),
    Loss("Order.note, purchase_order_number, cancel_reason", "oscar has no place for them"),
    Loss("Order.email of a customer", "oscar writes to the customer's present address"),
    Loss("OrderLine.taxes", "oscar knows the sum alone; one tax of that sum is made of it"),
)  # fmt: skip


class OrderTranslation:
    """Orders with their lines, addresses and discounts."""

    entity_type = "order"

    @property
    def shape(self) -> Shape:
        """Its rows in oscar."""
        return SHAPE

    @property
    def columns(self) -> Mapping[str, Mapping[str, Fate]]:
        """What becomes of each column."""
        return COLUMNS

    @property
    def losses(self) -> Sequence[Loss]:
        """What a round trip does not keep."""
        return _LOSSES

    def forward(self, rows: AggregateRows, known: Mapping[tuple[str, str], UUID]) -> OrderDoc:
        """The document of oscar's rows.

        Raises:
            RowCorrupt: it cannot be read.
        """
        return order_of(rows, known)

    def refers(self, rows: AggregateRows) -> Collection[tuple[str, str]]:
        """What the order is, has and points at."""
        root = rows[ORDER.name][0]
        ends = [("order", root["id"]), ("basket", root["basket_id"]), ("user", root["user_id"])]
        for line in rows.get(LINE.name, ()):
            ends.append(("order_line", line["id"]))
            ends += [("product", line["product_id"]), ("stock_level", line["stockrecord_id"])]
        ends += [(SHIP_TO_TYPE, root["shipping_address_id"])]
        ends += [(BILL_TO_TYPE, root["billing_address_id"])]
        ends += [("offer", offer_key(cells)) for cells in rows.get(DISCOUNT.name, ())]
        return {(kind, str(key)) for kind, key in ends if key is not None}

    def names(
        self, rows: AggregateRows, known: Mapping[tuple[str, str], UUID]
    ) -> Mapping[tuple[str, str], UUID]:
        """What its own rows are in the core."""
        return own_names(rows, known)

    def owns(self, doc: OrderDoc) -> Sequence[Own]:
        """The order, its addresses, lines and what offers took off; and the offers, whose
        numbers they share with other orders.
        """
        ship_to, bill_to = address_ids(doc.id)
        found = [Own("order", doc.id)]
        if doc.shipping_address is not None:
            found.append(Own(SHIP_TO_TYPE, ship_to))
        if doc.billing_address is not None:
            found.append(Own(BILL_TO_TYPE, bill_to))
        found += [Own("order_line", line.id) for line in doc.lines]
        found += [Own("order_discount", one) for one in reduction_ids(doc)]
        for line in doc.lines:
            found += [Own("order_line_discount", one) for one in share_ids(line)]
            found += [Own("order_line_option", one) for one in option_ids(line)]
        offers = dict.fromkeys(one.promotion_id for one in doc.reductions)
        return [*found, *(Own("offer", one) for one in offers if one != NOBODYS)]

    def points_at(self, doc: OrderDoc) -> Sequence[Own]:
        """The basket, the customer, and what the lines sold."""
        ends = [("basket", doc.cart_id), ("user", doc.customer_id)]
        for line in doc.lines:
            ends += [("product", line.product_id), ("stock_level", line.stock_level_id)]
        found = {Own(kind, ident): None for kind, ident in ends if ident is not None}
        return tuple(found)

    def reverse(
        self, doc: OrderDoc, sidecar: AggregateRows, numbers: Mapping[UUID, str]
    ) -> AggregateRows:
        """Oscar's rows of the document.

        Raises:
            RowCorrupt: oscar cannot hold it.
        """
        return rows_of(Writing(doc, self._before(doc, sidecar, numbers), sidecar, numbers))

    def money(self, doc: OrderDoc) -> tuple[int, str] | None:
        """What the order comes to."""
        return doc.total_minor, doc.currency

    def _before(
        self, doc: OrderDoc, sidecar: AggregateRows, numbers: Mapping[UUID, str]
    ) -> OrderDoc | None:
        if not sidecar.get(ORDER.name):
            return None
        ends = [*self.owns(doc), *self.points_at(doc)]
        known = {(one.entity_type, numbers[one.id]): one.id for one in ends if one.id in numbers}
        try:
            return order_of(sidecar, known)
        except RowCorrupt:
            # Whoever broke the rows aside: all that the core knows is written anew.
            return None
