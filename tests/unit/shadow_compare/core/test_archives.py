"""Examples as an HTTP archive and as commands."""

from __future__ import annotations

import dataclasses
import json
import shlex
import subprocess
from typing import Any

import pytest
from haralyzer import HarParser
from hypothesis import given
from hypothesis import strategies as st

from proxy.routing import Side
from shadow_compare.core.har import har
from shadow_compare.core.repeat import curl_of, unrepeatable
from tests.support.comparing import example

URLS = {Side.LEGACY: "http://127.0.0.1:1/shop", Side.CORE: "http://127.0.0.1:2"}
MARK = "[hmac:5f2b7c90aa41d3e6]"
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n"), max_size=30)

#: What HAR 1.2 demands of each object.
DEMANDED = {
    "entry": {"startedDateTime", "time", "request", "response", "cache", "timings"},
    "request": {
        *("method", "url", "httpVersion", "cookies", "headers", "queryString"),
        *("headersSize", "bodySize"),
    },
    "response": {
        *("status", "statusText", "httpVersion", "cookies", "headers", "content"),
        *("redirectURL", "headersSize", "bodySize"),
    },
}


def archive(**changed: Any) -> dict[str, Any]:
    one = dataclasses.replace(example(), **changed)
    return dict(json.loads(json.dumps(har([one], URLS, version="1"))))


def test_both_sides_stand_in_the_archive_with_all_that_the_form_demands() -> None:
    whole = archive(legacy_us=12_500, core_us=3_000, live_side="core")

    log = whole["log"]
    assert (log["version"], log["creator"]["name"]) == ("1.2", "Banyan")
    assert [entry["request"]["url"] for entry in log["entries"]] == [
        "http://127.0.0.1:1/shop/products/7/?q=1",
        "http://127.0.0.1:2/products/7/?q=1",
    ]
    for entry in log["entries"]:
        assert set(entry) >= DEMANDED["entry"]
        assert set(entry["request"]) >= DEMANDED["request"]
        assert set(entry["response"]) >= DEMANDED["response"]
        spent = [v for v in entry["timings"].values() if isinstance(v, int | float) and v >= 0]
        assert sum(spent) == entry["time"]
    assert [entry["time"] for entry in log["entries"]] == [12.5, 3.0]
    assert "shadow" in log["entries"][0]["comment"]
    assert "answered the shopper" in log["entries"][1]["comment"]


def test_a_reader_of_archives_reads_it() -> None:
    whole = archive(
        request_headers=(("Cookie", "a=1; b"), ("Accept", "application/json")),
        core_status=404,
        core_headers=(("Content-Type", "text/html"), ("Set-Cookie", "s=1; Path=/")),
    )

    parsed = HarParser(whole)

    legacy, core = (entry for page in parsed.pages for entry in page.entries)
    assert (legacy.status, core.status) == (200, 404)
    assert legacy.request.method == "GET"
    assert legacy.response.text == '{"price": "1.00"}'
    assert core.response.mimeType == "text/html"
    assert [dict(cookie)["name"] for cookie in legacy.request.cookies] == ["a", "b"]
    assert legacy.startTime is not None


def test_what_was_redacted_is_marked_and_said() -> None:
    whole = archive(request_headers=(("Cookie", MARK), ("Accept", "a")), target=f"/u/{MARK}/")

    entry = whole["log"]["entries"][0]
    marked = {header["name"]: header.get("comment") for header in entry["request"]["headers"]}
    assert marked == {"Cookie": "redacted", "Accept": None}
    assert entry["request"]["cookies"] == []
    assert "left out: Cookie" in entry["comment"]
    assert "the target holds redacted parts" in entry["comment"]


@given(TEXT, TEXT, TEXT)
def test_whatever_an_exchange_holds_the_archive_is_json(target: str, name: str, body: str) -> None:
    whole = archive(
        target=f"/{target}", request_headers=((name, body),), legacy_body=body, core_headers=()
    )

    assert len(whole["log"]["entries"]) == 2


@given(TEXT, TEXT, st.sampled_from(["GET", "HEAD", "PURGE"]))
def test_a_shell_reads_the_command_as_it_was_meant(target: str, value: str, method: str) -> None:
    one = dataclasses.replace(
        example(), method=method, target=f"/{target}", request_headers=(("X-A", value),)
    )

    command = curl_of(one, "http://h").text

    read = shlex.split(command)
    assert read[0] == "curl"
    assert read[-1] == f"http://h/{target}"
    assert read[read.index("-H") + 1] == (f"X-A: {value}" if value else "X-A;")
    assert ("--globoff" in read) == any(sign in target for sign in "[]{}")


def test_a_real_shell_runs_nothing_that_a_shopper_wrote() -> None:
    nasty = "/x?a='$(touch /nowhere/pwned)`id`;|&\n"
    one = dataclasses.replace(example(), target=nasty, request_headers=())

    command = curl_of(one, "http://h").text.replace("curl", "printf '%s\\n'", 1)

    said = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=True)
    assert said.stderr == ""
    assert f"http://h{nasty}" in said.stdout


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"method": "POST"}, "POST is not repeated"),
        ({"target": f"/u/{MARK}/"}, "redacted"),
        ({"request_headers": (("Content-Length", "4"),)}, "had a body"),
        ({"request_headers": (("content-length", "0"), ("Cookie", MARK))}, None),
        ({"method": "HEAD"}, None),
    ],
)
def test_only_what_changes_nothing_and_is_whole_is_repeated(
    changed: dict[str, Any], told: str | None
) -> None:
    found = unrepeatable(dataclasses.replace(example(), **changed))

    assert (found is None) == (told is None)
    assert told is None or told in str(found)
