"""Templates: stored as given, rendered when a mail is sent, with an event when rendering fails."""

from __future__ import annotations

import json
from typing import Any

import pytest

from seslocal_fixtures.world import World

HELLO = {"Subject": "Hello {{name}}", "Text": "Dear {{name}}", "Html": "<p>Dear {{name}}"}


@pytest.fixture
def ready(world: World) -> World:
    """Tenant acme can send, also with the template `hello`."""
    world.ready(events=["SEND", "DELIVERY", "RENDERING_FAILURE"])
    world.ses.create_email_template(TemplateName="hello", TemplateContent=HELLO)
    world.ses.create_tenant_resource_association(TenantName="acme", ResourceArn=world.arn("template/hello"))
    return world


def by(template: dict[str, Any], data: object | None = None) -> dict[str, Any]:
    return {"Template": template if data is None else {**template, "TemplateData": json.dumps(data)}}


def test_a_template_is_created_updated_listed_and_deleted(world: World) -> None:
    for name in ("b", "a"):
        world.ses.create_email_template(
            TemplateName=name, TemplateContent=HELLO, Tags=[{"Key": "k", "Value": "v"}]
        )
    assert [t["TemplateName"] for t in world.ses.list_email_templates()["TemplatesMetadata"]] == ["a", "b"]
    found = world.ses.get_email_template(TemplateName="a")
    assert (found["TemplateContent"], found["Tags"]) == (HELLO, [{"Key": "k", "Value": "v"}])
    world.ses.update_email_template(TemplateName="a", TemplateContent={"Subject": "s", "Text": "t"})
    assert world.ses.get_email_template(TemplateName="a")["TemplateContent"] == {"Subject": "s", "Text": "t"}
    world.ses.delete_email_template(TemplateName="a")
    assert world.refused(world.ses.get_email_template, TemplateName="a") == (
        404,
        "NotFoundException",
        "Template a does not exist.",
    )


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("no spaces", HELLO, "Invalid template name <no spaces>"),
        ("x" * 65, HELLO, "Invalid template name"),
        ("t", {"Text": "t"}, "The subject must be specified."),
        ("t", {"Subject": "s"}, "The template must hold Text, Html or both."),
        ("t", {"Subject": "s", "Text": "{{#if}}"}, "The text of the template is not valid: line 1"),
        ("t", {"Subject": "s", "Html": "x" * 512_001}, "The template is larger than 500 KB."),
    ],
)
def test_an_invalid_template_is_refused(
    world: World, name: str, content: dict[str, str], message: str
) -> None:
    status, code, said = world.refused(
        world.ses.create_email_template, TemplateName=name, TemplateContent=content
    )
    assert (status, code) == (400, "BadRequestException")
    assert said.startswith(message)


def test_a_template_cannot_be_created_twice(world: World) -> None:
    world.ses.create_email_template(TemplateName="t", TemplateContent=HELLO)
    refused = world.refused(world.ses.create_email_template, TemplateName="t", TemplateContent=HELLO)
    assert refused == (400, "AlreadyExistsException", "Template t already exists.")


def test_a_template_of_a_tenant_cannot_be_deleted(ready: World) -> None:
    status, code, message = ready.refused(ready.ses.delete_email_template, TemplateName="hello")
    assert (status, code) == (400, "BadRequestException")
    assert message.startswith(
        f"Cannot delete {ready.arn('template/hello')} because it has tenant associations."
    )


def test_test_render_returns_the_whole_message(world: World) -> None:
    world.ses.create_email_template(TemplateName="hello", TemplateContent=HELLO)
    made = world.ses.test_render_email_template(TemplateName="hello", TemplateData='{"name": "Kim"}')[
        "RenderedTemplate"
    ]
    assert "Subject: Hello Kim\r\n" in made
    assert "Content-Type: multipart/alternative" in made
    assert "<p>Dear Kim" in made


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("{}", "Attribute 'name' is not present in the rendering data."),
        ("[1]", "Template rendering data is invalid: it must be a JSON object."),
        ("{", "Template rendering data is invalid: it must be a JSON object."),
    ],
)
def test_test_render_reports_missing_data(world: World, data: str, message: str) -> None:
    world.ses.create_email_template(TemplateName="hello", TemplateContent=HELLO)
    refused = world.refused(world.ses.test_render_email_template, TemplateName="hello", TemplateData=data)
    assert refused == (400, "BadRequestException", message)


def test_a_templated_mail_arrives_rendered(ready: World) -> None:
    message_id = ready.send("kim@example.com", Content=by({"TemplateName": "hello"}, {"name": "Kim"}))
    line = ready.admin("GET", f"/sent/{message_id}")
    assert line["subject"] == "Hello Kim"
    assert line["content"]["Rendered"]["Body"] == {
        "Text": {"Data": "Dear Kim"},
        "Html": {"Data": "<p>Dear Kim"},
    }
    assert line["content"]["Template"] == {"TemplateName": "hello", "TemplateData": '{"name": "Kim"}'}
    assert ready.kinds(2) == ["Send", "Delivery"]


def test_a_template_can_be_named_by_arn_or_given_inline(ready: World) -> None:
    ready.send("kim@example.com", Content=by({"TemplateArn": ready.arn("template/hello")}, {"name": "A"}))
    ready.send(
        "kim@example.com", Content=by({"TemplateContent": {"Subject": "Inline {{n}}", "Text": "x"}}, {"n": 1})
    )
    assert [mail["subject"] for mail in ready.sent()] == ["Hello A", "Inline 1"]


def test_a_mail_with_missing_data_is_accepted_and_gets_a_rendering_failure(ready: World) -> None:
    message_id = ready.send("kim@example.com", Content=by({"TemplateName": "hello"}, {}))
    [event] = ready.events(1)
    assert event["eventType"] == "Rendering Failure"
    assert event["failure"] == {
        "errorMessage": "Attribute 'name' is not present in the rendering data.",
        "templateName": "hello",
    }
    assert event["mail"]["messageId"] == message_id
    assert ready.sent()[0]["fates"] == {"kim@example.com": {"fate": "rendering_failed", "subtype": None}}
    assert ready.ses.get_account()["SendQuota"]["SentLast24Hours"] == 1
    assert ready.silent()


@pytest.mark.parametrize(
    "text",
    [
        "{{#if a}}x{{/if}}",
        "{{#each a}}{{/each}}",
        "{{> p}}",
        "{{lookup a 1}}",
        "{{a.b}}",
        "{{a_b}}",
        "{{../a}}",
    ],
)
def test_an_inline_template_allows_simple_substitution_only(ready: World, text: str) -> None:
    template = {"TemplateContent": {"Subject": "s", "Text": text}}
    refused = ready.refused(lambda: ready.send("k@x.example", Content=by(template, {"a": 1})))
    assert refused == (400, "BadRequestException", "Template contains unsupported operations.")


def test_names_in_an_inline_template_are_unrestricted_when_switched(ready: World) -> None:
    ready.admin("PUT", "/account", {"behaviour": {"inline_plain_names": False}})
    template = {"TemplateContent": {"Subject": "{{a_b}}", "Text": "{{c.d}} {{{e}}}{{! nothing }}"}}
    ready.send("k@x.example", Content=by(template, {"a_b": 1, "c": {"d": 2}, "e": 3}))
    assert ready.sent()[0]["subject"] == "1"


def test_an_empty_template_is_reported_before_a_missing_tenant(ready: World) -> None:
    empty = by({"TemplateContent": {}})
    assert ready.refused(lambda: ready.send("k@x.example", tenant="no", Content=empty))[:2] == (
        400,
        "BadRequestException",
    )
    other = by({"TemplateName": "no"})
    refused = ready.refused(lambda: ready.send("k@x.example", tenant="no", Content=other))
    assert refused[2].startswith("Tenant no for AwsAccountId")


def test_an_associated_template_must_exist(world: World) -> None:
    world.tenant()
    refused = world.refused(
        world.ses.create_tenant_resource_association, TenantName="acme", ResourceArn=world.arn("template/no")
    )
    assert refused == (404, "NotFoundException", "Template <no> does not exist.")


def test_tags_of_a_template_survive_an_update(ready: World) -> None:
    arn = ready.arn("template/hello")
    ready.ses.tag_resource(ResourceArn=arn, Tags=[{"Key": "k", "Value": "v"}])
    ready.ses.update_email_template(TemplateName="hello", TemplateContent=HELLO)
    assert ready.ses.list_tags_for_resource(ResourceArn=arn)["Tags"] == [{"Key": "k", "Value": "v"}]


def test_an_unknown_helper_fails_only_at_rendering(ready: World) -> None:
    content = {"Subject": "{{upper name}}", "Text": "{{#IF name}}x{{/IF}}"}
    ready.ses.update_email_template(TemplateName="hello", TemplateContent=content)
    refused = ready.refused(
        ready.ses.test_render_email_template, TemplateName="hello", TemplateData='{"upper": 1, "name": 1}'
    )
    assert refused == (
        400,
        "BadRequestException",
        "Attribute 'IF' is not present in the rendering data.",
    )


@pytest.mark.parametrize("data", ["[" * 50_000, '{"a":' + "[" * 101 + "]" * 101 + "}", '{"a": "\\ud800"}'])
def test_invalid_template_data_is_refused(ready: World, data: str) -> None:
    given = {"Template": {"TemplateName": "hello", "TemplateData": data}}
    refused = ready.refused(lambda: ready.send("k@x.example", Content=given))
    assert refused[:2] == (400, "BadRequestException")
    assert refused[2].startswith("Template rendering data is invalid")


def test_headers_and_attachments_of_a_template_arrive(ready: World) -> None:
    more = {
        "Headers": [{"Name": "X-A", "Value": "1"}],
        "Attachments": [{"FileName": "a.txt", "RawContent": b"hi"}],
    }
    message_id = ready.send("kim@example.com", Content=by({"TemplateName": "hello", **more}, {"name": "Kim"}))
    headers = ready.sent()[0]["headers"]
    assert {"name": "X-A", "value": "1"} in headers
    assert ready.http("GET", f"/mail/{message_id}/files/0")[1] == b"hi"


def test_a_stored_template_must_be_associated_with_the_tenant(ready: World) -> None:
    ready.ses.create_email_template(TemplateName="other", TemplateContent=HELLO)
    refused = ready.refused(
        lambda: ready.send("k@x.example", Content=by({"TemplateName": "other"}, {"name": 1}))
    )
    wanted = f"Tenant not associated with resources [{ready.arn('template/other')}]."
    assert refused == (403, "AccessDeniedException", wanted)


FOREIGN = "arn:aws:ses:us-east-1:999999999999:template/hello"


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ({}, "A template is given by its TemplateName, its TemplateArn or its TemplateContent."),
        ({"TemplateArn": FOREIGN}, f"Invalid template ARN {FOREIGN}."),
        ({"TemplateContent": {"Text": "x"}}, "TemplateContent must hold a Subject, and Text or Html."),
        (
            {"TemplateName": "hello", "TemplateData": "["},
            "Template rendering data is invalid: it must be a JSON object.",
        ),
        (
            {"TemplateName": "hello", "TemplateData": "x" * 262_145},
            f"1 validation error detected: Value '{'x' * 512}' at 'content.template.templateData' failed to satisfy "
            "constraint: Member must have length less than or equal to 262144",
        ),
    ],
)
def test_a_call_without_a_usable_template_is_refused(
    ready: World, template: dict[str, Any], message: str
) -> None:
    refused = ready.refused(lambda: ready.send("k@x.example", Content={"Template": template}))
    assert refused == (400, "BadRequestException", message)


def test_a_missing_template_is_not_found(ready: World) -> None:
    refused = ready.refused(lambda: ready.send("k@x.example", Content=by({"TemplateName": "no"})))
    assert refused == (404, "NotFoundException", "Template no does not exist.")


def test_a_subject_cannot_carry_a_line_break_into_the_headers(ready: World) -> None:
    ready.send(
        "kim@example.com", Content=by({"TemplateName": "hello"}, {"name": "Kim\r\nBcc: eve@example.com"})
    )
    [mail] = ready.sent()
    assert mail["subject"] == "Hello Kim Bcc: eve@example.com"
    assert not [header for header in mail["headers"] if header["name"] == "Bcc"]
