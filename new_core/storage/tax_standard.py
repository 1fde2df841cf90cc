"""Tax rates that come with the core, each with its source and the day it is of."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import datetime
from importlib import resources

from new_core.domain.identity import core_id
from new_core.domain.tax import TaxRule


def standard_rules(countries: Collection[str]) -> tuple[TaxRule, ...]:
    """The rules of some countries. Their ids follow from what they are: loading them again
    overwrites them.
    """
    data = json.loads(resources.files(__package__).joinpath("standard_taxes.json").read_text())
    rules: list[TaxRule] = []
    for country, region, code, name, tax_class, ppm, since, until in data["rules"]:
        if country not in countries:
            continue
        key = f"{country}|{region}|{code}|{tax_class}|{since or ''}"
        rules.append(
            TaxRule(
                id=core_id("core", "tax_rule", key),
                code=code,
                name=name,
                country=country,
                region=region,
                tax_class=tax_class,
                ppm=ppm,
                valid_from=datetime.fromisoformat(since) if since else None,
                valid_to=datetime.fromisoformat(until) if until else None,
                source=f"{data['sources'][country]}; as of {data['as_of']}",
            )
        )
    return tuple(rules)
