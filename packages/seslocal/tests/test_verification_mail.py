"""Custom verification mail: sent by template, confirmed by its link."""

from __future__ import annotations

import re
from typing import Any

import pytest

from seslocal_fixtures.world import World

TEMPLATE: Any = {
    "TemplateName": "confirm",
    "FromEmailAddress": "hello@mail.acme.example",
    "TemplateSubject": "Is this you?",
    "TemplateContent": "<html><body><p>Please confirm.</p></body></html>",
    "SuccessRedirectionURL": "https://acme.example/yes",
    "FailureRedirectionURL": "https://acme.example/no",
}


@pytest.fixture
def ready(world: World) -> World:
    world.domain()
    world.ses.create_custom_verification_email_template(**TEMPLATE)
    return world


def ask(world: World, **more: Any) -> str:
    """Sends the verification mail to kim. Returns the path of its link."""
    call = {"EmailAddress": "kim@example.com", "TemplateName": "confirm", **more}
    message_id = world.ses.send_custom_verification_email(**call)["MessageId"]
    html = world.admin("GET", f"/sent/{message_id}")["content"]["Simple"]["Body"]["Html"]["Data"]
    found = re.search(r'<a href="http://[^/]+(/V0/[^"]+)">', html)
    assert found is not None
    return found[1]


def status(world: World) -> str:
    return world.ses.get_email_identity(EmailIdentity="kim@example.com")["VerificationStatus"]


def test_a_verification_template_is_created_read_updated_listed_and_deleted(ready: World) -> None:
    found = ready.ses.get_custom_verification_email_template(TemplateName="confirm")
    assert {name: found[name] for name in TEMPLATE} == TEMPLATE
    ready.ses.update_custom_verification_email_template(**{**TEMPLATE, "TemplateSubject": "You?"})
    [listed] = ready.ses.list_custom_verification_email_templates()["CustomVerificationEmailTemplates"]
    assert listed == {
        **{k: v for k, v in TEMPLATE.items() if k != "TemplateContent"},
        "TemplateSubject": "You?",
    }
    ready.ses.delete_custom_verification_email_template(TemplateName="confirm")
    refused = ready.refused(ready.ses.get_custom_verification_email_template, TemplateName="confirm")
    assert refused == (
        404,
        "NotFoundException",
        "Custom verification email template <confirm> does not exist",
    )


def test_the_link_verifies_the_address_and_redirects(ready: World) -> None:
    path = ask(ready)
    assert status(ready) == "PENDING"
    assert ready.followed(path, {}) == (302, "https://acme.example/yes")
    assert status(ready) == "SUCCESS"
    assert ready.followed(path, {}) == (302, "https://acme.example/yes")
    ready.send("x@example.com", sender="kim@example.com", tenant=None, configuration_set=None)


def test_a_link_is_valid_for_a_day(ready: World) -> None:
    path = ask(ready)
    ready.admin("PUT", "/clock", {"advance": 86400})
    assert ready.followed(path, {}) == (302, "https://acme.example/no")
    assert status(ready) == "PENDING"


def test_an_unknown_link_is_not_found(ready: World) -> None:
    assert ready.followed("/V0/x", {})[0] == 404


def test_a_verified_address_stays_verified(ready: World) -> None:
    ready.followed(ask(ready), {})
    ask(ready)
    assert status(ready) == "SUCCESS"


def test_the_verification_mail_is_a_mail_like_others(ready: World) -> None:
    ready.configuration_set("s", events=["SEND"])
    ask(ready, ConfigurationSetName="s")
    [event] = ready.events(1)
    assert event["mail"]["tags"]["ses:operation"] == ["SendCustomVerificationEmail"]
    [mail] = ready.sent()
    assert (mail["from"], mail["subject"], mail["recipients"]) == (
        "hello@mail.acme.example",
        "Is this you?",
        ["kim@example.com"],
    )


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"TemplateName": "no spaces"}, "Invalid template name <no spaces>"),
        (
            {"FromEmailAddress": "x@stranger.example"},
            "The from email address <x@stranger.example> is not verified",
        ),
        ({"SuccessRedirectionURL": "javascript:x"}, "The success redirection URL is invalid"),
        (
            {"FailureRedirectionURL": "https://a.example/\r\nX: y"},
            "The failure redirection URL is invalid",
        ),
    ],
)
def test_an_invalid_verification_template_is_refused(
    ready: World, more: dict[str, str], message: str
) -> None:
    create = ready.ses.create_custom_verification_email_template
    status, code, said = ready.refused(create, **{**TEMPLATE, "TemplateName": "t", **more})
    absent = "FromEmailAddress" in more  # SES reports an unverified sender as not found
    assert (status, code) == ((404, "NotFoundException") if absent else (400, "BadRequestException"))
    assert said.startswith(message)


def test_there_are_at_most_fifty_verification_templates(ready: World) -> None:
    create = ready.ses.create_custom_verification_email_template
    assert ready.refused(create, **TEMPLATE)[:2] == (400, "AlreadyExistsException")
    for number in range(49):
        create(**{**TEMPLATE, "TemplateName": f"t{number}"})
    assert ready.refused(create, **{**TEMPLATE, "TemplateName": "t49"})[:2] == (400, "LimitExceededException")


def test_the_sandbox_refuses_verification_mail(ready: World) -> None:
    ready.admin("PUT", "/account", {"production": False})
    assert ready.refused(lambda: ask(ready))[:2] == (400, "BadRequestException")


def test_a_refused_call_creates_no_identity(ready: World) -> None:
    ready.ses.put_account_sending_attributes(SendingEnabled=False)
    assert ready.refused(lambda: ask(ready))[:2] == (400, "SendingPausedException")
    assert ready.refused(ready.ses.get_email_identity, EmailIdentity="kim@example.com")[0] == 404


@pytest.mark.parametrize(
    ("more", "refusal"),
    [
        ({"EmailAddress": " "}, (400, "BadRequestException", "Email address not specified.")),
        ({"EmailAddress": "a@@b"}, (400, "BadRequestException", "Invalid email address<a@@b>.")),
        ({"TemplateName": "no"}, (404, "NotFoundException", "Template <no> does not exist")),
    ],
)
def test_an_invalid_verification_call_is_refused(
    ready: World, more: dict[str, str], refusal: tuple[int, str, str]
) -> None:
    assert ready.refused(lambda: ask(ready, **more)) == refusal


def test_ses_appends_its_note_to_the_verification_mail(ready: World) -> None:
    ask(ready)
    html = ready.admin("GET", f"/sent/{ready.sent()[0]['message_id']}")["content"]["Simple"]["Body"]["Html"][
        "Data"
    ]
    assert html.startswith("<html><body><p>Please confirm.</p><p><a href=")
    assert "If you did not request to verify this email address" in html
    assert html.endswith("</p></body></html>")
