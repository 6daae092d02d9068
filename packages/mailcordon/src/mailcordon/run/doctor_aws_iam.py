"""What `mailcordon doctor --aws` asks of IAM: whose the credentials of each kind of calls are, and what they may do."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from mailcordon.adapters.ses import boto_calls
from mailcordon.messages import doctor_aws as messages
from mailcordon.run import iam, iam_policies
from mailcordon.run.aws_account import KINDS, Aws, is_denied
from mailcordon.run.finding import Finding

CREDENTIALS = "AWS credentials"
#: Calls that read something of the whole account, or of a name that nobody has.
HARMLESS: Mapping[str, tuple[str, Mapping[str, object]]] = {
    "ses:GetAccount": ("get_account", {}),
    "ses:ListConfigurationSets": ("list_configuration_sets", {"PageSize": 1}),
    "ses:ListEmailIdentities": ("list_email_identities", {"PageSize": 1}),
    "ses:ListTenants": ("list_tenants", {"PageSize": 1}),
    "ses:GetConfigurationSet": ("get_configuration_set", {"ConfigurationSetName": "mc-doctor"}),
    "ses:GetEmailIdentity": ("get_email_identity", {"EmailIdentity": "doctor.mailcordon.invalid"}),
}
#: None of them has a tenant.
_OTHER_SENDS = ("ses:SendRawEmail", "ses:SendBulkEmail", "ses:SendTemplatedEmail")
_NAME = "mc-doctor"  #: a name of ours that nothing has


async def credentials(aws: Aws) -> list[Finding]:
    found: list[Finding] = []
    whose: dict[str, list[str]] = {}
    for kind in KINDS:
        about, profile = f"AWS credentials, {kind}", aws.config.profiles.get(kind)
        do = messages.credentials_do(profile=profile)
        try:
            await asyncio.to_thread(aws.client, "sesv2", kind)
            has = await asyncio.to_thread(aws.sessions[kind].get_credentials)
            if has is None:
                says = messages.cannot(what=about, why="AWS's tools find none", do=do)
                found.append(Finding(about, "bad", says, False))
                continue
            who = str((await aws.call("sts", kind, "get_caller_identity"))["Arn"])
        except Exception as error:  # the other profiles are asked too
            found.append(Finding(about, "bad", messages.cannot(what=about, why=str(error), do=do), True))
            continue
        found.append(Finding(about, "ok", messages.credentials_ok(kind=kind, profile=profile, who=who)))
        # Of a role's session without its name, which each process has its own of.
        whose.setdefault(who.rpartition("/")[0] if ":assumed-role/" in who else who, []).append(kind)
    for who, kinds in whose.items():
        if len(kinds) > 1:
            found.append(Finding(CREDENTIALS, "warn", messages.one_identity(kinds=kinds, who=who), False))
    return found


async def rights(aws: Aws, kind: str) -> list[Finding]:
    """By SimulatePrincipalPolicy where that is allowed, else by harmless calls."""
    about = f"IAM, {kind}"
    try:
        return await _simulated(aws, kind, about)
    except ClientError as error:
        if not is_denied(error):
            raise
    if kind == "send":
        return [Finding(about, "warn", messages.send_not_asked(), False)]
    asked, denied = await (_asked_queues(aws) if kind == "observe" else _asked_ses(aws))
    how = "harmless calls"
    if denied:
        return [Finding(about, "bad", messages.iam_denied(kind=kind, how=how, denied=denied), False)]
    return [Finding(about, "ok", messages.iam_ok(kind=kind, how=how, actions=asked))]


async def _asked_ses(aws: Aws) -> tuple[int, list[str]]:
    denied: list[str] = []
    for action, (method, members) in HARMLESS.items():
        try:
            await aws.call("sesv2", "administer", method, **members)
        except ClientError as error:
            code = boto_calls.failure(error).error.code
            if is_denied(error):
                denied.append(action)
            elif code != "NotFoundException":  # nobody has the name: the call was allowed
                raise
    return len(HARMLESS), denied


async def _asked_queues(aws: Aws) -> tuple[int, list[str]]:
    denied: list[str] = []
    for url in (aws.config.outcome_queue_url, aws.config.engagement_queue_url):
        try:
            await aws.call(
                "sqs", "observe", "get_queue_attributes", QueueUrl=url, AttributeNames=["QueueArn"]
            )
        except ClientError as error:
            if not is_denied(error):
                raise
            denied.append("sqs:GetQueueAttributes")
    return 1, denied


async def _simulated(aws: Aws, kind: str, about: str) -> list[Finding]:
    """Each action of the printed policy against its own resources, and what the policy must not allow."""
    who = str((await aws.call("sts", kind, "get_caller_identity"))["Arn"])
    account = who.split(":")[4]
    place = iam.place_of(aws.config, account=account, region=aws.config.region)
    document = getattr(iam_policies, kind)(place)
    how, asked = "SimulatePrincipalPolicy", 0
    denied: list[str] = []
    for statement in document["Statement"]:
        if statement["Effect"] != "Allow":
            continue
        resources = [one if one == "*" else one.replace("*", _NAME) for one in statement["Resource"]]
        allowed = await _allowed(aws, kind, who, statement["Action"], resources, tenant=_NAME)
        asked += len(statement["Action"])
        denied += [action for action in statement["Action"] if action not in allowed]
    # A policy that is conditional on the tenant must be asked with one, and the role to send without one too.
    identity = [place.ses(f"identity/{_NAME}"), place.ses(f"configuration-set/{_NAME}")]
    sends = _OTHER_SENDS if kind == "send" else ("ses:SendEmail", *_OTHER_SENDS)
    too_much = sorted(
        await _allowed(aws, kind, who, sends, ["*"], tenant=None)
        | await _allowed(aws, kind, who, sends, identity, tenant=_NAME)
    )
    if kind == "send" and await _allowed(aws, kind, who, ["ses:SendEmail"], identity, tenant=None):
        too_much.append("ses:SendEmail without a tenant")
    found: list[Finding] = []
    if denied:
        found.append(Finding(about, "bad", messages.iam_denied(kind=kind, how=how, denied=denied), False))
    if too_much:
        found.append(Finding(about, "bad", messages.iam_too_much(kind=kind, allowed=too_much), False))
    return found or [Finding(about, "ok", messages.iam_ok(kind=kind, how=how, actions=asked))]


async def _allowed(
    aws: Aws, kind: str, who: str, actions: Sequence[str], resources: Sequence[str], *, tenant: str | None
) -> set[str]:
    """The actions that are allowed on one of the resources at least: not each of them is for each kind of resource."""
    context = (
        []
        if tenant is None
        else [{"ContextKeyName": "ses:TenantName", "ContextKeyValues": [tenant], "ContextKeyType": "string"}]
    )
    found: set[str] = set()
    more: dict[str, str] = {}
    while True:
        said: Mapping[str, Any] = await aws.call(
            "iam",
            kind,
            "simulate_principal_policy",
            PolicySourceArn=principal_of(who),
            ActionNames=list(actions),
            ResourceArns=list(resources),
            ContextEntries=context,
            **more,
        )
        found |= {
            one["EvalActionName"] for one in said["EvaluationResults"] if one["EvalDecision"] == "allowed"
        }
        if not said.get("IsTruncated"):
            return found
        more = {"Marker": said["Marker"]}


def principal_of(who: str) -> str:
    """The ARN whose policies are simulated: of a role, if `who` is a session of it.

    A role with a path has none in its session's ARN, so that one cannot be found: Mailcordon's roles have none.
    """
    partition, rest = who.split(":", 5)[1], who.split(":", 5)[5]
    if not rest.startswith("assumed-role/"):
        return who
    return f"arn:{partition}:iam::{who.split(':')[4]}:role/{rest.split('/')[1]}"
