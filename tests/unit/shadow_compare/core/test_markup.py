"""XML, HTML and forms are compared by what they mean."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proxy.routing import Accept, CompareRule, RuleTerms
from shadow_compare.core.verdict import Outcome, Verdict
from tests.support.comparing import rule
from tests.support.judging import answer, places, verdict


def judged(kind: str, legacy: bytes, core: bytes, *rules: CompareRule) -> Verdict:
    headers = (("Content-Type", kind),)
    return verdict(answer(legacy, headers=headers), answer(core, headers=headers), *rules)


def html(legacy: str, core: str, *rules: CompareRule) -> Verdict:
    return judged("text/html; charset=utf-8", legacy.encode(), core.encode(), *rules)


def xml(legacy: str, core: str, *rules: CompareRule) -> Verdict:
    return judged("application/xml", legacy.encode(), core.encode(), *rules)


@pytest.mark.parametrize(
    ("legacy", "core"),
    [
        ("<a x='1' y='2'/>", '<a y="2" x="1"></a>'),
        ("<a><b/><c/></a>", "<a>\n  <b/>\n  <c/>\n</a>"),
        ("<p:a xmlns:p='u'><p:b/></p:a>", "<a xmlns='u'><q:b xmlns:q='u'/></a>"),
        ("<a p:x='1' xmlns:p='u'/>", "<a q:x='1' xmlns:q='u'/>"),
        ("<a>&lt;&#65;</a>", "<a><![CDATA[<A]]></a>"),
        ("<?xml version='1.0'?><!-- x --><a>1</a>", "<a><!-- y -->1<?z?></a>"),
        ("<!DOCTYPE a SYSTEM 'http://127.0.0.1:1/a.dtd'><a/>", "<a/>"),
    ],
)
def test_two_spellings_of_one_xml_document_match(legacy: str, core: str) -> None:
    assert xml(legacy, core).outcome is Outcome.MATCH


GONE = [("$.a", "missing")]


@pytest.mark.parametrize(
    ("legacy", "core", "expected"),
    [
        ("<a x='1'/>", "<a x='2'/>", [("$.a['@x']", "value")]),
        ("<a x='1'/>", "<a/>", [("$.a['@x']", "missing")]),
        ("<a xmlns='u'/>", "<a xmlns='w'/>", [("$.a['@xmlns']", "value")]),
        ("<a> x</a>", "<a>x</a>", [("$.a", "value")]),
        (
            "<a xml:space='preserve'> <b/></a>",
            "<a xml:space='preserve'><b/></a>",
            [("$.a", "missing")],
        ),
        ("<a><b>1</b><b>2</b></a>", "<a><b>1</b><b>3</b></a>", [("$.a.b[1]", "value")]),
        ("<a><b/><c/></a>", "<a><c/></a>", [("$.a.b", "missing")]),
        ("<a><b/></a>", "<a><c/></a>", [("$.a.b", "missing"), ("$.a.c", "added")]),
        ("<a><b/><c/></a>", "<a><c/><b/></a>", [("$.a", "order")]),
        ("<a>1<b/></a>", "<a>1</a>", [("$.a.b", "missing")]),
        ("<a/>", "<b/>", [("$", "value")]),
    ],
)
def test_a_difference_in_xml_is_named_by_its_place(
    legacy: str, core: str, expected: list[tuple[str, str]]
) -> None:
    assert places(xml(legacy, core)) == expected


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "declares entities"),
        ("<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/hostname'>]><a>&b;</a>", "entities"),
        ("<!DOCTYPE a SYSTEM 'x'><a>&b;</a>", "entit"),
        ("<a>&nbsp;</a>", "not XML"),
        ("<a><b></a>", "not XML"),
        ("<a", "not XML"),
        ("x", "not XML"),
        ("<a>" * 101 + "</a>" * 101, "nested deeper"),
        ("<a>" * 30_000 + "</a>" * 30_000, "nested deeper"),
        ("<?xml version='1.0' encoding='klingon'?><a/>", "not written in klingon"),
    ],
)
def test_xml_that_cannot_be_relied_on_is_not_compared(body: str, why: str) -> None:
    found = xml("<a/>", body)

    assert found.outcome is Outcome.INCOMPARABLE
    assert why in (found.reason or "")


def test_an_entity_bomb_is_refused_before_it_grows() -> None:
    levels = "".join(f"<!ENTITY e{at + 1} '{f'&e{at};' * 10}'>" for at in range(12))
    bomb = f"<!DOCTYPE a [<!ENTITY e0 'xxxxxxxxxx'>{levels}]><a b='&e12;'>&e12;</a>"

    assert xml("<a/>", bomb).outcome is Outcome.INCOMPARABLE


@pytest.mark.parametrize(
    ("legacy", "core"),
    [
        ("<p>a</p>", "<html><head></head><body>\n <p>\n a </p>"),
        ("<p class='b a'>x", '<p class="a  b">x</p>'),
        ("<ul><li>1<li>2</ul>", "<ul>\n<li> 1</li>\n<li>2 </li></ul>"),
        ("<p>a&nbsp;&amp;", "<p>a\u00a0&amp;</p>"),
        ("<!DOCTYPE html><p>x", "<!doctype HTML><!-- y --><p>x"),
        ("<INPUT Name=a disabled>", "<input disabled='' name='a'/>"),
    ],
)
def test_two_spellings_of_one_page_match(legacy: str, core: str) -> None:
    assert html(legacy, core).outcome is Outcome.MATCH


@pytest.mark.parametrize(
    ("legacy", "core", "pattern"),
    [
        ("<p>a", "<p>b", "$.html.body.p"),
        ("<b>a</b> <b>b</b>", "<b>a</b><b>b</b>", "$.html.body"),
        ("<pre>a  b</pre>", "<pre>a b</pre>", "$.html.body.pre"),
        ("<p class=a>", "<p class=b>", "$.html.body.p['@class']"),
        ("<!DOCTYPE html><p>x", "<p>x", "$.html['@!doctype']"),
        ("<div id=main><p>a</div>", "<div id=main><p>b</div>", "$..['#main'].p"),
        ("<p id=p17>a", "<p id=p17>b", "$.html.body.p"),
        ("<ul><li>1<li>2</ul>", "<ul><li>1</ul>", "$.html.body.ul.li"),
        ("<script>a  b</script>", "<script>a b</script>", "$.html.head.script"),
    ],
)
def test_a_difference_in_a_page_is_named_by_its_place(legacy: str, core: str, pattern: str) -> None:
    found = html(legacy, core)

    assert [leaf.pattern for leaf in found.leaves] == [pattern]
    # What a pattern says can be written as the path of a rule.
    assert html(legacy, core, rule(pattern)).outcome is Outcome.ACCEPTED


def test_rules_find_elements_by_tag_class_id_and_attribute() -> None:
    ours = "<div id=cart><b class='price now'>12.50</b><a href='https://a/x'>x</a><time>1</time>"
    theirs = "<div id=cart><b class='now price'>12.51</b><a href='https://b/x'>x</a><time>2</time>"
    cent = RuleTerms(within=Decimal("0.01"))
    price = rule("$..['.price']", Accept.MONEY, terms=cent)
    link = rule("$..a['@href']", Accept.URL, terms=RuleTerms(hosts=("a", "b")))

    assert len(html(ours, theirs).leaves) == 3
    assert html(ours, theirs, price, link, rule("$..time")).outcome is Outcome.ACCEPTED
    assert html(ours, theirs, price, link).outcome is Outcome.MISMATCH
    assert html(ours, theirs, rule("$..['#cart']")).outcome is Outcome.ACCEPTED


def test_children_may_be_a_set_or_told_apart_by_a_key() -> None:
    ours = "<list><i id='1'>a</i><i id='2'>b</i></list>"
    theirs = "<list><i id='2'>b</i><i id='1'>x</i></list>"
    keyed = rule("$.list", Accept.KEYED, terms=RuleTerms(by=("@id",)))

    assert places(xml(ours, theirs, keyed)) == [("$.list.i[0]", "value")]
    assert xml(ours, theirs.replace("x", "a"), rule("$.list", Accept.UNORDERED)).outcome is (
        Outcome.ACCEPTED
    )


@pytest.mark.parametrize("body", ["<div>" * 101, "<b>" * 50_000, "<div>" * 50_000])
def test_a_page_without_a_bottom_is_not_compared(body: str) -> None:
    assert html("<p>", body).outcome is Outcome.INCOMPARABLE


def test_a_body_that_is_not_in_its_charset_is_not_compared() -> None:
    found = judged("text/html; charset=utf-8", b"<p>\xe9", b"<p>\xe8")

    assert found.outcome is Outcome.INCOMPARABLE
    assert "not written in utf-8" in (found.reason or "")


def test_the_same_letters_in_two_charsets_match_and_the_same_bytes_do_not() -> None:
    page = "<p>é"
    utf8, latin = (
        answer(page.encode(name), headers=(("Content-Type", f"text/html; charset={name}"),))
        for name in ("utf-8", "latin-1")
    )
    lying = answer(utf8.body, headers=latin.headers)

    assert verdict(utf8, latin).outcome is Outcome.MATCH
    assert verdict(utf8, lying).outcome is Outcome.MISMATCH


def test_the_meta_element_tells_the_charset_where_the_header_does_not() -> None:
    page = '<meta charset="{0}"><p>é'
    found = judged(
        "text/html", page.format("latin-1").encode("latin-1"), page.format("utf-8").encode()
    )

    assert [leaf.pattern for leaf in found.leaves] == ["$.html.head.meta['@charset']"]


FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("legacy", "core", "expected"),
    [
        (b"a=1&b=2", b"b=2&a=1", []),
        (b"a=x%20y", b"a=x+y", []),
        (b"a=1&a=2", b"a=2&a=1", [("$.a", "order")]),
        (b"a=1", b"a=2", [("$.a", "value")]),
        (b"a=1", b"a=1&b=2", [("$.b", "added")]),
    ],
)
def test_forms_are_compared_by_field(
    legacy: bytes, core: bytes, expected: list[tuple[str, str]]
) -> None:
    assert places(judged(FORM, legacy, core)) == expected


def parts(boundary: str, *fields: tuple[str, str]) -> bytes:
    told = "".join(
        f"--{boundary}\r\nContent-Disposition: form-data; {head}\r\n\r\n{value}\r\n"
        for head, value in fields
    )
    return f"{told}--{boundary}--\r\n".encode()


def test_forms_in_parts_are_compared_by_field_whatever_bounds_them() -> None:
    ours, theirs, cut = (
        answer(body, headers=(("Content-Type", f"multipart/form-data; boundary={bound}"),))
        for bound, body in (
            ("x", parts("x", ('name="a"', "1"), ('name="f"; filename="p.png"', "old"))),
            ("yy", parts("yy", ('name="f"; filename="p.png"', "new"), ('name="a"', "1"))),
            ("x", parts("x", ('name="a"', "1"))[:-6]),
        )
    )

    assert places(verdict(ours, theirs)) == [("$.f.sha256", "value")]
    assert verdict(ours, theirs, headers=("content-type",)).leaves[0].path == "$.f.sha256"
    assert verdict(ours, cut).outcome is Outcome.INCOMPARABLE


TYPES = st.sampled_from(
    [
        "text/html",
        "text/xml",
        "application/json",
        FORM,
        "multipart/form-data; boundary=a",
        "",
        "a/b",
    ]
)
TAGS = [b"<p>", b"</p>", b"<!--", b"<![CDATA[", b"<table>", b"<?xml "]
SIGNS = [b"<", b">", b"/", b"a", b"b", b"=", b"'", b"&", b";", b"{", b'"']
ODD = [b"--a\r\n", b"\r\n", b"\0", b"\xff", b"\xc3\xa9", b"%zz"]
BITS = st.sampled_from([*TAGS, *SIGNS, *ODD])
BODIES = st.lists(BITS, max_size=25).map(b"".join) | st.binary(max_size=60)


@given(TYPES, TYPES, BODIES, BODIES)
def test_garbage_gets_the_same_verdict_from_either_side_and_breaks_nothing(
    kind: str, other_kind: str, one: bytes, other: bytes
) -> None:
    ours = answer(one, headers=(("Content-Type", kind),))
    theirs = answer(other, headers=(("Content-Type", other_kind),))

    there, back = verdict(ours, theirs, rule("$..a")), verdict(theirs, ours, rule("$..a"))

    assert there.outcome is not Outcome.BROKEN, there.reason
    assert there.outcome is back.outcome


@given(
    st.text(alphabet="<>/ab p='\n", max_size=40), st.text(alphabet="xyz", min_size=1, max_size=4)
)
@example(page="<b/<='", more="x")
def test_a_text_more_in_a_page_is_always_found(page: str, more: str) -> None:
    said = f"<p>{more}</p>"

    assert html(page, f"{said}{page}").outcome is not Outcome.MATCH
    # Behind a quote that stays open it is in an attribute of a tag that never ends, and no
    # browser shows anything of that; so either ">" or "'>" brings the page to its end.
    ends = (">",) if "'" not in page else (">", "'>")
    found = [html(page, f"{page}{end}{said}").outcome for end in ends]
    assert set(found) != {Outcome.MATCH}
