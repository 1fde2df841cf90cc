"""Read which GraphQL operation a request asks for. The parser is loaded when first used.

read_operation("POST", "application/json", "", b'{"query": "{product {name}}"}')
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import msgspec
from typing_extensions import override

if TYPE_CHECKING:
    from graphql.language import (
        DocumentNode,
        FragmentDefinitionNode,
        OperationDefinitionNode,
        SelectionSetNode,
    )

LOOK_AHEAD_BYTES = 64 * 1024
MAX_TOKENS = 2_000

_MAX_NAME = 256
_REMEMBERED = 512
_JSON = frozenset(("application/json", "application/graphql-response+json"))
_DOCUMENT = "application/graphql"
_PARAMETERS = frozenset(("query", "operationName", "extensions", "id", "documentId"))


class OperationType(StrEnum):
    """What an operation does."""

    QUERY = "query"
    MUTATION = "mutation"
    SUBSCRIPTION = "subscription"


class GraphQLOperation(msgspec.Struct, frozen=True, gc=False):
    """The operation that a server would run.

    Attributes:
        type: None when the request names a stored document and does not bring its text.
        name: as the document or the request says, None for an unnamed one.
        fields: root fields by their real names, sorted, each once; empty when the
            document is not in the request.
    """

    type: OperationType | None
    name: str | None
    fields: tuple[str, ...] = ()


class Unread(StrEnum):
    """Why an operation could not be read."""

    TOO_LARGE = "too_large"
    CONTENT_TYPE = "content_type"
    NOT_JSON = "not_json"
    BATCH = "batch"
    NO_DOCUMENT = "no_document"
    SYNTAX = "syntax"
    WHICH = "which_operation"


class GraphQLProblem(msgspec.Struct, frozen=True, gc=False):
    """The request may be GraphQL, but which operation it asks for cannot be told."""

    kind: Unread


class _Asked(msgspec.Struct, frozen=True):
    """A request's parameters, wherever they stood."""

    query: str | None = None
    operationName: str | None = None  # noqa: N815 - as GraphQL over HTTP calls it
    extensions: dict[str, Any] | None = None
    id: str | None = None
    documentId: str | None = None  # noqa: N815 - the same


def media_type(content_type: str | None) -> str:
    """A content type's media type, lower case, without parameters; "" for none."""
    return "" if content_type is None else content_type.partition(";")[0].strip().lower()


def read_operation(
    method: str,
    content_type: str | None,
    query: str,
    body: bytes,
    *,
    max_tokens: int = MAX_TOKENS,
) -> GraphQLOperation | GraphQLProblem | None:
    """Tell which operation a request asks for.

    Total and bounded: whatever comes gives an operation, a problem, or None where there
    is no sign of GraphQL. A GET has it in its query string, a POST in its body.
    """
    if method in ("GET", "HEAD"):
        asked = _of_query(query)
    elif method == "POST":
        # Parameters in the address of a POST would be read by some servers only.
        asked = _of_query(query) or _of_body(media_type(content_type), body)
        if isinstance(asked, _Asked) and _of_query(query) is not None:
            return GraphQLProblem(Unread.WHICH)
    else:
        return None
    if not isinstance(asked, _Asked):
        return asked
    return _operation(asked, max_tokens)


def _of_query(query: str) -> _Asked | GraphQLProblem | None:
    if not any(f"{name}=" in query for name in _PARAMETERS) and "%" not in query:
        return None
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=64)
    except ValueError:
        return GraphQLProblem(Unread.TOO_LARGE)
    found = [(name, value) for name, value in pairs if name in _PARAMETERS]
    if not any(name in ("query", "extensions", "documentId") for name, _ in found):
        return None
    if len({name for name, _ in found}) != len(found):
        return GraphQLProblem(Unread.WHICH)
    given: dict[str, Any] = dict(found)
    extensions = given.pop("extensions", None)
    if extensions is not None:
        try:
            given["extensions"] = msgspec.json.decode(extensions, type=dict[str, Any])
        except (msgspec.MsgspecError, RecursionError, UnicodeError):
            return GraphQLProblem(Unread.NOT_JSON)
    return _Asked(**given)


def _of_body(kind: str, body: bytes) -> _Asked | GraphQLProblem:
    if kind == _DOCUMENT:
        try:
            return _Asked(query=body.decode())
        except UnicodeDecodeError:
            return GraphQLProblem(Unread.SYNTAX)
    if kind not in _JSON:
        return GraphQLProblem(Unread.CONTENT_TYPE)
    if body.lstrip()[:1] == b"[":
        return GraphQLProblem(Unread.BATCH)
    try:
        return _ASKED.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return GraphQLProblem(Unread.NOT_JSON)


_ASKED = msgspec.json.Decoder(_Asked)


def _operation(asked: _Asked, max_tokens: int) -> GraphQLOperation | GraphQLProblem:
    name = asked.operationName or None
    if name is not None and len(name) > _MAX_NAME:
        return GraphQLProblem(Unread.TOO_LARGE)
    if asked.query:
        return _of_document(_Document(asked.query), name, max_tokens)
    stored = asked.documentId or asked.id or (asked.extensions or {}).get("persistedQuery")
    if stored:
        return GraphQLOperation(None, name)
    return GraphQLProblem(Unread.NO_DOCUMENT)


class _Document:
    """A document as a key: remembered by its digest, the text let go once it is parsed."""

    __slots__ = ("_digest", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()

    @override
    def __hash__(self) -> int:
        return hash(self._digest)

    @override
    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Document) and self._digest == other._digest


@lru_cache(maxsize=_REMEMBERED)
def _of_document(
    document: _Document, name: str | None, max_tokens: int
) -> GraphQLOperation | GraphQLProblem:
    text, document.text = document.text, ""
    from graphql.error import GraphQLSyntaxError  # noqa: PLC0415 - see load_parser
    from graphql.language import parse  # noqa: PLC0415

    try:
        # Too many levels it reports as an error of syntax, never as a RecursionError.
        parsed = parse(text, no_location=True, max_tokens=max_tokens)
    except GraphQLSyntaxError as exc:
        # So it says of too many tokens, and of too many levels.
        is_large = "Parsing aborted" in exc.message
        return GraphQLProblem(Unread.TOO_LARGE if is_large else Unread.SYNTAX)
    return _of_parsed(parsed, name)


def load_parser() -> None:
    """Import the parser: a tenth of a second, best spent when a table is made."""
    import graphql.error  # noqa: PLC0415
    import graphql.language  # noqa: F401, PLC0415


def _of_parsed(parsed: DocumentNode, name: str | None) -> GraphQLOperation | GraphQLProblem:
    from graphql.language import (  # noqa: PLC0415
        FragmentDefinitionNode,
        OperationDefinitionNode,
    )

    operations: list[OperationDefinitionNode] = []
    fragments: dict[str, FragmentDefinitionNode] = {}
    for node in parsed.definitions:
        if isinstance(node, OperationDefinitionNode):
            if name is None or (node.name is not None and node.name.value == name):
                operations.append(node)
        elif isinstance(node, FragmentDefinitionNode):
            fragments[node.name.value] = node
    # A server refuses a document with none or with several to choose from.
    if len(operations) != 1:
        return GraphQLProblem(Unread.WHICH)
    (chosen,) = operations
    fields = _root_fields(chosen, fragments)
    if not fields:
        return GraphQLProblem(Unread.NO_DOCUMENT)
    called = None if chosen.name is None else chosen.name.value
    return GraphQLOperation(OperationType(chosen.operation.value), called, fields)


def _root_fields(
    operation: OperationDefinitionNode, fragments: Mapping[str, FragmentDefinitionNode]
) -> tuple[str, ...]:
    """Names of the fields a server may resolve at the root, whatever @skip says."""
    from graphql.language import FieldNode, FragmentSpreadNode, InlineFragmentNode  # noqa: PLC0415

    names: set[str] = set()
    spread: set[str] = set()
    waiting: list[SelectionSetNode] = [operation.selection_set]
    while waiting:
        for node in waiting.pop().selections:
            if isinstance(node, FieldNode):
                names.add(node.name.value)
            elif isinstance(node, InlineFragmentNode):
                waiting.append(node.selection_set)
            elif isinstance(node, FragmentSpreadNode) and node.name.value not in spread:
                spread.add(node.name.value)
                if node.name.value in fragments:
                    waiting.append(fragments[node.name.value].selection_set)
    # Clients add __typename anywhere; it belongs to whoever has the rest.
    return tuple(sorted(names - {"__typename"} or names))
