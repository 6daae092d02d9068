"""Which kind of thing a Bounce or Complaint really is. SES files under these two names much that is neither.

Only the types decide, never a text (ses.md 2.5, 4.3). Types that are newer than this table fall back on the safe side: they
count, and suppress nobody unless SES itself calls them permanent.
"""

import re

from mailcordon.core.event import Kind

UNSUBSCRIBED = "Permanent/UnsubscribedRecipient"
GLOBAL_LIST = "Permanent/Suppressed"

#: (bounceType, bounceSubType) -> kind. What is not here goes by its type alone.
BOUNCES: dict[tuple[str, str], Kind] = {
    ("Permanent", "General"): Kind.HARD_BOUNCE,
    ("Permanent", "NoEmail"): Kind.HARD_BOUNCE,
    # On SES's global list: SES did not try, but counts it in the account's bounce rate, so we do too.
    ("Permanent", "Suppressed"): Kind.HARD_BOUNCE,
    # The address was on a list of the account's or the tenant's: no new evidence, and not in SES's bounce rate.
    ("Permanent", "OnAccountSuppressionList"): Kind.SUPPRESSED,
    ("Permanent", "OnTenantSuppressionList"): Kind.SUPPRESSED,
    # SES's Auto Validation thought little of the address: a policy of the account's, not a bounce.
    ("Permanent", "EmailValidationSuppressed"): Kind.SUPPRESSED,
    # A contact of SES's list management opted out; suppress.py closes the lane to it.
    ("Permanent", "UnsubscribedRecipient"): Kind.SUPPRESSED,
    # Includes out-of-office replies, which some hosts send as bounces: final for the mail, no fault of the address.
    ("Transient", "General"): Kind.SOFT_BOUNCE,
    ("Transient", "MailboxFull"): Kind.SOFT_BOUNCE,
    ("Transient", "MessageTooLarge"): Kind.SOFT_BOUNCE,
    # MaxDeliverySeconds ran out: SES stopped trying because we told it to.
    ("Transient", "CustomTimeoutExceeded"): Kind.SOFT_BOUNCE,
    # The message's fault, not the mailbox's.
    ("Transient", "ContentRejected"): Kind.SOFT_BOUNCE,
    ("Transient", "AttachmentRejected"): Kind.SOFT_BOUNCE,
    ("Undetermined", "Undetermined"): Kind.SOFT_BOUNCE,
}

_SUPPRESSION_LIST = re.compile(r"On[A-Za-z]*SuppressionList")


def bounce(type: str | None, sub_type: str | None) -> Kind:
    known = BOUNCES.get((type or "", sub_type or ""))
    if known is not None:
        return known
    if sub_type and _SUPPRESSION_LIST.fullmatch(sub_type):
        return Kind.SUPPRESSED  # a list that SES invented after this table
    return Kind.HARD_BOUNCE if type == "Permanent" else Kind.SOFT_BOUNCE


def complaint(sub_type: str | None, feedback_type: str | None) -> Kind:
    if sub_type and _SUPPRESSION_LIST.fullmatch(sub_type):
        return (
            Kind.SUPPRESSED
        )  # the address was on a list because of an older complaint; nobody complained now
    if feedback_type == "not-spam":
        return Kind.OTHER  # somebody took the mail out of the spam folder: the opposite of a complaint
    return Kind.COMPLAINT
