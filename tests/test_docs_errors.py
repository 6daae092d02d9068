"""docs/reference/errors.md has every code of an error, each with words, as the source has them."""

from pathlib import Path

import docs_errors
from mailcordon.adapters.http import problems
from mailcordon.core import errors

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "errors.md"


def test_the_page_shows_the_codes_as_they_are() -> None:
    assert PAGE.read_text() == docs_errors.page(), "run `./dev messages`"


def test_each_code_says_when_it_comes() -> None:
    found = docs_errors.codes()
    assert [one for one in found if len(one.when) < 20] == []
    assert len(found) > 150


def test_codes_have_the_statuses_that_the_api_answers_with() -> None:
    by_code = {one.code: one.status for one in docs_errors.codes()}
    assert {
        code: by_code[code]
        for code in ("no-such-hold", "plan-outdated", "scope-missing", "malformed", "rate-limit", "too-slow")
    } == {
        "no-such-hold": problems.status_of(errors.NotFound("")),
        "plan-outdated": problems.status_of(errors.Conflict("")),
        "scope-missing": problems.status_of(errors.Forbidden("")),
        "malformed": problems.status_of(problems.Malformed("")),
        "rate-limit": problems.status_of(errors.TooMuch("")),
        "too-slow": problems.status_of(errors.Unavailable("")),
    }
    assert by_code["port-taken"] is None


def test_words_are_kept_for_no_code_that_is_gone() -> None:
    assert set(docs_errors._WORDS) <= {one.code for one in docs_errors.codes()}  # pyright: ignore[reportPrivateUsage]
