"""The table of reasons is closed: every code has a meaning, a sentence and an entry in the documentation."""

import inspect
import re
from pathlib import Path

import pytest

from mailcordon.core import reason
from mailcordon.core.reason import MEANINGS, Reason
from mailcordon.messages import reasons

ROOT = Path(__file__).parents[4]
PAGE = ROOT / "docs" / "reference" / "reasons.md"
SQL = ROOT / "packages/mailcordon/src/mailcordon/adapters/db"


def test_every_reason_has_its_meaning() -> None:
    assert set(MEANINGS) == set(Reason)


@pytest.mark.parametrize("code", Reason)
def test_every_reason_has_a_sentence(code: Reason) -> None:
    sentence = getattr(reasons, MEANINGS[code].sentence)
    assert inspect.isfunction(sentence)


def test_the_page_shows_the_table_as_it_is() -> None:
    assert PAGE.read_text() == reason.page(), "run `./dev messages`"


def test_a_timeline_gets_no_other_code() -> None:
    """A note's code is a literal in SQL or comes from the table; what is read from other rows names the table's code."""
    codes, found = {str(code) for code in Reason}, set[str]()
    for file in sorted(SQL.glob("**/*.sql")):
        for insert in re.findall(r"insert into note .*? from", file.read_text(), re.DOTALL):
            found |= set(re.findall(r"'([a-z][a-z -]*)'", insert))
    assert found >= {"proved-sent", "resend"}
    for file in sorted((ROOT / "packages/mailcordon/src/mailcordon").glob("**/*.py")):
        found |= set(
            re.findall(r"\b(?:what|note)=\"([a-z -]+)\"", file.read_text()) if "/send/" in str(file) else ()
        )
    assert found <= codes, found - codes


def test_the_ledger_gets_no_other_code_from_sql() -> None:
    """A statement that writes the ledger names its reason as a literal in the column's place or gets it as an argument."""
    codes = {str(code) for code in Reason}
    for file in sorted(SQL.glob("**/*.sql")):
        for insert in re.findall(r"insert into ledger .*?(?:from|values)", file.read_text(), re.DOTALL):
            literals = set(re.findall(r"'([a-z]+(?:-[a-z]+)*)'", insert))
            assert literals <= codes, f"{file.name}: {literals - codes}"
