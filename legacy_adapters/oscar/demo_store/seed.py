"""Fills an empty store with its catalogue, offers and countries. Needs Django to be set up."""

import csv
import io
from contextlib import redirect_stdout
from pathlib import Path

from django.core.management import call_command
from django.db import transaction
from fixtures import Fixture

DATA = Path(__file__).resolve().parent / "data"
BOOKS = ("books.essential.csv", "books.hacking.csv", "books.computers-in-fiction.csv")


def seed(say):
    """Load everything in one transaction; do nothing when the catalogue is already there.

    `say` gets one sentence per step. All or nothing: a store that was killed while it
    was seeded is empty and is seeded again.
    """
    from oscar.core.loading import get_model

    product = get_model("catalogue", "Product")
    if product.objects.exists():
        say(f"catalogue already there: {product.objects.count()} products")
        return
    with transaction.atomic():
        _clothing()
        say("clothing with variants loaded")
        say(f"books loaded: {_books()} rows")
        _several_stock_records()
        _offers()
        say("offers and ranges loaded")
        if not get_model("address", "Country").objects.exists():
            _quietly("oscar_populate_countries")
        say("countries loaded")
        say(f"catalogue complete: {product.objects.count()} products")


def _clothing():
    """Three T-shirts as parents, eight sizes as children; the first on an empty database."""
    _quietly("loaddata", str(DATA / "child_products.json"))


def _books():
    """Import the CSVs. Three books stand in two of the files: 201 rows, 198 products."""
    rows = 0
    for name in BOOKS:
        with (DATA / name).open(encoding="utf-8") as lines:
            rows += sum(1 for row in csv.reader(lines, escapechar="\\") if len(row) == 9)
        _quietly("oscar_import_catalogue", str(DATA / name))
    return rows


def _several_stock_records():
    """One book with two stock records, one book with none.

    The file's primary keys collide with those of the clothing, so its rows are loaded
    by their natural keys.
    """
    fixture = Fixture.read(DATA / "multi-stockrecord-product.json")
    fixture.load("catalogue.productclass", natural=("slug",))
    fixture.load("catalogue.category", natural=("slug", "depth"))
    fixture.load("partner.partner", natural=("name",))
    fixture.load("catalogue.product")
    fixture.load("catalogue.productcategory")
    fixture.load("partner.stockrecord")


def _offers():
    """Ranges and offers, without the offer whose benefit is a class of another project.

    That benefit's proxy_class cannot be imported, and every basket write would fail.
    """
    from oscar.core.loading import get_model

    ranges = Fixture.read(DATA / "ranges.json")
    fiction = get_model("catalogue", "Category").objects.get(name="Fiction")
    ranges.known["catalogue.category"] = {2: fiction.pk}
    ranges.load("offer.range")

    offers = Fixture.read(DATA / "offers.json")
    foreign = {
        row["pk"]
        for row in offers.rows("offer.benefit")
        if (row["fields"]["proxy_class"] or "").startswith("apps.")
    }
    offers.load("offer.range")
    offers.load("offer.condition")
    offers.load("offer.benefit", skip=lambda pk, fields: pk in foreign)
    offers.load(
        "offer.conditionaloffer",
        skip=lambda pk, fields: fields["benefit"] in foreign,
    )


def _quietly(*command):
    """Run a management command; its chatter goes nowhere, its errors are raised."""
    with redirect_stdout(io.StringIO()):
        call_command(*command, verbosity=0)
