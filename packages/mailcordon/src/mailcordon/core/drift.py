"""The closed table of what can differ at SES, and what happens when it does (docs/drift.md).

Each kind has a severity and a default act. A policy can change the act of a kind, and for kinds that break isolation it can also
hold the tenant's mail while the difference lasts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Severity = Literal["critical", "high", "medium", "low"]
SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low")
Act = Literal["apply", "propose"]
#: The kind of policy that decides on additions for what is desired: a resource or an association that is missing.
ADDITION = "addition"


class Drift(StrEnum):
    TENANT_SUPPRESSION = "tenant-suppression"
    SET_SUPPRESSION = "set-suppression"
    ACCOUNT_SUPPRESSION = "account-suppression"
    MISSING_RESOURCE = "missing-resource"
    MISSING_ASSOCIATION = "missing-association"
    FOREIGN_ASSOCIATION = "foreign-association"
    SHARED_ASSOCIATION = "shared-association"
    EXTRA_ASSOCIATION = "extra-association"
    REPUTATION_POLICY = "reputation-policy"
    TENANT_DISABLED = "tenant-disabled"
    SENDING_OFF = "sending-off"
    DKIM_OFF = "dkim-off"
    DKIM_KEY = "dkim-key"
    MAIL_FROM = "mail-from"
    MAIL_FROM_FAILED = "mail-from-failed"
    DEFAULT_SET = "default-set"
    IDENTITY_POLICY = "identity-policy"
    FEEDBACK_FORWARDING = "feedback-forwarding"
    MISSING_DESTINATION = "missing-destination"
    DESTINATION_DISABLED = "destination-disabled"
    DESTINATION_REDIRECTED = "destination-redirected"
    DESTINATION_EVENTS = "destination-events"
    EXTRA_DESTINATION = "extra-destination"
    TLS_POLICY = "tls-policy"
    MAX_DELIVERY = "max-delivery"
    SENDING_POOL = "sending-pool"
    TRACKING = "tracking"
    ACCOUNT_TRACKING = "account-tracking"
    TAGS = "tags"
    NEARBY_IDENTITY = "nearby-identity"
    LOOK_ALIKE = "look-alike"
    EXTRA_IDENTITY = "extra-identity"
    EXTRA_SET = "extra-set"
    EXTRA_TENANT = "extra-tenant"
    UNKNOWN = "unknown-difference"
    NEW_MEMBER = "new-member"


@dataclass(frozen=True, slots=True)
class Rule:
    severity: Severity
    act: Act  #: unless a policy says otherwise
    isolation: bool = False  #: whether one tenant can reach another's mail, domain or suppression through it
    repairable: bool = True  #: whether calls to SES can repair it
    acceptable: bool = True  #: whether a person can accept it as it is
    removes: bool = (
        False  #: whether its repair takes away what somebody else made: only a person decides that
    )


TABLE: Mapping[Drift, Rule] = {
    Drift.TENANT_SUPPRESSION: Rule("critical", "apply", isolation=True, acceptable=False),
    Drift.SET_SUPPRESSION: Rule("critical", "apply", isolation=True, acceptable=False),
    # Somebody set it for the mail that does not pass through us.
    Drift.ACCOUNT_SUPPRESSION: Rule("high", "propose"),
    Drift.MISSING_RESOURCE: Rule("high", "apply", acceptable=False),
    Drift.MISSING_ASSOCIATION: Rule("high", "apply", acceptable=False),
    Drift.FOREIGN_ASSOCIATION: Rule("critical", "propose", isolation=True, removes=True),
    Drift.SHARED_ASSOCIATION: Rule("critical", "propose", isolation=True, removes=True),
    Drift.EXTRA_ASSOCIATION: Rule("medium", "propose", removes=True),
    Drift.REPUTATION_POLICY: Rule("high", "apply", acceptable=False),
    # Whoever switched sending off had a reason: SES's own automation, or a person during an incident.
    Drift.TENANT_DISABLED: Rule("high", "propose", acceptable=False),
    Drift.SENDING_OFF: Rule("high", "propose", acceptable=False),
    Drift.DKIM_OFF: Rule("high", "apply", acceptable=False),
    # The old key may be gone. Going back needs new DNS records.
    Drift.DKIM_KEY: Rule("high", "propose", repairable=False),
    Drift.MAIL_FROM: Rule("medium", "apply"),
    Drift.MAIL_FROM_FAILED: Rule("medium", "propose", repairable=False, acceptable=False),
    Drift.DEFAULT_SET: Rule("high", "apply", acceptable=False),
    Drift.IDENTITY_POLICY: Rule("high", "propose", isolation=True, repairable=False),
    Drift.FEEDBACK_FORWARDING: Rule("low", "apply", acceptable=False),
    Drift.MISSING_DESTINATION: Rule("high", "apply", acceptable=False),
    Drift.DESTINATION_DISABLED: Rule("high", "apply", acceptable=False),
    Drift.DESTINATION_REDIRECTED: Rule("high", "apply", acceptable=False),
    Drift.DESTINATION_EVENTS: Rule("high", "apply", acceptable=False),
    Drift.EXTRA_DESTINATION: Rule("high", "propose", removes=True),
    Drift.TLS_POLICY: Rule("medium", "propose"),
    Drift.MAX_DELIVERY: Rule("medium", "apply", acceptable=False),
    Drift.SENDING_POOL: Rule("high", "apply", acceptable=False),
    Drift.TRACKING: Rule("medium", "apply", acceptable=False),
    Drift.ACCOUNT_TRACKING: Rule("medium", "propose"),
    Drift.TAGS: Rule("low", "propose"),
    Drift.NEARBY_IDENTITY: Rule("medium", "propose", repairable=False),
    # Both may be honest: a person compares who they are.
    Drift.LOOK_ALIKE: Rule("medium", "propose", repairable=False, acceptable=False),
    Drift.EXTRA_IDENTITY: Rule("low", "propose", repairable=False),
    Drift.EXTRA_SET: Rule("low", "propose", repairable=False),
    Drift.EXTRA_TENANT: Rule("low", "propose", repairable=False),
    Drift.UNKNOWN: Rule("medium", "propose", repairable=False),
    # Nobody changed anything: the installed SDK shows more than this version knows.
    Drift.NEW_MEMBER: Rule("low", "propose", repairable=False),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What happens to differences of one kind."""

    act: Act
    hold: bool = False  #: hold the tenant's mail while it lasts; only for kinds that break isolation


def policy_of(kind: str, policies: Mapping[str, Policy]) -> Policy:
    """The policy of a kind of difference, or of `addition`."""
    if kind in policies:
        return policies[kind]
    return Policy(act="apply") if kind == ADDITION else Policy(act=TABLE[Drift(kind)].act)
