"""The JSON body of a SendEmail call. The content is encoded once at accept; a call adds recipient, route and attempt.

The body is SES's JSON (ses.md 3.1), joined from pieces. A piece that is not JSON-encoded here (tags, tenant keys, names of
configuration sets) has only characters that need no escaping.
"""

import base64
import functools
from collections.abc import Sequence

import msgspec

from mailcordon.core import ids, tags
from mailcordon.core.event import Attempt
from mailcordon.core.proof import What
from mailcordon.send.mail_headers import Pairs
from mailcordon.send.submission import LongText, Submission

_encode = msgspec.json.Encoder().encode
_MARK = msgspec.Raw(b'"\0"')  #: the place of a long text; in JSON itself this byte is always escaped
_decode = msgspec.json.Decoder(list[dict[str, str]]).decode


def content(submission: Submission) -> bytes:
    """The members that every call for this message shares, without the enclosing braces.

    If recipients have headers of their own, lines stand before them: the shared headers that an own one can take the place of,
    then the own headers of each recipient. A line is a list of JSON objects without its brackets.
    """
    body: dict[str, object] = {}
    long: list[LongText] = []
    for name, text in (("Text", submission.text), ("Html", submission.html)):
        if isinstance(text, LongText):
            long.append(text)
        if text:
            body[name] = {"Data": _MARK if isinstance(text, LongText) else text, "Charset": "UTF-8"}
    shared, replaceable = submission.headers, ()
    if submission.own_headers:
        own = {name.lower() for pairs in submission.own_headers for name, _ in pairs}
        replaceable = tuple(pair for pair in shared if pair[0].lower() in own)
        shared = tuple(pair for pair in shared if pair[0].lower() not in own)
    simple: dict[str, object] = {"Subject": {"Data": submission.subject, "Charset": "UTF-8"}, "Body": body}
    if shared or submission.own_headers:
        simple["Headers"] = _listed(shared)
    members: dict[str, object] = {"FromEmailAddress": submission.sender.header()}
    if submission.reply_to:
        members["ReplyToAddresses"] = [mailbox.header() for mailbox in submission.reply_to]
    members["Content"] = {"Simple": simple}
    encoded = _encode(members)[1:-1]
    if long:
        encoded = _with_texts(encoded, long)
    if not submission.own_headers:
        return encoded
    lines = (_encode(_listed(pairs))[1:-1] for pairs in (replaceable, *submission.own_headers))
    return b"\n".join((*lines, encoded))


def _with_texts(encoded: bytes, texts: Sequence[LongText]) -> bytes:
    """Puts long texts in the places of their marks, encoded part by part."""
    first, *rest = encoded.split(b"\0")
    pieces = [first]
    for text, after in zip(texts, rest, strict=True):
        pieces += [_encode(part)[1:-1] for part in text]
        pieces.append(after)
    return b"".join(pieces)


def _listed(pairs: Pairs) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in pairs]


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


def proof_content(domain: str, what: What) -> bytes:
    """The content of a mail of a proof. SES rejects a mail with the EICAR test file, which is no virus (ses.md 9)."""
    simple: dict[str, object] = {
        "Subject": {"Data": "Mailcordon proof of attribution"},
        "Body": {"Text": {"Data": "Shows that the events of this lane's mail come back to it."}},
    }
    if what is What.REJECT:
        simple["Attachments"] = [
            {
                "FileName": "eicar.txt",
                "RawContent": base64.b64encode("".join(_EICAR).encode()).decode(),
                "ContentType": "text/plain",
            }
        ]
    return _encode({"FromEmailAddress": f"canary@{domain}", "Content": {"Simple": simple}})[1:-1]


def proof_recipient(delivery: str, what: What) -> str:
    """The simulator's address for what is to happen. A rejected mail never gets so far, and has the one of success."""
    local = What.SUCCESS if what is What.REJECT else what
    return f"{local}+{delivery}@simulator.amazonses.com"


#: In parts, so that virus scanners do not take this file for one.
_EICAR = ("X5O!P%@AP[4\\PZX54(P^)7CC)7}$", "EICAR-STANDARD-", "ANTIVIRUS-TEST-FILE", "!$H+H*")


def call(
    content: bytes, *, to: str, ses_tenant: str, configuration_set: str, key: bytes, attempt: Attempt
) -> bytes:
    """One recipient's SendEmail body, with tenant, configuration set and tags (architecture, invariant 1)."""
    if content.startswith((b"{", b"\n")):
        content = _of_recipient(content, ids.recipient_of(attempt.delivery))
    delivery, value = tags.attempt_values(key, attempt)
    frame = _frame(ses_tenant, configuration_set, attempt.installation, attempt.tenant_key, attempt.type)
    head = (
        f'{{"Destination":{{"ToAddresses":[{_encode(to).decode()}]}},{frame},{{"Name":"{tags.DELIVERY}","Value":"{delivery}"}},'
        f'{{"Name":"{tags.ATTEMPT}","Value":"{value}"}}],'
    )
    return head.encode() + content + b"}"


def _of_recipient(stored: bytes, number: int) -> bytes:
    """The members for one recipient: the content ends with the list of headers that all have, and it gets the others."""
    before, _, content = stored.rpartition(b"\n")
    replaceable, own = (lines := before.split(b"\n"))[0], lines[number]
    if replaceable and own:
        names = {one["Name"].lower() for one in _decode(b"[%b]" % own)}
        kept = [one for one in _decode(b"[%b]" % replaceable) if one["Name"].lower() not in names]
        replaceable = _encode(kept)[1:-1]
    added = [pairs for pairs in (replaceable, own) if pairs]
    open_list = content.removesuffix(b"]}}")
    if added and not open_list.endswith(b"["):
        open_list += b","
    return open_list + b",".join(added) + b"]}}"


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
