"""Identities in SES v1: verification by name, attributes read for many identities at once, and notification topics
(ses.md 4.5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from seslocal.errors import ApiError, bad_request
from seslocal.events import notifications
from seslocal.events.notifications import TYPES
from seslocal.sesv2 import configuration_sets, identities, identity_policies
from seslocal.state.access import Caller
from seslocal.state.account import Account
from seslocal.state.identities import Identity
from seslocal.wire.paging import page
from seslocal.wire.params import Params

MOST_ASKED: Final = 100
_STATUSES: Final = {
    "SUCCESS": "Success",
    "PENDING": "Pending",
    "FAILED": "Failed",
    "TEMPORARY_FAILURE": "TemporaryFailure",
    "NOT_STARTED": "NotStarted",
}
_TO_V2: Final = {"UseDefaultValue": "USE_DEFAULT_VALUE", "RejectMessage": "REJECT_MESSAGE"}
_TO_V1: Final = {v2: v1 for v1, v2 in _TO_V2.items()}


def verify_address(account: Account, params: Params, caller: Caller) -> Params:
    _ensure(account, params["EmailAddress"], caller)
    return {}


def verify_domain(account: Account, params: Params, caller: Caller) -> Params:
    return {"VerificationToken": _token(account, _ensure(account, params["Domain"], caller))}


def verify_dkim(account: Account, params: Params, caller: Caller) -> Params:
    return {"DkimTokens": _ensure(account, params["Domain"], caller).dkim.get("Tokens", [])}


def delete(account: Account, params: Params, caller: Caller) -> Params:
    """Succeeds if the identity does not exist."""
    name: str = params["Identity"] if "Identity" in params else params["EmailAddress"]
    if name.lower() in account.identities:
        identities.delete(account, {"EmailIdentity": name}, caller)
    return {}


def list_all(account: Account, params: Params, caller: Caller) -> Params:
    kind: str | None = params.get("IdentityType")
    found = [
        one for one in account.identities.values() if kind is None or (kind == "Domain") == one.is_domain
    ]
    asked = {"PageSize": params.get("MaxItems", 1000), "NextToken": params.get("NextToken")}
    chosen, more = page("identities", found, lambda one: one.name, asked, most=1000)
    return {"Identities": [one.name for one in chosen], **more}


def list_addresses(account: Account, params: Params, caller: Caller) -> Params:
    found = account.identities.values()
    return {"VerifiedEmailAddresses": [one.name for one in found if one.verified and not one.is_domain]}


def verification_attributes(account: Account, params: Params, caller: Caller) -> Params:
    def shown(identity: Identity) -> Params:
        token = {"VerificationToken": _token(account, identity)} if identity.is_domain else {}
        return {"VerificationStatus": _STATUSES[identity.status], **token}

    return {"VerificationAttributes": _for_each_identity(account, params, shown)}


def dkim_attributes(account: Account, params: Params, caller: Caller) -> Params:
    def shown(identity: Identity) -> Params:
        found = identities.dkim_shown(account, identity)
        return {
            "DkimEnabled": found["SigningEnabled"],
            "DkimVerificationStatus": _STATUSES[found["Status"]],
            "DkimTokens": found["Tokens"],
        }

    return {"DkimAttributes": _for_each_identity(account, params, shown)}


def mail_from_attributes(account: Account, params: Params, caller: Caller) -> Params:
    def shown(identity: Identity) -> Params:
        behaviour = {"BehaviorOnMXFailure": _TO_V1[identity.on_mx_failure]}
        if identity.mail_from is None:
            return behaviour
        status = _STATUSES[identity.mail_from_status]
        return {"MailFromDomain": identity.mail_from, "MailFromDomainStatus": status, **behaviour}

    return {"MailFromDomainAttributes": _for_each_identity(account, params, shown)}


def notification_attributes(account: Account, params: Params, caller: Caller) -> Params:
    def shown(identity: Identity) -> Params:
        found: Params = {"ForwardingEnabled": identity.feedback}
        for kind in TYPES:
            found[f"{kind}Topic"] = identity.topics.get(kind, "")
            found[f"HeadersIn{kind}NotificationsEnabled"] = kind in identity.with_headers
        return found

    return {"NotificationAttributes": _for_each_identity(account, params, shown)}


def set_dkim(account: Account, params: Params, caller: Caller) -> Params:
    given = {"EmailIdentity": params["Identity"], "SigningEnabled": params["DkimEnabled"]}
    return identities.put_dkim(account, given, caller)


def set_mail_from(account: Account, params: Params, caller: Caller) -> Params:
    behaviour = _TO_V2[params.get("BehaviorOnMXFailure", "UseDefaultValue")]
    given = {"EmailIdentity": params["Identity"], "BehaviorOnMxFailure": behaviour}
    return identities.put_mail_from(
        account, {**given, "MailFromDomain": params.get("MailFromDomain")}, caller
    )


def set_forwarding(account: Account, params: Params, caller: Caller) -> Params:
    """Turning it off needs topics for bounces and complaints (ses.md 4.1)."""
    identity = identities.identity_of(account, params["Identity"])
    enabled: bool = params["ForwardingEnabled"]
    if not enabled and not {"Bounce", "Complaint"} <= identity.topics.keys():
        raise bad_request(
            f"Identity {identity.name} must have both a bounce topic and a complaint topic before forwarding is disabled."
        )
    identity.feedback = enabled
    return {}


def set_topic(account: Account, params: Params, caller: Caller) -> Params:
    """Without a topic, notifications of this type stop."""
    identity = identities.identity_of(account, params["Identity"])
    kind, topic = params["NotificationType"], params.get("SnsTopic")
    if topic:
        try:
            configuration_sets.check_topic(account, topic)
        except ApiError as error:
            # Without the detailed code, which is for event destinations.
            raise bad_request(error.message) from None
        identity.topics[kind] = topic
        notifications.confirm_topic(account, identity.name, topic, kind)
    else:
        identity.topics.pop(kind, None)
    (account.identities.with_topics.add if identity.topics else account.identities.with_topics.discard)(
        identity.arn
    )
    return {}


def set_headers(account: Account, params: Params, caller: Caller) -> Params:
    identity = identities.identity_of(account, params["Identity"])
    kinds = set(identity.with_headers) - {params["NotificationType"]}
    identity.with_headers = frozenset(kinds | {params["NotificationType"]} if params["Enabled"] else kinds)
    return {}


# policies


def put_policy(account: Account, params: Params, caller: Caller) -> Params:
    """Creates or replaces the policy."""
    identity, name = identities.identity_of(account, params["Identity"]), params["PolicyName"]
    act = identity_policies.update if name in identity.policies else identity_policies.create
    return act(account, _policy(params), caller)


def get_policies(account: Account, params: Params, caller: Caller) -> Params:
    found = identities.identity_of(account, params["Identity"]).policies
    return {"Policies": {name: found[name] for name in params["PolicyNames"] if name in found}}


def list_policies(account: Account, params: Params, caller: Caller) -> Params:
    return {"PolicyNames": sorted(identities.identity_of(account, params["Identity"]).policies)}


def delete_policy(account: Account, params: Params, caller: Caller) -> Params:
    """Succeeds if the policy does not exist, unlike SES v2."""
    identities.identity_of(account, params["Identity"]).policies.pop(params["PolicyName"], None)
    return {}


def _policy(params: Params) -> Params:
    return {
        "EmailIdentity": params["Identity"],
        "PolicyName": params["PolicyName"],
        "Policy": params.get("Policy"),
    }


def _ensure(account: Account, name: str, caller: Caller) -> Identity:
    """Creates the identity unless it exists, which is no error in SES v1."""
    if name.lower() not in account.identities:
        identities.create(account, {"EmailIdentity": name}, caller)
    return identities.identity_of(account, name)


def _token(account: Account, identity: Identity) -> str:
    if identity.token is None:
        identity.token = account.ids.dkim_token()
    return identity.token


def _for_each_identity(account: Account, params: Params, shown: Callable[[Identity], Params]) -> Params:
    names: list[str] = params["Identities"]
    if len(names) > MOST_ASKED:
        raise ApiError("ValidationError", f"At most {MOST_ASKED} identities can be asked for at once.")
    return {
        name: shown(account.identities[name.lower()]) for name in names if name.lower() in account.identities
    }


OPERATIONS: Final[dict[str, Callable[[Account, Params, Caller], Params]]] = {
    "VerifyEmailIdentity": verify_address,
    "VerifyEmailAddress": verify_address,
    "VerifyDomainIdentity": verify_domain,
    "VerifyDomainDkim": verify_dkim,
    "DeleteIdentity": delete,
    "DeleteVerifiedEmailAddress": delete,
    "ListIdentities": list_all,
    "ListVerifiedEmailAddresses": list_addresses,
    "GetIdentityVerificationAttributes": verification_attributes,
    "GetIdentityDkimAttributes": dkim_attributes,
    "GetIdentityMailFromDomainAttributes": mail_from_attributes,
    "GetIdentityNotificationAttributes": notification_attributes,
    "SetIdentityDkimEnabled": set_dkim,
    "SetIdentityMailFromDomain": set_mail_from,
    "SetIdentityFeedbackForwardingEnabled": set_forwarding,
    "SetIdentityNotificationTopic": set_topic,
    "SetIdentityHeadersInNotificationsEnabled": set_headers,
    "PutIdentityPolicy": put_policy,
    "GetIdentityPolicies": get_policies,
    "ListIdentityPolicies": list_policies,
    "DeleteIdentityPolicy": delete_policy,
}
