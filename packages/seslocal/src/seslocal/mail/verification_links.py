"""Letters that ask whether an address is its reader's: each has a link that leads here, verifies the identity, and sends the
reader on to where the template says. A link is good for a day (ses.md 5.6); the newest ten thousand are known."""

from __future__ import annotations

from html import escape
from typing import Final

from seslocal.state.account import Account
from seslocal.state.verification import MOST, PendingVerification, VerificationTemplate
from seslocal.wire.protocol import Answer, Request

PATH: Final = "/V0/"
GOOD_FOR: Final = 24 * 3600.0  # seconds
#: SES puts it below each of these letters
_NOTE: Final = (
    "<p>If you did not request to verify this email address, please disregard this message. If you have any concerns, please "
    "forward this message to the following email address along with your questions or comments: "
    '<a href="mailto:aws-email-domain-verification@amazon.com">aws-email-domain-verification@amazon.com</a></p>'
)


def body_with_link(account: Account, template: VerificationTemplate) -> tuple[str, str]:
    """The HTML of a letter, and the token in its link, which leads nowhere before `remember`."""
    token = account.ids.uuid()
    url = escape(f"{account.url}{PATH}{token}")
    ours = f'<p><a href="{url}">{url}</a></p>{_NOTE}'
    end = template.content.lower().rfind("</body")
    if end < 0:
        return template.content + ours, token
    return template.content[:end] + ours + template.content[end:], token


def activate_link(account: Account, token: str, address: str, template: VerificationTemplate) -> None:
    """The letter was accepted: its link works from now on."""
    pending = account.identities.pending_verifications
    pending[token] = PendingVerification(
        address, account.clock.now(), template.success_url, template.failure_url
    )
    if len(pending) > MOST:
        del pending[next(iter(pending))]


def respond(account: Account, request: Request) -> Answer | None:
    """Answers the link of a letter. None: it is none."""
    if not request.path.startswith(PATH) or request.method not in ("GET", "HEAD"):
        return None
    pending = account.identities.pending_verifications.get(request.path[len(PATH) :])
    if pending is None:
        return Answer(404, b"This link is not known, or no longer.", "text/plain")
    identity = account.identities.get(pending.address.lower())
    is_late = account.clock.now() - pending.since >= GOOD_FOR
    if identity is None or is_late:
        return Answer(302, headers=(("Location", pending.failure_url),))
    if not identity.verified:
        identity.set_status("SUCCESS", account.clock.now())
    return Answer(302, headers=(("Location", pending.success_url),))
