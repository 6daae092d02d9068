"""`--against` says which checkout is cheaper only when the rounds agree well enough to know."""

from pathlib import Path

import pytest

from bench import checkout, compare
from bench.compare import Comparison, Pair


def comparison(*ratios: float) -> Comparison:
    pairs = [Pair({"send": ratio * 100}, {"send": 100.0}) for ratio in ratios]
    return Comparison(pairs=pairs, headline="send", here="here", there="there")


def test_rounds_that_agree_give_a_verdict():
    assert comparison(1.0, 1.01, 0.99, 1.0, 1.0).verdict == "the same within 3%"
    assert comparison(1.1, 1.11, 1.09, 1.1, 1.1).verdict == "this checkout uses 10.0% MORE CPU per message"
    assert comparison(0.9, 0.91, 0.89, 0.9, 0.9).verdict == "this checkout uses 10.0% less CPU per message"


@pytest.mark.parametrize("ratios", [(1.2,), (1.0, 1.0, 1.0), (0.8, 1.2, 1.0, 0.9, 1.1)])
def test_rounds_that_differ_too_much_or_are_too_few_give_none(ratios: tuple[float, ...]):
    assert comparison(*ratios).verdict.startswith("no verdict")


def test_one_disturbed_round_does_not_spoil_the_others():
    assert comparison(1.0, 1.01, 0.99, 1.0, 1.005, 0.995, 1.6).verdict == "the same within 3%"


def test_the_table_shows_median_and_spread_of_the_ratios():
    text = compare.table(comparison(1.0, 1.2, 1.1))
    assert "1.100   1.000 to 1.200" in text


def test_a_folder_without_dev_is_refused(tmp_path: Path):
    with pytest.raises(checkout.NoCheckout, match=r"has no \./dev"):
        checkout.at(tmp_path)


def test_the_interpreter_says_how_it_was_built():
    plain = checkout.Interpreter("3.11.7", "-O3", pgo=False, lto=False)
    assert "20 % more CPU" in str(plain)
    assert "20 %" not in str(checkout.Interpreter("3.11.7", "-O3", pgo=True, lto=True))
    assert checkout.this().interpreter().version.startswith("3.")
