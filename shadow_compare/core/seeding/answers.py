"""Whole answers gone wrong: status, headers, bodies that are cut, empty or a page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from shadow_compare.core.answer import Answer
from shadow_compare.core.bodies import BodyKind, body_kind, text_of
from shadow_compare.core.documents import as_written, quoted
from shadow_compare.core.seeding.model import Seeded, document_of, drawn

# What clients act on. Others (Date, Server) say nothing about a shop.
_HEADERS = ("cache-control", "content-language", "etag", "link", "location", "set-cookie", "vary")
_PAGE = b"<!DOCTYPE html><html><body><h1>Something went wrong</h1></body></html>"

Spots = Callable[[Answer, int], Iterator[Seeded]]


@dataclass(frozen=True, slots=True)
class AnswerDefect:
    """A defect of the answer around the document."""

    kind: str
    told: str
    find: Spots
    is_critical: bool = False

    def spots(self, answer: Answer, lot: int) -> Iterator[Seeded]:
        yield from self.find(answer, lot)


def _status(status: int) -> Spots:
    def find(answer: Answer, _lot: int) -> Iterator[Seeded]:
        # Two failures prove nothing, and a judge says so; that is no status to spoil.
        if answer.status < 500 and answer.status != status:
            yield Seeded(replace(answer, status=status), "status")

    return find


def _content_type(answer: Answer, _lot: int) -> Iterator[Seeded]:
    declared = answer.header("content-type")
    if declared is not None and answer.body:
        other = "text/html" if "html" not in declared else "text/plain"
        yield Seeded(_with(answer, "content-type", other), "header:content-type")


def _header_missing(answer: Answer, _lot: int) -> Iterator[Seeded]:
    for name in _HEADERS:
        if answer.header(name) is not None:
            yield Seeded(_with(answer, name, None), f"header:{name}")


def _redirect(answer: Answer, _lot: int) -> Iterator[Seeded]:
    target = answer.header("location")
    if target is not None and 300 <= answer.status < 400:
        yield Seeded(_with(answer, "location", target.rstrip("/") + "/other/"), "header:location")


def _body_empty(answer: Answer, _lot: int) -> Iterator[Seeded]:
    if answer.body:
        yield Seeded(replace(answer, body=b""), "body")


def _body_cut(answer: Answer, _lot: int) -> Iterator[Seeded]:
    if len(answer.body) > 1:
        yield Seeded(replace(answer, body=answer.body[: len(answer.body) // 2]), "body")


def _error_page(answer: Answer, _lot: int) -> Iterator[Seeded]:
    if answer.body and answer.status < 400:
        yield Seeded(replace(_with(answer, "content-type", "text/html"), body=_PAGE), "body")


def _key_twice(answer: Answer, _lot: int) -> Iterator[Seeded]:
    document = document_of(answer)
    if document is None or not isinstance(document.value, dict) or not document.value:
        return
    key = next(iter(document.value))
    text = as_written(document.value)
    yield Seeded(replace(answer, body=f"{text[:-1]}, {quoted(key)}: null}}".encode()), "body")


def _line_changed(answer: Answer, lot: int) -> Iterator[Seeded]:
    is_text = body_kind(answer, answer.body) is BodyKind.TEXT
    text = text_of(answer, answer.body) if is_text else None
    if not text:
        return
    lines = text.split("\n")
    at = drawn(lot, "line") % len(lines)
    lines[at] += "?"
    yield Seeded(replace(answer, body="\n".join(lines).encode()), "body")


def _byte_changed(answer: Answer, lot: int) -> Iterator[Seeded]:
    if body_kind(answer, answer.body) is not BodyKind.BINARY:
        return
    at = drawn(lot, "byte") % len(answer.body)
    other = bytes([answer.body[at] ^ 1])
    yield Seeded(replace(answer, body=answer.body[:at] + other + answer.body[at + 1 :]), "body")


def _with(answer: Answer, name: str, value: str | None) -> Answer:
    kept = tuple(line for line in answer.headers if line[0].lower() != name)
    return replace(answer, headers=kept if value is None else (*kept, (name, value)))


ANSWER_DEFECTS: tuple[AnswerDefect, ...] = (
    AnswerDefect("status_not_found", "the answer is 404", _status(404), True),
    AnswerDefect("status_failed", "the answer is 500", _status(500), True),
    AnswerDefect("content_type_changed", "the body is declared as something else", _content_type),
    AnswerDefect("header_missing", "a header is not there", _header_missing),
    AnswerDefect("redirect_changed", "a redirect leads elsewhere", _redirect, True),
    AnswerDefect("body_empty", "the body is empty", _body_empty, True),
    AnswerDefect("body_cut", "the body is cut off", _body_cut, True),
    AnswerDefect("error_page", "a page of an error comes with a good status", _error_page, True),
    AnswerDefect("key_twice", "a key stands twice, with another value", _key_twice),
    AnswerDefect("line_changed", "a line of a text differs", _line_changed),
    AnswerDefect("byte_changed", "a byte of a file differs", _byte_changed),
)
