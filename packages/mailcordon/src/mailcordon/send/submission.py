"""Checks what an app submits. All faults are reported at once, each with its field, and nothing of an invalid message is stored.

These checks need no database. Sizes are SES's (ses.md 3.3). Headers are checked in mail_headers.py.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from mailcordon.core import address, encoded_words, names
from mailcordon.core import text as texts
from mailcordon.core.address import Address, Mailbox
from mailcordon.core.errors import Fault, Invalid, parse_into
from mailcordon.core.ids import MAX_RECIPIENTS
from mailcordon.messages import mail
from mailcordon.send import mail_headers

MAX_BYTES = 10 * 1024 * 1024  #: text and HTML together; SES throttles by bandwidth above 10 MB (ses.md 3.3)
MAX_REPLY_TO = 10
MAX_SUBJECT = 900  #: characters; RFC 5322 allows 998 octets per line, minus the name and room for encoding

_CONTROL = bytes(
    [*range(0x09), 0x0B, 0x0C, *range(0x0E, 0x20), 0x7F]
)  #: all control characters except tab and line breaks
_SLICE = 128 * 1024  #: characters that are checked in one call


class LongText(tuple[str, ...]):
    """A text in parts, each short enough that work on it keeps other threads waiting for less than a millisecond."""

    __slots__ = ()


Text: TypeAlias = str | LongText


class Submission(NamedTuple):  # made for every message, and faster to make than a frozen dataclass
    """A checked message: addresses parsed, headers allowed, sizes within limits."""

    type: str
    sender: Mailbox
    to: tuple[Address, ...]
    subject: str
    text: Text | None
    html: Text | None
    reply_to: tuple[Mailbox, ...]
    headers: mail_headers.Pairs  #: of all recipients
    campaign: str | None
    list: str | None

    own_headers: tuple[mail_headers.Pairs, ...] = ()  #: of each recipient; empty if nobody has own ones

    @property
    def one_click(self) -> bool:
        """Whether every recipient has an RFC 8058 one-click unsubscribe: an https URI and the Post header."""
        return all(
            mail_headers.one_click_link(mail_headers.merged(self.headers, own)) is not None
            for own in self.own_headers or ((),)
        )


def check(
    *,
    type: str,
    sender: str,
    to: Sequence[str],
    subject: str,
    text: Text | None,
    html: Text | None,
    reply_to: Sequence[str],
    headers: Mapping[str, str],
    campaign: str | None,
    list: str | None,
    own_headers: Sequence[Mapping[str, str] | None] = (),
) -> Submission:
    """Returns the submission. Raises Invalid with a fault for each invalid field.

    `own_headers` are those of each recipient, in the order of `to`; empty if nobody has own ones.
    """
    faults: list_[Fault] = []
    mailbox = _mailbox("from", sender, faults)
    recipients = _recipients(to, faults)
    answers = [
        m
        for i, one in enumerate(reply_to[: MAX_REPLY_TO + 1])
        if (m := _mailbox(f"reply_to[{i}]", one, faults))
    ]
    if len(reply_to) > MAX_REPLY_TO:
        faults.append(Fault("reply_to", mail.too_many_addresses(MAX_REPLY_TO)))
    elif len(answers) > 1 and address.line_length("Reply-To", answers) > address.LONGEST_LINE:
        faults.append(Fault("reply_to", mail.reply_to_line_too_long(address.LONGEST_LINE)))
    _subject(subject, faults)
    _body(text, html, faults)
    pairs, own_pairs = mail_headers.check(headers, own_headers, len(to), faults)
    if campaign is not None:
        parse_into(faults, "campaign", names.campaign, campaign)
    if list is not None:
        parse_into(faults, "list", names.list_, list)
    if faults or mailbox is None:
        raise Invalid(*faults)
    return Submission(
        type=type,
        sender=mailbox,
        to=recipients,
        subject=subject,
        text=text,
        html=html,
        reply_to=tuple(answers),
        headers=pairs,
        campaign=campaign,
        list=list,
        own_headers=own_pairs,
    )


list_ = list  # `list` is a field of the API above


def _mailbox(field: str, text: str, faults: list_[Fault]) -> Mailbox | None:
    if len(text) > address.LONGEST_MAILBOX:
        faults.append(Fault(field, mail.mailbox_too_long(address.LONGEST_MAILBOX)))
        return None
    return parse_into(faults, field, address.parse_mailbox, text, code="bad-address")


def _subject(text: str, faults: list_[Fault]) -> None:
    if not text or len(text) > MAX_SUBJECT:
        faults.append(Fault("subject", mail.bad_length(MAX_SUBJECT)))
    elif texts.has_control(text):
        faults.append(Fault("subject", mail.has_line_breaks(), "header-injection"))
    elif "=?" in text and encoded_words.hide_line_break(text):
        faults.append(Fault("subject", mail.has_encoded_line_break(), "header-injection"))
    elif texts.has_disguise(text):
        faults.append(Fault("subject", mail.has_hidden_letters()))


def _recipients(to: Sequence[str], faults: list_[Fault]) -> tuple[Address, ...]:
    if not 1 <= len(to) <= MAX_RECIPIENTS:
        faults.append(Fault("to", mail.bad_recipient_count(MAX_RECIPIENTS)))
        return ()
    parsed: list_[Address] = []
    seen: set[str] = set()
    for index, text in enumerate(to):
        try:
            one = address.parse(text)
        except ValueError as problem:
            faults.append(Fault(f"to[{index}]", str(problem), "bad-address"))
            continue
        if (key := str(one).lower()) in seen:
            faults.append(Fault(f"to[{index}]", mail.recipient_twice(str(one)), "duplicate-recipient"))
        seen.add(key)
        parsed.append(one)
    return tuple(parsed)


def _body(text: Text | None, html: Text | None, faults: list_[Fault]) -> None:
    if not text and not html:
        faults.append(Fault("text", mail.no_content()))
    total = 0
    for field, part in (("text", text), ("html", html)):
        if part is None:
            continue
        has_control = False
        for piece in part if isinstance(part, LongText) else _slices(part):
            raw = piece.encode()
            total += len(raw)
            # Four times as fast as a regular expression.
            has_control = has_control or len(raw.translate(None, _CONTROL)) != len(raw)
        if has_control:
            faults.append(Fault(field, mail.has_control_characters()))
    if total > MAX_BYTES:
        faults.append(Fault("html" if html else "text", mail.content_too_large(MAX_BYTES), "too-large"))


def _slices(text: str) -> Iterator[str]:
    """Each call on a text keeps other threads of the process waiting."""
    return (text[start : start + _SLICE] for start in range(0, len(text), _SLICE))
