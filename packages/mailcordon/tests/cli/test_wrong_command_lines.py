"""Every wrong command line ends with exit code 2, one sentence and, with --json, one document."""

import json
from collections.abc import Callable

import pytest

from mailcordon.adapters.cli import report

Run = Callable[..., tuple[int, str, str]]

WRONG = {
    "unknown command": "nope",
    "unknown command of a group": "tenant nope",
    "no command": "tenant",
    "unknown option": "lane list --bogus",
    "unknown option of a local command": "down --bogus",
    "missing argument": "tenant show",
    "missing option": "cordon acme",
    "missing value": "lane list --tenant",
    "too many arguments": "tenant list acme",
    "not a number": "lane list --limit many",
    "number out of range": "lane list --limit 0",
    "unknown choice": "lane list --state sleeping",
    "unknown choice in an argument": "mailbox set kim@example.com explodes",
    "unknown choice in a list": "key create acme --scope everything",
    "unknown output": "tenant list -o yaml",
    "unknown shell": "completion tcsh",
    "not a duration": "cordon acme --because x --until soon",
    "duration out of range": "cordon acme --because x --until 10ms",
    "not a time": "key create acme --expires tomorrow",
    "watch too fast": "lane list --watch 10ms",
    "not a URL": "tenant list --url localhost:8025",
    "type and class": "cordon acme --because x --type newsletter --class marketing",
    "class given as type": "cordon acme --because x --type marketing",
    "hold and what it is on": "uncordon acme --because x --hold 3 --class marketing",
    "rate and no limit": "lane limit acme newsletter --because x --rate 5 --no-limit",
    "neither rate nor no limit": "lane limit acme newsletter --because x",
    "a topology of nothing": "tenant topology acme --because x",
    "another end of the mail": "lane retire acme newsletter --mail keep --because x",
    "a retirement without a reason": "tenant retire acme",
    "tenant and platform": "key create acme --platform",
    "platform without scope": "key create --platform",
    "scope without its class": "suppression add kim@example.com --because x --scope class",
    "scope and another's option": "suppression add kim@example.com --because x --scope tenant --type invoice",
    "last and minutes": "metrics --last 1h --minutes 5",
    "type without domain": "tenant onboard acme --type newsletter",
    "header without colon": "send --type t --from a@b.example --to c@d.example --subject s --header x",
    "tag without value": "send --type t --from a@b.example --to c@d.example --subject s --tag x",
    "raw file that does not exist": "send --type t --raw /nowhere/x.eml",
    "neither id nor address": "why nothing",
    "nothing to change": "type change newsletter",
}


@pytest.mark.parametrize("line", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_command_line_is_exit_code_2_and_one_document(run: Run, line: str) -> None:
    url = (
        []
        if "--url" in line or line.split()[0] in ("nope", "down", "completion")
        else ["--url", "http://127.0.0.1:1"]
    )
    words = [*line.split(), *(url if len(line.split()) > 1 and "nope" not in line else [])]
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert "mailcordon: " in err
    assert "Traceback" not in err
    code, out, err = run(*words, "--json")
    assert code == 2
    document = json.loads(out)
    assert document["exit"] == 2
    assert document["problem"]["detail"] in err.replace("\n", " ")


def test_the_sentence_names_the_help_of_the_command(run: Run) -> None:
    assert "See `mailcordon lane list --help`." in run("lane", "list", "--bogus")[2]


def test_a_group_alone_shows_its_help(run: Run) -> None:
    code, out, err = run("lane")
    assert (code, out) == (2, "")
    assert "limit" in err


def test_the_version_is_printed(run: Run) -> None:
    code, out, _ = run("--version")
    assert code == 0
    assert out.startswith("mailcordon 0.")


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("lane list --json", True),
        ("lane list -o json", True),
        ("lane list --output json", True),
        ("lane list --output=json", True),
        ("lane list -o wide", False),
        ("why -- --json", False),
    ],
)
def test_json_is_recognised_on_a_line_that_cannot_be_parsed(line: str, wanted: bool) -> None:
    assert report.wants_json(line.split()) is wanted
