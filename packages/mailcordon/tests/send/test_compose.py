"""The body of a call is SES's JSON: what was submitted and nothing else, with tenant, configuration set and tags."""

import json
import unicodedata

import botocore.session
import pytest
from botocore.validate import ParamValidator
from hypothesis import given
from hypothesis import strategies as st

from mailcordon.core import ids, tags, text
from mailcordon.core.event import Attempt
from mailcordon.send import compose, submission

KEY = b"k" * 32
DELIVERY = ids.IdGenerator(1).next(1_790_000_000_000) + 1
ATTEMPT = Attempt(
    installation="main",
    tenant_key="mc-acme0000",
    type="receipt",
    delivery=DELIVERY,
    attempt=2,
    called_at=1_790_000_000_123,
)


@pytest.fixture(scope="module")
def shape():
    return botocore.session.get_session().get_service_model("sesv2").operation_model("SendEmail").input_shape


def sent(content: bytes, to: str = "kim@example.com") -> dict:
    body = compose.call(
        content,
        to=to,
        ses_tenant="mc-acme0000",
        configuration_set="mc-transactional",
        key=KEY,
        attempt=ATTEMPT,
    )
    return json.loads(body)


def handed_in(**over):
    return submission.check(
        **{
            "type": "receipt",
            "sender": "Acme <hello@acme.example>",
            "to": ["kim@example.com"],
            "subject": "Your receipt",
            "text": "Thank you.",
            "html": None,
            "reply_to": [],
            "headers": {},
            "campaign": None,
            "list": None,
            **over,
        }
    )


def test_the_body_of_a_call_is_exactly_this():
    message = handed_in(
        sender="Jörg <hello@acme.example>",
        html="<p>Thank \"you\" \\ é</p>",
        reply_to=["Help <help@acme.example>", "desk@acme.example"],
        headers={"List-Id": "<news.acme.example>"},
    )  # fmt: skip
    signed = tags.sign(KEY, ATTEMPT)
    said = sent(compose.content(message))
    said["EmailTags"].sort(key=lambda tag: list(signed).index(tag["Name"]) if tag["Name"] in signed else 9)
    assert said == {
        "FromEmailAddress": "=?utf-8?b?SsO2cmc=?= <hello@acme.example>",
        "Destination": {"ToAddresses": ["kim@example.com"]},
        "ReplyToAddresses": ["Help <help@acme.example>", "desk@acme.example"],
        "TenantName": "mc-acme0000",
        "ConfigurationSetName": "mc-transactional",
        "EmailTags": [
            *({"Name": name, "Value": value} for name, value in signed.items()),
            {"Name": "ses:feedback-id-a", "Value": "receipt"},
            {"Name": "ses:feedback-id-b", "Value": "mc-acme0000"},
        ],
        "Content": {
            "Simple": {
                "Subject": {"Data": "Your receipt", "Charset": "UTF-8"},
                "Body": {
                    "Text": {"Data": "Thank you.", "Charset": "UTF-8"},
                    "Html": {"Data": '<p>Thank "you" \\ é</p>', "Charset": "UTF-8"},
                },
                "Headers": [{"Name": "List-Id", "Value": "<news.acme.example>"}],
            }
        },
    }


def test_fields_that_were_not_given_are_left_out_and_never_null():
    call = sent(compose.content(handed_in()))
    assert "ReplyToAddresses" not in call
    assert set(call["Content"]["Simple"]) == {"Subject", "Body"}
    assert set(call["Content"]["Simple"]["Body"]) == {"Text"}
    assert b"null" not in json.dumps(call).encode()


def test_the_aws_sdk_would_send_the_same_call(shape):
    call = sent(compose.content(handed_in(html="<p>x</p>", reply_to=["a@b.example"], headers={"X-A": "1"})))
    report = ParamValidator().validate(call, shape)
    assert not report.has_errors(), report.generate_report()


def test_a_canary_is_a_call_like_any_other_to_the_simulator(shape):
    call = sent(compose.canary_content("acme.example"), to=compose.canary_recipient(ids.encode(DELIVERY)))
    assert not ParamValidator().validate(call, shape).has_errors()
    assert call["FromEmailAddress"] == "canary@acme.example"
    assert call["Destination"]["ToAddresses"] == [f"success+{ids.encode(DELIVERY)}@simulator.amazonses.com"]


LINE = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=60)
SUBJECT = LINE.filter(lambda line: not text.has_disguise(line))
NAME = LINE.filter(
    lambda line: (
        not (text.has_bidi_control(line) or text.has_zero_width(line) or "=?" in line or "%0" in line)
    )
).filter(lambda line: "@" not in unicodedata.normalize("NFKC", line))
BODY = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], include_characters="\r\n\t"), min_size=1, max_size=60
)
HEADERS = st.dictionaries(
    st.from_regex(r"X-[!-9;-~]{1,20}", fullmatch=True).filter(
        lambda name: not name.lower().startswith("x-ses-")
    ),
    st.from_regex(r"[ -~]{1,40}", fullmatch=True),
    max_size=3,
).filter(lambda headers: len({name.lower() for name in headers}) == len(headers))
LOCAL = st.from_regex(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,20}", fullmatch=True)


@given(subject=SUBJECT, text=BODY, html=BODY, name=NAME, headers=HEADERS, local=LOCAL)
def test_nothing_that_a_caller_writes_escapes_its_field(shape, subject, text, html, name, headers, local):
    """Against JSON injection, header injection and a second recipient: the call has exactly these fields and values."""
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    message = handed_in(
        subject=subject,
        text=text,
        html=html,
        sender=f'"{quoted}" <hello@acme.example>',
        headers=headers,
        to=[f"{local}@example.com"],
    )
    (recipient,) = message.to
    call = sent(compose.content(message), to=str(recipient))
    assert not ParamValidator().validate(call, shape).has_errors()
    simple = call["Content"]["Simple"]
    assert set(call) == {
        "FromEmailAddress", "Destination", "TenantName", "ConfigurationSetName", "EmailTags", "Content",
    }  # fmt: skip
    assert simple["Subject"]["Data"] == subject
    assert simple["Body"]["Text"]["Data"] == text
    assert simple["Body"]["Html"]["Data"] == html
    assert {h["Name"]: h["Value"] for h in simple.get("Headers", [])} == headers
    assert call["Destination"] == {"ToAddresses": [f"{local}@example.com"]}
    assert call["FromEmailAddress"].isprintable()
    assert call["FromEmailAddress"].endswith("hello@acme.example>") or name.isspace()


@given(subject=SUBJECT, text=BODY, name=NAME)
def test_the_bytes_of_a_content_never_change(subject, text, name):
    """The digests of idempotency keys are computed from them, and must stay valid across releases."""
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    message = handed_in(subject=subject, text=text, sender=f'"{quoted}" <hello@acme.example>')
    members = {
        "FromEmailAddress": message.sender.header(),
        "Content": {
            "Simple": {
                "Subject": {"Data": subject, "Charset": "UTF-8"},
                "Body": {"Text": {"Data": text, "Charset": "UTF-8"}},
            }
        },
    }
    plain = json.dumps(members, separators=(",", ":"), ensure_ascii=False).encode()
    assert b"{" + compose.content(message) + b"}" == plain


@given(BODY)
def test_a_body_that_looks_like_json_stays_text(text):
    written = text + '","ConfigurationSetName":"mine","TenantName":"theirs","x":"'
    call = sent(compose.content(handed_in(text=written)))
    assert call["Content"]["Simple"]["Body"]["Text"]["Data"] == written
    assert call["TenantName"] == "mc-acme0000"
    assert call["ConfigurationSetName"] == "mc-transactional"


def test_every_call_has_a_valid_signature_of_its_attempt():
    listed = {tag["Name"]: tag["Value"] for tag in sent(compose.content(handed_in()))["EmailTags"]}
    assert tags.verify([KEY], listed) == ATTEMPT
    assert len(listed) <= 10  # ses.md 3.3
