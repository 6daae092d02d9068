"""What failed, as a sentence and as an exit code."""

import io
import json
from pathlib import Path

import pytest

from mailcordon.adapters.cli import failures, report
from mailcordon.adapters.cli.failures import Exit

PROBLEM = {
    "type": "about:blank",
    "title": "Invalid",
    "status": 422,
    "detail": "2 fields cannot be accepted.",
    "code": "invalid",
    "errors": [
        {"field": "to[3]", "problem": "not an address of the form name@domain"},
        {"field": "headers.X-SES-A", "problem": "X-SES- headers are ours"},
    ],
}


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, Exit.REFUSED),
        (401, Exit.NOT_ALLOWED),
        (403, Exit.NOT_ALLOWED),
        (404, Exit.NOT_FOUND),
        (409, Exit.REFUSED),
        (422, Exit.REFUSED),
        (429, Exit.UNAVAILABLE),
        (500, Exit.REFUSED),
        (503, Exit.UNAVAILABLE),
    ],
)
def test_each_kind_of_refusal_has_its_exit_code(status: int, code: Exit) -> None:
    assert failures.from_problem(status, {"detail": "No."}).exit is code


def said(
    failure: failures.Failure, capsys: pytest.CaptureFixture[str], *, as_json: bool = False
) -> tuple[str, str, int]:
    err = io.StringIO()
    code = report.print_failure(failure, as_json=as_json, err=err)
    return capsys.readouterr().out, err.getvalue(), code


def test_a_problem_is_its_sentence_and_its_fields_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    out, err, code = said(failures.from_problem(422, PROBLEM), capsys)
    assert out == ""
    assert err.splitlines() == [
        "mailcordon: 2 fields cannot be accepted.",
        "  to[3]: not an address of the form name@domain",
        "  headers.X-SES-A: X-SES- headers are ours",
    ]
    assert code == 1


def test_with_json_a_failure_is_one_document_and_still_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    out, err, code = said(failures.from_problem(422, PROBLEM), capsys, as_json=True)
    assert json.loads(out) == {"problem": PROBLEM, "exit": 1}
    assert err.startswith("mailcordon: 2 fields")
    assert code == 1


def test_what_was_done_before_a_failure_is_in_its_document(capsys: pytest.CaptureFixture[str]) -> None:
    failure = failures.cannot_connect("http://127.0.0.1:1", "refused")
    failure.partial = {"api_key": {"key": "mck_shown_once"}}
    out, _, _ = said(failure, capsys, as_json=True)
    assert json.loads(out)["api_key"] == {"key": "mck_shown_once"}


def test_a_field_that_the_sentence_names_already_is_not_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    problem = {"detail": "slug: taken", "errors": [{"field": "slug", "problem": "taken"}]}
    _, err, _ = said(failures.from_problem(409, problem), capsys)
    assert err == "mailcordon: slug: taken\n"


def test_a_sentence_that_only_strings_fields_together_becomes_a_list(
    capsys: pytest.CaptureFixture[str],
) -> None:
    faults = [{"field": "from", "problem": "no domain"}, {"field": "to[0]", "problem": "no address"}]
    problem = {"detail": "from: no domain; to[0]: no address", "errors": faults}
    _, err, _ = said(failures.from_problem(422, problem), capsys)
    assert err.splitlines() == [
        "mailcordon: 2 fields cannot be accepted:",
        "  from: no domain",
        "  to[0]: no address",
    ]


@pytest.mark.parametrize("body", [None, [], "text", {"errors": "x"}, {"errors": ["x"]}])
def test_an_error_without_a_problem_document_is_still_a_sentence(body: object) -> None:
    assert "500" in str(failures.from_problem(500, body))


def test_retry_after_is_shown() -> None:
    assert "Try again in 7 s" in str(failures.from_problem(429, {"detail": "The lane is full."}, "7"))


def test_every_exit_code_is_documented() -> None:
    page = (Path(__file__).parents[4] / "docs" / "cli.md").read_text()
    for code in Exit:
        assert f"| {int(code)} |" in page, code
