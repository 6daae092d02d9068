"""What is compared of what SES returned: from a whole response to our members (docs/drift.md).

A whole response is kept as SES returned it (`ses_resource.whole`). From it come `members`, which control/plan.py compares with
what is desired, and `rest`: every other member, by its path, without those that change by themselves. Nothing that SES returns is
in neither, so a difference that no check knows is reported as such.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from mailcordon.control.administration import Whole
from mailcordon.control.desired import Json, Kind

OLD_DKIM_ZONE = "dkim.amazonses.com"  #: if SES returns no zone of the region (ses.md 5.3)

#: Members that `members` covers, by path or by the path of the structure that they are in.
_COVERED: Mapping[Kind, tuple[str, ...]] = {
    Kind.IP_POOL: ("PoolName", "ScalingMode"),
    Kind.CONFIGURATION_SET: (
        "ConfigurationSetName",
        "SuppressionOptions.SuppressionScope",
        "SuppressionOptions.SuppressedReasons",
        "DeliveryOptions.MaxDeliverySeconds",
        "SendingOptions.SendingEnabled",
    ),
    Kind.EVENT_DESTINATION: (
        "Name",
        "Enabled",
        "MatchingEventTypes",
        "SnsDestination.TopicArn",
    ),
    Kind.IDENTITY: (
        "ConfigurationSetName",
        "FeedbackForwardingStatus",
        "DkimAttributes.SigningEnabled",
        "VerifiedForSendingStatus",
        "VerificationStatus",
    ),
    Kind.TENANT: (
        "TenantName",
        "SendingStatus",
        "SuppressionAttributes.SuppressionScope",
        "SuppressionAttributes.SuppressedReasons",
    ),
    Kind.POLICY: ("ReputationManagementPolicy", "SendingStatusAggregate"),
    Kind.ASSOCIATION: ("resources",),
    Kind.ACCOUNT: (),
}

#: Members that change without anybody's doing, each with the reason. Their changes are no drift.
_VOLATILE: Mapping[Kind, Mapping[str, str]] = {
    Kind.IP_POOL: {"Ips": "addresses come from AWS support or with the volume, and warm up by themselves"},
    Kind.CONFIGURATION_SET: {
        "ReputationOptions.LastFreshStart": "SES writes it when sending is switched on again",
    },
    Kind.IDENTITY: {
        "DkimAttributes.Status": "follows the DNS; the identity's verification is watched by itself",
        "DkimAttributes.LastKeyGenerationTimestamp": "SES rotates Easy DKIM keys by itself (ses.md 5.3)",
        "DkimAttributes.CurrentSigningKeyLength": "follows NextSigningKeyLength, which is compared",
        "MailFromAttributes.MailFromDomainStatus": "follows the DNS; FAILED is a finding of its own",
        "VerificationInfo": "times and errors of SES's look-ups in the DNS",
    },
    Kind.TENANT: {
        "TenantId": "a tenant that was created again has another one; that is repaired as a missing tenant",
        "TenantArn": "contains the id",
        "CreatedTimestamp": "the time of its creation",
    },
    Kind.POLICY: {
        "ReputationEntityReference": "the tenant's ARN",
        "ReputationImpact": "SES's findings come and go; what stops mail is the sending status",
        "CustomerManagedStatus": "a disabled status is a finding of its own; the rest are causes and times",
        "AwsSesManagedStatus": "as CustomerManagedStatus",
    },
    Kind.ACCOUNT: {
        "SendQuota": "follows the sending and AWS's limits; `mailcordon account` shows it",
        "EnforcementStatus": "followed as a stop",
        "SendingEnabled": "followed as a stop",
        "Details.ReviewDetails": "the state of a support case",
        "PricingAttributes.NextPlan": "what somebody has ordered in the console",
    },
}


def members(kind: Kind, name: str, whole: Whole) -> dict[str, Json]:
    """The members that are compared with what is desired, and what else the control plane reads of this kind."""
    match kind:
        case Kind.IP_POOL:
            return {"mode": whole.get("ScalingMode"), "ips": list(whole.get("Ips") or ())}
        case Kind.CONFIGURATION_SET:
            suppression, delivery = group(whole, "SuppressionOptions"), group(whole, "DeliveryOptions")
            return {
                "suppression_scope": suppression.get("SuppressionScope"),
                "suppressed_reasons": suppression.get("SuppressedReasons"),
                "max_delivery_seconds": delivery.get("MaxDeliverySeconds"),
                "tls_policy": delivery.get("TlsPolicy"),
                "sending_pool": delivery.get("SendingPoolName"),
                "sending_enabled": group(whole, "SendingOptions").get("SendingEnabled", True),
                "tracking_domain": group(whole, "TrackingOptions").get("CustomRedirectDomain"),
                "engagement": engagement(whole),
            }
        case Kind.EVENT_DESTINATION:
            return {
                "events": list(whole.get("MatchingEventTypes") or ()),
                "topic": group(whole, "SnsDestination").get("TopicArn"),
                "enabled": bool(whole.get("Enabled")),
            }
        case Kind.IDENTITY:
            return _identity(name, whole)
        case Kind.TENANT:
            suppression = group(whole, "SuppressionAttributes")
            return {
                "arn": whole.get("TenantArn"),
                "status": whole.get("SendingStatus") or "ENABLED",
                "suppression_scope": suppression.get("SuppressionScope"),
                "suppressed_reasons": suppression.get("SuppressedReasons"),
            }
        case Kind.POLICY:
            policy = whole.get("ReputationManagementPolicy")
            return {
                "policy": str(policy).rpartition("/")[2] if policy else None,
                "status": whole.get("SendingStatusAggregate") or "ENABLED",
            }
        case Kind.ASSOCIATION:
            return {"resources": sorted(map(str, whole.get("resources") or ()))}
        case Kind.ACCOUNT:
            return {}


def rest(kind: Kind, whole: Whole) -> dict[str, str]:
    """Every member that `members` does not cover and that does not change by itself: its JSON, by its path. Lists are sorted, as
    SES returns them in any order."""
    skipped = (*_COVERED[kind], *_VOLATILE.get(kind, {}))
    return {
        path: value
        for path, value in _flat(whole, "")
        if not any(path == each or path.startswith(f"{each}.") for each in skipped)
    }


def engagement(whole: Whole) -> bool:
    """Whether VDM's engagement metrics are on for a set: they add a pixel and rewrite links (ses.md 4.1)."""
    return group(group(whole, "VdmOptions"), "DashboardOptions").get("EngagementMetrics") == "ENABLED"


def group(of: Whole | None, member: str) -> dict[str, Any]:
    """A structure, empty if SES left it out."""
    return (of or {}).get(member) or {}


def mail_from_records(mail_from: str, region: str) -> list[Mapping[str, str]]:
    """The DNS records that a custom MAIL FROM needs (ses.md 5.4)."""
    return [
        {"type": "MX", "name": mail_from, "value": f"10 feedback-smtp.{region}.amazonses.com"},
        {"type": "TXT", "name": mail_from, "value": "v=spf1 include:amazonses.com ~all"},
    ]


def _identity(name: str, whole: Whole) -> dict[str, Json]:
    dkim, mail_from = group(whole, "DkimAttributes"), group(whole, "MailFromAttributes")
    zone = dkim.get("SigningHostedZone") or OLD_DKIM_ZONE
    records: list[Json] = [
        {"type": "CNAME", "name": f"{token}._domainkey.{name}", "value": f"{token}.{zone}"}
        for token in dkim.get("Tokens") or ()
        if dkim.get("SigningAttributesOrigin") != "EXTERNAL"  # then it is the selector of a key of ours
    ]
    return {
        "configuration_set": whole.get("ConfigurationSetName"),
        "dkim_signing": bool(dkim.get("SigningEnabled")),
        "mail_from": mail_from.get("MailFromDomain") or None,
        "mail_from_behavior": mail_from.get("BehaviorOnMxFailure"),
        "mail_from_status": mail_from.get("MailFromDomainStatus"),
        "feedback_forwarding": whole.get("FeedbackForwardingStatus"),
        "verified": bool(whole.get("VerifiedForSendingStatus")),
        "status": whole.get("VerificationStatus") or dkim.get("Status") or "PENDING",
        "records": records,
    }


def _flat(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, inner in cast("Mapping[str, Any]", value).items():
            yield from _flat(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        if value:  # SES returns an empty list or leaves it out
            yield path, json.dumps(sorted(map(_text, cast("Iterable[Any]", value))))
    else:
        yield path, json.dumps(value)


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
