"""What codes mean: SES's sub-types, RFC 3463's statuses with IANA's register, statuses and marks of providers, SMTP replies."""

import re

from mailcordon.core.bounce_reason import BounceReason as R

#: SES's sub-types that name a reason (ses.md 4.3). `Suppressed`: the address bounced for somebody else as an unknown recipient.
SUB_TYPES = {
    "NoEmail": R.USER_UNKNOWN,
    "Suppressed": R.USER_UNKNOWN,
    "MailboxFull": R.MAILBOX_FULL,
    "MessageTooLarge": R.TOO_LARGE,
    "CustomTimeoutExceeded": R.NETWORK,
    "ContentRejected": R.CONTENT,
    "AttachmentRejected": R.CONTENT,
}

#: (subject, detail): asked before the words. Each says one thing wherever it is used.
PRECISE: dict[tuple[int, int], R] = {
    # IANA's register of enhanced status codes.
    (7, 20): R.AUTH_FAILURE,  # no passing DKIM signature (RFC 7372)
    (7, 21): R.AUTH_FAILURE,
    (7, 22): R.AUTH_FAILURE,
    (7, 23): R.AUTH_FAILURE,  # SPF
    (7, 24): R.AUTH_FAILURE,
    (7, 25): R.AUTH_FAILURE,  # reverse DNS
    (7, 26): R.AUTH_FAILURE,  # several checks
    (7, 27): R.SENDER_REJECTED,  # the sender's domain has a null MX (RFC 7505)
    (7, 29): R.AUTH_FAILURE,  # ARC
    (7, 30): R.AUTH_FAILURE,  # Gmail: DKIM; elsewhere REQUIRETLS (RFC 8689), which is rare
    (7, 31): R.AUTH_FAILURE,  # Gmail: no DMARC record
    (7, 32): R.AUTH_FAILURE,  # Gmail: From is not aligned
    (2, 2): R.MAILBOX_FULL,
    (2, 3): R.TOO_LARGE,
    (3, 4): R.TOO_LARGE,
    (1, 7): R.SENDER_REJECTED,
    (1, 8): R.SENDER_REJECTED,
    (7, 17): R.USER_UNKNOWN,  # the mailbox's owner has changed (RFC 7293)
    (7, 18): R.DOMAIN_INVALID,  # the domain's owner has changed
    # Microsoft, non-delivery reports in Exchange Online.
    (4, 310): R.DOMAIN_INVALID,
    (4, 312): R.NETWORK,
    (4, 316): R.NETWORK,
    (4, 317): R.NETWORK,
    (7, 501): R.CONTENT,
    (7, 502): R.CONTENT,
    (7, 503): R.CONTENT,
    (7, 504): R.CONTENT,
    (7, 508): R.RATE_LIMITED,
    (7, 509): R.AUTH_FAILURE,
    (7, 510): R.POLICY,
    (7, 511): R.BLOCKED_REPUTATION,
    (7, 512): R.CONTENT,
    (7, 513): R.POLICY,
    (7, 515): R.AUTH_FAILURE,
    (7, 520): R.POLICY,
    (7, 705): R.BLOCKED_REPUTATION,
    (7, 708): R.BLOCKED_REPUTATION,
    (7, 750): R.SENDER_REJECTED,
    (7, 900): R.POLICY,
}

#: (subject, detail) that say that an address is wrong: asked after the words that name another cause.
WRONG_ADDRESS: dict[tuple[int, int], R] = {
    (1, 1): R.USER_UNKNOWN,
    (1, 2): R.DOMAIN_INVALID,
    (1, 3): R.USER_UNKNOWN,
    (1, 6): R.USER_UNKNOWN,
    (1, 10): R.USER_UNKNOWN,  # Microsoft: not found by address look-up; elsewhere a null MX, which texts name
    (2, 1): R.MAILBOX_DISABLED,
    (7, 13): R.MAILBOX_DISABLED,  # IANA: user account disabled
}

#: (subject, detail): asked after all words, as many hosts give them for other causes too.
GENERAL: dict[tuple[int, int], R] = {
    (1, 4): R.REMOTE_ERROR,
    (1, 9): R.POLICY,
    (2, 4): R.REMOTE_ERROR,
    (3, 3): R.PROTOCOL_ERROR,
    (3, 6): R.REMOTE_ERROR,
    (4, 3): R.NETWORK,
    (5, 3): R.RATE_LIMITED,  # too many recipients
    (5, 7): R.AUTH_FAILURE,
    (7, 1): R.POLICY,
    (7, 8): R.AUTH_FAILURE,
    (7, 9): R.AUTH_FAILURE,
    (7, 28): R.RATE_LIMITED,  # IANA: mail flood detected; Gmail: unusual rate
}

#: Subject of the status, where the detail says nothing more.
SUBJECTS = {3: R.REMOTE_ERROR, 4: R.NETWORK, 5: R.PROTOCOL_ERROR, 6: R.CONTENT, 7: R.POLICY}

#: Replies that say something by themselves (RFC 5321 4.2.3; RFC 4954; RFC 7504).
REPLIES = {
    421: R.REMOTE_ERROR,
    422: R.MAILBOX_FULL,
    450: R.REMOTE_ERROR,
    451: R.REMOTE_ERROR,
    452: R.REMOTE_ERROR,
    454: R.REMOTE_ERROR,
    500: R.PROTOCOL_ERROR,
    501: R.PROTOCOL_ERROR,
    502: R.PROTOCOL_ERROR,
    503: R.PROTOCOL_ERROR,
    504: R.PROTOCOL_ERROR,
    521: R.DOMAIN_INVALID,
    523: R.TOO_LARGE,
    530: R.AUTH_FAILURE,
    534: R.AUTH_FAILURE,
    535: R.AUTH_FAILURE,
    541: R.CONTENT,
    551: R.USER_UNKNOWN,
    552: R.MAILBOX_FULL,
    556: R.DOMAIN_INVALID,
    571: R.POLICY,
}

#: Where the sending host says that it was refused there: what that place alone tells.
STAGES = {"connect": R.BLOCKED_REPUTATION, "sender": R.SENDER_REJECTED, "data": R.POLICY}

#: Marks that providers put into their replies, as their manuals explain them. The text is in lower case.
MARKS: tuple[tuple[R, re.Pattern[str], str], ...] = (
    (R.BLOCKED_REPUTATION, re.compile(r"\[ts(?:s)?\d\d\]|\[bl\d\d\]"), "Yahoo, SMTP error codes"),
    (R.CONTENT, re.compile(r"\[ph\d\d\]|\[aup\d*\]"), "Yahoo, SMTP error codes"),
    (R.GREYLISTED, re.compile(r"\[gl\d\d\]"), "Yahoo, SMTP error codes"),
    (R.BLOCKED_REPUTATION, re.compile(r"\b(?:as|s)(?:3140|3150|3160|844|77719)\b"), "Microsoft, block list of Outlook.com"),
    (R.BLOCKED_REPUTATION, re.compile(r"\b(?:sc-00[1-9]|dy-00[12]|ou-00[12])\b"), "Outlook.com, troubleshooting"),
    (R.RATE_LIMITED, re.compile(r"\brp-00[1-3]\b"), "Outlook.com, troubleshooting"),
    (R.BLOCKED_REPUTATION, re.compile(r"\b(?:bl0000\d\d|es0000\d\d|ipbl\d{4}|cxbl)\b"), "Comcast and Cox, error codes"),
    (R.RATE_LIMITED, re.compile(r"\b(?:rl0000\d\d|cxthrt|cxconn|cxmj|cxmxrt)\b"), "Comcast and Cox, error codes"),
    (R.CONTENT, re.compile(r"\burlbl\d+\b"), "Cox, error codes"),
    (R.AUTH_FAILURE, re.compile(r"\bcxdns\b"), "Cox, error codes"),
    (R.SENDER_REJECTED, re.compile(r"\bcxsndr\b"), "Cox, error codes"),
    (R.RATE_LIMITED, re.compile(r"\bofr(?:\d{3})?_10[45]\b"), "Orange, postmaster"),
    (R.BLOCKED_REPUTATION, re.compile(r"\bofr(?:\d{3})?_403\b"), "Orange, postmaster"),
    (R.CONTENT, re.compile(r"\bofr(?:\d{3})?_506\b"), "Orange, postmaster"),
    (R.MAILBOX_FULL, re.compile(r"\bofr(?:\d{3})?_417\b"), "Orange, postmaster"),
    (R.MAILBOX_DISABLED, re.compile(r"\bofr(?:\d{3})?_42[06]\b"), "Orange, postmaster"),
    (R.USER_UNKNOWN, re.compile(r"\bofr(?:\d{3})?_416\b"), "Orange, postmaster"),
    # Its filter refused the mail; the mailbox is not blocked.
    (R.POLICY, re.compile(r"failure for one or more recipients \([^()\s]{1,320}:blocked\)"), "Barracuda, delivery reports"),
    (R.CONTENT, re.compile(r"\b(?:dt:spm|mi:spb|dt:sum)\b"), "NetEase, bounce codes"),
    (R.BLOCKED_REPUTATION, re.compile(r"\b(?:dt:rbl|wm:bli|hl:rep|hl:mep|hl:ihu)\b"), "NetEase, bounce codes"),
    (R.RATE_LIMITED, re.compile(r"\b(?:hl:icc|hl:ifc|mi:dmc|mi:sfq|mi:stc|rp:drc|rp:trc|rp:qrc)\b"), "NetEase, bounce codes"),
)  # fmt: skip

#: Words in the links of a refusal, asked when nothing else tells.
LINKS = re.compile(
    r" (?:\w*block\w*|\w*blacklist\w*|\w*deny\w*|\w*spam\w*|rbl|dnsbl|reputation|unblock|delist\w*) "
)
