"""Shadow accounting in words."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from cutover.api.accounting import LOSS_WORDS, accounting_line
from cutover.api.charts import accounting_bar
from shadow_compare.core.evidence import Accounting

NUMBERS = st.integers(0, 10_000_000)
ACCOUNTS = st.builds(
    Accounting,
    mirrored=NUMBERS,
    compared=NUMBERS,
    pending=NUMBERS,
    losses=st.dictionaries(st.sampled_from([*LOSS_WORDS, "a_new_reason"]), NUMBERS),
)


@given(account=ACCOUNTS)
def test_the_sentence_always_adds_up_whatever_the_store_says(account: Accounting) -> None:
    line = accounting_line(account)

    left, right = (
        sum(int(n.replace(",", "")) for n in re.findall(r"(?:^|(?<=\+ ))[\d,]+", part.strip()))
        for part in line.sentence.split(" = ")
    )
    assert left == right == sum(term.number for term in line.terms)


@given(account=ACCOUNTS)
def test_an_account_with_a_hole_is_never_called_balanced(account: Accounting) -> None:
    line = accounting_line(account)

    said = account.compared + account.lost + account.pending
    assert line.balanced == (account.mirrored == said)


def test_the_sentence_names_every_loss_in_plain_words() -> None:
    account = Accounting(12_000, 11_900, 50, {"shadow_timeout": 10, "queue_full": 40})

    line = accounting_line(account)

    assert line.sentence == (
        "12,000 mirrored = 11,900 compared + 40 dropped (queue full)"
        " + 10 unanswered in time + 50 waiting"
    )


def test_what_nobody_accounts_for_is_a_term_of_its_own() -> None:
    missing = accounting_line(Accounting(100, 90, 3))
    doubled = accounting_line(Accounting(100, 104, 3))

    assert missing.sentence == "100 mirrored = 90 compared + 3 waiting + 7 unaccounted for"
    assert doubled.sentence == "100 mirrored + 7 counted twice = 104 compared + 3 waiting"


def test_the_bar_shows_even_the_smallest_loss_and_fills_the_whole_width() -> None:
    bar = accounting_bar(accounting_line(Accounting(1_000_001, 1_000_000, 0, {"crash": 1})))

    widths = [float(width) for width in re.findall(r'width="([\d.]+)"', bar)]
    assert len(widths) == 2
    assert min(widths) > 5
    assert abs(sum(widths) - 1000) < 0.05


def test_nothing_mirrored_draws_no_bar() -> None:
    assert accounting_bar(accounting_line(Accounting(0, 0, 0))) == ""
