"""List management: a mail to a contact of a list carries SES's unsubscribe link, and its use is published (ses.md 3.1, 8.2). The
link leads to this server: a POST of `List-Unsubscribe=One-Click` unsubscribes (RFC 8058), a GET only shows the choices. The links
of the newest ten thousand such mails work."""

from __future__ import annotations

import base64
import email.parser
import email.policy
import re
from dataclasses import replace
from html import escape
from typing import Any, Final
from urllib.parse import parse_qsl

from seslocal.errors import bad_request, not_found
from seslocal.events.publishing import preferences_changed
from seslocal.mail.content import Letter
from seslocal.state.accepted_mail import Mail
from seslocal.state.account import Account
from seslocal.state.configuration_sets import ConfigurationSet
from seslocal.state.contacts import OPT_IN, OPT_OUT, Contact, ManagedMail
from seslocal.wire.params import Params
from seslocal.wire.protocol import Request, Response

PATH: Final = "/U0/"
PLACEHOLDER: Final = "{{amazonSESUnsubscribeUrl}}"
_MOST_PLACEHOLDERS: Final = 2
_MOST_BYTES: Final = 64 * 1024  # read of a form
_MOST_ONE_CLICK: Final = 4096  # read of a multipart form, by a regular expression
_CHOICES: Final = "choices"  # in the page's form; a POST without it comes from elsewhere and changes nothing
_MULTIPART: Final = re.compile(
    rb'name="?List-Unsubscribe"?[^\r\n]*(?:\r?\n[^\r\n]+)*\r?\n\r?\nOne-Click\r?\n', re.I
)
_OURS: Final = ("list-unsubscribe", "list-unsubscribe-post")
_AS_GIVEN: Final = email.policy.compat32.clone(linesep="\r\n", mangle_from_=False, max_line_length=None)
_HEADERS: Final = (
    ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "same-origin"),  # with no-referrer, browsers send `Origin: null` with its form
)


def add_unsubscribe_link(
    account: Account, letter: Letter, content: Params, name: str, topic: str | None
) -> tuple[Letter, Params]:
    """Returns the letter with the unsubscribe link, and its content as delivered. Raises ApiError."""
    found = account.contact_lists.find(name)
    if topic is not None and topic not in found.topics:
        raise not_found(f"Topic with name: {topic} doesn't exist in List {name}.")
    if len(letter.recipients) != 1:
        raise bad_request("Only one recipient is allowed when ListManagementOptions are used.")
    [address] = letter.recipients
    managed = ManagedMail(account.ids.uuid(), found, topic, address)
    url = f"{account.url}{PATH}{managed.token}"
    headers = [header for header in letter.headers if header["name"].lower() not in _OURS]
    headers += [
        {"name": "List-Unsubscribe", "value": f"<{url}>, <mailto:{managed.token}@unsubscribe.amazonses.com>"},
        {"name": "List-Unsubscribe-Post", "value": "List-Unsubscribe=One-Click"},
    ]
    out = () if found.wants(address, topic) else (address,)
    return replace(letter, headers=headers, managed=managed, opted_out=out), _with_link(content, url)


def options_of(text: str) -> tuple[str, str | None]:
    """Returns list and topic of the header X-SES-LIST-MANAGEMENT-OPTIONS: `{list}; topic={topic}`."""
    name, _, rest = text.partition(";")
    key, _, topic = rest.partition("=")
    return name.strip(), topic.strip() or None if key.strip().lower() == "topic" else None


def activate_link(
    account: Account, managed: ManagedMail, mail: Mail, configuration_set: ConfigurationSet | None
) -> None:
    """Called when the mail was accepted: makes its link work, and its recipient a contact."""
    managed.mail, managed.configuration_set = mail, configuration_set
    account.contact_lists.add_managed(managed)
    if managed.address.lower() not in managed.list.contacts:
        managed.list.put(managed.address, {}, account.clock.now())


def respond(account: Account, request: Request) -> Response | None:
    """Responds to an unsubscribe link. Returns None if the request is for something else."""
    if not request.path.startswith(PATH):
        return None
    managed = account.contact_lists.managed.get(request.path[len(PATH) :])
    if managed is None or account.contact_lists.get(managed.list.name) is not managed.list:
        return _page(404, "<p>This link is unknown or has expired.</p>")
    if request.method in ("GET", "HEAD"):
        return _page(200, _choices(managed))
    if request.method != "POST":
        return Response(405, b"", "text/plain")
    if _is_one_click(request):
        _unsubscribe(account, managed)
        return _page(200, "<p>You are unsubscribed.</p>")
    form = dict(_form(request))
    if _CHOICES not in form:
        return _page(400, "<p>This is no choice.</p>" + _choices(managed))
    _choose(account, managed, form)
    return _page(200, "<p>Your choices were saved.</p>" + _choices(managed))


def _form(request: Request) -> list[tuple[str, str]]:
    return parse_qsl(request.body[:_MOST_BYTES].decode("utf-8", "replace"), keep_blank_values=True)


def _is_one_click(request: Request) -> bool:
    """RFC 8058 section 3.2: the form is url-encoded or multipart/form-data."""
    if request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        return _MULTIPART.search(request.body[:_MOST_ONE_CLICK]) is not None
    return ("List-Unsubscribe", "One-Click") in _form(request)


# what the recipient does


def _unsubscribe(account: Account, managed: ManagedMail) -> None:
    def out(contact: Contact) -> None:
        if managed.topic is None:
            contact.unsubscribed_all = True
        elif managed.topic in managed.list.topics:  # else the topic was removed from the list
            contact.topics[managed.topic] = OPT_OUT

    _change(account, managed, out, "UnsubscribeHeader")


def _choose(account: Account, managed: ManagedMail, form: dict[str, str]) -> None:
    def choose(contact: Contact) -> None:
        contact.unsubscribed_all = "all" in form
        contact.topics = {
            name: OPT_IN if f"topic-{name}" in form else OPT_OUT for name in managed.list.topics
        }

    _change(account, managed, choose, "SubscriptionManagementPage")


def _change(account: Account, managed: ManagedMail, act: Any, source: str) -> None:
    found = managed.list
    contact = found.contacts.get(managed.address.lower()) or found.put(
        managed.address, {}, account.clock.now()
    )
    before = found.preferences(contact)
    act(contact)
    after = found.preferences(contact)
    if before == after:
        return
    contact.updated = account.clock.now()
    if managed.mail is not None:
        preferences_changed(
            account, managed.configuration_set, managed.mail, found.name, source, before, after
        )


# the page


def _choices(managed: ManagedMail) -> str:
    found = managed.list
    contact = found.contacts.get(managed.address.lower())
    rows: list[str] = []
    for topic in found.topics.values():
        own = contact.topics.get(topic.name) if contact else None
        checked = " checked" if (own or topic.default) == OPT_IN else ""
        name = escape(topic.name, quote=True)
        said = f" <small>{escape(topic.description)}</small>" if topic.description else ""
        rows.append(
            f'<p><label><input type="checkbox" name="topic-{name}"{checked}> {escape(topic.display_name)}</label>{said}</p>'
        )
    everything = " checked" if contact and contact.unsubscribed_all else ""
    return (
        f'<p>What may {escape(found.name)} send to {escape(managed.address)}?</p><form method="post">'
        f'<input type="hidden" name="{_CHOICES}" value="1">{"".join(rows)}'
        f'<p><label><input type="checkbox" name="all"{everything}> Nothing at all</label></p><p><button>Save</button></p></form>'
    )


def _page(status: int, body: str) -> Response:
    text = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Subscription preferences</title><style>body{{font:1rem sans-serif;max-width:32rem;margin:2rem auto;"
        f"padding:0 1rem}}</style><h1>Subscription preferences</h1>{body}</html>"
    )
    return Response(status, text.encode("utf-8", "replace"), "text/html; charset=utf-8", _HEADERS)


def _with_link(content: Params, url: str) -> Params:
    """Replaces the first two placeholders in the bodies with the link."""
    if "Raw" in content:
        return {"Raw": {"Data": _raw_with_link(content["Raw"]["Data"], url.encode())}}
    kind = "Simple" if "Simple" in content else "Rendered"
    if kind not in content:
        return content
    message: Params = content[kind]
    body, left = dict(message["Body"]), _MOST_PLACEHOLDERS
    for name in ("Text", "Html"):
        if name in body:
            text: str = body[name]["Data"]
            body[name] = {**body[name], "Data": text.replace(PLACEHOLDER, url, left)}
            left = max(0, left - text.count(PLACEHOLDER))
    return {**content, kind: {**message, "Body": body}}


def _raw_with_link(data: bytes, url: bytes) -> bytes:
    """Base64 parts are searched too; the mail is rebuilt only if one of them has the placeholder."""
    placeholder, left = PLACEHOLDER.encode(), _MOST_PLACEHOLDERS
    if b"base64" in data.lower():
        message = email.parser.BytesParser(policy=email.policy.compat32).parsebytes(data)
        for part in message.walk():
            encoding = str(part.get("Content-Transfer-Encoding", "")).strip().lower()
            text = part.get_payload(decode=True) if encoding == "base64" else None
            if (
                part.get_content_maintype() != "text"
                or not isinstance(text, bytes)
                or placeholder not in text
            ):
                continue
            filled = text.replace(placeholder, url, left)
            left = max(0, left - text.count(placeholder))
            part.set_payload(base64.encodebytes(filled).decode("ascii"))
        if left < _MOST_PLACEHOLDERS:
            data = message.as_bytes(policy=_AS_GIVEN)
    return data.replace(placeholder, url, left)
