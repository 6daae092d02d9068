"""What a request in SES's words asks to be sent, as the one checked message of every door.

docs/ses-door.md names what only SES could do: identities of other accounts, feedback addresses and charsets are left out of
account, SES's own list management and tracking overrides are refused.
"""

from collections.abc import Iterable, Mapping, Sequence
from email.errors import HeaderParseError
from email.header import decode_header
from typing import NamedTuple

import msgspec

from mailcordon.adapters.http.ses_door.errors import BAD_REQUEST, Unresolved, bad_request
from mailcordon.control.access_keys import KnownAccess
from mailcordon.core import text as texts
from mailcordon.core.errors import Fault, Invalid
from mailcordon.messages import ses_door as messages
from mailcordon.send import own_tags, raw_mail, submission
from mailcordon.send.attachments import Given
from mailcordon.send.submission import Named, Submission
from mailcordon.send.texts import Text

_TYPE = "type"
_TENANT = "tenant"
_SET_HEADER, _TAGS_HEADER, _TENANT_HEADER = "x-ses-configuration-set", "x-ses-message-tags", "x-ses-tenant"
_SAID = (_SET_HEADER, _TAGS_HEADER, _TENANT_HEADER)


class Asked(NamedTuple):
    """What a request says beside the content: whose mail of what type, and the app's own tags."""

    tenant: str
    type: str
    tags: tuple[tuple[str, str], ...]


def asked(
    access: KnownAccess,
    *,
    tenant: str | None,
    set_name: str | None,
    tags: Iterable[tuple[str, str]],
) -> Asked:
    """Resolves tenant and type. Raises SesError, Forbidden or Invalid.

    The type is that of the tag `type`, else the one that the configuration set stands for, else the key's.
    """
    own: dict[str, str] = {}
    for name, value in tags:
        if name in own:
            raise bad_request(messages.tag_twice(texts.harmless(name, 64)))
        own[name] = value
    type = own.pop(_TYPE, None)
    tagged = own.pop(_TENANT, None)
    if tenant is not None and tagged is not None and tenant != tagged:
        one, other = texts.harmless(tenant, 64), texts.harmless(tagged, 64)
        raise bad_request(messages.tenants_differ(one, other))
    principal = access.principal
    if type is None and set_name is not None:
        type = access.types_of_sets.get(set_name)
    if type is None:
        type = principal.default_type
    if type is None:
        if set_name is not None:
            raise Unresolved(BAD_REQUEST, messages.set_not_mapped(texts.harmless(set_name, 64)))
        raise Unresolved(BAD_REQUEST, messages.type_not_resolved(sorted(access.types_of_sets)[:10]))
    principal.require_type(type)
    slug = principal.tenant_for(tenant if tenant is not None else tagged)
    return Asked(slug, type, _own_tags(own) if own else ())


def _own_tags(given: Mapping[str, str]) -> own_tags.Tags:
    """Raises Invalid. Those with SES's prefix mean something at SES alone."""
    faults: list[Fault] = []
    found = own_tags.check(
        {name: value for name, value in given.items() if not name.startswith("ses:")}, faults
    )
    if faults:
        raise Invalid(*faults)
    return found


def mailbox(text: str) -> str | Named:
    """A mailbox as SES takes it: its name may be in the form of RFC 2047, which is decoded here."""
    if "=?" not in text:
        return text
    name, found, rest = text.rpartition("<")
    if not found or not rest.rstrip().endswith(">"):
        return text
    name = name.strip()
    if len(name) > 1 and name[0] == name[-1] == '"':
        name = name[1:-1]
    try:
        decoded = "".join(
            part if isinstance(part, str) else part.decode(charset or "ascii")
            for part, charset in decode_header(name)
        )
    except (HeaderParseError, UnicodeDecodeError, LookupError, ValueError):
        return text  # its check says what is wrong
    return Named(decoded.strip(), rest.rstrip()[:-1].strip())


def headers(given: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    """Own headers by name. Raises SesError if one is there twice."""
    found: dict[str, str] = {}
    seen: set[str] = set()
    for name, value in given:
        if (lower := name.lower()) in seen:
            raise bad_request(messages.header_twice(texts.harmless(name, 64)))
        seen.add(lower)
        found[name] = value
    return found


def template_data(text: str) -> bytes:
    """Raises SesError for what is no JSON object."""
    raw = text.strip().encode() or b"{}"
    try:
        if not isinstance(msgspec.json.decode(raw), dict):
            raise bad_request(messages.bad_template_data())
    except (ValueError, RecursionError):
        raise bad_request(messages.bad_template_data()) from None
    return raw


def raw(
    access: KnownAccess,
    data: bytes,
    *,
    tenant: str | None,
    set_name: str | None,
    tags: Sequence[tuple[str, str]] | None,
    sender: str | None,
    recipients: Sequence[str] | None,
    field: str,
) -> tuple[str, Submission]:
    """Tenant and message of a whole MIME message. What the request does not say is taken from the X-SES headers (ses.md 3.3).

    Raises SesError or MailcordonError."""
    said = raw_mail.header_values(data, *_SAID)
    if tags is None:
        tags = _tags_in(said[_TAGS_HEADER])
    asked_for = asked(
        access,
        tenant=tenant if tenant is not None else _first(said[_TENANT_HEADER]),
        set_name=set_name if set_name is not None else _first(said[_SET_HEADER]),
        tags=tags,
    )
    return asked_for.tenant, raw_mail.check(
        data,
        type=asked_for.type,
        recipients=recipients,
        sender=sender,
        tags=asked_for.tags,
        field=field,
    )


def _first(values: Sequence[str]) -> str | None:
    return values[0].strip() if values else None


def _tags_in(values: Sequence[str]) -> list[tuple[str, str]]:
    """`name=value, name=value`."""
    pairs = [part.partition("=") for value in values for part in value.split(",") if part.strip()]
    return [(name.strip(), value.strip()) for name, _, value in pairs]


def simple(
    asked: Asked,
    *,
    sender: str,
    to: Sequence[str],
    cc: Sequence[str],
    bcc: Sequence[str],
    reply_to: Sequence[str],
    subject: str,
    text: Text | None,
    html: Text | None,
    headers: Mapping[str, str],
    attachments: Sequence[Given] = (),
    template: str | None = None,
) -> Submission:
    """A message that SES would make of its parts. Raises Invalid."""
    return submission.check(
        type=asked.type,
        sender=mailbox(sender),
        to=[mailbox(one) for one in to],
        cc=[mailbox(one) for one in cc],
        bcc=[mailbox(one) for one in bcc],
        subject=subject,
        text=text or None,
        html=html or None,
        reply_to=[mailbox(one) for one in reply_to],
        headers=headers,
        campaign=None,
        list=None,
        attachments=attachments,
        tags=asked.tags,
        template=template,
    )
