"""SendBulkEmail: one template, up to 50 entries, each a message of its own with an answer of its own."""

from collections.abc import Sequence
from typing import Any

import msgspec

from mailcordon.adapters.http.ses_door import v2
from mailcordon.adapters.http.ses_door.errors import Unresolved, bad_request, translated
from mailcordon.adapters.http.ses_door.v2 import Destination, Header, MailCall, Tag, Template
from mailcordon.core import ses_door_ids
from mailcordon.core.errors import Forbidden, Later, MailcordonError, TooMuch, Unauthorised
from mailcordon.messages import ses_door as messages
from mailcordon.send.accept_item import Accepted
from mailcordon.send.texts import slices

MOST_ENTRIES = 50  #: (ses.md 3.2)


class ReplacementTemplate(msgspec.Struct, rename="pascal"):
    replacement_template_data: v2.Cut = ""


class ReplacementContent(msgspec.Struct, rename="pascal"):
    replacement_template: ReplacementTemplate | None = None


class Entry(msgspec.Struct, rename="pascal"):
    destination: Destination
    replacement_tags: list[Tag] = []
    replacement_email_content: ReplacementContent | None = None
    replacement_headers: list[Header] = []


class DefaultContent(msgspec.Struct, rename="pascal"):
    template: Template | None = None


class BulkCall(msgspec.Struct, rename="pascal"):
    default_content: DefaultContent
    bulk_email_entries: list[Entry]
    from_email_address: str | None = None
    reply_to_addresses: list[str] = []
    default_email_tags: list[Tag] = []
    configuration_set_name: str | None = None
    tenant_name: str | None = None
    configuration_overrides: msgspec.Raw | None = None


_decoder = msgspec.json.Decoder(BulkCall)


def read(raw: bytes) -> list[v2.Read]:
    """The mail of each entry, as SendEmail would be asked for it. Raises SesError.

    An entry's data takes the place of the default data where it has any; its tags and headers take the place of those of their
    names."""
    bulk, long = v2.cut_and_decoded(_decoder, raw)
    template = bulk.default_content.template
    if template is None:
        raise bad_request(messages.member_missing("DefaultContent.Template"))
    if not 1 <= len(bulk.bulk_email_entries) <= MOST_ENTRIES:
        raise bad_request(messages.bad_number_of_entries(MOST_ENTRIES))
    return [v2.Read(_call(bulk, template, entry), long) for entry in bulk.bulk_email_entries]


def _call(bulk: BulkCall, template: Template, entry: Entry) -> MailCall:
    own = entry.replacement_email_content and entry.replacement_email_content.replacement_template
    data = own.replacement_template_data if own else ""
    headers = _merged(template.headers, entry.replacement_headers)
    content = msgspec.structs.replace(
        template,
        template_data=template.template_data if _is_empty(data) else data,
        headers=headers,
    )
    return MailCall(
        content=v2.Content(template=content),
        from_email_address=bulk.from_email_address,
        destination=entry.destination,
        reply_to_addresses=bulk.reply_to_addresses,
        email_tags=_merged(bulk.default_email_tags, entry.replacement_tags),
        configuration_set_name=bulk.configuration_set_name,
        tenant_name=bulk.tenant_name,
        configuration_overrides=bulk.configuration_overrides,
    )


def _is_empty(data: v2.Cut) -> bool:
    return isinstance(data, str) and data.strip() in ("", "{}")


def size(request: int, reads: Sequence[v2.Read]) -> int:
    """Bytes of each message of a request of this size. Each has all the files. Raises SesError."""
    first = reads[0]
    template = first.call.content.template
    assert template is not None, "_call sets it"
    files = sum(len(part) for one in template.attachments for part in slices(first.text(one.raw_content)))
    return files + (request - files) // len(reads)


def _merged(defaults: Sequence[Any], own: Sequence[Any]) -> list[Any]:
    names = {one.name.lower() for one in own}
    return [*(one for one in defaults if one.name.lower() not in names), *own]


def result(outcome: Accepted | BaseException) -> dict[str, str]:
    """One entry's answer (ses.md 3.2)."""
    if not isinstance(outcome, BaseException):
        return {"Status": "SUCCESS", "MessageId": ses_door_ids.encode(outcome.id)}
    return {"Status": _status(outcome), "Error": str(translated(outcome))}


def refuses_all(problem: BaseException) -> bool:
    """Whether an entry's problem is that of the whole request."""
    return isinstance(problem, Unresolved | Forbidden | Unauthorised)


def _status(problem: BaseException) -> str:
    if isinstance(problem, TooMuch):
        return "ACCOUNT_THROTTLED"
    if isinstance(problem, Later):
        return "TRANSIENT_FAILURE"
    if isinstance(problem, MailcordonError) and problem.code == "unknown-template":
        return "TEMPLATE_NOT_FOUND"
    code = translated(problem).code
    return {"MessageRejected": "MESSAGE_REJECTED", "BadRequestException": "INVALID_PARAMETER"}.get(
        code, "FAILED"
    )
