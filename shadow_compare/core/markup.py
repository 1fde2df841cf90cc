"""Read XML and HTML as trees, without entities, foreign documents or bottomless nesting.

What is white space between elements only for the eye is taken out, by a rule for each:

* XML: an element that holds elements and no text but white space loses that white space,
  unless xml:space="preserve" holds. All other text is kept as it is.
* HTML: runs of white space are one space; at the edges of blocks they are nothing. In pre,
  textarea, script and style all is kept.

Comments and processing instructions are no content in either.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from shadow_compare.core.charsets import html_text, xml_text
from shadow_compare.core.documents import MAX_DEPTH
from shadow_compare.core.elements import Child, Element, is_bare
from shadow_compare.errors import UnreadableError

_XML_SPACE = "{http://www.w3.org/XML/1998/namespace}space"
_BLANKS = " \t\n\r\f"
_RUN = re.compile(r"[ \t\n\r\f]+")
_KEPT = frozenset(("pre", "textarea", "script", "style", "listing", "xmp", "plaintext"))
_INLINE = frozenset(
    (
        "a",
        "abbr",
        "acronym",
        "audio",
        "b",
        "bdi",
        "bdo",
        "big",
        "button",
        "canvas",
        "cite",
        "code",
        "data",
        "del",
        "dfn",
        "em",
        "font",
        "i",
        "iframe",
        "img",
        "input",
        "ins",
        "kbd",
        "label",
        "mark",
        "math",
        "meter",
        "object",
        "output",
        "picture",
        "progress",
        "q",
        "ruby",
        "s",
        "samp",
        "select",
        "small",
        "span",
        "strike",
        "strong",
        "sub",
        "sup",
        "svg",
        "time",
        "tt",
        "u",
        "var",
        "video",
    )
)
# They are set by being there, whatever their value.
_FLAGS = frozenset(
    (
        "allowfullscreen",
        "async",
        "autofocus",
        "autoplay",
        "checked",
        "controls",
        "default",
        "defer",
        "disabled",
        "formnovalidate",
        "inert",
        "ismap",
        "itemscope",
        "loop",
        "multiple",
        "muted",
        "nomodule",
        "novalidate",
        "open",
        "playsinline",
        "readonly",
        "required",
        "reversed",
        "selected",
    )
)
_MOVING = re.compile(r"\d")
_PARSER_TOO_DEEP = "Excessive depth"


def read_xml(body: bytes, charset: str) -> Element:
    """The document in a body. Namespaces count by URI, prefixes do not.

    Raises:
        UnreadableError: it is not well-formed, declares entities or other rules of its
            own, nests deeper than 100, or is not in its charset.
    """
    # Most comparers read JSON alone; these libraries are loaded by those that need them.
    from lxml import etree  # noqa: PLC0415

    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        remove_comments=True,
        remove_pis=True,
        huge_tree=False,
    )
    root = _parsed(xml_text(body, charset), parser, "XML")
    declared = root.getroottree().docinfo.internalDTD
    if declared is not None and any(True for _ in declared.iterentities()):
        raise UnreadableError("its DTD declares entities, which are not read")
    if declared is not None and any(True for _ in declared.iterelements()):
        raise UnreadableError("its DTD declares elements, which are not read")
    return _xml(root, 1, keeps=False)


def read_html(body: bytes, charset: str) -> Element:
    """The page in a body, as a browser builds it from whatever it gets.

    Raises:
        UnreadableError: it holds nothing, nests deeper than 100, or is not in its charset.
    """
    from lxml import etree  # noqa: PLC0415 - as above

    parser = etree.HTMLParser(
        encoding="utf-8",
        remove_comments=True,
        remove_pis=True,
        no_network=True,
        default_doctype=False,
    )
    root = _parsed(html_text(body, charset), parser, "HTML")
    page = _html(root, 1, keeps=False)
    # A head is always there; some pages say so and some do not.
    first = page.children[0] if page.children else ""
    if isinstance(first, Element) and first.name == "head" and is_bare(first):
        del page.children[0]
    # Without it browsers fall back to the ways of the nineties.
    doctype = root.getroottree().docinfo.doctype
    if doctype:
        page.attributes["!doctype"] = doctype.lower()
    return page


def _parsed(text: str, parser: Any, kind: str) -> Any:
    from lxml import etree  # noqa: PLC0415 - as above

    try:
        root = etree.fromstring(text.encode(), parser)
    except (etree.LxmlError, ValueError) as exc:
        if _PARSER_TOO_DEEP in str(exc):
            raise UnreadableError(f"nested deeper than {MAX_DEPTH} levels") from exc
        raise UnreadableError(f"not {kind}: {str(exc)[:200]}") from exc
    if any(_PARSER_TOO_DEEP in entry.message for entry in parser.error_log):
        raise UnreadableError(f"nested deeper than {MAX_DEPTH} levels")
    if root is None:
        raise UnreadableError(f"no {kind} in it")
    return root


def _xml(node: Any, depth: int, *, keeps: bool) -> Element:
    _check(depth)
    space, name = _split(node.tag)
    attributes = {str(key): str(value) for key, value in node.attrib.items()}
    kept = node.get(_XML_SPACE)
    keeps = keeps if kept is None else kept == "preserve"
    children = _children(node, lambda child: _xml(child, depth + 1, keeps=keeps))
    if not keeps and len(node) and not any(_is_said(child) for child in children):
        children = [child for child in children if isinstance(child, Element)]
    return Element(name, attributes, children, space=space)


def _html(node: Any, depth: int, *, keeps: bool) -> Element:
    _check(depth)
    space, name = _split(node.tag)
    attributes = {str(key): str(value) for key, value in node.attrib.items()}
    for flag in attributes.keys() & _FLAGS:
        attributes[flag] = ""
    keeps = keeps or name in _KEPT
    children = _children(node, lambda child: _html(child, depth + 1, keeps=keeps))
    if not keeps:
        children = _shown(children, inline=name in _INLINE)
    names = [name]
    anchor = ""
    if "class" in attributes:
        classes = sorted(set(attributes["class"].split()))
        attributes["class"] = " ".join(classes)
        names += [f".{one}" for one in classes]
    if own := attributes.get("id", "").strip():
        names.append(f"#{own}")
        anchor = "" if _MOVING.search(own) else f"#{own}"
    return Element(name, attributes, children, space=space, names=tuple(names), anchor=anchor)


def _children(node: Any, read: Callable[[Any], Element]) -> list[Child]:
    """Children and text in order; pieces of text that meet are one."""
    children: list[Child] = []
    if node.text:
        children.append(node.text)
    for child in node:
        if not isinstance(child.tag, str):
            raise UnreadableError("it refers to an entity, which is not read")
        children.append(read(child))
        if child.tail:
            children.append(child.tail)
    return children


def _shown(children: list[Child], *, inline: bool) -> list[Child]:
    """Text as a browser shows it: no white space where a block begins or ends."""
    out: list[Child] = []
    last = len(children) - 1
    for at, child in enumerate(children):
        if isinstance(child, Element):
            out.append(child)
            continue
        text = _RUN.sub(" ", child)
        before = children[at - 1] if at else None
        after = children[at + 1] if at < last else None
        if _is_block(before) if before is not None else not inline:
            text = text.lstrip(" ")
        if _is_block(after) if after is not None else not inline:
            text = text.rstrip(" ")
        if text:
            out.append(text)
    return out


def _is_block(node: Child) -> bool:
    return isinstance(node, Element) and node.name not in _INLINE


def _is_said(child: Child) -> bool:
    return isinstance(child, str) and bool(child.strip(_BLANKS))


def _split(tag: str) -> tuple[str, str]:
    if tag[:1] == "{":
        space, _, name = tag[1:].partition("}")
        return space, name
    return "", tag


def _check(depth: int) -> None:
    if depth > MAX_DEPTH:
        raise UnreadableError(f"nested deeper than {MAX_DEPTH} levels")
