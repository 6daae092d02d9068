"""STS and IAM with real boto3 clients: whose key it is, and what its policies allow, decided as calls are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from seslocal_fixtures.world import ACCOUNT, REGION, World

ROLE = f"arn:aws:iam::{ACCOUNT}:role/mailcordon-send-{REGION}"
ASK = {"Effect": "Allow", "Action": "iam:SimulatePrincipalPolicy", "Resource": "*"}
SENDS = {
    "Effect": "Allow",
    "Action": "ses:SendEmail",
    "Resource": f"arn:aws:ses:{REGION}:{ACCOUNT}:identity/*",
}
FOR_A_TENANT = {**SENDS, "Condition": {"StringLike": {"ses:TenantName": "mc-*"}}}
IDENTITY = f"arn:aws:ses:{REGION}:{ACCOUNT}:identity/mail.acme.example"
TENANT = {"ContextKeyName": "ses:TenantName", "ContextKeyValues": ["mc-1"], "ContextKeyType": "string"}


class Keys:
    def __init__(self, world: World, stack: ExitStack) -> None:
        self._world, self._stack = world, stack

    def attach(self, key: str, *statements: dict[str, Any], kind: str = "identity", **more: Any) -> None:
        self._world.admin("PUT", f"/keys/{key}", {"secret": "hidden"})
        document = {"Version": "2012-10-17", "Statement": list(statements)}
        self._world.admin(
            "PUT", f"/keys/{key}/policies", {"policies": [{"document": document, "kind": kind}], **more}
        )

    def client(self, service: Any, key: str, region: str = REGION) -> Any:
        made = boto3.client(
            service,
            endpoint_url=self._world.local.url,
            region_name=region,
            aws_access_key_id=key,
            aws_secret_access_key="hidden" if key != "test" else "test",
            config=Config(retries={"total_max_attempts": 1}),
        )
        return self._stack.enter_context(closing(made))


@pytest.fixture
def keys(world: World) -> Iterator[Keys]:
    with ExitStack() as stack:
        yield Keys(world, stack)


def decisions(iam: Any, source: str, actions: list[str], **more: Any) -> list[tuple[str, str, str]]:
    said = iam.simulate_principal_policy(PolicySourceArn=source, ActionNames=actions, **more)
    assert said["IsTruncated"] is False
    return [
        (one["EvalActionName"], one["EvalResourceName"], one["EvalDecision"])
        for one in said["EvaluationResults"]
    ]


def refusal(act: Any, **given: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as refused:
        act(**given)
    said: Any = refused.value.response
    return said["Error"]["Code"], said["ResponseMetadata"]["HTTPStatusCode"]


def test_whose_key_it_is(keys: Keys) -> None:
    user = keys.client("sts", "test").get_caller_identity()
    assert (user["Account"], user["Arn"]) == (ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/test")
    assert user["UserId"].startswith("AIDA")
    # A role calls as a session of it, and no policy can deny the call.
    keys.attach("app", {"Effect": "Deny", "Action": "*", "Resource": "*"}, principal=ROLE)
    role = keys.client("sts", "app").get_caller_identity()
    assert role["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/mailcordon-send-{REGION}/app"
    assert role["UserId"].endswith(":app")
    assert refusal(keys.client("sts", "nobody").get_caller_identity) == ("InvalidClientTokenId", 403)


def test_a_simulation_says_what_the_call_itself_would(world: World, keys: Keys) -> None:
    world.ready()
    keys.attach("app", FOR_A_TENANT, ASK, principal=ROLE)
    # botocore signs for the global region unless the endpoint says otherwise; both are taken.
    for region in (REGION, "us-east-1"):
        iam = keys.client("iam", "app", region)
        assert decisions(iam, ROLE, ["ses:SendEmail"], ResourceArns=[IDENTITY], ContextEntries=[TENANT]) == [
            ("ses:SendEmail", IDENTITY, "allowed")
        ]
    [said] = iam.simulate_principal_policy(
        PolicySourceArn=ROLE, ActionNames=["ses:SendEmail"], ResourceArns=[IDENTITY]
    )["EvaluationResults"]
    assert (said["EvalDecision"], said["MissingContextValues"]) == ("implicitDeny", ["ses:TenantName"])
    mail = {
        "FromEmailAddress": "news@mail.acme.example",
        "Destination": {"ToAddresses": ["kim@example.com"]},
        "Content": {"Simple": {"Subject": {"Data": "Hi"}, "Body": {"Text": {"Data": "Hello"}}}},
    }
    assert refusal(keys.client("sesv2", "app").send_email, **mail) == ("AccessDeniedException", 403)


def test_each_action_is_evaluated_for_each_resource_and_a_denial_wins(keys: Keys) -> None:
    keys.attach("app", SENDS, ASK, {"Effect": "Deny", "Action": "ses:SendRawEmail", "Resource": "*"})
    iam, app = keys.client("iam", "app"), f"arn:aws:iam::{ACCOUNT}:user/app"
    other = f"arn:aws:ses:{REGION}:{ACCOUNT}:configuration-set/x"
    actions = ["ses:SendEmail", "ses:SendRawEmail"]
    assert decisions(iam, app, actions, ResourceArns=[IDENTITY, other]) == [
        ("ses:SendEmail", IDENTITY, "allowed"),
        ("ses:SendEmail", other, "implicitDeny"),
        ("ses:SendRawEmail", IDENTITY, "explicitDeny"),
        ("ses:SendRawEmail", other, "explicitDeny"),
    ]
    assert decisions(iam, app, ["ses:SendEmail"]) == [("ses:SendEmail", "*", "implicitDeny")]
    more = {"Version": "2012-10-17", "Statement": [{**SENDS, "Resource": "*"}]}
    assert decisions(iam, app, ["ses:SendEmail"], PolicyInputList=[json.dumps(more)]) == [
        ("ses:SendEmail", "*", "allowed")
    ]


def test_a_service_control_policy_is_named(keys: Keys) -> None:
    keys.attach("app", {"Effect": "Deny", "Action": "ses:*", "Resource": "*"}, kind="scp")
    [said] = keys.client("iam", "test").simulate_principal_policy(
        PolicySourceArn=f"arn:aws:iam::{ACCOUNT}:user/app", ActionNames=["ses:GetAccount"]
    )["EvaluationResults"]
    assert said["EvalDecision"] == "explicitDeny"
    assert said["OrganizationsDecisionDetail"] == {"AllowedByOrganizations": False}


def test_what_is_not_there_or_not_simulated_is_refused(keys: Keys) -> None:
    iam, me = keys.client("iam", "test"), f"arn:aws:iam::{ACCOUNT}:user/test"
    act = iam.simulate_principal_policy
    assert decisions(iam, me, ["ses:GetAccount"]) == [("ses:GetAccount", "*", "allowed")]
    ask = {"PolicySourceArn": me, "ActionNames": ["ses:GetAccount"]}
    assert refusal(act, **{**ask, "PolicySourceArn": ROLE}) == ("NoSuchEntity", 404)
    assert refusal(act, **ask, CallerArn=me) == ("NotImplemented", 501)
    assert refusal(act, **ask, PolicyInputList=["{"]) == ("InvalidInput", 400)
    assert refusal(iam.list_roles) == ("InvalidAction", 400)
    keys.attach("app", SENDS)  # what `mailcordon iam` prints does not allow the question
    ask["PolicySourceArn"] = f"arn:aws:iam::{ACCOUNT}:user/app"
    assert refusal(keys.client("iam", "app").simulate_principal_policy, **ask) == ("AccessDenied", 403)
