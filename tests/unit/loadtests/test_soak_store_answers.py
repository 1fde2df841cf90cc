"""The soak's store answers whatever is asked, in the words it was given."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from loadtests.bench_paced import answer_end
from loadtests.soak_stores import answer


@given(st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), min_size=1))
def test_an_answer_tells_what_was_asked_and_is_framed_by_its_length(target: str) -> None:
    data = answer("legacy", f"GET {target} HTTP/1.1\r\nHost: x".encode())

    assert answer_end(data) == (200, len(data))
    said = json.loads(data.partition(b"\r\n\r\n")[2])
    assert (said["says"], said["target"]) == ("legacy", target)
