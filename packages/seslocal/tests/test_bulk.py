"""Bulk mail: each entry is a separate mail with its own status; errors of the call refuse all of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError, HTTPClientError

from seslocal_fixtures.world import World

HELLO = {"Subject": "Hello {{name}}", "Text": "{{shop}} greets {{name}}"}


@pytest.fixture
def ready(world: World) -> World:
    world.ready(events=["SEND", "RENDERING_FAILURE"])
    world.ses.create_email_template(TemplateName="hello", TemplateContent=HELLO)
    world.ses.create_tenant_resource_association(TenantName="acme", ResourceArn=world.arn("template/hello"))
    return world


def entry(to: str, data: object | None = None, **more: Any) -> dict[str, Any]:
    given = {"Destination": {"ToAddresses": [to]}, **more}
    if data is not None:
        replacement = {"ReplacementTemplateData": json.dumps(data)}
        given["ReplacementEmailContent"] = {"ReplacementTemplate": replacement}
    return given


def bulk(
    world: World, *entries: dict[str, Any], template: dict[str, Any] | None = None, **more: Any
) -> list[dict[str, Any]]:
    default = {"TemplateName": "hello", "TemplateData": '{"shop": "Acme", "name": "you"}'}
    call = {
        "FromEmailAddress": "Acme <no-reply@mail.acme.example>",
        "TenantName": "acme",
        "ConfigurationSetName": "acme-reset",
        "DefaultContent": {"Template": template or default},
        "BulkEmailEntries": list(entries),
        **more,
    }
    return world.ses.send_bulk_email(**call)["BulkEmailEntryResults"]


def statuses(results: list[dict[str, Any]]) -> list[str]:
    return [result["Status"] for result in results]


def test_each_entry_is_a_separate_mail(ready: World) -> None:
    results = bulk(ready, entry("a@x.example", {"name": "A"}), entry("b@x.example"))
    assert statuses(results) == ["SUCCESS", "SUCCESS"]
    assert [mail["subject"] for mail in ready.sent()] == ["Hello A", "Hello you"]
    assert [mail["message_id"] for mail in ready.sent()] == [result["MessageId"] for result in results]
    sent = ready.events(2)
    assert {event["mail"]["tags"]["ses:operation"][0] for event in sent} == {"SendBulkEmail"}
    assert [event["mail"]["destination"] for event in sent] == [["a@x.example"], ["b@x.example"]]


def test_data_is_merged_over_the_default(ready: World) -> None:
    bulk(ready, entry("a@x.example", {"name": "A"}))
    line = ready.admin("GET", f"/sent/{ready.sent()[0]['message_id']}")
    assert line["content"]["Rendered"]["Body"]["Text"]["Data"] == "Acme greets A"


def test_data_replaces_the_default_completely_when_switched(ready: World) -> None:
    ready.admin("PUT", "/account", {"behaviour": {"merge_template_data": False}})
    results = bulk(ready, entry("a@x.example", {"name": "A"}), entry("b@x.example", {}), entry("c@x.example"))
    assert statuses(results) == ["SUCCESS"] * 3
    assert [mail["subject"] for mail in ready.sent()] == ["", "Hello you", "Hello you"]
    assert ready.sent()[0]["fates"]["a@x.example"]["fate"] == "rendering_failed"


def test_tags_and_headers_of_an_entry_win_over_the_defaults(ready: World) -> None:
    template = {
        "TemplateName": "hello",
        "TemplateData": '{"shop": 1, "name": 2}',
        "Headers": [{"Name": "X-A", "Value": "1"}, {"Name": "X-B", "Value": "1"}],
    }
    own = {
        "ReplacementTags": [{"Name": "t", "Value": "own"}],
        "ReplacementHeaders": [{"Name": "x-a", "Value": "2"}],
    }
    defaults = [{"Name": "t", "Value": "default"}, {"Name": "u", "Value": "default"}]
    bulk(ready, entry("a@x.example", **own), template=template, DefaultEmailTags=defaults)
    [mail] = ready.sent()
    assert mail["tags"] == {"u": ["default"], "t": ["own"]}
    assert [h["value"] for h in mail["headers"] if h["name"].lower() in ("x-a", "x-b")] == ["1", "2"]


def test_a_bad_entry_does_not_fail_the_others(ready: World) -> None:
    results = bulk(ready, entry("a@x.example"), entry("nobody"), entry("b@x.example"))
    assert statuses(results) == ["SUCCESS", "INVALID_PARAMETER", "SUCCESS"]
    assert results[1]["Error"] == "Missing final '@domain'"
    assert "MessageId" not in results[1]


def test_entries_beyond_rate_and_quota_get_that_status(ready: World) -> None:
    ready.admin("PUT", "/clock", {"frozen": True})
    ready.admin("PUT", "/account", {"rate": 2})
    assert statuses(bulk(ready, *(entry(f"{n}@x.example") for n in range(3)))) == [
        "SUCCESS",
        "SUCCESS",
        "ACCOUNT_THROTTLED",
    ]
    ready.admin("PUT", "/account", {"rate": 100, "quota": 3})
    ready.admin("PUT", "/clock", {"advance": 10})
    assert statuses(bulk(ready, entry("a@x.example"), entry("b@x.example"))) == [
        "SUCCESS",
        "ACCOUNT_DAILY_QUOTA_EXCEEDED",
    ]


def test_an_error_for_every_mail_is_the_status_of_each_entry(ready: World) -> None:
    ready.ses.put_configuration_set_sending_options(ConfigurationSetName="acme-reset", SendingEnabled=False)
    assert statuses(bulk(ready, entry("a@x.example"))) == ["CONFIGURATION_SET_SENDING_PAUSED"]
    ready.ses.put_account_sending_attributes(SendingEnabled=False)
    assert statuses(bulk(ready, entry("a@x.example"))) == ["ACCOUNT_SENDING_PAUSED"]
    ready.admin("PUT", "/account", {"enforcement": "SHUTDOWN"})
    assert statuses(bulk(ready, entry("a@x.example"))) == ["ACCOUNT_SUSPENDED"]


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"template": {"TemplateName": "no"}}, "TEMPLATE_NOT_FOUND"),
        ({"ConfigurationSetName": "no"}, "CONFIGURATION_SET_NOT_FOUND"),
        ({"FromEmailAddress": "a@stranger.example"}, "MESSAGE_REJECTED"),
    ],
)
def test_a_missing_template_set_or_identity_is_the_status_of_each_entry(
    ready: World, more: dict[str, Any], status: str
) -> None:
    ready.tenant("zen")
    results = (
        bulk(ready, entry("a@x.example"), **more)
        if "FromEmailAddress" not in more
        else bulk_untenanted(ready, **more)
    )
    assert statuses(results) == [status]


def bulk_untenanted(world: World, **more: Any) -> list[dict[str, Any]]:
    content = {"TemplateName": "hello", "TemplateData": '{"shop": 1, "name": 2}'}
    call = {"DefaultContent": {"Template": content}, "BulkEmailEntries": [entry("a@x.example")], **more}
    return world.ses.send_bulk_email(**call)["BulkEmailEntryResults"]


def test_an_entry_with_missing_data_is_accepted_and_gets_a_rendering_failure(ready: World) -> None:
    results = bulk(
        ready, entry("a@x.example", {"shop": "S"}), template={"TemplateName": "hello", "TemplateData": "{}"}
    )
    assert statuses(results) == ["SUCCESS"]
    [event] = ready.events(1)
    assert (event["eventType"], event["mail"]["messageId"]) == ("Rendering Failure", results[0]["MessageId"])


def test_the_tenant_checks_refuse_the_whole_call(ready: World) -> None:
    assert ready.refused(lambda: bulk(ready, entry("a@x.example"), TenantName="no"))[0] == 404
    ready.ses.create_email_template(TemplateName="other", TemplateContent=HELLO)
    other = {"TemplateName": "other", "TemplateData": '{"shop": 1, "name": 2}'}
    refused = ready.refused(lambda: bulk(ready, entry("a@x.example"), template=other))
    assert refused[:2] == (403, "AccessDeniedException")
    assert ready.sent() == []


def test_a_paused_tenant_refuses_the_whole_call(ready: World) -> None:
    arn = ready.ses.get_tenant(TenantName="acme")["Tenant"]["TenantArn"]
    ready.ses.update_reputation_entity_customer_managed_status(
        ReputationEntityType="RESOURCE", ReputationEntityReference=arn, SendingStatus="DISABLED"
    )
    refused = ready.refused(lambda: bulk(ready, entry("no address"), entry("a@x.example")))
    assert refused == (400, "MessageRejected", f"Sending disabled for {arn}.")
    assert ready.sent() == []


def test_a_tenants_call_without_a_set_is_refused(ready: World) -> None:
    content = {"Template": {"TemplateName": "hello", "TemplateData": '{"shop": 1, "name": 2}'}}
    refused = ready.refused(
        ready.ses.send_bulk_email,
        FromEmailAddress="a@mail.acme.example",
        TenantName="acme",
        DefaultContent=content,
        BulkEmailEntries=[entry("a@x.example")],
    )
    assert refused[2] == "A configuration set is required when sending with a tenant."


def test_rate_and_quota_count_recipients_not_entries(ready: World) -> None:
    ready.admin("PUT", "/clock", {"frozen": True})
    ready.admin("PUT", "/account", {"rate": 5})
    many = entry("a@x.example")
    many["Destination"]["CcAddresses"] = [f"{n}@x.example" for n in range(3)]
    assert statuses(bulk(ready, many, many, entry("b@x.example"))) == [
        "SUCCESS",
        "ACCOUNT_THROTTLED",
        "SUCCESS",
    ]
    assert ready.ses.get_account()["SendQuota"]["SentLast24Hours"] == 5


def test_an_empty_template_is_reported_before_a_missing_tenant(ready: World) -> None:
    empty = {"TemplateContent": {"Subject": ""}}
    refused = ready.refused(lambda: bulk(ready, entry("a@x.example"), template=empty, TenantName="no"))
    assert refused[:2] == (400, "BadRequestException")


def test_an_inline_template_allows_simple_substitution_only(ready: World) -> None:
    fine = {"TemplateContent": {"Subject": "Hi {{name}}", "Text": "x"}}
    assert statuses(bulk(ready, entry("a@x.example", {"name": "A"}), template=fine)) == ["SUCCESS"]
    assert ready.sent()[0]["subject"] == "Hi A"
    other = {"TemplateContent": {"Subject": "Hi", "Text": "{{#if var}}{{var}}{{/if}}"}}
    refused = ready.refused(lambda: bulk(ready, entry("a@x.example"), template=other))
    assert refused == (400, "BadRequestException", "Template contains unsupported operations.")


@pytest.mark.parametrize("count", [0, 51])
def test_a_call_has_one_to_fifty_entries(ready: World, count: int) -> None:
    refused = ready.refused(lambda: bulk(ready, *(entry("a@x.example") for _ in range(count))))
    assert refused == (400, "BadRequestException", f"A bulk call has 1 to 50 entries, not {count}.")


def test_faults_apply_to_bulk_calls(ready: World) -> None:
    ready.fault("throttle", operation="SendBulkEmail", count=1, tenant="acme")
    assert ready.refused(lambda: bulk(ready, entry("a@x.example")))[:2] == (429, "TooManyRequestsException")
    assert statuses(bulk(ready, entry("a@x.example"))) == ["SUCCESS"]


def test_a_throttle_storm_refuses_bulk_calls_like_other_mail(ready: World) -> None:
    ready.fault("throttle_storm", operation="SendBulkEmail")
    refused = ready.refused(lambda: bulk(ready, entry("a@x.example")))
    assert refused == (429, "TooManyRequestsException", "Maximum sending rate exceeded.")


@pytest.mark.parametrize("fault", [{"fault": "accept_lose_answer"}, {"fault": "error_500", "accepted": True}])
def test_a_bulk_call_can_be_accepted_without_a_response(ready: World, fault: dict[str, Any]) -> None:
    ready.admin("POST", "/faults", {**fault, "operation": "SendBulkEmail", "count": 1})
    with pytest.raises((ClientError, HTTPClientError)):
        bulk(ready, entry("a@x.example"), entry("b@x.example"))
    assert [mail["recipients"] for mail in ready.sent()] == [["a@x.example"], ["b@x.example"]]
    assert ready.kinds(2) == ["Send", "Send"]


@pytest.mark.parametrize(("accepted", "count"), [(False, 2), (True, 3)])
def test_an_entry_can_fail_although_it_was_accepted(ready: World, accepted: bool, count: int) -> None:
    ready.fault("entry_fails", count=1, tenant="acme", accepted=accepted)
    results = bulk(ready, *(entry(f"{n}@x.example") for n in range(3)))
    assert statuses(results) == ["TRANSIENT_FAILURE", "SUCCESS", "SUCCESS"]
    assert len(ready.sent()) == count
