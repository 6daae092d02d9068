"""The decision after each answer that SES is known to give (ses.md 1.5, 3.4 and 10), row by row."""

import pytest

from mailcordon.send.retry import ASSOCIATION_ATTEMPTS, Answer, Next, decide

ROWS = [
    # Rates and quotas: not accepted.
    (429, "TooManyRequestsException", "Maximum sending rate exceeded.", Next.THROTTLED),
    (400, "TooManyRequestsException", "Maximum sending rate exceeded.", Next.THROTTLED),
    (429, "", "", Next.THROTTLED),
    (400, "ThrottlingException", "Maximum sending rate exceeded.", Next.THROTTLED),
    (400, "Throttling", "Maximum sending rate exceeded.", Next.THROTTLED),
    (400, "Throttling", "Daily message quota exceeded.", Next.STOP_ACCOUNT),
    (400, "ThrottlingException", "Your daily quota is exceeded.", Next.STOP_ACCOUNT),
    (400, "LimitExceededException", "Daily message quota exceeded.", Next.STOP_ACCOUNT),
    (400, "LimitExceededException", "There are too many instances of the specified resource type.", Next.STOP_ACCOUNT),
    # Unknown.
    (500, "InternalServiceErrorException", "", Next.UNKNOWN),
    (500, "", "<html>", Next.UNKNOWN),
    (502, "", "Bad Gateway", Next.UNKNOWN),
    (503, "ServiceUnavailable", "", Next.UNKNOWN),
    (504, "", "", Next.UNKNOWN),
    (-1, "NoAnswer", "the connection was reset", Next.UNKNOWN),
    (200, "NoMessageId", "{}", Next.UNKNOWN),
    (202, "", "", Next.UNKNOWN),
    (204, "", "", Next.UNKNOWN),
    # Certainly not sent.
    (0, "NotSent", "connection refused", Next.STOP_ACCOUNT),
    (0, "NoCredentials", "", Next.STOP_ACCOUNT),
    # The account.
    (400, "AccountSuspendedException", "", Next.STOP_ACCOUNT),
    (403, "ExpiredTokenException", "", Next.STOP_ACCOUNT),
    (403, "ExpiredToken", "", Next.STOP_ACCOUNT),
    (403, "InvalidClientTokenId", "", Next.STOP_ACCOUNT),
    (403, "UnrecognizedClientException", "", Next.STOP_ACCOUNT),
    (403, "SignatureDoesNotMatch", "", Next.STOP_ACCOUNT),
    (403, "InvalidSignatureException", "", Next.STOP_ACCOUNT),
    (400, "RequestExpired", "", Next.STOP_ACCOUNT),
    (403, "MissingAuthenticationTokenException", "", Next.STOP_ACCOUNT),
    # The tenant gate.
    (404, "NotFoundException", "Tenant mc-acme for AwsAccountId 123456789012 not found.", Next.STOP_LANE),
    (403, "AccessDeniedException", "Tenant not associated with resources [arn:aws:ses:a, arn:aws:ses:b].", Next.AGAIN),
    (400, "MessageRejected", "Sending disabled for arn:aws:ses:us-east-1:1:tenant/mc-acme/tn-1.", Next.STOP_TENANT),
    # The lane's configuration.
    (403, "AccessDeniedException", "User: arn:aws:iam::1:user/x is not authorized to perform: ses:SendEmail", Next.STOP_LANE),
    (404, "NotFoundException", "Configuration set <mc-urgent> does not exist.", Next.STOP_LANE),
    (400, "SendingPausedException", "Email sending is disabled.", Next.STOP_LANE),
    (400, "MailFromDomainNotVerifiedException", "", Next.STOP_LANE),
    (
        400,
        "MessageRejected",
        "Email address is not verified. The following identities failed the check in region US-EAST-1: a@b.example",
        Next.STOP_LANE,
    ),
    # Not about the mail: a proxy's answer, a server that is not SES, an unknown error.
    (403, "", "<html>Forbidden by the firewall</html>", Next.STOP_LANE),
    (404, "UnknownOperationException", "", Next.STOP_LANE),
    (407, "", "", Next.STOP_LANE),
    (301, "", "", Next.STOP_LANE),
    (409, "ConcurrentModificationException", "", Next.STOP_LANE),
    # This mail, for good.
    (400, "MessageRejected", "Message failed: virus found", Next.DEAD),
    (400, "BadRequestException", "Missing final '@domain'", Next.DEAD),
    (400, "SerializationException", "", Next.DEAD),
    (400, "", "", Next.DEAD),
    (413, "", "Request entity too large", Next.DEAD),
]  # fmt: skip


@pytest.mark.parametrize(("status", "code", "text", "next"), ROWS)
def test_each_answer_of_ses_leads_to_its_decision(status, code, text, next):
    assert decide(Answer(status, code=code, text=text), 1).next is next


def test_an_accepted_mail_is_sent_with_its_id():
    verdict = decide(Answer(200, ses_id="0100019ff189d429-e4511161-000000"), 1)
    assert verdict.next is Next.SENT
    assert verdict.ses_id == "0100019ff189d429-e4511161-000000"


@pytest.mark.parametrize(("status", "code", "text", "next"), ROWS)
def test_nothing_counts_as_sent_without_an_id(status, code, text, next):
    assert decide(Answer(status, code=code, text=text), 1).next is not Next.SENT


@pytest.mark.parametrize("attempt", range(1, 12))
@pytest.mark.parametrize("status", [-1, 200, 500, 502, 503, 504, 599])
def test_what_ses_may_have_accepted_is_never_retried(status, attempt):
    """Invariant 3, whatever the error code and text."""
    for code in (
        "",
        "TooManyRequestsException",
        "ThrottlingException",
        "AccessDeniedException",
        "MessageRejected",
    ):
        verdict = decide(Answer(status, code=code, text="Tenant not associated with resources [x]."), attempt)
        assert verdict.next is Next.UNKNOWN


def test_a_missing_association_is_retried_and_then_holds_the_lane():
    answer = Answer(403, code="AccessDeniedException", text="Tenant not associated with resources [arn].")
    verdicts = [decide(answer, attempt) for attempt in range(1, ASSOCIATION_ATTEMPTS + 1)]
    assert [v.next for v in verdicts[:-1]] == [Next.AGAIN] * (ASSOCIATION_ATTEMPTS - 1)
    assert all(v.after_ms > 0 for v in verdicts[:-1])
    assert verdicts[-1].next is Next.STOP_LANE


@pytest.mark.parametrize(("status", "code", "text", "next"), ROWS)
def test_every_verdict_has_a_reason_and_a_sentence(status, code, text, next):
    verdict = decide(Answer(status, code=code, text=text), 1)
    assert verdict.reason
    assert verdict.detail
    if next is not Next.THROTTLED:
        assert text in verdict.detail


def test_a_call_without_a_response_is_described_without_an_internal_code():
    verdict = decide(Answer(-1, code="NoAnswer", text="no response within 30 s"), 1)
    assert verdict.detail == "SES gave no clear answer: no response within 30 s"


def test_a_long_answer_is_cut():
    assert len(decide(Answer(400, code="BadRequestException", text="x" * 10_000), 1).detail) < 700
