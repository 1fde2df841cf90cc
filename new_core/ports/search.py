"""What the use cases of search need."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from new_core.domain.assortment import Visible
from new_core.domain.search import SearchDocument, SearchQuery


@dataclass(frozen=True, slots=True)
class FacetCount:
    """How many found products have a value."""

    name: str
    value: str
    products: int


class SearchStore(Protocol):
    """Documents of products, rebuilt from the catalogue, and what finds them."""

    async def stale(self, limit: int) -> Mapping[UUID, int]:
        """Products whose documents are old, with a mark to say of which change."""
        ...

    async def replace(
        self, documents: Sequence[SearchDocument], gone: Collection[UUID], marks: Mapping[UUID, int]
    ) -> None:
        """Write documents, remove those of products that are gone, and take the marks away
        where they are still what they were.
        """
        ...

    async def known(self, words: Collection[str]) -> frozenset[str]:
        """Those of the words that stand in some document."""
        ...

    async def begun(self, word: str) -> bool:
        """Whether some document has a word that begins with this one."""
        ...

    async def alike(self, word: str) -> tuple[str, ...]:
        """Words of documents that share most with this one; at most 100."""
        ...

    async def find(self, query: SearchQuery, visible: Visible) -> tuple[UUID, ...]:
        """Products, best first; at most `query.limit`."""
        ...

    async def count(self, query: SearchQuery, visible: Visible) -> int:
        """How many products are found in all."""
        ...

    async def facets(
        self, query: SearchQuery, visible: Visible, names: Collection[str] | None
    ) -> tuple[FacetCount, ...]:
        """Values of these facets, of all when None, with the most frequent first."""
        ...
