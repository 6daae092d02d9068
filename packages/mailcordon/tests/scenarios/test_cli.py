"""The command line against a running system: exit codes that mean something, one JSON document, and no key lost."""

import json
import re
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mailcordon_fixtures import systems

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def tenant() -> str:
    return f"cli-{secrets.token_hex(3)}"


def onboard(run: Run, tenant: str) -> dict[str, Any]:
    types = (f"password-reset=mail.{tenant}.example", f"newsletter=news.{tenant}.example")
    code, out, err = run("tenant", "onboard", tenant, "--type", types[0], "--type", types[1], "--json")
    assert code == 0, err
    return json.loads(out)


def send(run: Run, tenant: str, *more: str, type_: str = "password-reset") -> tuple[int, str, str]:
    sender = f"hello@{'mail' if type_ == 'password-reset' else 'news'}.{tenant}.example"
    words = (
        "--tenant",
        tenant,
        "--type",
        type_,
        "--from",
        sender,
        "--to",
        f"kim@{tenant}.example",
        "--subject",
        "Hi",
    )
    return run("send", *words, "--text", "Hello.", *more)


def test_a_file_with_a_whole_message_is_sent_at_a_later_time_with_tags(
    run: Run, tenant: str, tmp_path: Path
) -> None:
    onboard(run, tenant)
    file = tmp_path / "mail.eml"
    file.write_bytes(
        f"From: hello@mail.{tenant}.example\nTo: kim@{tenant}.example\nBcc: lee@{tenant}.example\n\nHi\n".encode()
    )
    at = (datetime.now(UTC) + timedelta(days=2)).isoformat()
    words = ("--tenant", tenant, "--type", "password-reset", "--raw", str(file))
    code, out, err = run("send", *words, "--send-at", at, "--tag", "order=17", "--json")
    assert code == 0, err
    said = json.loads(out)
    assert said["headers_removed"] == ["Bcc"]
    assert [one["reason"] for one in said["deliveries"]] == ["scheduled", "scheduled"]
    found = json.loads(run("messages", "--tenant", tenant, "--tag", "order=17", "--json")[1])
    assert {one["to"] for one in found["items"]} == {f"kim@{tenant}.example", f"lee@{tenant}.example"}


def test_onboarding_shows_the_key_once_and_then_its_prefix(run: Run, tenant: str) -> None:
    first, again = onboard(run, tenant), onboard(run, tenant)
    assert first["provisioning"]["done"]
    assert first["api_key"]["key"].startswith("mck_" + again["api_key"]["prefix"])
    assert "key" not in again["api_key"]


def test_a_key_of_the_tenant_sends_and_reads_and_does_nothing_else(run: Run, tenant: str) -> None:
    key = onboard(run, tenant)["api_key"]["key"]
    code, out, _ = send(run, tenant, "--key", key, "--json")
    assert code == 0
    assert run("why", json.loads(out)["id"], "--key", key)[0] == 0
    code, _, err = run("cordon", tenant, "--because", "try", "--yes", "--key", key)
    assert (code, "platform key" in err) == (4, True)


REFUSED: tuple[tuple[tuple[str, ...], int], ...] = (
    (("tenant", "show", "nobody-here"), 3),
    (("lane", "show", "nobody-here", "newsletter"), 3),
    (("why", "msg_0000000000000"), 3),
    (("quarantine", "show", "999999"), 3),
    (("key", "revoke", "nonesuch", "--yes"), 3),
    (("tenant", "list", "--key", "mck_nonesuch_x"), 4),
    (("tenant", "onboard", "UPPER", "--type", "newsletter=news.upper.example"), 1),
    (("tenant", "onboard", "lower", "--type", "no-such-type=news.lower.example"), 1),
    (
        (
            "type",
            "add",
            "newsletter",
            "--class",
            "marketing",
            "--criticality",
            "1",
            "--description",
            "again",
        ),
        1,
    ),
    (("why", "neither"), 2),
    (("key", "revoke", "nonesuch"), 2),
)


def test_a_refusal_is_a_sentence_an_exit_code_and_with_json_one_document(run: Run) -> None:
    for words, code in REFUSED:
        found, out, err = run(*words, "--json")
        assert (words, found, json.loads(out)["exit"]) == (words, code, code)
        assert err.startswith("mailcordon: "), words
        assert "Traceback" not in err, words


def test_a_bad_mail_names_its_fields(run: Run, tenant: str) -> None:
    onboard(run, tenant)
    code, _, err = send(run, tenant, "--to", "nonsense", "--header", "X-SES-A: b")
    assert code == 1
    assert "to[1]" in err
    assert "X-SES-A" in err


def test_a_mail_has_copies_and_files(run: Run, tenant: str, tmp_path: Path) -> None:
    onboard(run, tenant)
    file = tmp_path / "Rechnung.pdf"
    file.write_bytes(b"%PDF")
    copies = ("--cc", f"Lee <lee@{tenant}.example>", "--bcc", f"boss@{tenant}.example")
    code, out, _ = send(run, tenant, *copies, "--attach", str(file), "--json")
    assert (code, len(json.loads(out)["deliveries"])) == (0, 3)
    code, _, err = send(run, tenant, *copies, "--individually")
    assert (code, "cc: " in err) == (1, True)
    code, _, err = send(run, tenant, "--attach", str(tmp_path / "absent.pdf"))
    assert (code, "absent.pdf" in err) == (2, True)


def test_a_cordon_shows_its_preview_and_without_a_terminal_changes_nothing(run: Run, tenant: str) -> None:
    onboard(run, tenant)
    code, _, err = run("cordon", tenant, "--class", "marketing", "--because", "try")
    assert code == 2
    assert "Not affected: password-reset" in err
    assert "--yes" in err
    assert json.loads(run("lane", "show", tenant, "newsletter", "--json")[1])["state"] == "open"


def test_cordoned_mail_waits_says_why_and_is_cancelled_or_released(run: Run, tenant: str) -> None:
    onboard(run, tenant)
    assert run("cordon", tenant, "--class", "marketing", "--because", "wrong list", "--yes")[0] == 0
    unsubscribe = ("--unsubscribe", f"https://{tenant}.example/u")
    first = json.loads(send(run, tenant, *unsubscribe, "--json", type_="newsletter")[1])
    second = json.loads(send(run, tenant, *unsubscribe, "--json", type_="newsletter")[1])
    assert first["deliveries"][0]["state"] == "held"
    assert "wrong list" in run("why", first["id"])[1]
    assert run("message", "cancel", first["id"])[0] == 0
    assert "cancelled" in run("why", first["id"])[1]
    code, out, _ = run("uncordon", tenant, "--class", "marketing", "--because", "was fine", "--yes")
    assert code == 0
    assert "1 delivery released" in out
    systems.wait_until(
        lambda: "delivered" in run("why", second["id"])[1], "the released newsletter is delivered"
    )


def test_uncordon_of_what_is_not_cordoned_is_exit_code_3(run: Run, tenant: str) -> None:
    onboard(run, tenant)
    code, _, err = run("uncordon", tenant, "--campaign", "spring", "--because", "typo", "--yes")
    assert code == 3
    assert "holds list" in err


def test_durations_and_times_reach_the_server_as_seconds_and_iso_8601(run: Run, tenant: str) -> None:
    onboard(run, tenant)
    words = (
        "cordon",
        tenant,
        "--class",
        "marketing",
        "--because",
        "try",
        "--until",
        "1h30m",
        "--yes",
        "--json",
    )
    hold = json.loads(run(*words)[1])["hold"]
    since, until = (datetime.fromisoformat(hold[name]) for name in ("since", "until"))
    assert abs((until - since).total_seconds() - 5400) < 60
    key = json.loads(run("key", "create", tenant, "--expires", "90d", "--json")[1])
    ends = datetime.fromisoformat(key["expires_at"])
    assert abs((ends - datetime.now(UTC)).total_seconds() - 90 * 86400) < 3600


def test_a_key_is_narrowed_and_rotated_and_the_command_line_keeps_its_own(run: Run, tenant: str) -> None:
    onboard(run, tenant)
    words = ("key", "create", tenant, "--type", "invoice", "--messages-per-second", "5", "--json")
    key = json.loads(run(*words)[1])
    assert (key["types"], key["limits"]["messages_per_second"]) == (["invoice"], 5)
    code, _, err = send(run, tenant, "--key", key["key"])
    assert (code, "invoice only" in err) == (4, True)
    run("key", "change", key["prefix"], "--all-types", "--messages-per-second", "0")
    assert send(run, tenant, "--key", key["key"])[0] == 0
    code, out, _ = run("key", "rotate", key["prefix"], "--overlap", "2h", "--json")
    new = json.loads(out)
    assert (code, new["succeeds"], new["limits"]["messages_per_second"]) == (0, key["prefix"], None)
    for text in (key["key"], new["key"]):
        assert send(run, tenant, "--key", text)[0] == 0
    listed = {item["prefix"]: item for item in json.loads(run("key", "list", "--json")[1])["items"]}
    assert listed[key["prefix"]]["expires_at"] == new["predecessor"]["expires_at"]


def test_an_app_gets_an_access_key_and_its_configuration_set_stands_for_a_type(run: Run, tenant: str) -> None:
    onboard(run, tenant)
    made = json.loads(run("key", "create", tenant, "--ses", "--type-by-default", "invoice", "--json")[1])
    access = made["access_key"]
    assert (made["default_type"], access["id"][:4], len(access["secret"])) == ("invoice", "MCAK", 40)
    more = run("ses-door", "key", made["prefix"])[1]
    assert "AWS_SECRET_ACCESS_KEY=" in more
    listed = json.loads(run("ses-door", "keys", made["prefix"], "--json")[1])["items"]
    assert access["id"] in {one["id"] for one in listed}
    assert access["secret"] not in json.dumps(listed)
    assert run("ses-door", "revoke", access["id"], "--yes")[0] == 0
    assert run("ses-door", "map", "old-set", "invoice", "--tenant", tenant)[0] == 0
    found = json.loads(run("ses-door", "list", "--tenant", tenant, "--json")[1])["items"]
    assert found == [{"name": "old-set", "type": "invoice", "tenant": tenant}]
    assert run("ses-door", "unmap", "old-set", "--tenant", tenant)[0] == 0
    assert run("ses-door", "unmap", "old-set", "--tenant", tenant)[0] != 0
    changed = json.loads(run("key", "change", made["prefix"], "--no-type-by-default", "--json")[1])
    assert changed["default_type"] is None


def test_a_manual_suppression_refuses_mail_until_it_is_removed(run: Run, tenant: str) -> None:
    onboard(run, tenant)
    address = f"kim@{tenant}.example"
    assert (
        run("suppression", "add", address, "--tenant", tenant, "--scope", "tenant", "--because", "by letter")[
            0
        ]
        == 0
    )
    assert json.loads(send(run, tenant, "--json")[1])["deliveries"][0]["state"] == "refused"
    assert "by letter" in run("why", address, "--tenant", tenant)[1]
    assert run("suppression", "remove", address, "--tenant", tenant, "--scope", "tenant", "--yes")[0] == 0
    systems.wait_until(
        lambda: '"state":"queued"' in send(run, tenant, "--json")[1].replace(" ", ""), "it is removed"
    )


def test_a_list_of_suppressions_goes_in_and_out_and_one_address_is_explained_and_forgotten(
    run: Run, tenant: str, tmp_path: Path
) -> None:
    onboard(run, tenant)
    file, written = tmp_path / "in.csv", tmp_path / "out.csv"
    file.write_text(f"email\n=cmd@{tenant}.example\nkim@{tenant}.example\nnobody\n")
    into = ("suppression", "import", str(file), "--tenant", tenant, "--because", "from before")
    code, _, err = run(*into)
    assert (code, "line 4" in err) == (1, True)
    code, out, err = run(*into, "--skip-bad", "--json")
    assert (code, json.loads(out)["added"], json.loads(out)["bad_lines"]) == (0, 2, 1), err
    out_of = ("suppression", "export", "--tenant", tenant)
    assert run(*out_of, "-f", str(written), "--json")[0] == 0
    assert f"'=cmd@{tenant}.example" in written.read_text()
    code, out, _ = run(
        "suppression", "import", str(written), "--tenant", tenant, "--because", "again", "--json"
    )
    assert (code, json.loads(out)["added"], json.loads(out)["kept"]) == (0, 0, 2)
    code, _, err = run(*out_of, "-f", str(tmp_path / "missing" / "out.csv"))
    assert (code, "Cannot write" in err, "Traceback" in err) == (2, True, False)
    kim = (f"kim@{tenant}.example", "--tenant", tenant)
    assert "from before" in run("suppression", "explain", *kim)[1]
    assert run("suppression", "forget", *kim, "--because", "asked by letter", "--yes")[0] == 0
    code, out, _ = run("suppression", "explain", *kim, "--no-read", "--json")
    assert (code, json.loads(out)["suppressed"], json.loads(out)["ours"][0]["address"]) == (0, True, "erased")


def test_a_mailbox_set_for_one_tenant_bounces_for_it_and_shows_in_why_and_metrics(
    run: Run, tenant: str
) -> None:
    onboard(run, tenant)
    assert run("mailbox", "set", f"kim@{tenant}.example", "bounces", "--tenant", tenant)[0] == 0
    code, out, _ = send(run, tenant, "--wait", "30", "--json")
    assert (code, json.loads(out)["deliveries"][0]["state"]) == (0, "bounced")
    assert "hard bounce" in run("why", f"kim@{tenant}.example", "--tenant", tenant)[1]

    def counted() -> bool:  # a second after the event, with the next fold
        rows = json.loads(run("metrics", "--tenant", tenant, "--json")[1])["items"]
        return [(row["type"], row["hard_bounced"]) for row in rows] == [("password-reset", 1)]

    systems.wait_until(counted, "the bounce is counted")
    assert "bounces" in run("sent", "--to", f"kim@{tenant}.example")[1]
    [line] = json.loads(run("sent", "--to", f"kim@{tenant}.example", "--json")[1])["sent"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["at"])
    [mailbox] = json.loads(run("mailbox", "list", "--tenant", tenant, "--json")[1])["items"]
    assert (mailbox["address"], mailbox["tenant"], mailbox["fate"]) == (
        f"kim@{tenant}.example",
        tenant,
        "bounces",
    )


READING = (
    "tenant list",
    "tenant show {}",
    "lane list --tenant {}",
    "lane show {} newsletter",
    "lane limit {} newsletter --rate 5 --because try",
    "identity list",
    "identity show mail.{}.example",
    "type list",
    "sent",
    "holds list --open",
    "suppression list --tenant {}",
    "metrics --tenant {}",
    "metrics --by provider --last 7d",
    "top --by complaints --per tenant --window 1d",
    "top --movers",
    "quarantine list",
    "mailbox list",
    "mailbox list --tenant {}",
    "env",
    "key list --tenant {}",
    "audit --tenant {}",
    "audit",
    "audit list",
    "cordon {} --because try --dry-run",
)


def test_every_reading_command_prints_text_or_one_document(run: Run, tenant: str) -> None:
    """One tenant for all of them: they only read."""
    onboard(run, tenant)
    wrong: dict[str, object] = {}
    for words in READING:
        code, out, err = run(*words.format(tenant).split())
        if code != 0 or any(line != line.rstrip() for line in (out + err).splitlines()):
            wrong[words] = (code, out, err)
        code, out, err = run(*words.format(tenant).split(), "--json")
        if code != 0 or not isinstance(json.loads(out), dict):
            wrong[f"{words} --json"] = (code, out, err)
    assert not wrong


def test_metrics_are_exported_as_csv(run: Run) -> None:
    code, out, err = run("metrics", "--by", "tenant", "--last", "7d", "--format", "csv")
    assert (code, err) == (0, "")
    assert out.splitlines()[0].startswith("tenant,type,class,provider,campaign,list,")
    assert run("metrics", "--format", "csv", "--json")[0] == 2


def test_the_records_of_a_domain_are_a_table_a_zone_file_and_json(run: Run, tenant: str) -> None:
    key = onboard(run, tenant)["api_key"]["key"]
    words = ("identity", "records", f"news.{tenant}.example")
    code, out, err = run(*words, "--format", "json", "--rua", "dmarc@acme.example")
    assert code == 0, err
    found = json.loads(out)
    assert (found["zone"], found["complete"]) == (f"{tenant}.example", True)
    assert {record["relative"] for record in found["records"] if record["purpose"] == "dmarc"} == {
        "_dmarc.news"
    }
    code, out, _ = run(*words, "--format", "zone", "--names", "absolute", "--zone", f"{tenant}.example")
    assert code == 0
    assert f"_dmarc.news.{tenant}.example. IN TXT" in out
    assert out == run(*words, "--format", "zone", "--names", "absolute", "--key", key)[1]
    assert "_dmarc.news " in run(*words, "--names", "relative")[1]
    assert run(*words, "--zone", "other.example")[0] == 1
