"""Which kinds of resources each operation is authorised for (Service Authorization Reference: Amazon SES, Amazon SES v2, Amazon
SQS, Amazon SNS). An operation that is not listed has none: its policies need the resource `*`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_SET: Final = ("configuration-set",)
_IDENTITY: Final = ("identity",)
_TENANT: Final = ("tenant",)
_TEMPLATE: Final = ("template",)
_VERIFICATION: Final = ("custom-verification-email-template",)
_LIST: Final = ("contact-list",)
_POOL: Final = ("dedicated-ip-pool",)
_ARN: Final = ("arn",)  #: what the call names by ARN
_ENTITY: Final = ("entity",)  #: the tenant that a reputation entity stands for

#: SES v2, and the operations of SES v1 of the same name
SES: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(
        (
            "CreateConfigurationSet",
            "CreateConfigurationSetEventDestination",
            "DeleteConfigurationSet",
            "DeleteConfigurationSetEventDestination",
            "GetConfigurationSet",
            "GetConfigurationSetEventDestinations",
            "PutConfigurationSetArchivingOptions",
            "PutConfigurationSetDeliveryOptions",
            "PutConfigurationSetReputationOptions",
            "PutConfigurationSetSendingOptions",
            "PutConfigurationSetSuppressionOptions",
            "PutConfigurationSetTrackingOptions",
            "PutConfigurationSetVdmOptions",
            "UpdateConfigurationSetEventDestination",
        ),
        _SET,
    ),
    **dict.fromkeys(
        (
            "CreateEmailIdentity",
            "CreateEmailIdentityPolicy",
            "DeleteEmailIdentity",
            "DeleteEmailIdentityPolicy",
            "GetEmailIdentity",
            "GetEmailIdentityPolicies",
            "PutEmailIdentityDkimAttributes",
            "PutEmailIdentityDkimSigningAttributes",
            "PutEmailIdentityFeedbackAttributes",
            "PutEmailIdentityMailFromAttributes",
            "UpdateEmailIdentityPolicy",
        ),
        _IDENTITY,
    ),
    "PutEmailIdentityConfigurationSetAttributes": _IDENTITY + _SET,
    **dict.fromkeys(
        (
            "CreateTenant",
            "DeleteTenant",
            "GetTenant",
            "ListTenantResources",
            "PutTenantSuppressionAttributes",
            "DeleteSuppressedDestination",
            "GetSuppressedDestination",
            "ListSuppressedDestinations",
            "PutSuppressedDestination",
        ),
        _TENANT,
    ),
    "CreateTenantResourceAssociation": _TENANT + _ARN,
    "DeleteTenantResourceAssociation": _TENANT + _ARN,
    "ListResourceTenants": _ARN,
    "GetReputationEntity": _ENTITY,
    "UpdateReputationEntityCustomerManagedStatus": _ENTITY,
    "UpdateReputationEntityPolicy": (*_ENTITY, "reputation-policy"),
    "TagResource": _ARN,
    "UntagResource": _ARN,
    "ListTagsForResource": _ARN,
    **dict.fromkeys(
        (
            "CreateEmailTemplate",
            "DeleteEmailTemplate",
            "GetEmailTemplate",
            "TestRenderEmailTemplate",
            "UpdateEmailTemplate",
        ),
        _TEMPLATE,
    ),
    **dict.fromkeys(
        (
            "CreateCustomVerificationEmailTemplate",
            "DeleteCustomVerificationEmailTemplate",
            "GetCustomVerificationEmailTemplate",
            "SendCustomVerificationEmail",
            "UpdateCustomVerificationEmailTemplate",
        ),
        _VERIFICATION,
    ),
    **dict.fromkeys(
        (
            "CreateContact",
            "CreateContactList",
            "DeleteContact",
            "DeleteContactList",
            "GetContact",
            "GetContactList",
            "ListContacts",
            "UpdateContact",
            "UpdateContactList",
        ),
        _LIST,
    ),
    **dict.fromkeys(
        (
            "CreateDedicatedIpPool",
            "DeleteDedicatedIpPool",
            "GetDedicatedIpPool",
            "GetDedicatedIps",
            "PutDedicatedIpInPool",
            "PutDedicatedIpPoolScalingAttributes",
        ),
        _POOL,
    ),
}

#: how an operation names a resource of each kind
MEMBERS: Final[Mapping[str, tuple[str, ...]]] = {
    "configuration-set": ("ConfigurationSetName",),
    "identity": ("EmailIdentity",),
    "template": ("TemplateName",),
    "custom-verification-email-template": ("TemplateName",),
    "contact-list": ("ContactListName",),
    "dedicated-ip-pool": ("PoolName", "DestinationPoolName"),
}

#: operations of SES that send mail with a From address, which are authorised for the identity, the set and the template
SENDS: Final = (
    "SendEmail",
    "SendBulkEmail",
    "SendRawEmail",
    "SendTemplatedEmail",
    "SendBulkTemplatedEmail",
)
#: condition keys of each action that sends (Service Authorization Reference). SendRawEmail has no ses:TenantName.
_OF_MAIL: Final = ("ses:FromAddress", "ses:FromDisplayName", "ses:FeedbackAddress", "ses:Recipients")
KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "SendEmail": (*_OF_MAIL, "ses:TenantName"),
    "SendBulkEmail": ("ses:TenantName",),
    "SendRawEmail": _OF_MAIL,
    "SendTemplatedEmail": _OF_MAIL,
    "SendBulkTemplatedEmail": _OF_MAIL,
}

#: SQS authorises the batch forms as the single ones.
SQS: Final[Mapping[str, str]] = {
    "SendMessageBatch": "SendMessage",
    "DeleteMessageBatch": "DeleteMessage",
    "ChangeMessageVisibilityBatch": "ChangeMessageVisibility",
}
#: operations of SNS that name a subscription, whose ARN begins with that of its topic
OF_A_SUBSCRIPTION: Final = ("GetSubscriptionAttributes", "SetSubscriptionAttributes", "Unsubscribe")
OF_ALL_TOPICS: Final = ("ListSubscriptions", "ListTopics")
