"""The page `/account`: holds, faults and tenants, and the commands that end what it shows."""

from __future__ import annotations

import html
import re
import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

from seslocal.page import account_view
from seslocal_fixtures.pages import NASTY, get, mail

if TYPE_CHECKING:
    from seslocal_fixtures.world import World


def account(world: World) -> str:
    status, text, sent = get(world, "/account")
    assert status == 200
    assert "default-src 'none'" in sent["content-security-policy"]
    assert "script-src 'self'" in sent["content-security-policy"]
    return text


def commands(text: str) -> list[str]:
    return [html.unescape(one) for one in re.findall(r"<dt>End it</dt><dd><code>(.*?)</code>", text)]


def test_an_account_without_holds_says_so(world: World) -> None:
    text = account(world)
    for sentence in ("Nothing holds mail.", "No faults are on.", "No tenants yet."):
        assert sentence in text
    assert '<a class="note off" href="/account">account</a>' in get(world, "/")[1]


def test_holds_are_shown_and_their_commands_end_them(world: World) -> None:
    world.ready()
    world.tenant("globex")
    world.ses.put_account_sending_attributes(SendingEnabled=False)
    world.admin("PUT", "/account", {"enforcement": "SHUTDOWN", "production": False})
    world.ses.put_configuration_set_sending_options(ConfigurationSetName="acme-reset", SendingEnabled=False)
    world.admin("PUT", "/tenants/acme", {"aws_status": "DISABLED", "cause": "Too many complaints."})
    world.admin("POST", "/tenants/globex/findings", {"type": "BOUNCE", "impact": "LOW", "description": NASTY})
    text = account(world)
    for sentence in (
        "Sending is paused for the whole account",
        "SES paused the account",
        "The account is in the sandbox",
        "Sending is off for the configuration set acme-reset.",
        "Tenant acme is paused by AWS",
        "<dt>Cause</dt><dd>Too many complaints.</dd>",
        "Tenant globex has an open reputation finding: BOUNCE, impact LOW.",
        f"<dt>Cause</dt><dd>{html.escape(NASTY)}</dd>",
    ):
        assert sentence in text, sentence
    assert "<script>" not in text
    header = get(world, "/")[1]
    assert '<a class="note bad" href="/account">4 holds</a>' in header
    assert '<a class="note slow" href="/account">2 warnings</a>' in header
    for command in commands(text):
        run(world, command)
    assert "Nothing holds mail." in account(world)


def test_a_tenant_that_its_customer_paused_is_shown(world: World) -> None:
    arn = world.tenant("acme")
    world.ses.update_reputation_entity_customer_managed_status(
        ReputationEntityType="RESOURCE", ReputationEntityReference=arn, SendingStatus="DISABLED"
    )
    text = account(world)
    assert "Tenant acme is paused by you" in text
    [command] = commands(text)
    run(world, command)
    assert "Nothing holds mail." in account(world)


def test_faults_are_shown_and_their_commands_end_them(world: World) -> None:
    world.ready()
    world.fault("drop_events", events=["Bounce"], tenant="acme", count=3)
    world.fault("refuse", message=NASTY, code="Throttled", status=429, share=0.25)
    world.admin("PUT", "/dns/faults/acme.example", {"rcode": "SERVFAIL"})
    text = account(world)
    for words in ("drop_events", "<dd>3 more times</dd>", "429 Throttled: &lt;script&gt;", "25%", "SERVFAIL"):
        assert words in text, words
    assert "<script>" not in text
    assert text.count("<dt>Operation</dt>") == 1  # an event has none
    assert "3 active faults" in text
    assert "All faults end with" in text
    for command in commands(text):
        run(world, command)
    assert "No faults are on." in account(world)


def test_tenants_are_shown_by_name_with_counts_and_lead_to_their_mail(world: World) -> None:
    world.ready()
    for name in ("Zeta", "beta"):
        world.tenant(name)
    world.mailbox("b@example.com", "bounces")
    for to in ("a@example.com", "b@example.com"):
        mail(world, to=to)
    world.admin("PUT", "/clock", {"advance": 60})
    text = account(world)
    assert re.findall(r'<th><a href="/\?tenant=(\w+)">', text) == ["Zeta", "acme", "beta"]
    row = text.partition("/?tenant=acme")[2].partition("</tr>")[0]
    assert re.findall("<td>(.*?)</td>", row)[1:] == ["2", "1 <small>50.0%</small>", "0"]


def test_hostile_names_are_escaped_for_html_and_the_shell(world: World) -> None:
    """SES would not take these names; the page does not rely on that."""
    world.ready()
    found = world.local.account
    found.tenants[NASTY] = replace(
        found.tenants["acme"],
        name=NASTY,
        customer_managed=replace(found.tenants["acme"].customer_managed, status="DISABLED"),
    )
    name = "x'; rm -rf / #<b>"
    found.configuration_sets[name] = replace(
        found.configuration_sets["acme-reset"],
        name=name,
        options={"SendingOptions": {"SendingEnabled": False}},
    )
    text = account(world) + get(world, "/")[1]
    assert "<script>" not in text
    assert "<b>" not in text
    [off] = [one for one in commands(text) if "configuration-set" in one]
    assert shlex.split(off)[4] == name


def test_long_lists_are_cut(world: World) -> None:
    for _ in range(account_view.MOST + 2):
        world.fault("slow")
    text = account(world)
    assert text.count("<dt>End it</dt>") == account_view.MOST
    assert "And 2 more." in text


def run(world: World, command: str) -> None:
    """Does what a shown command says: `curl` of the admin API, or a call of the AWS CLI by boto3."""
    words = shlex.split(command)
    if words[0] == "curl":
        assert words[1] == "-X"
        url, body = words[3], words[words.index("-d") + 1] if "-d" in words else ""
        path = url.removeprefix(f"http://{world.local.host}:{world.local.port}")
        headers = {"Content-Type": "application/json"} if body else {}
        assert world.http(words[2], path, body.encode(), headers)[0] == 200, command
        return
    assert words[:2] == ["aws", "sesv2"]
    assert words[-2] == "--endpoint-url"
    given: dict[str, object] = {}
    for option, value in zip(words[3:-2], [*words[4:-2], "--"], strict=True):
        if option.startswith("--"):
            name = "".join(part.capitalize() for part in option[2:].split("-"))
            given[name] = True if value.startswith("--") else value
    getattr(world.ses, words[2].replace("-", "_"))(**given)
