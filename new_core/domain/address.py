"""Where post goes."""

from __future__ import annotations

from dataclasses import dataclass

from new_core.domain.buyer import Destination


@dataclass(frozen=True, slots=True)
class PostalAddress:
    """An address, as it is printed.

    Attributes:
        lines: street and more, at most 3; `city` is not among them.
        country: ISO 3166-1 alpha-2.
        notes: for who delivers.
    """

    country: str
    lines: tuple[str, ...]
    city: str
    first_name: str = ""
    last_name: str = ""
    title: str = ""
    company: str = ""
    region: str = ""
    postcode: str = ""
    phone: str = ""
    notes: str = ""

    @property
    def destination(self) -> Destination:
        """What taxes and shipping need to know of it."""
        return Destination(self.country, self.region, self.postcode)
