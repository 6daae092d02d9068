"""Django's mail goes through Mailcordon:

    EMAIL_BACKEND = "mailcordon_client.django.EmailBackend"
    MAILCORDON_URL = "https://mailcordon.internal"
    MAILCORDON_KEY = os.environ["MAILCORDON_KEY"]
    MAILCORDON_TYPE = "notification"    # of messages that name no type
    MAILCORDON_TENANT = "acme"          # only with a platform's key

A message says more about itself in its attribute `mailcordon`, or in headers that are taken out before it is sent:

    message.mailcordon = {"type": "invoice", "campaign": "november", "idempotency_key": "invoice-4711"}
    EmailMessage(..., headers={"X-Mailcordon-Type": "invoice"})

A text, an HTML part or both are sent as fields of the API. Everything else (attachments, inline pictures, other alternatives,
encodings, headers that are no field's) is sent as the MIME message that Django makes of it, so it arrives as it would by SMTP.
"""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# Django has no types.

import email.message
import email.policy
import hashlib
import threading
from collections.abc import Mapping, Sequence
from email.header import decode_header, make_header
from email.utils import parseaddr
from typing import Any, Final, Protocol, cast

from django.conf import settings
from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend

from mailcordon_client.client import TIMEOUT, Client
from mailcordon_client.errors import MailcordonError
from mailcordon_client.message import Message
from mailcordon_client.results import Accepted

_OWN: Final = "x-mailcordon-"
#: What `mailcordon` of a message may say, and the headers X-Mailcordon-*.
_OPTIONS: Final = frozenset(
    ("type", "tenant", "campaign", "list", "tags", "send_at", "individually", "idempotency_key")
)
_AS_HEADERS: Final = frozenset(("type", "tenant", "campaign", "list"))
#: Headers that the API takes beside its fields, in lower case. Of X-, what families of others are.
_FIELD_HEADERS: Final = frozenset(
    ("references", "in-reply-to", "auto-submitted", "precedence", "comments", "keywords", "importance")
)
_MOST_HEADERS: Final = 15  #: that the API takes as a field
_OTHERS: Final = ("x-google-", "x-ms-", "x-spam-", "x-ses-")


class Mail(Protocol):
    """What is read of Django's EmailMessage, which has no types of its own."""

    subject: object
    body: object
    from_email: object
    to: Sequence[object]
    cc: Sequence[object]
    bcc: Sequence[object]
    reply_to: Sequence[object]
    extra_headers: Mapping[str, object]
    attachments: Sequence[object]
    content_subtype: str
    encoding: object
    mailcordon_accepted: Accepted

    def recipients(self) -> Sequence[object]: ...
    def message(self) -> Any: ...


class EmailBackend(BaseEmailBackend):
    """Sends over a connection that threads may share, as Django's SMTP backend does.

    Each argument takes the place of its setting: `get_connection(type="invoice")`. `username` and `password` are those of
    Mailcordon's SMTP door: `tenant` or `tenant+type`, and an API key. So `send_mail(..., auth_user=, auth_password=)` works.

    After sending, a message's `mailcordon_accepted` has the answer: its id, and the recipients that were refused.
    """

    def __init__(
        self,
        *,
        url: str | None = None,
        key: str | None = None,
        type: str | None = None,
        tenant: str | None = None,
        username: str | None = None,
        password: str | None = None,
        timeout: float | None = None,
        fail_silently: bool = False,
        **more: Any,
    ) -> None:
        super().__init__(**more)
        self.fail_silently = fail_silently
        named_tenant, _, named_type = (username or "").partition("+")
        self._url = url or _setting("MAILCORDON_URL")
        self._key = key or password or _setting("MAILCORDON_KEY")
        self._type = type or named_type or _setting("MAILCORDON_TYPE") or ""
        self._tenant = tenant or named_tenant or _setting("MAILCORDON_TENANT") or ""
        in_mailers = (
            "alias" in more
        )  # Django 6.1 and newer: their options take the place of settings named EMAIL_
        self._timeout = timeout or (None if in_mailers else _setting("EMAIL_TIMEOUT")) or TIMEOUT
        self._client: Client | None = None
        self._lock = threading.RLock()

    def open(self) -> bool:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Whether a client was made; False if there is one. Raises ValueError if the URL or the key is missing."""
        with self._lock:
            if self._client is not None:
                return False
            self._client = Client(self._url, self._key, timeout=self._timeout)
            return True

    def close(self) -> None:
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    def send_messages(self, email_messages: Sequence[Any]) -> int:
        """How many messages were accepted. Raises MailcordonError at the first that was not, unless `fail_silently`."""
        sent = 0
        if not email_messages:
            return sent
        with self._lock:
            opened = self.open()
            assert self._client is not None
            try:
                for message in email_messages:
                    sent += self._send(self._client, message)
            finally:
                if opened:
                    self.close()
        return sent

    def _send(self, client: Client, message: Mail) -> bool:
        if not message.recipients():
            return False
        said, key = self._options(message)
        whole = _as_fields(message, said) or _as_mime(message, said, key)
        try:
            accepted = client.send(whole, idempotency_key=key)
        except MailcordonError:
            if not self.fail_silently:
                raise
            return False
        message.mailcordon_accepted = accepted
        return True

    def _options(self, message: Mail) -> tuple[dict[str, Any], str | None]:
        """What the message says of itself, over what the backend says; and its idempotency key."""
        said: dict[str, Any] = {"type": self._type, "tenant": self._tenant}
        for name, value in message.extra_headers.items():
            if name.lower().startswith(_OWN) and (option := name[len(_OWN) :].lower()) in _AS_HEADERS:
                said[option] = str(value)
        own = cast("Mapping[str, Any]", getattr(message, "mailcordon", {}))
        if unknown := set(own) - _OPTIONS:
            raise ValueError(
                f"message.mailcordon has {', '.join(sorted(unknown))}; it may have {', '.join(sorted(_OPTIONS))}."
            )
        said |= own
        key = said.pop("idempotency_key", None)
        if not said["type"]:
            raise ValueError(
                'The message has no type: set MAILCORDON_TYPE, or message.mailcordon = {"type": ...}.'
            )
        return said, key


def _setting(name: str) -> Any:
    return getattr(settings, name, None)


def _as_fields(message: Mail, said: Mapping[str, Any]) -> Message | None:
    """The message, if fields say all of it; else None."""
    headers = {name: str(value) for name, value in message.extra_headers.items() if not _is_own(name)}
    charset = str(message.encoding or settings.DEFAULT_CHARSET).lower()
    if cast("type", type(message)) not in (EmailMessage, EmailMultiAlternatives) or message.attachments:
        return None  # a subclass may make a MIME message of its own
    if charset not in ("utf-8", "utf8") or message.content_subtype not in ("plain", "html"):
        return None
    if len(headers) > _MOST_HEADERS or not all(_is_field_header(*one) for one in headers.items()):
        return None
    parts = {message.content_subtype: str(message.body)} if message.body else {}
    for content, kind in cast("Sequence[tuple[object, str]]", getattr(message, "alternatives", ())):
        if kind != "text/html" or "html" in parts:
            return None
        parts["html"] = str(content)
    lines = [
        str(one) for one in (message.subject, message.from_email, *message.recipients(), *message.reply_to)
    ]
    if not parts or any("\n" in one or "\r" in one for one in lines):
        return None  # Django's own error for a line break in a header
    return Message(
        from_=_mailbox(message.from_email),
        to=_mailboxes(message.to),
        cc=_mailboxes(message.cc),
        bcc=_mailboxes(message.bcc),
        reply_to=_mailboxes(message.reply_to),
        subject=str(message.subject),
        text=parts.get("plain"),
        html=parts.get("html"),
        headers=headers,
        **said,
    )


def _as_mime(message: Mail, said: Mapping[str, Any], key: str | None) -> Message:
    made = message.message()
    for name in [name for name in message.extra_headers if _is_own(name)]:
        del made[name]
    if key:
        _make_repeatable(made, message, key)
    if isinstance(made, email.message.EmailMessage):  # since Django 6
        raw = made.as_bytes(policy=email.policy.SMTP)
    else:
        raw = made.as_bytes(linesep="\r\n")
    envelope = dict.fromkeys(parseaddr(str(one))[1] or str(one) for one in message.recipients())
    return Message(raw=raw, to=list(envelope), **said)


def _make_repeatable(made: Any, message: Mail, key: str) -> None:
    """The same bytes whenever a message is sent with its key: another body with it would be a Conflict.

    Date and Message-ID are SES's in any case; boundaries are random unless they are set.
    """
    given = {name.lower() for name in message.extra_headers}
    for name in ("Date", "Message-ID"):
        if name.lower() not in given:
            del made[name]
    stem = hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()[:32]
    for number, part in enumerate(made.walk()):
        if part.is_multipart() and part.get_content_maintype() == "multipart" and part.get_boundary() is None:
            part.set_boundary(f"={stem}.{number}=")


def _is_own(header: str) -> bool:
    return header.lower().startswith(_OWN) and header[len(_OWN) :].lower() in _AS_HEADERS


def _is_field_header(name: str, value: str) -> bool:
    lower = name.lower()
    known = lower in _FIELD_HEADERS or lower.startswith(("x-", "list-"))
    return known and not lower.startswith(_OTHERS) and value.isascii() and value.isprintable()


def _mailboxes(given: Sequence[object]) -> list[str]:
    """Each once: the API refuses an address that stands twice in one field, and Django takes it."""
    by_address: dict[str, object] = {}
    for one in given:
        if one:
            by_address.setdefault(parseaddr(str(one))[1].lower() or str(one), one)
    return [_mailbox(one) for one in by_address.values()]


def _mailbox(text: object) -> str:
    """With its name in quotes and as it is read: the API wants both, and Django neither."""
    name, address = parseaddr(str(text))
    if not (name and address):
        return str(text).strip()
    if "=?" in name:  # encoded already, as some backends want it
        name = str(make_header(decode_header(name)))
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}" <{address}>'
