"""One mail that arrived by SMTP: read, authorised and sent by the functions that SES v1 and v2 use, and its reply. MAIL FROM and
RCPT TO are the sender and the recipients; the X-SES headers say the rest (ses.md 1.4, 3.3). They are taken out of the mail that
is kept. The list of headers in events still has them, as with raw mail of the API."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Sequence
from typing import Final

from seslocal import authorization, faulted_calls
from seslocal.errors import ApiError
from seslocal.faulted_calls import Call
from seslocal.mail import list_management, sending
from seslocal.mail.content import Letter, read_message
from seslocal.mail.sending import Submission
from seslocal.mail.smtp_answers import to_smtp
from seslocal.state.access import Caller
from seslocal.state.account import Account
from seslocal.wire.params import Params
from seslocal.wire.protocol import Response

OPERATION: Final = "SendSmtpEmail"  #: in the tag ses:operation; not in ses.md, and no public source found
ACTION: Final = (
    "SendRawEmail"  #: what a policy must allow (SES Developer Guide, "Obtaining SMTP credentials")
)
FAULTS: Final = "SendEmail"  #: faults that name no operation are those of SendEmail
_END_OF_HEAD: Final = re.compile(rb"(\r?\n)\r?\n")
#: a header of SES's, with the lines that continue it
_OWN_HEADER: Final = re.compile(
    rb"^x-ses-[^:\r\n]*:.*(?:\r?\n[ \t].*)*(?:\r?\n|\Z)", re.IGNORECASE | re.MULTILINE
)


def submit(
    account: Account, sender: str, recipients: Sequence[str], data: bytes, caller: Caller
) -> Response | Awaitable[Response]:
    """Returns the reply, now or later: its status is SMTP's code, its body the text."""
    try:
        letter = read_message(data, account.behaviour, sender=sender, recipients=recipients, is_encoded=True)
        if account.access.policies:
            call = {"RawMessage": {"Data": data}, "Source": sender, "Destinations": list(recipients)}
            if letter.tenant is not None:
                call["TenantName"] = letter.tenant
            authorization.ses(account, ACTION, call, caller, authorization.V1)
        if account.faults.active:
            applying = account.faults.on_call(FAULTS, letter.tenant, letter.configuration_set)
            if applying:
                faulted = Call(
                    True,
                    lambda: _send(account, letter, data, caller),
                    _accepted,
                    lambda error: _refused(account, error),
                )
                return faulted_calls.respond(faulted, applying)
        return _accepted(_send(account, letter, data, caller))
    except ApiError as error:
        return _refused(account, error)


def _send(account: Account, letter: Letter, data: bytes, caller: Caller) -> Params:
    authorization.own_identities(account, caller, ACTION, letter.arns)
    content: Params = {"Raw": {"Data": without_own_headers(data)}}
    if letter.list_management:
        options = list_management.options_of(letter.list_management)
        letter, content = list_management.add_unsubscribe_link(account, letter, content, *options)
    submission = Submission(OPERATION, letter, content, None, None)
    return {"MessageId": sending.submit(account, submission, caller)}


def without_own_headers(data: bytes) -> bytes:
    """Returns the mail without its X-SES headers, as SES delivers it."""
    found = _END_OF_HEAD.search(data)
    end = len(data) if found is None else found.end(1)
    return _OWN_HEADER.sub(b"", data[:end]) + data[end:]


def _accepted(result: Params) -> Response:
    return Response(250, f"Ok {result['MessageId']}".encode())


def _refused(account: Account, error: ApiError) -> Response:
    code, text = to_smtp(error, account.behaviour)
    return Response(code, text.encode("ascii", "backslashreplace"))
