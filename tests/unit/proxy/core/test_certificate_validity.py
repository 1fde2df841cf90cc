"""When a certificate expires, out of its bytes."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.validity import not_after

_CA = trustme.CA()


def der(ends: datetime) -> bytes:
    leaf = _CA.issue_cert(
        "shop.example", not_before=datetime(1960, 1, 1, tzinfo=UTC), not_after=ends
    )
    return ssl.PEM_cert_to_DER_cert(leaf.cert_chain_pems[0].bytes().decode())


@pytest.mark.parametrize("year", [1961, 1999, 2000, 2049, 2050, 2999])
def test_the_end_is_read_in_both_notations(year: int) -> None:
    ends = datetime(year, 2, 3, 4, 5, 6, tzinfo=UTC)

    assert not_after(der(ends)) == ends


WHOLE = der(datetime(2030, 1, 1, tzinfo=UTC))


@given(cut=st.integers(0, len(WHOLE) - 1), more=st.binary(max_size=50))
def test_what_is_no_certificate_has_no_end(cut: int, more: bytes) -> None:
    assert not_after(more) is None
    assert not_after(WHOLE[:cut]) is None
    not_after(WHOLE[:cut] + more)
