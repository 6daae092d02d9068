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
