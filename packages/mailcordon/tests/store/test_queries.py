"""The named statements: one form in every SQL file, and each statement with its own reason."""

import re
from pathlib import Path

import pytest

from mailcordon.adapters.db import queries
from mailcordon.messages import reasons

DIRECTORY = Path(queries.__file__).parent
FILES = sorted(path.name for path in (DIRECTORY / "sql").glob("*.sql"))
STATEMENTS = [(file, name) for file in FILES for name in queries.load(file)]


def test_a_comment_belongs_to_the_name_above_it_and_is_not_sent():
    statements = queries.parse(
        "x.sql",
        "-- The file.\n\n-- name: one\n-- Why\n-- one.\nselect 1\n  -- inside\n  ;\n\n-- name: two\nselect 2;\n",
    )
    assert dict(statements) == {"one": "select 1\n  -- inside\n  ", "two": "select 2"}
    assert statements.comments == {"one": "Why one.", "two": ""}
    assert statements.one == statements["one"]
    with pytest.raises(AttributeError, match=r"x\.sql has no statement named three"):
        _ = statements.three


@pytest.mark.parametrize(
    "wrong",
    [
        "select 0;\n-- name: one\nselect 1;",
        "-- name: a\nselect 1;\n-- name: a\nselect 2;",
        "-- name: a\n",
        "-- name: a\n-- a comment and no SQL;\n",
        "-- name: a\nselect 1",
        "-- name: a\nselect 1;\n\n-- the comment of b, above its name\n-- name: b\nselect 2;",
    ],
)
def test_text_outside_a_statement_and_double_names_are_refused(wrong: str):
    with pytest.raises(ValueError, match=r"x\.sql"):
        queries.parse("x.sql", wrong)


def test_a_message_stands_in_the_statement_as_a_quoted_literal(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reasons, "gone", lambda why="it's late": f"Gone: {why}", raising=False)
    statements = queries.parse("x.sql", "-- name: a\nselect {{gone}}, format({{gone %s}}, x);")
    assert statements.a == "select 'Gone: it''s late', format('Gone: %s', x)"


def test_every_statement_has_a_reason_of_its_own():
    for file in FILES:
        comments = queries.load(file).comments
        assert {name: why for name, why in comments.items() if not why.endswith((".", ")", "?"))} == {}, file
        repeated = [name for name, why in comments.items() if list(comments.values()).count(why) > 1]
        assert repeated == [], file


def test_every_statement_is_used_and_every_file_belongs_to_a_module():
    sources = {path.stem: path.read_text() for path in DIRECTORY.glob("*.py")}
    names = {name for source in sources.values() for name in re.findall(r"\b_[A-Z]+\.([a-z_0-9]+)", source)}
    assert {name for _, name in STATEMENTS} - names == set()
    assert {file.removesuffix(".sql") for file in FILES} - sources.keys() == {"shared"}


def test_statements_are_written_in_sql_files_only():
    """But for those of `migrate` and `roles`, which name databases, schemas and roles."""
    sql = re.compile(r"""["'](?:select|insert|update|delete|with)\s""")
    modules = {
        path.name
        for path in DIRECTORY.parents[1].rglob("*.py")
        if sql.search(path.read_text()) and "messages" not in path.parts
    }
    assert modules == {"migrate.py", "roles.py"}
