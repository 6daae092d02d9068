"""The JSON body of a SendEmail call. The content is encoded once at accept; a call adds recipient, route and attempt.

The body is SES's JSON (ses.md 3.1), joined from pieces. A piece that is not JSON-encoded here (tags, tenant keys, names of
configuration sets) has only characters that need no escaping.
"""

import functools

import msgspec

from mailcordon.core import tags
from mailcordon.core.event import Attempt
from mailcordon.send.submission import Submission

_encode = msgspec.json.Encoder().encode


def content(submission: Submission) -> bytes:
    """The members that every call for this message shares, without the enclosing braces."""
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
    """The content of a canary. Its Send event proves that events of this route arrive."""
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
    """An address of SES's simulator with the delivery as label. Such mail counts for no quota, rate or reputation (ses.md 9)."""
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
    """What all calls of a lane share. The list of tags is left open for the two that differ."""
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
