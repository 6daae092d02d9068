"""Decides what SES's answer to a call means: for this mail, and for whom else. Pure; follows ses.md 1.5 and 3.4.

Two distinctions matter. Did SES certainly refuse the mail, or is that unknown? After a 5xx, a reset or a time-out SES may have
accepted it: such calls end in `UNKNOWN` and are settled by events, never by a blind retry (architecture, invariant 3). And what
does the refusal speak of? `TABLE` tells this by code and text, since SES uses one code for several scopes. Only an answer that
speaks of the mail or its recipient ends the mail. An answer that is not in the table sets its mail aside, and the lane goes on.
"""

import re
from collections.abc import Callable
from enum import Enum
from typing import NamedTuple

from mailcordon.core import stop
from mailcordon.core.reason import Reason
from mailcordon.core.stop import StopScope
from mailcordon.messages import reasons

ASSOCIATION_ATTEMPTS = 5  #: a new association takes SES seconds to apply (ses.md 1.3)
ASSOCIATION_RETRY_MS = 2_000
SET_ASIDE_FIRST_MS, SET_ASIDE_MOST_MS = 5_000, 60_000  #: doubles with each attempt
LONGEST = 500  #: characters of SES's words that are kept


class Next(Enum):
    SENT = "sent"
    THROTTLED = "throttled"  #: not accepted; lower the account's rate
    AGAIN = "again"  #: not accepted; retry this delivery later, and say nothing
    SET_ASIDE = (
        "set-aside"  #: not accepted, in words that do not speak of the mail; retry this delivery later
    )
    UNKNOWN = "unknown"
    DEAD = "dead"  #: SES rejects the mail for good
    STOP = "stop"  #: not accepted; nobody in the stop's scope can send. Keep the mail


WITHDRAWN = "withdrawn"  #: our own code of an answer with status 0: a hold or stop came before the request was written


class Answer(NamedTuple):
    """The result of one call of SES's send."""

    status: int  #: HTTP status; 0: the request was certainly not sent; -1: it was sent, without an answer
    ses_id: str | None = None
    code: str = ""  #: SES's error code, or our own without an answer
    text: str = ""


class Sender(NamedTuple):
    """What the call sent through, to tell whom an answer speaks of."""

    domain: str = ""  #: the lane's From domain
    configuration_set: str = ""


class Verdict(NamedTuple):
    next: Next
    reason: Reason  #: of the delivery; for STOP the cause of the stop
    detail: str  #: sentence for people
    ses_id: str | None = None
    after_ms: int = 0
    scope: StopScope | None = None  #: for STOP
    code: str = ""  #: SES's error code
    said: str = ""  #: SES's words
    by_iam: bool = False  #: IAM denied the action, on the resource that `scope` stands for


class Row(NamedTuple):
    """One known answer. The first row that fits decides."""

    codes: frozenset[str]  #: empty: any code
    text: re.Pattern[str] | None  #: found anywhere in the text; None: any text
    next: Next
    reason: Reason
    source: str
    statuses: frozenset[int] = frozenset()  #: empty: every status from 300 to 499


def _row(
    codes: str, text: str | None, next: Next, reason: Reason, source: str, *, status: int | None = None
) -> Row:
    pattern = None if text is None else re.compile(text, re.IGNORECASE)
    statuses = frozenset[int]() if status is None else frozenset({status})
    return Row(frozenset(codes.split()), pattern, next, reason, source, statuses)


#: What SES says of a mail's form or content, in BadRequestException and MessageRejected. Words that are not here are no proof
#: that the mail is bad.
_MAIL_FAULTS = "|".join(
    (
        r"\bvirus\b",
        r"Missing (final '@|domain$|local name|'.'$)",
        r"Address length is more than",
        r"Extra route-addr|Illegal (semicolon|route-addr)|Nested group|Quote not at",
        r"Expected '.', got",
        r"Missing (start|end) boundary",
        r"Missing required header",
        r"Duplicate header",
        r"Empty header names",
        r"Illegal (address|filename|header)",
        r"Header .{0,200} is (not allowed|longer)",
        r"Header (name|value|too)",
        r"Invalid header (name|value)",
        r"Invalid (MIME|email address|recipient)",
        r"Email address .{1,320} is not valid",
        r"(Local address|Domain|User name|Username|Display name) "
        r"(contains|ends with|starts with|is missing|is empty)",
        r"User name is missing",
        r"Message (length|size) (is|exceeds)",
        r"Message is too (long|large)",
        r"A line of the message is longer",
        r"more than \d+ MIME parts",
        r"Recipient count exceeds",
    )
)
_NOT_VERIFIED = r"not verified"
_CREDENTIALS = (
    "ExpiredTokenException ExpiredToken InvalidClientTokenId UnrecognizedClientException SignatureDoesNotMatch "
    "InvalidSignatureException IncompleteSignature RequestExpired RequestTimeTooSkewed "
    "MissingAuthenticationToken MissingAuthenticationTokenException OptInRequired"
)

TABLE: tuple[Row, ...] = (
    # The rate and the day, whatever the code: v1, v2 and the documentation use different ones.
    _row(
        "",
        r"daily (message |sending )?quota",
        Next.STOP,
        Reason.DAILY_QUOTA,
        "ses.md 3.4, LimitExceededException and ThrottlingException",
    ),
    _row(
        "LimitExceededException LimitExceeded",
        None,
        Next.STOP,
        Reason.DAILY_QUOTA,
        "ses.md 3.4: reported by users of usesend/useSend#407",
    ),
    _row(
        "",
        r"maximum sending rate",
        Next.THROTTLED,
        Reason.THROTTLED,
        "ses.md 3.4; as BadRequestException: reported by users of nodemailer/nodemailer-ses-transport#17",
    ),
    _row(
        "TooManyRequestsException ThrottlingException Throttling RequestThrottled SlowDown",
        None,
        Next.THROTTLED,
        Reason.THROTTLED,
        "ses.md 3.4",
    ),
    _row("", None, Next.THROTTLED, Reason.THROTTLED, "ses.md 3.4: HTTP 429", status=429),
    # The host's credentials and clock.
    _row(_CREDENTIALS, None, Next.STOP, Reason.CREDENTIALS, "ses.md 3.4"),
    # The account. Which code v2 uses for a paused account is not known: the text decides.
    _row("AccountSuspendedException", None, Next.STOP, Reason.ACCOUNT_SUSPENDED, "ses.md 3.4"),
    _row(
        "",
        r"Sending (is )?(paused|suspended|disabled) for this account",
        Next.STOP,
        Reason.ACCOUNT_PAUSED,
        "reported by users of GoodDollar/GoodServer#419, as MessageRejected",
    ),
    _row(
        "AccountSendingPausedException",
        None,
        Next.STOP,
        Reason.ACCOUNT_PAUSED,
        "the code of v1 (ses.md 3.4, SendingPausedException)",
    ),
    # A configuration set.
    _row(
        "",
        r"Sending (is )?(paused|disabled) for (the )?configuration set",
        Next.STOP,
        Reason.SET_PAUSED,
        "ses.md 3.4, SendingPausedException",
    ),
    _row(
        "SendingPausedException ConfigurationSetSendingPausedException",
        None,
        Next.STOP,
        Reason.SET_PAUSED,
        "ses.md 3.4: account or configuration set; without more words the narrower one",
    ),
    _row(
        "",
        r"Configuration set .{0,80}does not exist",
        Next.STOP,
        Reason.SET_MISSING,
        "ses.md 3.4, NotFoundException",
    ),
    _row(
        "ConfigurationSetDoesNotExistException",
        None,
        Next.STOP,
        Reason.SET_MISSING,
        "the code of v1 (ses.md 3.4)",
    ),
    # The SES tenant.
    _row(
        "NotFoundException",
        r"^(The requested )?tenant\b",
        Next.STOP,
        Reason.TENANT_MISSING,
        "ses.md 1.5",
    ),
    _row("MessageRejected", r"^Sending disabled for", Next.STOP, Reason.TENANT_PAUSED, "ses.md 1.5"),
    _row(
        "AccessDeniedException",
        r"^Tenant not associated with resources",
        Next.STOP,
        Reason.ACCESS_DENIED,
        "ses.md 1.5",
    ),
    # Access: IAM names what is denied.
    _row(
        "AccessDeniedException AccessDenied", None, Next.STOP, Reason.ACCESS_DENIED, "ses.md 3.4", status=403
    ),
    # The custom MAIL FROM and the identity. The text names the identities: ours, or in the sandbox the recipient.
    _row(
        "MailFromDomainNotVerifiedException MailFromDomainNotVerified",
        None,
        Next.STOP,
        Reason.MAIL_FROM,
        "ses.md 3.4",
    ),
    _row(
        "MessageRejected",
        r"Mail-?From domain .{0,300}not verified",
        Next.STOP,
        Reason.MAIL_FROM,
        "ses.md 3.4 by its text",
    ),
    _row(
        "MessageRejected BadRequestException",
        _NOT_VERIFIED,
        Next.STOP,
        Reason.IDENTITY,
        "ses.md 3.4; the sandbox: reported by users of okamos/php-ses#10",
    ),
    _row("NotFoundException", None, Next.STOP, Reason.SETUP, "ses.md 3.4: configuration fault", status=404),
    # This mail, for good.
    _row(
        "MessageRejected BadRequestException InvalidParameterValue",
        _MAIL_FAULTS,
        Next.DEAD,
        Reason.REJECTED_BY_SES,
        "ses.md 3.3 and 3.4; texts reported by users of nodemailer/nodemailer#1440, aws/aws-sdk-js#4121, "
        "arithmetic/aws-lambda-ses-forwarder#11 and #91, pm-pmaas/etailors_amazon_ses#100, zulip/zulip#17558, brave/accounts#35, "
        "go-gomail/gomail#131 and open-falcon/mail-provider#30",
    ),
    _row("", None, Next.DEAD, Reason.REJECTED_BY_SES, "HTTP 413: the mail is too large", status=413),
)


def decide(answer: Answer, attempt: int, sender: Sender) -> Verdict:
    """Decides on attempt number `attempt` (from 1) of a delivery."""
    code, text = answer.code, answer.text[:LONGEST].replace("\0", "")  # PostgreSQL cannot store NUL
    if answer.status == 200 and answer.ses_id:
        return Verdict(Next.SENT, Reason.SENT, _SENT, answer.ses_id)
    if answer.status == 0:
        cause = Reason.CREDENTIALS if code == "NoCredentials" else Reason.SES_UNREACHABLE
        return _stop(cause, StopScope.WORKER, code, text)
    if answer.status < 300 or answer.status >= 500:
        said = "" if answer.status < 0 else code or str(answer.status)
        return Verdict(Next.UNKNOWN, Reason.OUTCOME_UNKNOWN, reasons.no_clear_answer(said, text))
    named = code or str(answer.status)
    for row in TABLE:
        if _fits(row, answer.status, code, text):
            return _VERDICTS[row.next](row, attempt, named, text, sender)
    after = set_aside_ms(attempt)
    sentence = reasons.set_aside(named, text)
    return Verdict(Next.SET_ASIDE, Reason.SET_ASIDE, sentence, after_ms=after, code=named, said=text)


def set_aside_ms(attempt: int) -> int:
    """How long a mail waits that is set aside after this attempt (from 1)."""
    return min(SET_ASIDE_FIRST_MS << min(attempt - 1, 10), SET_ASIDE_MOST_MS)


_SENT = reasons.accepted_by_ses()


def _fits(row: Row, status: int, code: str, text: str) -> bool:
    return (
        (not row.statuses or status in row.statuses)
        and (not row.codes or code in row.codes)
        and (row.text is None or row.text.search(text) is not None)
    )


def _throttled(row: Row, attempt: int, code: str, text: str, sender: Sender) -> Verdict:
    return Verdict(Next.THROTTLED, row.reason, reasons.throttled(), code=code, said=text)


def _dead(row: Row, attempt: int, code: str, text: str, sender: Sender) -> Verdict:
    return Verdict(Next.DEAD, row.reason, reasons.rejected(code, text), code=code, said=text)


def _stopped(row: Row, attempt: int, code: str, text: str, sender: Sender) -> Verdict:
    if row.reason is Reason.IDENTITY and not _names_sender(text, sender.domain):
        sentence = reasons.recipient_not_verified(text)
        return Verdict(Next.DEAD, Reason.RECIPIENT_NOT_VERIFIED, sentence, code=code, said=text)
    if row.reason is Reason.ACCESS_DENIED:
        if text.startswith("Tenant not associated") and attempt < ASSOCIATION_ATTEMPTS:
            sentence = reasons.association_not_visible(text)
            return Verdict(Next.AGAIN, Reason.ASSOCIATION, sentence, after_ms=ASSOCIATION_RETRY_MS)
        verdict = _stop(row.reason, _scope_of_denial(text, sender), code, text)
        return verdict._replace(by_iam=_IAM.match(text) is not None)
    return _stop(row.reason, stop.scope_of(row.reason), code, text)


_VERDICTS: dict[Next, Callable[[Row, int, str, str, Sender], Verdict]] = {
    Next.THROTTLED: _throttled,
    Next.DEAD: _dead,
    Next.STOP: _stopped,
}


def _stop(cause: Reason, scope: StopScope, code: str, text: str) -> Verdict:
    sentence = reasons.refused_for(str(cause), text)
    return Verdict(Next.STOP, cause, sentence, scope=scope, code=code, said=text)


_IAM = re.compile(r"User\b")
_ANY_RESOURCE = re.compile(r"on resource:? *[`'\"]?\*")
_ADDRESS = re.compile(r"[^\s<>,;\"']+@([A-Za-z0-9.-]+[A-Za-z0-9])")
_DOMAIN = re.compile(r"(?:[A-Za-z0-9-]+\.)+[A-Za-z][A-Za-z0-9-]*")
_CHECKED = re.compile(r"failed the check in region [^:]*:(.*)", re.IGNORECASE | re.DOTALL)


def _names_sender(text: str, domain: str) -> bool:
    """Whether the identities in SES's text include the lane's. True if it names none: the mail is then kept.

    A call has one recipient, which SES names by its address. So a bare domain is the sender's, and an address is the sender's
    if it is at the lane's domain: a recipient there is verified with the domain.
    """
    found = _CHECKED.search(text)
    names = found[1] if found else text
    addresses = {match[1].lower() for match in _ADDRESS.finditer(names)}
    return (
        not addresses
        or not domain
        or len(text) >= LONGEST
        or domain.lower() in addresses
        or _DOMAIN.search(_ADDRESS.sub(" ", names)) is not None
    )


def _scope_of_denial(text: str, sender: Sender) -> StopScope:
    """IAM names the resource that it denies; `*` is the action itself, for these credentials.

    An association belongs to the tenant and the resource: the lane.
    """
    if _IAM.match(text):
        if _ANY_RESOURCE.search(text):
            return StopScope.WORKER
        if sender.configuration_set and f":configuration-set/{sender.configuration_set}" in text:
            return StopScope.SET
        if sender.domain and f":identity/{sender.domain}" in text:
            return StopScope.IDENTITY
    return StopScope.LANE
