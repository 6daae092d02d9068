"""What each answer that SES is known to give means, row by row (ses.md 1.5, 3.4 and 10, and texts that users have reported)."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcordon.core.reason import Reason
from mailcordon.core.stop import StopScope
from mailcordon.send.refusals import ASSOCIATION_ATTEMPTS, TABLE, Answer, Next, Sender, Verdict, decide

SENDER = Sender("mail.acme.example", "mc-urgent")
PAUSED = (
    "Sending paused for this account. For more information, please check the inbox of the email address "
    "associated with your AWS account."
)
REGION = "Email address is not verified. The following identities failed the check in region US-EAST-1: "
NOT_ASSOCIATED = "Tenant not associated with resources [arn:aws:ses:a, arn:aws:ses:b]."
DENIED = "User: arn:aws:iam::1:user/x is not authorized to perform: ses:SendEmail"
ON = " on resource `arn:aws:ses:us-east-1:1:"


def at(status: int, code: str, text: str, attempt: int = 1) -> Verdict:
    return decide(Answer(status, code=code, text=text), attempt, SENDER)


NOT_ACCEPTED = [
    # The rate.
    (429, "TooManyRequestsException", "Maximum sending rate exceeded."),
    (400, "TooManyRequestsException", "Maximum sending rate exceeded."),
    (429, "", ""),
    (400, "ThrottlingException", "Maximum sending rate exceeded."),
    (400, "Throttling", "Maximum sending rate exceeded."),
    (400, "BadRequestException", "Maximum sending rate exceeded."),
    (403, "SomethingNewException", "Maximum sending rate exceeded: 14 a second"),
]
STOPS = [
    # The day.
    (400, "Throttling", "Daily message quota exceeded.", Reason.DAILY_QUOTA, StopScope.CELL),
    (400, "ThrottlingException", "Your daily quota is exceeded.", Reason.DAILY_QUOTA, StopScope.CELL),
    (400, "LimitExceededException", "Daily message quota exceeded.", Reason.DAILY_QUOTA, StopScope.CELL),
    (400, "LimitExceededException", "There are too many instances.", Reason.DAILY_QUOTA, StopScope.CELL),
    (429, "TooManyRequestsException", "Daily message quota exceeded.", Reason.DAILY_QUOTA, StopScope.CELL),
    # The account. v2's code for a paused account is not known: the text is.
    (400, "MessageRejected", PAUSED, Reason.ACCOUNT_PAUSED, StopScope.CELL),
    (400, "SendingPausedException", PAUSED, Reason.ACCOUNT_PAUSED, StopScope.CELL),
    (400, "SomethingNewException", PAUSED, Reason.ACCOUNT_PAUSED, StopScope.CELL),
    (400, "AccountSendingPausedException", "Email sending is paused.", Reason.ACCOUNT_PAUSED, StopScope.CELL),
    (400, "AccountSuspendedException", "", Reason.ACCOUNT_SUSPENDED, StopScope.CELL),
    # The host.
    (0, "NotSent", "connection refused", Reason.SES_UNREACHABLE, StopScope.WORKER),
    (0, "NoCredentials", "", Reason.CREDENTIALS, StopScope.WORKER),
    (403, "ExpiredTokenException", "", Reason.CREDENTIALS, StopScope.WORKER),
    (403, "ExpiredToken", "", Reason.CREDENTIALS, StopScope.WORKER),
    (403, "InvalidClientTokenId", "", Reason.CREDENTIALS, StopScope.WORKER),
    (403, "UnrecognizedClientException", "", Reason.CREDENTIALS, StopScope.WORKER),
    (403, "SignatureDoesNotMatch", "", Reason.CREDENTIALS, StopScope.WORKER),
    (403, "InvalidSignatureException", "", Reason.CREDENTIALS, StopScope.WORKER),
    (400, "RequestExpired", "", Reason.CREDENTIALS, StopScope.WORKER),
    (403, "MissingAuthenticationTokenException", "", Reason.CREDENTIALS, StopScope.WORKER),
    # A configuration set.
    (400, "SendingPausedException", "Sending paused for configuration set mc-urgent.", Reason.SET_PAUSED, StopScope.SET),
    (400, "MessageRejected", "Sending paused for configuration set mc-urgent." + PAUSED[33:], Reason.SET_PAUSED, StopScope.SET),
    (400, "SendingPausedException", "Email sending is disabled.", Reason.SET_PAUSED, StopScope.SET),
    (404, "NotFoundException", "Configuration set <mc-urgent> does not exist.", Reason.SET_MISSING, StopScope.SET),
    (400, "ConfigurationSetDoesNotExistException", "", Reason.SET_MISSING, StopScope.SET),
    # The tenant.
    (404, "NotFoundException", "Tenant mc-acme for AwsAccountId 1 not found.", Reason.TENANT_MISSING, StopScope.TENANT),
    (404, "NotFoundException", "The requested tenant mc-acme does not exist.", Reason.TENANT_MISSING, StopScope.TENANT),
    (400, "MessageRejected", "Sending disabled for arn:aws:ses:x:1:tenant/mc/tn-1.", Reason.TENANT_PAUSED, StopScope.TENANT),
    # The identity and its MAIL FROM.
    (400, "MessageRejected", REGION + "a@mail.acme.example", Reason.IDENTITY, StopScope.IDENTITY),
    (400, "MessageRejected", REGION + "mail.acme.example", Reason.IDENTITY, StopScope.IDENTITY),
    (400, "MessageRejected", REGION + "Karen, Chan <A@MAIL.acme.example>, kim@example.com", Reason.IDENTITY, StopScope.IDENTITY),
    (400, "MessageRejected", REGION + "arn:aws:ses:us-east-1:1:identity/mail.acme.example", Reason.IDENTITY, StopScope.IDENTITY),
    (400, "MessageRejected", "Email address is not verified.", Reason.IDENTITY, StopScope.IDENTITY),
    (400, "MailFromDomainNotVerifiedException", "", Reason.MAIL_FROM, StopScope.IDENTITY),
    # Access.
    (403, "AccessDeniedException", DENIED, Reason.ACCESS_DENIED, StopScope.LANE),
    (403, "AccessDeniedException", DENIED + ON + "configuration-set/mc-urgent`", Reason.ACCESS_DENIED, StopScope.SET),
    (403, "AccessDeniedException", DENIED + ON + "identity/mail.acme.example`", Reason.ACCESS_DENIED, StopScope.IDENTITY),
    # Something else that the call names.
    (404, "NotFoundException", "Template <x> does not exist", Reason.SETUP, StopScope.LANE),
]  # fmt: skip
UNKNOWN = [
    (500, "InternalServiceErrorException", ""),
    (500, "", "<html>"),
    (502, "", "Bad Gateway"),
    (503, "ServiceUnavailable", ""),
    (504, "", ""),
    (-1, "NoAnswer", "the connection was reset"),
    (200, "NoMessageId", "{}"),
    (202, "", ""),
    (204, "", ""),
]
SET_ASIDE = [
    # A proxy's answer, a server that is not SES, a code or words newer than the table.
    (400, "", "<html>a proxy</html>"),
    (400, "NewerThanThisCodeException", "x"),
    (400, "BadRequestException", "Something new"),
    (400, "MessageRejected", "Something new"),
    (400, "SerializationException", ""),
    (403, "", "<html>Forbidden by the firewall</html>"),
    (404, "UnknownOperationException", ""),
    (407, "", ""),
    (301, "", ""),
    (409, "ConcurrentModificationException", ""),
]
DEAD = [
    (400, "MessageRejected", "Message failed: virus found"),
    (400, "BadRequestException", "Missing final '@domain'"),
    (400, "BadRequestException", "Duplicate header 'DKIM-Signature'."),
    (400, "BadRequestException", "Empty header names are illegal."),
    (400, "BadRequestException", "Missing start boundary"),
    (400, "BadRequestException", "Missing domain"),
    (400, "BadRequestException", "Missing '\"'"),
    (400, "BadRequestException", "Extra route-addr"),
    (400, "BadRequestException", "Illegal semicolon, not in group"),
    (400, "BadRequestException", "Expected '/', got ;"),
    (400, "BadRequestException", "Address length is more than 320 characters long: 'x <a@b.example>'."),
    (400, "BadRequestException", "Illegal address"),
    (400, "BadRequestException", "Local address contains control or whitespace"),
    (400, "BadRequestException", "Domain contains illegal character"),
    (400, "BadRequestException", "Message length is more than 41943040 bytes long: '52000000'."),
    (400, "InvalidParameterValue", "Missing final '@domain'"),
    (413, "", "Request entity too large"),
]


@pytest.mark.parametrize(("status", "code", "text", "cause", "scope"), STOPS)
def test_a_refusal_of_more_than_the_mail_stops_the_scope_it_speaks_of(status, code, text, cause, scope):
    verdict = at(status, code, text)
    assert (verdict.next, verdict.reason, verdict.scope) == (Next.STOP, cause, scope)


@pytest.mark.parametrize(("status", "code", "text"), NOT_ACCEPTED)
def test_a_rate_lowers_the_rate_whatever_its_code(status, code, text):
    assert at(status, code, text).next is Next.THROTTLED


@pytest.mark.parametrize(("status", "code", "text"), UNKNOWN)
def test_an_answer_that_is_not_clear_is_unknown(status, code, text):
    assert at(status, code, text).next is Next.UNKNOWN


@pytest.mark.parametrize(("status", "code", "text"), DEAD)
def test_what_speaks_of_the_mail_ends_the_mail(status, code, text):
    assert (at(status, code, text).next, at(status, code, text).reason) == (Next.DEAD, Reason.REJECTED_BY_SES)


@pytest.mark.parametrize(("status", "code", "text"), SET_ASIDE)
def test_what_does_not_speak_of_the_mail_sets_that_mail_aside(status, code, text):
    verdict = at(status, code, text)
    assert (verdict.next, verdict.reason, verdict.scope) == (Next.SET_ASIDE, Reason.SET_ASIDE, None)
    assert text in verdict.detail


def test_a_mail_set_aside_waits_longer_each_time_and_at_most_a_minute():
    waits = [at(400, "Newer", "x", attempt).after_ms for attempt in (1, 2, 3, 4, 5, 6, 5000)]
    assert waits == [5_000, 10_000, 20_000, 40_000, 60_000, 60_000, 60_000]


CODES = st.one_of(
    st.sampled_from(sorted({code for row in TABLE for code in row.codes})), st.text(max_size=30), st.just("")
)


@given(
    status=st.integers(min_value=300, max_value=499).filter(lambda status: status != 413),
    code=CODES,
    text=st.text(),
    attempt=st.integers(1, 9),
)
def test_no_answer_outside_the_table_ends_a_mail(status, code, text, attempt):
    verdict = at(status, code, text, attempt)
    if verdict.next is Next.DEAD:
        known = [row for row in TABLE if row.text is not None and code in row.codes and row.text.search(text)]
        assert known


@pytest.mark.parametrize(
    "names",
    [
        "kim@example.com",
        "Kim <kim@example.com>",
        "KIM@EXAMPLE.COM",
        "kim@acme.example",
        "kim@sub.mail.acme.example",
    ],
)
def test_in_the_sandbox_an_unverified_recipient_ends_only_its_own_mail(names):
    """SES names the identities that failed its check: none of them is the lane's."""
    verdict = at(400, "MessageRejected", REGION + names)
    assert (verdict.next, verdict.reason) == (Next.DEAD, Reason.RECIPIENT_NOT_VERIFIED)
    assert names in verdict.detail


def test_an_accepted_mail_is_sent_with_its_id():
    verdict = decide(Answer(200, ses_id="0100019ff189d429-e4511161-000000"), 1, SENDER)
    assert verdict.next is Next.SENT
    assert verdict.ses_id == "0100019ff189d429-e4511161-000000"


@pytest.mark.parametrize("status", [-1, 200, 500, 502, 503, 504, 599])
def test_what_ses_may_have_accepted_is_never_retried(status):
    """Invariant 3, whatever the error code and text."""
    for row, attempt in itertools.product(TABLE, range(1, 12)):
        for code in row.codes or {""}:
            for text in (NOT_ASSOCIATED, PAUSED, "Maximum sending rate exceeded."):
                assert at(status, code, text, attempt).next is Next.UNKNOWN


def test_a_missing_association_is_retried_and_then_stops_the_lane():
    verdicts = [
        at(403, "AccessDeniedException", NOT_ASSOCIATED, attempt)
        for attempt in range(1, ASSOCIATION_ATTEMPTS + 1)
    ]
    assert [v.next for v in verdicts[:-1]] == [Next.AGAIN] * (ASSOCIATION_ATTEMPTS - 1)
    assert all(v.after_ms > 0 for v in verdicts[:-1])
    assert (verdicts[-1].next, verdicts[-1].scope) == (Next.STOP, StopScope.LANE)


def test_every_verdict_has_a_reason_and_a_sentence_with_the_words_of_ses():
    for status, code, text in [*SET_ASIDE, *DEAD, *UNKNOWN, *(row[:3] for row in STOPS)]:
        verdict = at(status, code, text)
        assert verdict.reason, (status, code, text)
        assert text in verdict.detail, (status, code, text)


def test_every_row_of_the_table_names_its_source():
    assert [row for row in TABLE if not row.source] == []


def test_a_call_without_a_response_is_described_without_an_internal_code():
    verdict = at(-1, "NoAnswer", "no response within 30 s")
    assert verdict.detail == "SES gave no clear answer: no response within 30 s"


def test_a_long_answer_is_cut():
    assert len(at(400, "BadRequestException", "x" * 10_000).detail) < 700
