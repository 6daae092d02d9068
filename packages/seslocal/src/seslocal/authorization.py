"""Whether the policies of the caller's key allow a call, before an operation runs. A key without policies may do everything.

SES v1 and v2 share actions: SendEmail of both is `ses:SendEmail`. With Raw content SES v2 authorises its SendEmail as
`ses:SendRawEmail` (reported by users of aws/aws-actionmailer-ses-ruby#10 and symfony/symfony#51461). A mail needs its action on
each of its resources: the identities of its From, its configuration set, also an identity's default one (medplum/medplum#10102),
and a stored template."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from email.utils import parseaddr
from typing import Any, Final, cast

from seslocal.errors import ApiError, bad_request
from seslocal.iam import actions
from seslocal.iam.conditions import Context
from seslocal.iam.decision import Attached, Denial, decide
from seslocal.mail.address import bare_address
from seslocal.mail.content import read_letter
from seslocal.state.access import Caller
from seslocal.state.account import Account
from seslocal.wire.params import Params

V1: Final = "1"
V2: Final = "2"


def ses(account: Account, operation: str, params: Params, caller: Caller, version: str) -> None:
    """Raises ApiError unless the caller's policies allow this call of SES. Call it with checked parameters."""
    attached = account.access.policies.get(caller.access_key)
    if attached is None:
        return
    context: dict[str, Sequence[str]] = {"ses:ApiVersion": (version,)}
    action = operation
    if operation in actions.SENDS:
        mail = _Mail(account, params)
        if version == V2 and operation == "SendEmail" and "Raw" in params["Content"]:
            action = "SendRawEmail"
        resources = list(mail.resources())
        context |= {key: value for key, value in mail.keys().items() if key in actions.KEYS[action]}
    else:
        resources = list(_resources(account, operation, params))
    needed = [action]
    if operation in actions.SENDS and "Tracking" in params.get("ConfigurationOverrides", {}):
        needed.append("ApplyTrackingConfigurationOverrides")  # ses.md 3.1
    if operation.startswith("Create") and params.get("Tags"):
        needed.append("TagResource")  # ses.md 1.3
    for action in needed:
        name = f"ses:{action}"
        if denial := _decide(account, attached, caller, name, resources, context):
            arn = principal(account, attached, caller)
            message = _sentence(arn, name, denial)
            if operation in actions.SENDS and account.behaviour.old_denials:
                message = (
                    f"User `{arn}' is not authorized to perform `{name}' on resource `{denial.resource}'"
                )
            raise ApiError("AccessDeniedException", message, 403, key="Message")


def sqs(account: Account, operation: str, params: Params, caller: Caller) -> None:
    attached = account.access.policies.get(caller.access_key)
    if attached is None:
        return
    action = f"sqs:{actions.SQS.get(operation, operation)}"
    name: str = params.get("QueueName") or params.get("QueueUrl", "").rstrip("/").rpartition("/")[2]
    arns = [f"arn:aws:sqs:{account.region}:{account.id}:{name}"] if name else []
    if denial := _decide(account, attached, caller, action, arns, {}):
        # SQS writes its actions in lower case.
        message = _sentence(principal(account, attached, caller), action.lower(), denial)
        raise ApiError("AccessDeniedException", message, 403)


def sns(account: Account, action: str, form: dict[str, str], caller: Caller) -> None:
    attached = account.access.policies.get(caller.access_key)
    if attached is None:
        return
    arn = _topic_arn(account, action, form)
    if denial := _decide(account, attached, caller, f"sns:{action}", [arn] if arn else [], {}):
        message = _sentence(principal(account, attached, caller), f"SNS:{action}", denial)
        raise ApiError("AuthorizationError", message, 403)


def cloudwatch(account: Account, operation: str, caller: Caller) -> None:
    attached = account.access.policies.get(caller.access_key)
    if attached is None:
        return
    action = f"cloudwatch:{operation}"
    if denial := _decide(account, attached, caller, action, [], {}):
        message = _sentence(principal(account, attached, caller), action, denial)
        raise ApiError("AccessDeniedException", message, 403)


def iam(account: Account, operation: str, principal_arn: str, caller: Caller) -> None:
    attached = account.access.policies.get(caller.access_key)
    if attached is None:
        return
    action = f"iam:{operation}"
    if denial := _decide(account, attached, caller, action, [principal_arn], {}):
        message = _sentence(principal(account, attached, caller), action, denial)
        raise ApiError("AccessDenied", message, 403)


def events(account: Account, operation: str, rule_arn: str, caller: Caller) -> None:
    attached = account.access.policies.get(caller.access_key)
    if attached is None:
        return
    action = f"events:{operation}"
    if denial := _decide(account, attached, caller, action, [rule_arn], {}):
        message = _sentence(principal(account, attached, caller), action, denial)
        raise ApiError("AccessDeniedException", message, 400)


def _topic_arn(account: Account, action: str, form: dict[str, str]) -> str:
    """The topic that the call acts on, empty if it names none. A form may have members that the action does not read."""
    if action in actions.OF_A_SUBSCRIPTION:
        return ":".join(form.get("SubscriptionArn", "").split(":")[:6])
    if action in actions.OF_ALL_TOPICS:
        return ""
    if action == "CreateTopic":
        name = form.get("Name")
        return f"arn:aws:sns:{account.region}:{account.id}:{name}" if name else ""
    return form.get("TopicArn") or (form.get("TargetArn", "") if action == "Publish" else "")


def _decide(
    account: Account,
    attached: Attached,
    caller: Caller,
    action: str,
    resources: Sequence[str],
    context: Context,
) -> Denial | None:
    everywhere = {
        "aws:PrincipalArn": (principal(account, attached, caller),),
        "aws:RequestedRegion": (account.region,),
        "aws:SecureTransport": ("true",),  # as at AWS, though this port speaks plain HTTP
    }
    denial = decide(attached.policies, action, resources, {**context, **everywhere})
    if denial is None:
        attached.used[action] = attached.used.get(action, 0) + 1
    return denial


def principal(account: Account, attached: Attached | None, caller: Caller) -> str:
    """The ARN for which the policies of the caller's key are evaluated."""
    given = None if attached is None else attached.principal
    return given or f"arn:aws:iam::{account.id}:user/{caller.user}"


def _sentence(principal: str, action: str, denial: Denial) -> str:
    return (
        f"User: {principal} is not authorized to perform: {action} on resource: {denial.resource} "
        f"{denial.reason(action)}"
    )


# identities of other accounts


def own_identities(account: Account, caller: Caller, action: str, arns: Iterable[str]) -> None:
    """Sending authorization: a mail may name an identity of another account only if its owner's policy allows this. No owner
    has a policy here, since one server is one account, so each such identity is refused. Raises ApiError.

    The words are IAM's for a resource whose policy does not allow the action, or with `old_denials` those that users report of
    sends (ministryofjustice/analytical-platform#6944 and others; the SMTP response codes in the Developer Guide say that they
    stand for the owner's policy too)."""
    for arn in arns:
        parts = arn.split(":", 5)
        if len(parts) < 6 or parts[2] != "ses" or not parts[5].startswith("identity/"):
            raise bad_request(f"Invalid identity ARN <{arn}>.")
        if parts[3:5] == [account.region, account.id]:
            continue
        who, name = (
            principal(account, account.access.policies.get(caller.access_key), caller),
            f"ses:{action}",
        )
        message = (
            f"User: {who} is not authorized to perform: {name} on resource: {arn} because no resource-based policy allows "
            f"the {name} action"
        )
        if account.behaviour.old_denials:
            message = f"User `{who}' is not authorized to perform `{name}' on resource `{arn}'"
        raise ApiError("AccessDeniedException", message, 403, key="Message")


# resources of operations that do not send


def _resources(account: Account, operation: str, params: Params) -> Iterator[str]:
    for kind in actions.SES.get(operation, ()):
        if kind == "arn":
            yield params["ResourceArn"]
        elif kind == "entity":
            yield params["ReputationEntityReference"]
        elif kind == "reputation-policy":
            yield params["ReputationEntityPolicy"]
        elif kind == "tenant":  # of a suppression list it is the account's without one
            if "TenantName" in params:
                yield _tenant(account, params["TenantName"])
        elif (name := _named(kind, params)) is not None:
            yield account.arn(f"{kind}/{name.lower() if kind == 'identity' else name}")


def _named(kind: str, params: Params) -> str | None:
    for member in actions.MEMBERS[kind]:
        if isinstance(found := params.get(member), str):
            return found
    nested: Any = params.get("ConfigurationSet")  # SES v1's CreateConfigurationSet
    return (
        cast(Params, nested).get("Name") if kind == "configuration-set" and isinstance(nested, dict) else None
    )


def _tenant(account: Account, name: str) -> str:
    """A tenant's ARN ends in an id, which one that does not exist has not got: what stands for it fits `*` only."""
    found = account.tenants.get(name)
    return found.arn if found is not None else account.arn(f"tenant/{name}/tn-new")


# a mail


class _Mail:
    """What a call sends, in the parameters of SES v1 or v2. Raises ApiError if its content cannot be read."""

    def __init__(self, account: Account, params: Params) -> None:
        self._account = account
        self._params = params
        raw: Params = params.get("RawMessage") or params.get("Content", {}).get("Raw") or {}
        self._letter = None
        if raw:
            to = params.get("Destination") or {"ToAddresses": params.get("Destinations", [])}
            call = {"Content": {"Raw": raw}, "Destination": to}
            if source := params.get("FromEmailAddress") or params.get("Source"):
                call["FromEmailAddress"] = source
            self._letter = read_letter(call, account.behaviour)

    @property
    def _from(self) -> str:
        if self._letter is not None:
            return self._letter.source
        return self._params.get("FromEmailAddress") or self._params.get("Source") or ""

    def resources(self) -> Iterator[str]:
        account, params = self._account, self._params
        senders = self._letter.senders if self._letter else (_bare(self._from),)
        found = {sender: account.identities.resolve(sender) for sender in senders if sender}
        for sender, identity in found.items():
            yield identity.arn if identity else account.arn(f"identity/{sender}")
        for member in (
            "FromEmailAddressIdentityArn",
            "FeedbackForwardingEmailAddressIdentityArn",
            "SourceArn",
        ):
            if isinstance(arn := params.get(member), str):
                yield arn
        defaults = (identity.configuration_set for identity in found.values() if identity)
        in_header = self._letter.configuration_set if self._letter else None
        if name := params.get("ConfigurationSetName") or in_header or next(filter(None, defaults), None):
            yield account.arn(f"configuration-set/{name}")
        if name := self._template():
            yield account.arn(f"template/{name}")

    def _template(self) -> str | None:
        """The stored template, if it names one."""
        content: Params = self._params.get("Content") or self._params.get("DefaultContent") or {}
        given: Any = content.get("Template") or self._params.get("Template")
        if isinstance(given, str):  # SES v1
            return given
        if not isinstance(given, dict):
            return None
        named = cast(Params, given)
        arn: str = named.get("TemplateArn", "")
        return named.get("TemplateName") or arn.rpartition("/")[2] or None

    def keys(self) -> Context:
        """The condition keys of the mail that have a value."""
        params, letter = self._params, self._letter
        name, address = parseaddr(self._from)
        feedback = params.get("FeedbackForwardingEmailAddress") or params.get("ReturnPath")
        found: dict[str, Iterable[str | None]] = {
            "ses:FromAddress": [address],
            "ses:FromDisplayName": [name],
            "ses:FeedbackAddress": [feedback],
            "ses:Recipients": letter.recipients if letter else self._recipients(),
            "ses:TenantName": [params.get("TenantName")],
        }
        values = {key: tuple(value for value in given if value) for key, given in found.items()}
        return {key: given for key, given in values.items() if given}

    def _recipients(self) -> Iterator[str]:
        entries: list[Params] = self._params.get("Destinations") or []  # of SES v1's bulk call
        for one in [self._params, *entries]:
            destination: Params = one.get("Destination") or {}
            for group in ("ToAddresses", "CcAddresses", "BccAddresses"):
                yield from map(_bare, destination.get(group, ()))


def _bare(text: str) -> str:
    """The address in lower case, as identities and policies name it; the text itself if it has none."""
    try:
        return bare_address(text).lower() if text else ""
    except ApiError:
        return text.lower()
