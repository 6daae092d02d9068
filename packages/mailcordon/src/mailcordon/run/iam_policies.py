"""The IAM policies of a Mailcordon on AWS: what each of its processes may do, and what nobody else may. Pure.

Each allows the actions that the process calls and no others (a test compares them with the calls). What SES's names permit is
narrowed: our configuration sets and SES tenants begin with `mc-`, but for the set of ungoverned mail. An identity has the name
of a tenant's domain, so identities cannot be narrowed, and lists and the account have no resource (Service Authorization
Reference, Amazon SES v2).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mailcordon.config import MANAGEMENT_QUEUE, QUEUES
from mailcordon.control.assess.reading import READS, WATCHES
from mailcordon.control.desired import UNGOVERNED
from mailcordon.control.ungoverned import ALL_SENDS

Document = dict[str, Any]
Statement = dict[str, Any]

#: Those that a tenant's mail never needs. None of them has a tenant.
_OTHER_SENDS = (
    "ses:SendBounce",
    "ses:SendBulkEmail",
    "ses:SendBulkTemplatedEmail",
    "ses:SendCustomVerificationEmail",
    "ses:SendRawEmail",
    "ses:SendTemplatedEmail",
)
_OURS = "mc-*"

_OF_A_SET = (
    "CreateConfigurationSet",
    "CreateConfigurationSetEventDestination",
    "DeleteConfigurationSet",
    "DeleteConfigurationSetEventDestination",
    "GetConfigurationSet",
    "GetConfigurationSetEventDestinations",
    "PutConfigurationSetDeliveryOptions",
    "PutConfigurationSetReputationOptions",
    "PutConfigurationSetSendingOptions",
    "PutConfigurationSetSuppressionOptions",
    "PutConfigurationSetTrackingOptions",
    "PutConfigurationSetVdmOptions",
    "UpdateConfigurationSetEventDestination",
)
_OF_AN_IP_POOL = ("CreateDedicatedIpPool", "DeleteDedicatedIpPool", "GetDedicatedIpPool", "GetDedicatedIps")
_OF_AN_IDENTITY = (
    "CreateEmailIdentity",
    "DeleteEmailIdentity",
    "GetEmailIdentity",
    "PutEmailIdentityConfigurationSetAttributes",
    "PutEmailIdentityDkimAttributes",
    "PutEmailIdentityDkimSigningAttributes",
    "PutEmailIdentityFeedbackAttributes",
    "PutEmailIdentityMailFromAttributes",
)
_OF_A_TENANT = (
    "CreateTenant",
    "DeleteSuppressedDestination",
    "DeleteTenant",
    "GetReputationEntity",
    "GetSuppressedDestination",
    "GetTenant",
    "ListSuppressedDestinations",
    "ListTenantResources",
    "PutSuppressedDestination",
    "PutTenantSuppressionAttributes",
    "UpdateReputationEntityCustomerManagedStatus",
    "UpdateReputationEntityPolicy",
)
_OF_SEVERAL = (
    "CreateTenantResourceAssociation",
    "DeleteTenantResourceAssociation",
    "ListResourceTenants",
    "TagResource",
    "UntagResource",
)
_OF_THE_ACCOUNT = (
    "DeleteSuppressedDestination",
    "GetAccount",
    "GetSuppressedDestination",
    "ListConfigurationSets",
    "ListEmailIdentities",
    "ListRecommendations",
    "ListReputationEntities",
    "ListSuppressedDestinations",
    "ListTenants",
    "PutAccountSuppressionAttributes",
    "PutAccountVdmAttributes",
)
_READ_QUEUE = ("sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a Mailcordon is on AWS. The default names are those of deploy/cloudformation.yaml."""

    account: str
    region: str
    partition: str = "aws"
    #: name of each queue: outcome, engagement, management
    queues: Mapping[str, str] = field(default_factory=lambda: {**QUEUES, "management": MANAGEMENT_QUEUE})
    #: name of each topic: outcome, engagement
    topics: Mapping[str, str] = field(default_factory=lambda: dict(QUEUES))

    def ses(self, resource: str) -> str:
        return f"arn:{self.partition}:ses:{self.region}:{self.account}:{resource}"

    def queue(self, kind: str) -> str:
        return f"arn:{self.partition}:sqs:{self.region}:{self.account}:{self.queues[kind]}"

    def topic(self, kind: str) -> str:
        return f"arn:{self.partition}:sns:{self.region}:{self.account}:{self.topics[kind]}"

    def role(self, kind: str) -> str:
        """Of deploy/cloudformation.yaml: a role's name is one for all regions."""
        return f"arn:{self.partition}:iam::{self.account}:role/mailcordon-{kind}-{self.region}"


def send(place: Place) -> Document:
    """The role of `dispatch`: it sends through a tenant of ours, and does nothing else."""
    return _document(
        _statement(
            "SendForATenant",
            "Allow",
            ["ses:SendEmail"],
            [place.ses("identity/*"), place.ses(f"configuration-set/{_OURS}")],
            {"StringLike": {"ses:TenantName": [_OURS]}},
        ),
        _statement(
            "NothingWithoutATenant",
            "Deny",
            ["ses:SendEmail"],
            ["*"],
            {"Null": {"ses:TenantName": "true"}},
        ),
        _statement("NoOtherWayOfSending", "Deny", _OTHER_SENDS, ["*"]),
    )


def administer(place: Place) -> Document:
    """The role of `control`: it makes SES as it should be and reads what others change there. It cannot send."""
    sets = [place.ses(f"configuration-set/{name}") for name in (_OURS, UNGOVERNED)]
    identities, tenants = place.ses("identity/*"), place.ses(f"tenant/{_OURS}/*")
    return _document(
        _statement("IpPools", "Allow", _ses(_OF_AN_IP_POOL), [place.ses("dedicated-ip-pool/*")]),
        # A set's delivery options name its pool, also one that somebody else chose.
        _statement("Sets", "Allow", _ses(_OF_A_SET), [*sets, place.ses("dedicated-ip-pool/*")]),
        # PutEmailIdentityConfigurationSetAttributes needs the set too.
        _statement("Identities", "Allow", _ses(_OF_AN_IDENTITY), [identities, *sets]),
        # AWS's reputation policies belong to the account `aws` (ses.md 1.7).
        _statement(
            "Tenants",
            "Allow",
            _ses(_OF_A_TENANT),
            [tenants, f"arn:{place.partition}:ses:{place.region}:aws:reputation-policy/*"],
        ),
        _statement("Associations", "Allow", _ses(_OF_SEVERAL), [*sets, identities, tenants]),
        _statement("Account", "Allow", _ses(_OF_THE_ACCOUNT), ["*"]),
        _statement("ManagementEvents", "Allow", _READ_QUEUE, [place.queue("management")]),
        # What is between SES and the queue, if the events of a proof do not come.
        _statement(
            "TopicOfOutcomes",
            "Allow",
            ["sns:GetTopicAttributes", "sns:ListSubscriptionsByTopic"],
            [place.topic("outcome")],
        ),
        _statement("QueueOfOutcomes", "Allow", ["sqs:GetQueueAttributes"], [place.queue("outcome")]),
        _statement("NoSending", "Deny", [ALL_SENDS], ["*"]),
    )


def observe(place: Place) -> Document:
    """The role of `observe`: it reads the queues of events about mail."""
    return _document(
        _statement("Events", "Allow", _READ_QUEUE, [place.queue("outcome"), place.queue("engagement")])
    )


def assess() -> Document:
    """The role of `mailcordon assess`: it reads the settings and counts of SES in the whole account, and can change nothing. The
    account is not ours yet, so no name narrows it."""
    return _document(
        _statement("ReadSes", "Allow", _ses(READS), ["*"]),
        _statement("ReadCounts", "Allow", [f"cloudwatch:{operation}" for operation in WATCHES], ["*"]),
        _statement("NoSending", "Deny", [ALL_SENDS], ["*"]),
    )


def app(place: Place) -> Document:
    """For the roles of applications, beside their own policies: they cannot send past us, nor forge events about mail."""
    return _document(
        _statement("NoSendingPastMailcordon", "Deny", [ALL_SENDS], ["*"]),
        _statement(
            "NoForgedEvents",
            "Deny",
            ["sns:Publish", "sqs:SendMessage"],
            [place.topic(kind) for kind in place.topics] + [place.queue(kind) for kind in place.queues],
        ),
    )


def scp(send_roles: Sequence[str]) -> Document:
    """A service control policy: in the accounts that it is attached to nobody but these roles sends, whatever IAM allows."""
    return _document(
        _statement(
            "OnlyMailcordonSends",
            "Deny",
            [ALL_SENDS],
            ["*"],
            {"ArnNotLike": {"aws:PrincipalArn": sorted(send_roles)}},
        )
    )


def _ses(operations: Sequence[str]) -> list[str]:
    return [f"ses:{operation}" for operation in operations]


def _document(*statements: Statement) -> Document:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _statement(
    sid: str,
    effect: str,
    actions: Sequence[str],
    resources: Sequence[str],
    condition: Mapping[str, Any] | None = None,
) -> Statement:
    made: Statement = {"Sid": sid, "Effect": effect, "Action": list(actions), "Resource": list(resources)}
    return made if condition is None else {**made, "Condition": dict(condition)}
