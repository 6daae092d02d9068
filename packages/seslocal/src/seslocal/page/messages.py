"""The sentences of the page: one constant or function for each. Labels of one or two words stay with their HTML."""

from __future__ import annotations

from typing import Final

NO_MAIL: Final = "No mail yet."
NO_MATCHES: Final = "No matches."
SELECT_A_MAIL: Final = "Select a mail to read it."
MAIL_APPEARS_HERE: Final = "Mail sent to this server appears here"
USE_ANY_CLIENT: Final = "Use any Amazon SES client:"
MAIL_NOT_FOUND: Final = "Mail not found"
CONTENT_DROPPED: Final = "The content is no longer stored, to save memory."
SOURCE_TRUNCATED: Final = "… The rest is not shown. Save the mail to see all of it."
REMOTE_LOADED: Final = "Remote pictures and styles are loaded, including the pixel that reports an open."
REMOTE_BLOCKED: Final = "Remote pictures and styles are blocked."
LINKS_TRACKED: Final = "Links go through click tracking."
UNSUBSCRIBE_PAGE: Final = "Open the recipient's page"
NO_HTML: Final = "This mail has no HTML."
NO_ATTACHMENT: Final = "Attachment not found."
NO_ASSET: Final = "Not found."
CLEAR_TAKES_POST: Final = "Use POST to clear the mail."


NO_EVENTS: Final = "No events yet, or none of this mail are kept: the log has the newest 10,000 of all mail."
EVENT_WITHOUT_JSON: Final = "This event has text that JSON in UTF-8 cannot have."
NO_HOLDS: Final = "Nothing holds mail."
NO_FAULTS: Final = "No faults are on."
NO_TENANTS: Final = "No tenants yet."
ALL_FAULTS_OFF: Final = "All faults end with"
TENANT_COUNTS: Final = (
    "Counts are recipients of the last 24 hours. Complaints are of those whose providers report complaints."
)
ACCOUNT_PAUSED: Final = "Sending is paused for the whole account (PutAccountSendingAttributes)."
ACCOUNT_SHUT_DOWN: Final = "SES paused the account: its EnforcementStatus is SHUTDOWN."
ACCOUNT_REVIEWED: Final = "The account is under review (EnforcementStatus PROBATION). Mail is still sent."
ACCOUNT_IN_SANDBOX: Final = (
    "The account is in the sandbox: it sends to verified addresses only, at most 200 a day."
)


def held(count: int) -> str:
    return f"{count} hold{'s' if count > 1 else ''}"


def watched(count: int) -> str:
    return f"{count} warning{'s' if count > 1 else ''}"


def set_off(name: str) -> str:
    return f"Sending is off for the configuration set {name}."


def tenant_paused_by_customer(name: str) -> str:
    return f"Tenant {name} is paused by you (customer-managed status)."


def tenant_paused_by_aws(name: str) -> str:
    return f"Tenant {name} is paused by AWS (AWS-managed status)."


def tenant_has_finding(name: str, kind: str, impact: str) -> str:
    return f"Tenant {name} has an open reputation finding: {kind}, impact {impact}."


def more_events(count: int) -> str:
    return f"And {count:,} more: GET /_seslocal/events?message_id=..."


def and_more(count: int) -> str:
    return f"And {count:,} more."


def not_in_ledger(message_id: str) -> str:
    """`message_id` is HTML already."""
    return f"The ledger has no mail {message_id}. It was cleared, or dropped to save memory."


def clock_frozen(time: str) -> str:
    return f"clock frozen at {time}"


def clock_moving(time: str) -> str:
    return f"clock moves to {time}"


def clock_speed(speed: float) -> str:
    return f"clock runs at {speed:g}x speed"


def active_faults(count: int) -> str:
    return f"{count} active fault{'s' if count > 1 else ''}"
