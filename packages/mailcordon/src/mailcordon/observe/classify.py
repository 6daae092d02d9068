"""Classifies Bounce and Complaint events. SES uses these two types for several other things.

Only types and subtypes decide, never a text (ses.md 2.5, 4.3). Unknown subtypes are counted, and suppress an address only if
SES calls them permanent.
"""

import re

from mailcordon.core.event import Kind

UNSUBSCRIBED = "Permanent/UnsubscribedRecipient"
TRANSIENT = "Transient/General"
NOT_SPAM = "not-spam"
GLOBAL_LIST = "Permanent/Suppressed"

#: (bounceType, bounceSubType) -> kind. Others are classified by their type alone.
BOUNCES: dict[tuple[str, str], Kind] = {
    ("Permanent", "General"): Kind.HARD_BOUNCE,
    ("Permanent", "NoEmail"): Kind.HARD_BOUNCE,
    # On SES's global list: SES did not send it, but counts it in the account's bounce rate, so we do too.
    ("Permanent", "Suppressed"): Kind.HARD_BOUNCE,
    # On a list of the account or the tenant: no new evidence, and not in SES's bounce rate.
    ("Permanent", "OnAccountSuppressionList"): Kind.SUPPRESSED,
    ("Permanent", "OnTenantSuppressionList"): Kind.SUPPRESSED,
    # SES's Auto Validation rejected the address: a policy of the account, not a bounce.
    ("Permanent", "EmailValidationSuppressed"): Kind.SUPPRESSED,
    # A contact opted out in SES's list management; suppress.py suppresses it for the lane.
    ("Permanent", "UnsubscribedRecipient"): Kind.SUPPRESSED,
    # Includes out-of-office replies, which some hosts send as bounces. Final for the mail; the address is fine.
    ("Transient", "General"): Kind.SOFT_BOUNCE,
    ("Transient", "MailboxFull"): Kind.SOFT_BOUNCE,
    ("Transient", "MessageTooLarge"): Kind.SOFT_BOUNCE,
    # MaxDeliverySeconds is over: SES stopped retrying, as configured.
    ("Transient", "CustomTimeoutExceeded"): Kind.SOFT_BOUNCE,
    # The message is at fault, not the mailbox.
    ("Transient", "ContentRejected"): Kind.SOFT_BOUNCE,
    ("Transient", "AttachmentRejected"): Kind.SOFT_BOUNCE,
    ("Undetermined", "Undetermined"): Kind.SOFT_BOUNCE,
}

#: What an event says of the list that an address is on -> the cause of a suppression. A Bounce event says bounceType and
#: bounceSubType, a Complaint event complaintSubType.
_LISTS = {
    "Permanent/OnTenantSuppressionList": "ses-tenant-list",
    "Permanent/OnAccountSuppressionList": "ses-account-list",
    "OnTenantSuppressionList": "ses-tenant-complaint",
    "OnAccountSuppressionList": "ses-account-complaint",
}

_SUPPRESSION_LIST = re.compile(r"On[A-Za-z]*SuppressionList")


def bounce(type: str | None, sub_type: str | None) -> Kind:
    known = BOUNCES.get((type or "", sub_type or ""))
    if known is not None:
        return known
    if sub_type and _SUPPRESSION_LIST.fullmatch(sub_type):
        return Kind.SUPPRESSED  # a list newer than this table
    return Kind.HARD_BOUNCE if type == "Permanent" else Kind.SOFT_BOUNCE


def complaint(sub_type: str | None, feedback_type: str | None) -> Kind:
    if sub_type and _SUPPRESSION_LIST.fullmatch(sub_type):
        return Kind.SUPPRESSED  # on a list because of an older complaint, not a new one
    if feedback_type == NOT_SPAM:
        return Kind.OTHER  # the recipient moved the mail out of the spam folder
    return Kind.COMPLAINT


def list_of(kind: Kind, reason: str | None) -> str | None:
    """The cause of the suppression that a hit on a list of the tenant or the account means; None if the event is no such hit."""
    return _LISTS.get(reason or "") if kind is Kind.SUPPRESSED else None


def is_not_spam(kind: Kind, reason: str | None) -> bool:
    """Whether it is feedback that a mail is no spam: the opposite of a complaint."""
    return kind is Kind.OTHER and reason == NOT_SPAM
