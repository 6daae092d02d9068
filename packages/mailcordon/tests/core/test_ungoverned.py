"""What is said of ungoverned mail: the shape of its subject, what kind of program sends it, and whose call it was."""

from dataclasses import replace

import hypothesis
import hypothesis.strategies as st
import pytest

from mailcordon.core import sending_service, subject_shape, tags, ungoverned
from mailcordon.core.event import Attempt
from mailcordon.core.installation import Installation
from mailcordon.core.ungoverned import MORE, Fact, SentCall, Sighting

OURS = Installation(name="here", mac_key=b"m" * 32, hash_key=b"h" * 32)
ATTEMPT = Attempt(
    installation="here", tenant_key="mc-acme", type="newsletter", delivery=7, attempt=1, called_at=1_000
)


@pytest.mark.parametrize(
    ("subject", "shape"),
    [
        ("Kim, your invoice 4711 is ready", "… your invoice # is ready"),
        ("Reset your password", "Reset your password"),
        ("Message from kim.lee@example.com", "Message from @"),
        ("Müller GmbH: Rechnung", "…"),
        ("Order #A-12/3 shipped!", "Order # shipped"),
        ("", ""),
        ("welcome " * 40, ("welcome " * 10).strip()[:79] + "…"),
    ],
)
def test_a_shape_keeps_only_the_words_of_mail_in_general(subject: str, shape: str) -> None:
    assert subject_shape.of(subject) == shape


@hypothesis.given(st.text(max_size=600))
def test_a_shape_is_short_and_has_no_word_that_is_not_listed(subject: str) -> None:
    shape = subject_shape.of(subject)
    assert len(shape) <= subject_shape.LONGEST
    for word in shape.rstrip("…").split():
        known = word.lower() in subject_shape._WORDS  # pyright: ignore[reportPrivateUsage]
        cut = len(shape) == subject_shape.LONGEST
        assert known or word in ("…", "#", "@") or cut


@pytest.mark.parametrize(
    ("agent", "invoked_by", "service"),
    [
        (
            "Boto3/1.40.1 md/Botocore#1.40.1 exec-env/AWS_Lambda_python3.12",
            None,
            "boto3 (Python) on AWS Lambda",
        ),
        ("aws-cli/2.23.4 md/awscrt#0.23.4", None, "AWS CLI"),
        ("aws-sdk-java/2.20 Linux exec-env/AWS_ECS_FARGATE", None, "AWS SDK for Java on Amazon ECS"),
        ("cognito-idp.amazonaws.com", None, "cognito-idp.amazonaws.com"),
        ("AWS Internal", "pinpoint.amazonaws.com", "pinpoint.amazonaws.com"),
        ("shop/3 (x)", None, "shop/3"),
        (None, None, None),
    ],
)
def test_a_call_names_the_likely_service(
    agent: str | None, invoked_by: str | None, service: str | None
) -> None:
    assert sending_service.of_call(agent, invoked_by) == service


def test_a_mail_names_the_way_it_was_sent_and_its_program() -> None:
    assert sending_service.of_mail("SendSmtpEmail", "PHPMailer 6.9") == "SMTP by PHPMailer 6.9"
    assert sending_service.of_mail("SendRawEmail", None) == "SES API (SendRawEmail)"
    assert sending_service.of_mail(None, None) is None
    assert sending_service.of_mail(None, "Shop for <kim@acme.example> 2") == "Shop for <@> 2"


def call(of: dict[str, str] | None, caller: str = "shop") -> SentCall:
    seen = Sighting(identity="acme.example", caller=caller, ses_id="1", at=1)
    return SentCall(sighting=seen, tags=of)


def test_a_call_is_ours_by_its_signed_tags_and_by_nothing_else_that_shows_tags() -> None:
    signed = tags.sign(OURS.mac_key, ATTEMPT)
    assert ungoverned.is_ours(call(signed), OURS)
    assert ungoverned.is_ours(call(tags.sign(b"x" * 32, replace(ATTEMPT, installation="other"))), OURS)
    forged = signed | {tags.TENANT: "mc-zen"}
    assert not ungoverned.is_ours(call(forged, "mailcordon-send-eu-west-1"), OURS)
    assert not ungoverned.is_ours(call({"campaign": "x"}, "mailcordon-send-eu-west-1"), OURS)


def test_a_record_that_shows_no_tags_is_ours_if_our_role_called() -> None:
    assert ungoverned.is_ours(call(None, "mailcordon-send-eu-west-1"), OURS)
    assert not ungoverned.is_ours(call(None), OURS)


def test_facts_are_bounded_and_examples_are_the_newest() -> None:
    mails = [
        Sighting(
            identity="a", caller="b", ses_id=str(n), at=n, facts={Fact.IP: f"10.0.0.{n}", Fact.MAIL: str(n)}
        )
        for n in range(30)
    ]
    found = ungoverned.merged(ungoverned.merged({}, mails[:15]), mails[15:])
    assert len(found["source_ips"]) == ungoverned.MOST_VALUES + 1
    assert found["source_ips"][MORE] == 20
    assert list(found["examples"]) == ["27", "28", "29"]
