"""The links in verification e-mails: each leads to this server, verifies the identity, and redirects to the template's URL. A
link is valid for a day (ses.md 5.6); the newest ten thousand work."""

from __future__ import annotations

from html import escape
from typing import Final

from seslocal.state.account import Account
from seslocal.state.verification import MOST, PendingVerification, VerificationTemplate
from seslocal.wire.protocol import Request, Response

PATH: Final = "/V0/"
GOOD_FOR: Final = 24 * 3600.0  # seconds
#: SES appends it to each of these mails
_NOTE: Final = (
    "<p>If you did not request to verify this email address, please disregard this message. If you have any concerns, please "
    "forward this message to the following email address along with your questions or comments: "
    '<a href="mailto:aws-email-domain-verification@amazon.com">aws-email-domain-verification@amazon.com</a></p>'
)


def body_with_link(account: Account, template: VerificationTemplate) -> tuple[str, str]:
    """Returns the HTML of the mail, and the token in its link, which works after `activate_link`."""
    token = account.ids.uuid()
    url = escape(f"{account.url}{PATH}{token}")
    ours = f'<p><a href="{url}">{url}</a></p>{_NOTE}'
    end = template.content.lower().rfind("</body")
    if end < 0:
        return template.content + ours, token
    return template.content[:end] + ours + template.content[end:], token


def activate_link(account: Account, token: str, address: str, template: VerificationTemplate) -> None:
    """Called when the mail was accepted: makes its link work."""
    pending = account.identities.pending_verifications
    pending[token] = PendingVerification(
        address, account.clock.now(), template.success_url, template.failure_url
    )
    if len(pending) > MOST:
        del pending[next(iter(pending))]


def respond(account: Account, request: Request) -> Response | None:
    """Responds to a verification link. Returns None if the request is for something else."""
    if not request.path.startswith(PATH) or request.method not in ("GET", "HEAD"):
        return None
    pending = account.identities.pending_verifications.get(request.path[len(PATH) :])
    if pending is None:
        return Response(404, b"This link is unknown or has expired.", "text/plain")
    identity = account.identities.get(pending.address.lower())
    is_late = account.clock.now() - pending.since >= GOOD_FOR
    if identity is None or is_late:
        return Response(302, headers=(("Location", pending.failure_url),))
    if not identity.verified:
        identity.set_status("SUCCESS", account.clock.now())
    return Response(302, headers=(("Location", pending.success_url),))
