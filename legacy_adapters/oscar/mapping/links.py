"""Absolute URLs as oscar's API writes them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, urlencode, urljoin

_HOST = re.compile(r"([A-Za-z0-9.-]+|\[[A-Fa-f0-9]*:[A-Fa-f0-9.:]+\])(:[0-9]+)?\Z")


@dataclass(frozen=True, slots=True)
class Links:
    """Makes the URLs of one answer.

    Attributes:
        origin: scheme and host as the shopper asked for them, e.g. "https://shop.example".
        media_url: the shop's MEDIA_URL.
        override: the request's `format` parameter, which the API repeats in every link.
    """

    origin: str
    media_url: str = "/media/"
    override: str | None = None

    def product(self, key: str, part: str = "") -> str:
        """A product, or one of its parts, e.g. "price"."""
        return self._api(f"products/{key}/{part}/" if part else f"products/{key}/")

    def stock_record(self, product_key: str, key: str) -> str:
        """A stock record of a product."""
        return self._api(f"products/{product_key}/stockrecords/{key}/")

    def category(self, key: str) -> str:
        """A category."""
        return self._api(f"categories/{key}/")

    def below_category(self, slugs: str) -> str:
        """The list of categories below one."""
        return self._api(f"categories/{quote(slugs, safe=_PATH_SAFE)}/")

    def option(self, key: str) -> str:
        """A basket option."""
        return self._api(f"options/{key}/")

    def country(self, code: str) -> str:
        """A country."""
        return self._api(f"countries/{code}/")

    def basket(self, key: str, part: str = "") -> str:
        """A basket, or its lines."""
        return self._api(f"baskets/{key}/{part}/" if part else f"baskets/{key}/")

    def basket_line(self, basket_key: str, key: str) -> str:
        """A line of a basket."""
        return self._api(f"baskets/{basket_key}/lines/{key}/")

    def order(self, key: str, part: str = "") -> str:
        """An order, or its lines."""
        return self._api(f"orders/{key}/{part}/" if part else f"orders/{key}/")

    def order_line(self, key: str) -> str:
        """A line of an order."""
        return self._api(f"orderlines/{key}/")

    def user(self, key: str) -> str:
        """A customer."""
        return self._api(f"users/{key}/")

    def user_address(self, key: str) -> str:
        """An address of a customer's book."""
        return self._api(f"useraddresses/{key}/")

    def named(self, path: str) -> str:
        """A path below the API's root, e.g. "basket/"."""
        return self._api(path)

    def media(self, name: str) -> str:
        """A file of the media folder."""
        path = quote(name.replace("\\", "/"), safe="/~!*()'").lstrip("/")
        return urljoin(f"{self.origin}/", urljoin(self.media_url, path))

    def _api(self, path: str) -> str:
        url = f"{self.origin}/api/{path}"
        return url if self.override is None else f"{url}?{urlencode({'format': self.override})}"


_PATH_SAFE = "!$&'()*+,;=/~:@"


def origin(scheme: str, host: str) -> str | None:
    """Scheme and host for absolute URLs; None when the host is none."""
    return f"{scheme}://{host}" if _HOST.match(host) else None
