"""What IAM policies say, without a server: how documents are read, and what they decide."""

from __future__ import annotations

from typing import Any

import pytest

from seslocal.iam import documents
from seslocal.iam.conditions import KEYS, Unknown, like
from seslocal.iam.decision import Kind, Policy, decide

IDENTITY = "arn:aws:ses:us-east-1:123456789012:identity/mail.acme.example"


def document(
    effect: str = "Allow", action: Any = "ses:SendEmail", resource: Any = "*", **more: Any
) -> dict[str, Any]:
    statement = {"Effect": effect, "Action": action, "Resource": resource, **more}
    return {"Version": "2012-10-17", "Statement": [statement]}


def policy(source: dict[str, Any], kind: Kind = "identity") -> Policy:
    return Policy(name="p", kind=kind, source=source, document=documents.read(source))


def allowed(
    *sources: dict[str, Any],
    action: str = "ses:SendEmail",
    resources: tuple[str, ...] = (IDENTITY,),
    kind: Kind = "identity",
    **context: str | list[str],
) -> bool:
    names = {name.replace(":", "_"): name for name, _ in KEYS.values()}
    given = {names[key]: (value,) if isinstance(value, str) else value for key, value in context.items()}
    return decide([policy(source, kind) for source in sources], action, resources, given) is None


def when(operator: str, key: str, *values: str) -> dict[str, Any]:
    return document(Condition={operator: {key: list(values)}})


def test_what_no_statement_allows_is_denied_and_a_denial_wins_over_every_permission() -> None:
    assert allowed(document())
    assert not allowed(document(action="ses:GetAccount"))
    assert not allowed(document(action="ses:*"), document("Deny"))
    assert allowed(document(action="*"), document("Deny", action="ses:GetAccount"))


@pytest.mark.parametrize(
    ("action", "fits"),
    [
        ("ses:SendEmail", True),
        ("SES:sendemail", True),
        ("ses:Send*", True),
        ("ses:Send?mail", True),
        ("ses:Send", False),
        ("sqs:*", False),
    ],
)
def test_actions_have_wildcards_and_any_letter_case(action: str, fits: bool) -> None:
    assert allowed(document(action=action)) is fits


@pytest.mark.parametrize(
    ("resource", "fits"),
    [
        ("*", True),
        (IDENTITY, True),
        ("arn:aws:ses:*:*:identity/*", True),
        ("arn:aws:ses:us-east-1:123456789012:identity/mail.*.example", True),
        ("arn:aws:ses:us-east-1:123456789012:identity/MAIL.acme.example", False),
        ("arn:aws:ses:eu-west-1:123456789012:identity/*", False),
        ("arn:aws:*:identity/*:a:b:c", False),
    ],
)
def test_a_wildcard_of_a_resource_stays_within_its_part(resource: str, fits: bool) -> None:
    assert allowed(document(resource=resource)) is fits


def test_every_resource_of_a_call_must_be_allowed() -> None:
    other = "arn:aws:ses:us-east-1:123456789012:configuration-set/mc-urgent"
    only = document(resource=IDENTITY)
    assert not allowed(only, resources=(IDENTITY, other))
    assert allowed(only, document(resource=other), resources=(IDENTITY, other))


def test_an_action_without_resources_needs_all_resources() -> None:
    assert allowed(document(), resources=())
    assert not allowed(document(resource="arn:aws:ses:*:*:*"), resources=())


def test_not_action_and_not_resource_mean_all_others() -> None:
    others = {"Statement": {"Effect": "Allow", "NotAction": "ses:Send*", "Resource": "*"}}
    assert not allowed(others)
    assert allowed(others, action="ses:GetAccount")
    elsewhere = {"Statement": {"Effect": "Allow", "Action": "*", "NotResource": IDENTITY}}
    assert not allowed(elsewhere)
    assert allowed(elsewhere, resources=(IDENTITY + ".net",))


@pytest.mark.parametrize(
    ("operator", "pattern", "same", "other", "absent"),
    [
        ("StringEquals", "mc-a", True, False, False),
        ("StringNotEquals", "mc-a", False, True, True),
        ("StringEqualsIgnoreCase", "MC-A", True, False, False),
        ("StringNotEqualsIgnoreCase", "MC-A", False, True, True),
        ("StringLike", "mc-?", True, False, False),
        ("StringNotLike", "mc-?", False, True, True),
        ("StringEqualsIfExists", "mc-a", True, False, True),
        ("StringLikeIfExists", "mc-*", True, False, True),
        ("ForAnyValue:StringEquals", "mc-a", True, False, False),
        ("ForAllValues:StringEquals", "mc-a", True, False, True),
        ("ForAnyValue:StringNotEquals", "mc-a", False, True, False),
        ("Null", "false", True, True, False),
        ("Null", "true", False, False, True),
    ],
)
def test_an_operator_with_the_value_with_another_and_without_the_key(
    operator: str, pattern: str, same: bool, other: bool, absent: bool
) -> None:
    asked = when(operator, "ses:tenantname", pattern)
    found = [allowed(asked, ses_TenantName="mc-a"), allowed(asked, ses_TenantName="other"), allowed(asked)]
    assert found == [same, other, absent]


def test_a_negated_operator_with_several_values_means_none_of_them() -> None:
    asked = when("StringNotEquals", "ses:TenantName", "mc-a", "mc-b")
    assert [allowed(asked, ses_TenantName=name) for name in ("mc-a", "mc-b", "mc-c")] == [False, False, True]


def test_values_of_a_key_with_many_are_compared_one_by_one() -> None:
    every = when("ForAllValues:StringLike", "ses:Recipients", "*@acme.example")
    some = when("ForAnyValue:StringLike", "ses:Recipients", "*@acme.example")
    mixed = ["kim@acme.example", "eve@evil.example"]
    assert [allowed(each, ses_Recipients=mixed) for each in (every, some)] == [False, True]
    assert [allowed(each, ses_Recipients=["kim@acme.example"]) for each in (every, some)] == [True, True]


def test_arns_are_compared_part_by_part() -> None:
    role = "arn:aws:iam::123456789012:role/mailcordon-send"
    for operator, same, other in (
        ("ArnEquals", True, False),
        ("ArnLike", True, False),
        ("ArnNotEquals", False, True),
        ("ArnNotLike", False, True),
    ):
        asked = when(operator, "aws:PrincipalArn", "arn:aws:iam::*:role/mailcordon-s*")
        found = [
            allowed(asked, aws_PrincipalArn=role),
            allowed(asked, aws_PrincipalArn=role.replace("role", "user")),
        ]
        assert found == [same, other], operator


def test_all_operators_and_keys_of_a_condition_must_hold() -> None:
    both = document(
        Condition={
            "StringEquals": {"ses:TenantName": "mc-a", "aws:RequestedRegion": "us-east-1"},
            "StringLike": {"ses:FromAddress": "*@acme.example"},
        }
    )
    given: Any = {
        "ses_TenantName": "mc-a",
        "aws_RequestedRegion": "us-east-1",
        "ses_FromAddress": "a@acme.example",
    }
    assert allowed(both, **given)
    for name in given:
        assert not allowed(both, **{**given, name: "other"})


def test_a_service_control_policy_limits_and_never_allows_by_itself() -> None:
    everything = document(action="*")
    role = "arn:aws:iam::123456789012:role/send"
    deny = document("Deny", "ses:Send*", Condition={"ArnNotLike": {"aws:PrincipalArn": [role]}})
    attached = [policy(document()), policy(everything, "scp"), policy(deny, "scp")]
    assert decide(attached, "ses:SendEmail", (IDENTITY,), {"aws:PrincipalArn": (role,)}) is None
    denied = decide(attached, "ses:SendEmail", (IDENTITY,), {"aws:PrincipalArn": (role + "-2",)})
    assert denied is not None
    assert denied.reason("ses:SendEmail") == "with an explicit deny in a service control policy"
    [own, only] = attached[0], attached[2]
    assert decide([own, only], "ses:SendEmail", (IDENTITY,), {"aws:PrincipalArn": (role,)}) is not None
    assert decide(
        [policy(everything, "scp"), policy(document(action="ses:GetAccount"))],
        "ses:SendEmail",
        (IDENTITY,),
        {},
    )


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ([], "JSON object"),
        ({"Version": "2020-01-01", "Statement": []}, "2020-01-01"),
        ({"Statement": []}, "Statement"),
        ({"Statement": [1]}, "Statement"),
        ({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}, "Statements": []}, "Statements"),
        (document(effect="allow"), "allow"),
        (document(action="SendEmail"), "SendEmail"),
        (document(action=[]), "Action"),
        (document(action=7), "Action"),
        (document(resource="arn:aws:ses"), "arn:aws:ses"),
        (document(resource="identity/*"), "identity/*"),
        (document(resource="arn:aws:iam::1:user/${aws:username}"), "${aws:username}"),
        (document(Principal="*"), "Principal"),
        (document(NotAction="ses:*"), "NotAction"),
        (document(Sid="a b"), "a b"),
        (document(Conditions={}), "Conditions"),
        (document(Condition=[]), "Condition"),
        (when("StringMatches", "ses:TenantName", "a"), "StringMatches"),
        (when("ForSomeValue:StringEquals", "ses:TenantName", "a"), "ForSomeValue"),
        (when("NullIfExists", "ses:TenantName", "true"), "NullIfExists"),
        (when("DateLessThan", "aws:PrincipalArn", "2026-01-01"), "DateLessThan"),
        (when("StringEquals", "aws:SourceIp", "10.0.0.1"), "aws:SourceIp"),
        (when("StringEquals", "ses:Recipients", "a@b.example"), "ForAnyValue"),
        (when("ArnLike", "ses:TenantName", "arn:aws:iam::1:role/a"), "ArnLike"),
        (when("ArnLike", "aws:PrincipalArn", "role/a"), "role/a"),
        (when("Null", "ses:TenantName", "yes"), "ses:TenantName"),
        (when("Bool", "aws:SecureTransport", "yes"), "aws:SecureTransport"),
        (when("Bool", "ses:TenantName", "true"), "Bool"),
        (when("StringEquals", "aws:SecureTransport", "true"), "StringEquals"),
        (
            {"Statement": [{"Sid": "A", "Effect": "Allow", "Action": "*", "Resource": "*"}] * 2},
            "Sid A",
        ),
    ],
)
def test_what_is_not_evaluated_is_refused_by_name(wrong: Any, named: str) -> None:
    with pytest.raises(Unknown, match=r".*") as refused:
        documents.read(wrong)
    assert named in str(refused.value)


def test_a_pattern_of_many_wildcards_is_compared_in_one_pass() -> None:
    assert not like("*a" * 2000 + "b", "a" * 20_000)
    assert like("*a" * 2000 + "*", "a" * 20_000)
    assert like("a*?b*b", "axbb")
    assert not like("a*b*b", "ab")
