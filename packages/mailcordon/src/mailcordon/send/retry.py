"""Decides what happens to a delivery after SES's answer. Pure; follows ses.md 3.4 and 1.5.

The distinction that matters: did SES certainly refuse the mail, or is that unknown? After a 5xx, a reset or a time-out SES may
have accepted it. Such calls end in `UNKNOWN` and are settled by events, never by a blind retry (architecture, invariant 3).
"""

from enum import Enum
from typing import NamedTuple

from mailcordon.core.reason import Reason
from mailcordon.messages import reasons

ASSOCIATION_ATTEMPTS = 5  #: a new association takes SES seconds to apply (ses.md 1.3)
ASSOCIATION_RETRY_MS = 2_000


class Next(Enum):
    SENT = "sent"
    THROTTLED = Reason.THROTTLED  #: not accepted; lower the account's rate
    AGAIN = "again"  #: not accepted; retry this delivery later
    UNKNOWN = "unknown"
    DEAD = "dead"  #: SES rejects the mail for good
    STOP_LANE = "stop-lane"  #: the lane's configuration is wrong: hold the lane, keep the mail
    STOP_TENANT = "stop-tenant"  #: SES paused the tenant
    STOP_ACCOUNT = "stop-account"  #: the account cannot send: keep the mail, probe with a canary


WITHDRAWN = "withdrawn"  #: our own code of an answer with status 0: a hold or stop came before the request was written


class Answer(NamedTuple):
    """The result of one call of SES's send."""

    status: int  #: HTTP status; 0: the request was certainly not sent; -1: it was sent, without an answer
    ses_id: str | None = None
    code: str = ""  #: SES's error code, or our own without an answer
    text: str = ""


class Verdict(NamedTuple):
    next: Next
    reason: Reason
    detail: str  #: sentence for people
    ses_id: str | None = None
    after_ms: int = 0


_SENT = reasons.accepted_by_ses()
_STOPS_ACCOUNT = frozenset(
    {
        "AccountSuspendedException",
        "ExpiredTokenException",
        "ExpiredToken",
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "SignatureDoesNotMatch",
        "InvalidSignatureException",
        "RequestExpired",
        "MissingAuthenticationTokenException",
    }
)
_LANE_ERRORS = frozenset(
    {
        "SendingPausedException",
        "MailFromDomainNotVerifiedException",
        "NotFoundException",
        "AccessDeniedException",
    }
)
_MAIL_ERRORS = frozenset({400, 413})


def decide(answer: Answer, attempt: int) -> Verdict:
    """Decides on attempt number `attempt` (from 1) of a delivery."""
    code, text = answer.code, answer.text[:500].replace("\0", "")  # PostgreSQL cannot store NUL
    if answer.status == 200 and answer.ses_id:
        return Verdict(Next.SENT, Reason.SENT, _SENT, answer.ses_id)
    if answer.status == 0:
        return Verdict(Next.STOP_ACCOUNT, Reason.SES_UNREACHABLE, reasons.ses_unreachable(text))
    if answer.status < 300 or answer.status >= 500:
        said = "" if answer.status < 0 else code or str(answer.status)
        return Verdict(Next.UNKNOWN, Reason.OUTCOME_UNKNOWN, reasons.no_clear_answer(said, text))
    if code in _STOPS_ACCOUNT:
        return Verdict(Next.STOP_ACCOUNT, Reason.ACCOUNT_SUSPENDED, reasons.account_refused(code, text))
    if (
        answer.status == 429
        or code == "TooManyRequestsException"
        or (code.startswith("Throttling") and "daily" not in text.lower())
    ):
        return Verdict(Next.THROTTLED, Reason.THROTTLED, reasons.throttled())
    if (
        code == "LimitExceededException"
        or code.startswith("Throttling")
        or "daily message quota" in text.lower()
    ):
        return Verdict(Next.STOP_ACCOUNT, Reason.DAILY_QUOTA, reasons.quota_used_up(text))
    if code == "AccessDeniedException" and text.startswith("Tenant not associated with resources"):
        if attempt < ASSOCIATION_ATTEMPTS:
            return Verdict(
                Next.AGAIN,
                Reason.ASSOCIATION,
                reasons.association_not_visible(text),
                after_ms=ASSOCIATION_RETRY_MS,
            )
        return Verdict(Next.STOP_LANE, Reason.ASSOCIATION, reasons.association_missing(text))
    if code == "MessageRejected" and text.startswith("Sending disabled for"):
        return Verdict(Next.STOP_TENANT, Reason.TENANT_PAUSED, reasons.tenant_paused(text))
    if code == "MessageRejected" and "not verified" in text:
        return Verdict(Next.STOP_LANE, Reason.IDENTITY, reasons.identity_not_verified(text))
    if code in _LANE_ERRORS or not (code == "MessageRejected" or answer.status in _MAIL_ERRORS):
        # A proxy's 403 or an unknown error code does not mean that the mail is bad, so the mail is kept.
        return Verdict(Next.STOP_LANE, Reason.SETUP, reasons.lane_refused(code or str(answer.status), text))
    return Verdict(Next.DEAD, Reason.REJECTED_BY_SES, reasons.rejected(code or str(answer.status), text))
