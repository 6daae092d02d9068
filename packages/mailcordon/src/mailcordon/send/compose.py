"""The bytes of a SendEmail call. The costly part is made once at accept and kept; a call only adds who, where and which attempt.

The body is SES's own JSON (ses.md 3.1) and is joined from pieces: every piece that is not JSON-encoded here is drawn from an
alphabet that needs no escaping (tags, tenant keys, names of configuration sets).
"""

import functools

import msgspec

from mailcordon.core import tags
from mailcordon.core.event import Attempt
from mailcordon.send.submission import Submission

_encode = msgspec.json.Encoder().encode


def content(submission: Submission) -> bytes:
    """The members that are the same in every call for this message, without the braces around them."""
    body: dict[str, object] = {}
    if submission.text:
        body["Text"] = {"Data": submission.text, "Charset": "UTF-8"}
    if submission.html:
        body["Html"] = {"Data": submission.html, "Charset": "UTF-8"}
    simple: dict[str, object] = {"Subject": {"Data": submission.subject, "Charset": "UTF-8"}, "Body": body}
    if submission.headers:
        simple["Headers"] = [{"Name": name, "Value": value} for name, value in submission.headers]
    members: dict[str, object] = {
        "FromEmailAddress": submission.sender.header(),
        "Content": {"Simple": simple},
    }
    if submission.reply_to:
        members["ReplyToAddresses"] = [mailbox.header() for mailbox in submission.reply_to]
    return _encode(members)[1:-1]


def canary_content(domain: str) -> bytes:
    """A mail to SES's simulator, whose Send event proves that events of this route arrive."""
    members = {
        "FromEmailAddress": f"canary@{domain}",
        "Content": {
            "Simple": {
                "Subject": {"Data": "Mailcordon canary"},
                "Body": {"Text": {"Data": "Shows that this route is alive and that its events come back."}},
            }
        },
    }
    return _encode(members)[1:-1]


def canary_recipient(delivery: str) -> str:
    """SES's simulator takes labels; such mail counts for no daily quota, rate or reputation (ses.md 9)."""
    return f"success+{delivery}@simulator.amazonses.com"


def call(
    content: bytes, *, to: str, ses_tenant: str, configuration_set: str, key: bytes, attempt: Attempt
) -> bytes:
    """One recipient's SendEmail body, with tenant, configuration set and tags (architecture, invariant 1)."""
    delivery, value = tags.attempt_values(key, attempt)
    frame = _frame(ses_tenant, configuration_set, attempt.installation, attempt.tenant_key, attempt.type)
    head = (
        f'{{"Destination":{{"ToAddresses":[{_encode(to).decode()}]}},{frame},{{"Name":"{tags.DELIVERY}","Value":"{delivery}"}},'
        f'{{"Name":"{tags.ATTEMPT}","Value":"{value}"}}],'
    )
    return head.encode() + content + b"}"


@functools.lru_cache(maxsize=10_000)
def _frame(ses_tenant: str, configuration_set: str, installation: str, tenant_key: str, type: str) -> str:
    """What all calls of a lane have in common. The tags' list is left open for the two that differ."""
    pairs = {
        tags.INSTALLATION: installation,
        tags.TENANT: tenant_key,
        tags.TYPE: type,
        # Feedback-ID, as Gmail's Postmaster Tools group by it (ses.md 4.4): the type, then the tenant.
        "ses:feedback-id-a": type,
        "ses:feedback-id-b": tenant_key,
    }
    listed = ",".join(f'{{"Name":"{name}","Value":"{value}"}}' for name, value in pairs.items())
    return f'"TenantName":"{ses_tenant}","ConfigurationSetName":"{configuration_set}","EmailTags":[{listed}'
