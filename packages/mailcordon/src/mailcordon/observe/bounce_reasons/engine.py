"""Decides the reason of a bounce."""

from mailcordon.core.bounce_reason import BounceReason

#: What SES's sub-type says by itself (ses.md 4.3).
_SUB_TYPES = {
    "NoEmail": BounceReason.USER_UNKNOWN,
    "Suppressed": BounceReason.USER_UNKNOWN,
    "MailboxFull": BounceReason.MAILBOX_FULL,
    "MessageTooLarge": BounceReason.TOO_LARGE,
    "CustomTimeoutExceeded": BounceReason.NETWORK,
    "ContentRejected": BounceReason.CONTENT,
    "AttachmentRejected": BounceReason.CONTENT,
}


def reason_of(type: str | None, sub_type: str | None, status: str | None, text: str | None) -> BounceReason:
    """`type` and `sub_type` are SES's; `status` is RFC 3463's; `text` is the diagnostic code as SES reports it."""
    return _SUB_TYPES.get(sub_type or "", BounceReason.UNDETERMINED)
