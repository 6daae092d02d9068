"""Checks what an app submits. All faults are reported at once, each with its field, and nothing of an invalid message is stored.

These checks need no database. Sizes are SES's (ses.md 3.3). Headers are checked in mail_headers.py.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from mailcordon.core import address, encoded_words, names
from mailcordon.core import text as core_text
from mailcordon.core.address import Address, Mailbox
from mailcordon.core.errors import Fault, Invalid, parse_into
from mailcordon.core.ids import MAX_RECIPIENTS
from mailcordon.messages import content, mail
from mailcordon.send import attachments as files
from mailcordon.send import mail_headers, texts
from mailcordon.send.attachments import Attachment, Given
from mailcordon.send.texts import Text

MAX_BYTES = 10 * 1024 * 1024  #: text and HTML together; SES throttles by bandwidth above 10 MB (ses.md 3.3)
MAX_REPLY_TO = 10
MAX_SUBJECT = 900  #: characters; RFC 5322 allows 998 octets per line, minus the name and room for encoding

_CONTROL = bytes(
    [*range(0x09), 0x0B, 0x0C, *range(0x0E, 0x20), 0x7F]
)  #: all control characters except tab and line breaks


class Place(NamedTuple):
    """Where a whole MIME message has the placeholder of the unsubscribe link."""

    start: int  #: bytes from the beginning of `Raw.body`
    end: int
    quoted_printable: bool  #: the encoding of its part; else none
    html: bool


class Raw(NamedTuple):
    """A whole MIME message: what was handed in, but for the headers that were stripped."""

    head: bytes  #: header lines, each with CRLF, without the empty line after them
    body: bytes | memoryview  #: what follows the empty line
    places: tuple[Place, ...] = ()


class Named(NamedTuple):
    """A recipient that is given as name and address apart."""

    name: str
    address: str


class Submission(NamedTuple):  # made for every message, and faster to make than a frozen dataclass
    """A checked message: addresses parsed, headers allowed, sizes within limits."""

    type: str
    sender: Mailbox
    envelope: tuple[Address, ...]  #: of `to`, `cc` and `bcc`, each once and in this order; one delivery each
    subject: str
    text: Text | None
    html: Text | None
    reply_to: tuple[Mailbox, ...]
    headers: mail_headers.Pairs  #: of all recipients
    campaign: str | None
    list: str | None

    own_headers: tuple[mail_headers.Pairs, ...] = ()  #: of each recipient; empty if nobody has own ones
    to: tuple[Mailbox, ...] = ()  #: as the header shows them
    cc: tuple[Mailbox, ...] = ()
    bcc: tuple[Mailbox, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    raw: Raw | None = None  #: in place of subject, text, html, reply_to, headers and attachments
    individually: bool = False  #: a mailing: each recipient sees only themselves in To
    tags: tuple[tuple[str, str], ...] = ()  #: the app's own; never sent to SES
    send_at: int | None = None  #: milliseconds since 1970; None: at once
    unsubscribe: bool = True  #: whether Mailcordon may add an unsubscribe link of its own
    template: str | None = None  #: name and version of the template that it was made with
    asked: bytes = b""  #: the template and its data as they were handed in; empty without a template
    removed: tuple[str, ...] = ()  #: names of headers that were taken out of a whole MIME message

    @property
    def is_mailing(self) -> bool:
        """Whether each recipient sees only themselves. Then `to` is the envelope."""
        return self.individually or bool(self.own_headers)

    @property
    def visible(self) -> int:
        """How many recipients each of them sees."""
        return 1 if self.is_mailing else len(self.to) + len(self.cc)

    @property
    def most_headers(self) -> int:
        """Headers of one recipient beside those that unsubscribe."""
        merged = (mail_headers.merged(self.headers, own) for own in self.own_headers or ((),))
        return max(sum(not mail_headers.unsubscribes(name) for name, _ in one) for one in merged)

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
    sender: str | Named,
    to: Sequence[str | Named],
    subject: str,
    text: Text | None,
    html: Text | None,
    reply_to: Sequence[str | Named],
    headers: Mapping[str, str],
    campaign: str | None,
    list: str | None,
    own_headers: Sequence[Mapping[str, str] | None] = (),
    cc: Sequence[str | Named] = (),
    bcc: Sequence[str | Named] = (),
    attachments: Sequence[Given] = (),
    individually: bool = False,
    tags: tuple[tuple[str, str], ...] = (),
    send_at: int | None = None,
    unsubscribe: bool = True,
    template: str | None = None,
) -> Submission:
    """Returns the submission. Raises Invalid with a fault for each invalid field.

    Addresses are texts such as `Name <name@domain>`, or name and address apart. `own_headers` are those of each recipient, in the
    order of `to`; empty if nobody has own ones. `tags` and `send_at` have been checked.
    """
    faults: list_[Fault] = []
    mailbox = _mailbox("from", sender, faults)
    shown = _mailboxes("to", to, faults)
    if len(to) == 1 and not cc and not bcc:  # most mail
        copies = blind = ()
        envelope = (shown[0].address,) if shown else ()
    else:
        copies, blind = _mailboxes("cc", cc, faults), _mailboxes("bcc", bcc, faults)
        envelope = _envelope(shown, copies, blind, len(to) + len(cc) + len(bcc), faults)
    answers = _reply_to(reply_to, faults) if reply_to else ()
    _subject(subject, faults)
    _body(text, html, faults)
    pairs, own_pairs = mail_headers.check(headers, own_headers, len(envelope), faults)
    checked_files = files.check(attachments, faults) if attachments else ()
    if copies or blind:
        _no_mailing(cc, bcc, individually or bool(own_pairs), faults)
    if campaign is not None:
        parse_into(faults, "campaign", names.campaign, campaign)
    if list is not None:
        parse_into(faults, "list", names.list_, list)
    if faults or mailbox is None:
        raise Invalid(*faults)
    return Submission(
        type,
        mailbox,
        envelope,
        subject,
        text,
        html,
        answers,
        pairs,
        campaign,
        list,
        own_pairs,
        shown,
        copies,
        blind,
        checked_files,
        None,
        individually,
        tags,
        send_at,
        unsubscribe,
        template,
    )


list_ = list  # `list` is a field of the API above


def _mailbox(
    field: str,
    given: str | Named,
    faults: list_[Fault],
    parse: Callable[[str], Mailbox] = address.parse_mailbox,
) -> Mailbox | None:
    try:
        if isinstance(given, Named):
            return address.make_mailbox(given.name, given.address)
        if len(given) > address.LONGEST_MAILBOX:
            faults.append(Fault(field, mail.mailbox_too_long(address.LONGEST_MAILBOX)))
            return None
        return parse(given)
    except ValueError as problem:
        faults.append(Fault(field, str(problem), "bad-address"))
        return None


def _subject(text: str, faults: list_[Fault]) -> None:
    if not text or len(text) > MAX_SUBJECT:
        faults.append(Fault("subject", mail.bad_length(MAX_SUBJECT)))
    elif core_text.has_control(text):
        faults.append(Fault("subject", mail.has_line_breaks(), "header-injection"))
    elif "=?" in text and encoded_words.hide_line_break(text):
        faults.append(Fault("subject", mail.has_encoded_line_break(), "header-injection"))
    elif core_text.has_disguise(text):
        faults.append(Fault("subject", mail.has_hidden_letters()))


def _mailboxes(field: str, given: Sequence[str | Named], faults: list_[Fault]) -> tuple[Mailbox, ...]:
    parsed: list_[Mailbox] = []
    for index, one in enumerate(given[: MAX_RECIPIENTS + 1]):
        # Mostly a bare address, and each is another one: the cache of senders is not for them.
        if isinstance(one, str) and "<" not in one:
            try:
                parsed.append(Mailbox("", address.parse(one)))
            except ValueError as problem:
                faults.append(Fault(f"{field}[{index}]", str(problem), "bad-address"))
        elif found := _mailbox(f"{field}[{index}]", one, faults, address.parse_recipient):
            parsed.append(found)
    if len(given) > 1:
        _refuse_twice(field, given, parsed, faults)
    return tuple(parsed)


def _refuse_twice(
    field: str, given: Sequence[str | Named], parsed: Sequence[Mailbox], faults: list_[Fault]
) -> None:
    seen: set[str] = set()
    for index, mailbox in enumerate(parsed):
        if (key := str(mailbox.address).lower()) in seen:
            problem = mail.recipient_twice(str(mailbox.address))
            # The place is known if all others are good.
            where = f"{field}[{index}]" if len(parsed) == len(given) else field
            faults.append(Fault(where, problem, "duplicate-recipient"))
        seen.add(key)


def _reply_to(given: Sequence[str | Named], faults: list_[Fault]) -> tuple[Mailbox, ...]:
    answers = [
        found
        for index, one in enumerate(given[: MAX_REPLY_TO + 1])
        if (found := _mailbox(f"reply_to[{index}]", one, faults))
    ]
    if len(given) > MAX_REPLY_TO:
        faults.append(Fault("reply_to", mail.too_many_addresses(MAX_REPLY_TO)))
    elif len(answers) > 1 and address.line_length("Reply-To", answers) > address.LONGEST_LINE:
        faults.append(Fault("reply_to", mail.reply_to_line_too_long(address.LONGEST_LINE)))
    return tuple(answers)


def _envelope(
    to: tuple[Mailbox, ...],
    cc: tuple[Mailbox, ...],
    bcc: tuple[Mailbox, ...],
    given: int,
    faults: list_[Fault],
) -> tuple[Address, ...]:
    """`given` is how many there are before the check."""
    if not 1 <= given <= MAX_RECIPIENTS:
        faults.append(Fault("to", mail.bad_recipient_count(MAX_RECIPIENTS)))
    if not cc and not bcc:
        return tuple([one.address for one in to])
    found: dict[str, Address] = {}
    for one in (*to, *cc, *bcc):
        found.setdefault(str(one.address).lower(), one.address)
    return tuple(found.values())


def _no_mailing(
    cc: Sequence[str | Named], bcc: Sequence[str | Named], is_mailing: bool, faults: list_[Fault]
) -> None:
    for field, given in (("cc", cc), ("bcc", bcc)):
        if is_mailing and given:
            faults.append(Fault(field, content.no_copies_of_a_mailing(), "mailing-with-copies"))


def _body(text: Text | None, html: Text | None, faults: list_[Fault]) -> None:
    if not text and not html:
        faults.append(Fault("text", mail.no_content()))
    total = 0
    for field, part in (("text", text), ("html", html)):
        if part is None:
            continue
        has_control = False
        for piece in texts.slices(part):
            raw = piece.encode()
            total += len(raw)
            # Four times as fast as a regular expression.
            has_control = has_control or len(raw.translate(None, _CONTROL)) != len(raw)
        if has_control:
            faults.append(Fault(field, mail.has_control_characters()))
    if texts.placeholders(text) + texts.placeholders(html) > texts.MAX_PLACEHOLDERS:
        field = "html" if html else "text"
        faults.append(Fault(field, content.too_many_placeholders(texts.MAX_PLACEHOLDERS)))
    if total > MAX_BYTES:
        faults.append(Fault("html" if html else "text", mail.content_too_large(MAX_BYTES), "too-large"))
