"""Use cases of search: find, and keep the documents up with the catalogue."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from new_core.domain.assortment import Visible
from new_core.domain.catalog import (
    AttributeContent,
    AttributeDef,
    Product,
    Reference,
    Status,
    Structure,
    ValueType,
    Variant,
)
from new_core.domain.search import MOST_WORDS, SearchDocument, SearchQuery, terms_of, words_of
from new_core.ports import UnitOfWork
from new_core.ports.search import FacetCount

_LONGEST_VALUE = 100
_LONGEST_BODY = 20_000
_MOST_VALUES = 20
_FACETED = frozenset(
    {ValueType.TEXT, ValueType.INTEGER, ValueType.BOOLEAN, ValueType.CHOICE, ValueType.CHOICES}
)


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found.

    Attributes:
        product_ids: best first.
        total: how many there are in all.
        facets: per name its most frequent values. Those of a facet that was filtered by are
            counted as if it had not been, so that a shopper sees what else there is.
        corrected: (typed, taken for instead).
    """

    product_ids: tuple[UUID, ...]
    total: int
    facets: Mapping[str, tuple[FacetCount, ...]]
    corrected: tuple[tuple[str, str], ...]


async def search(
    uow: UnitOfWork,
    text: str,
    facets: Mapping[str, frozenset[str]],
    visible: Visible,
    *,
    limit: int,
    offset: int,
) -> Found:
    """Published products that have all words of a text, or words much like them."""
    typed = words_of(text)[:MOST_WORDS]
    known = await uow.search.known(frozenset(typed)) if typed else frozenset()
    last = typed[-1] if typed else ""
    begun = frozenset({last}) if last and await uow.search.begun(last) else frozenset()
    unknown = [one for one in dict.fromkeys(typed) if one not in known | begun]
    alike = {one: await uow.search.alike(one) for one in unknown}
    terms, corrected = terms_of(typed, known, begun, alike)
    query = SearchQuery(terms, facets, limit, offset)
    counted = await uow.search.facets(query, visible, None)
    by_name = _by_name(one for one in counted if one.name not in facets)
    for name in facets:
        others = {other: values for other, values in facets.items() if other != name}
        counted = await uow.search.facets(replace(query, facets=others), visible, [name])
        by_name |= _by_name(counted)
    return Found(
        await uow.search.find(query, visible),
        await uow.search.count(query, visible),
        by_name,
        corrected,
    )


async def index_stale(uow: UnitOfWork, limit: int) -> int:
    """Write the documents of products that have changed, commit, and say how many."""
    marks = await uow.search.stale(limit)
    if not marks:
        return 0
    documents = await _documents(uow, tuple(marks))
    gone = [one for one in marks if one not in documents]
    await uow.search.replace(tuple(documents.values()), gone, marks)
    await uow.commit()
    return len(marks)


async def _documents(uow: UnitOfWork, ids: Sequence[UUID]) -> dict[UUID, SearchDocument]:
    found = await uow.catalog.with_children(ids)
    reference = await uow.catalog.reference()
    variants = await uow.catalog.variants(found)
    children: dict[UUID, list[Product]] = {}
    for one in found.values():
        if one.value.parent_id is not None:
            children.setdefault(one.value.parent_id, []).append(one.value)
    return {
        product.id: document(product, children.get(product.id, ()), variants, reference)
        for product in (one.value for one in found.values())
        if product.id in ids
        and product.status is Status.PUBLISHED
        and product.structure is not Structure.VARIANT
    }


def document(
    product: Product,
    children: Iterable[Product],
    variants: Mapping[UUID, Variant],
    reference: Reference,
) -> SearchDocument:
    """The document of a product with its published variants."""
    family = (product, *(one for one in children if one.status is Status.PUBLISHED))
    labels: list[str] = []
    facets: set[tuple[str, str]] = set()
    kind = reference.types.get(product.type_id) if product.type_id else None
    if kind is not None:
        labels.append(kind.name)
        facets.add(("type", kind.code))
    for one in family:
        for category_id in one.category_ids:
            lineage = reference.lineage(reference.categories[category_id])
            labels.extend(above.name for above in lineage)
            facets |= {("category", str(above.id)) for above in lineage}
        for value in one.attributes:
            labels.extend(_texts(value.content))
            facets |= _facets(reference.attributes[value.attribute_id], value.content)
    keys = [key for one in family for key in (one.code, one.gtin) if key]
    keys.extend(v.sku for one in family if (v := variants.get(one.id)) is not None and v.sku)
    return SearchDocument(
        product.id,
        _folded(one.title for one in family),
        _folded(keys),
        _folded(labels),
        _folded([product.description])[:_LONGEST_BODY],
        frozenset(facets),
    )


def _facets(attribute: AttributeDef, content: AttributeContent) -> set[tuple[str, str]]:
    if attribute.value_type not in _FACETED:
        return set()
    name = f"attr:{attribute.code}"
    texts = _texts(content)
    if len(name) > 80 or any(len(text) > _LONGEST_VALUE for text in texts):
        return set()
    return {(name, text) for text in texts if text}


def _texts(content: AttributeContent) -> tuple[str, ...]:
    if isinstance(content, tuple):
        return content
    if isinstance(content, bool):
        return ("true" if content else "false",)
    return () if content is None else (str(content),)


def _folded(texts: Iterable[str]) -> str:
    return " ".join(dict.fromkeys(word for text in texts for word in words_of(text)))


def _by_name(counted: Iterable[FacetCount]) -> dict[str, tuple[FacetCount, ...]]:
    found: dict[str, list[FacetCount]] = {}
    for one in counted:
        values = found.setdefault(one.name, [])
        if len(values) < _MOST_VALUES:
            values.append(one)
    return {name: tuple(values) for name, values in found.items()}
