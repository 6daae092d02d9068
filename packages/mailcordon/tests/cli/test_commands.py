"""The tree of commands: options, help and examples, and what is refused before a server is called."""

import json
import os
import re
import shlex
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import typer
from typer import core
from typer.main import get_command

from mailcordon.adapters.cli import command, failures, show
from mailcordon.adapters.cli.commands import cordon, send, suppression, tenant

Run = Callable[..., tuple[int, str, str]]


def commands(group: core.TyperGroup, *above: str) -> Iterator[tuple[str, core.TyperCommand]]:
    for name, found in group.commands.items():
        if isinstance(found, core.TyperGroup):
            yield from commands(found, *above, name)
        elif isinstance(found, core.TyperCommand):
            yield " ".join((*above, name)), found


LOCAL = (
    "up",
    "down",
    "migrate",
    "doctor",
    "assess",
    "audit verify",
    "metrics rebuild",
    "iam queue-policy",
    "policy schema",
    "run",
    "completion",
    "runbook",
)


def every(app: typer.Typer) -> dict[str, core.TyperCommand]:
    root = get_command(app)
    assert isinstance(root, core.TyperGroup)
    return dict(commands(root))


def test_these_are_the_commands(app: typer.Typer) -> None:
    wanted = """up down migrate doctor assess run drill plan apply export plans_list
        drift_list drift_show drift_accept drift_policy prove isolation
        ungoverned_list ungoverned_show ungoverned_expect ungoverned_expected ungoverned_unexpect
        plans_show plans_steps plans_calls plans_reject status account send why messages sent cordon uncordon cancel
        metrics top open runbook
        session_links session_revoke-link
        provider audit_list audit_verify audit_export
        feedback metrics_rebuild
        limit_list limit_show
        objective_list objective_show signal_import signal_list
        breaker_list breaker_show breaker_arm breaker_disarm breaker_accept breaker_probe
        campaign_list campaign_show campaign_open warmup_show
        rollout_list rollout_status rollout_start rollout_advance rollout_hold rollout_back rollout_finish rollout_cancel
        rollout_freeze_list rollout_freeze_add rollout_freeze_end
        advise rehearse
        pool_list pool_show pool_create pool_delete pool_owner pool_add pool_remove
        path_list path_show path_add-shared path_remove path_add path_drop path_share path_move
        incident_list incident_show incident_note incident_ack incident_close incident_reported incident_report incident_times
        tenant_onboard tenant_list tenant_show tenant_topology tenant_retire tenant_unretire tenant_erase tenant_erasure
        lane_list lane_show lane_limit lane_move lane_retire lane_unretire
        identity_list identity_show identity_check identity_lapse-policy identity_records identity_retire identity_unretire
        identity_dkim identity_dkim-keys
        identity_claim identity_claims identity_transfer identity_share identity_unshare identity_shared
        type_list type_add
        type_change message_show message_cancel message_events message_preview
        suppression_list suppression_add suppression_remove suppression_explain
        suppression_import suppression_export suppression_forget holds_list stops_list
        suppression_split_start suppression_split_status suppression_split_show suppression_split_assign
        suppression_split_finish
        key_create key_list key_change key_rotate key_revoke
        sign-in session_list session_end view-link_create view-link_list view-link_revoke
        ses-door_key ses-door_keys ses-door_revoke ses-door_map ses-door_unmap ses-door_list
        quarantine_list quarantine_show quarantine_replay
        events_replay
        observe_list observe_map observe_unmap observe_import observe_unmapped
        alert_channel_add alert_channel_change alert_channel_list alert_channel_test alert_channel_remove alert_list alert_ack
        tenant_contact tenant_notices
        policy_show policy_set policy_diff policy_suggest policy_backtest policy_list policy_apply policy_reject policy_schema
        tier_list tier_show tier_facts tier_set
        webhook_add webhook_change webhook_list webhook_show webhook_test webhook_rotate webhook_pause webhook_resume
        webhook_remove webhook_log webhook_replay
        tenant_unsubscribe-host suppression_resubscribe
        template_put template_list template_versions template_show template_preview template_diff template_retire
        mailbox_set mailbox_list iam_queue-policy env completion"""
    assert set(every(app)) == {name.replace("_", " ") for name in wanted.split()}


def test_every_command_has_examples_and_json(app: typer.Typer) -> None:
    for name, found in every(app).items():
        if name in LOCAL:
            continue
        assert found.help, name
        assert f"mailcordon {name}" in (found.epilog or ""), name
        assert any("--json" in parameter.opts for parameter in found.params), name
        for parameter in found.params:
            assert getattr(parameter, "help", None), f"{name} {parameter.name}"


def test_every_example_in_a_help_is_a_command_line_that_is_understood(app: typer.Typer) -> None:
    root = get_command(app)
    for name, found in every(app).items():
        text = (found.epilog or "").replace("\\\n", " ")
        for line in re.findall(
            r"^ +(mailcordon (?!up|down|migrate|doctor|assess|audit verify|metrics rebuild|iam|run|completion).*)",
            text,
            re.MULTILINE,
        ):
            words = shlex.split(re.split(r" [|>] ", line)[0], comments=True)[1:]
            if "..." in words:
                continue
            at: object = root
            while words and isinstance(at, core.TyperGroup):
                at = at.commands[words.pop(0)]
            assert isinstance(at, core.TyperCommand), line
            at.make_context(name, words)


def test_every_command_is_documented_and_shown(app: typer.Typer) -> None:
    page = (Path(__file__).parents[4] / "docs" / "cli.md").read_text()
    for name, found in every(app).items():
        assert not found.hidden, name
        assert f"`mailcordon {name}" in page, name


def test_without_a_server_a_command_says_how_to_start_one(run: Run) -> None:
    code, out, err = run("tenant", "list")
    assert (code, out) == (5, "")
    assert "mailcordon up" in err


def test_a_refused_connection_is_exit_code_5_and_one_json_document(run: Run) -> None:
    with socket.socket() as taken:  # bound but not listening: it refuses, and no other process can take it
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        code, out, err = run("lane", "list", "--url", url, "--json")
    assert code == 5
    assert json.loads(out)["problem"]["code"] == "cannot-connect"
    assert url in err


@pytest.mark.parametrize(
    "words",
    [
        ("cordon", "acme"),
        ("uncordon", "acme", "--class", "marketing"),
        ("cancel", "acme", "--campaign", "spring"),
        ("lane", "limit", "acme", "newsletter", "--rate", "5"),
        ("suppression", "add", "kim@example.com", "--scope", "tenant"),
    ],
)
def test_what_stops_or_drops_mail_needs_a_reason(run: Run, words: tuple[str, ...]) -> None:
    code, _, err = run(*words)
    assert code == 2
    assert "--because" in err


def test_an_unknown_option_is_a_usage_error(run: Run) -> None:
    assert run("tenant", "list", "--no-such")[0] == 2


@pytest.mark.parametrize("option", [("--tell", "nothing"), ("--channel", "mail")])
def test_what_a_contact_is_told_is_not_ignored_without_the_contact(
    run: Run, option: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAILCORDON_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("MAILCORDON_KEY", "mck_abcdefgh_" + "x" * 43)
    code, _, err = run("tenant", "contact", "acme", *option)
    assert (code, "--email" in err) == (2, True)


def test_types_are_given_with_their_domains() -> None:
    assert tenant.parse_types(["password-reset=mail.acme.example", "newsletter=news.acme.example"]) == {
        "password-reset": "mail.acme.example",
        "newsletter": "news.acme.example",
    }
    for wrong in (["newsletter"], ["=news.acme.example"], ["newsletter="], ["a=x.example", "a=y.example"]):
        with pytest.raises(failures.Failure):
            tenant.parse_types(wrong)


def test_a_class_given_as_a_type_is_refused() -> None:
    with pytest.raises(failures.Failure, match="--class marketing"):
        cordon.targeted("acme", "marketing", None, None, None, None)


def test_a_target_names_only_what_was_said() -> None:
    assert cordon.targeted("acme", None, "marketing", "gmail", None, None) == {
        "tenant": "acme",
        "class": "marketing",
        "provider": "gmail",
    }


@pytest.mark.parametrize(
    ("scope", "class_", "type_"),
    [
        ("everything", None, None),
        ("class", None, None),
        ("lane", "marketing", None),
        ("tenant", None, "newsletter"),
    ],
)
def test_a_scope_and_what_it_names_must_fit(scope: str, class_: str | None, type_: str | None) -> None:
    with pytest.raises(failures.Failure):
        suppression.scoped(scope, class_, type_)


def test_headers_are_split_at_the_first_colon() -> None:
    assert send.parse_headers(["X-Link: https://a.example"]) == {"X-Link": "https://a.example"}
    with pytest.raises(failures.Failure):
        send.parse_headers(["no colon"])


def test_each_recipient_of_send_gets_the_unsubscribe_link_given_for_it() -> None:
    headers = {"X-A": "1"}
    assert send.with_links(["a@x.example", "b@x.example"], [], headers) == ["a@x.example", "b@x.example"]
    assert headers == {"X-A": "1"}
    assert send.with_links(["a@x.example"], ["https://x.example/1"], headers) == ["a@x.example"]
    assert headers["List-Unsubscribe"] == "<https://x.example/1>"
    headers = {}
    links = ["https://x.example/1", "https://x.example/2"]
    assert send.with_links(["a@x.example", "b@x.example"], links, headers) == [
        {"address": "a@x.example", "headers": {"List-Unsubscribe": "<https://x.example/1>"}},
        {"address": "b@x.example", "headers": {"List-Unsubscribe": "<https://x.example/2>"}},
    ]
    assert headers == {"List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    with pytest.raises(failures.Failure, match="2 links for 3 recipients"):
        send.with_links(["a@x.example", "b@x.example", "c@x.example"], links, headers)


def test_without_a_terminal_nothing_is_changed_without_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    with open(os.devnull) as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        with pytest.raises(failures.Failure, match="--yes") as caught:
            command.confirm(show.console(nothing), "Cordon acme?", yes=False)
        assert caught.value.exit is failures.Exit.USAGE
        command.confirm(show.console(nothing), "Cordon acme?", yes=True)


@pytest.mark.parametrize(("typed", "agreed"), [("y\n", True), ("yes\n", True), ("\n", False), ("n\n", False)])
def test_on_a_terminal_only_yes_is_yes(monkeypatch: pytest.MonkeyPatch, typed: str, agreed: bool) -> None:
    keyboard, terminal = os.openpty()
    with os.fdopen(terminal) as stdin, open(os.devnull, "w") as nowhere:
        monkeypatch.setattr("sys.stdin", stdin)
        os.write(keyboard, typed.encode())
        if agreed:
            command.confirm(show.console(nowhere), "Cordon acme?", yes=False)
        else:
            with pytest.raises(failures.Failure, match="Nothing was changed"):
                command.confirm(show.console(nowhere), "Cordon acme?", yes=False)
    os.close(keyboard)
