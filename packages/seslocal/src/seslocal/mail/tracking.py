"""Opens and clicks: the pixel and links that SES puts into the HTML of a tracked mail, and the events when they are fetched. The
ledger stores what the caller gave; the HTML as delivered is made from it on demand. Links are signed, so that nobody can use them
to redirect a browser elsewhere. The newest ten thousand tracked mails can be opened and clicked."""

from __future__ import annotations

import hashlib
import hmac
import re
from html import escape, unescape
from typing import Final
from urllib.parse import quote, unquote

from seslocal.events.documents import clicked, event_document, opened
from seslocal.events.publishing import publish
from seslocal.state.accepted_mail import Mail
from seslocal.state.account import Account
from seslocal.state.configuration_sets import ConfigurationSet
from seslocal.state.tracking import Tracked
from seslocal.wire.params import Params
from seslocal.wire.protocol import Request, Response

OPEN: Final = "/I0/"
CLICK: Final = "/L0/"
#: headers for untrusted HTML: no scripts, nothing loaded, no origin
LOCKED: Final = (
    ("Content-Security-Policy", "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
)
_MOST_LINKS: Final = 250  # in one mail; SES does not change the others
_PIXEL: Final = bytes.fromhex(
    "47494638396101000100800000ffffff00000021f90401000000002c00000000010001000002024401003b"
)
_LINK: Final = re.compile(r"<a\b[^>]*?>", re.IGNORECASE | re.DOTALL)
_HREF: Final = re.compile(r"""(\bhref\s*=\s*)("[^"]*"|'[^']*'|[^\s>]+)""", re.IGNORECASE)
_LINK_TAGS: Final = re.compile(r"""\sses:tags\s*=\s*("[^"]*"|'[^']*')""", re.IGNORECASE)
_NO_TRACK: Final = re.compile(r"\sses:no-track(\s*=\s*(\"[^\"]*\"|'[^']*'))?(?=[\s/>])", re.IGNORECASE)
_OPEN_TRACKER: Final = re.compile(r"\{\{\s*ses:openTracker\s*\}\}")
_BOTS: Final = re.compile(r"bot|crawl|spider|preview|proxy|scanner|curl|python|wget|http", re.IGNORECASE)


def track(
    account: Account, mail: Mail, configuration_set: ConfigurationSet | None, overrides: Params | None = None
) -> None:
    """Tracks opens and clicks if the set or the account does; the call's own settings take precedence (ses.md 4.1)."""
    if configuration_set is None:
        return
    opens = clicks = configuration_set.tracks_engagement or account.attributes.tracks_engagement
    for destination in configuration_set.destinations.values():
        if destination.enabled:
            opens = opens or "OPEN" in destination.types
            clicks = clicks or "CLICK" in destination.types
    if overrides is not None:
        opens = overrides.get("OpenTrackingEnabled", "ENABLED" if opens else "") == "ENABLED"
        clicks = overrides.get("ClickTrackingEnabled", "ENABLED" if clicks else "") == "ENABLED"
    if opens or clicks:
        account.mail.tracking.add(Tracked(mail, configuration_set, opens, clicks))


def as_delivered(account: Account, message_id: str, html: str, base: str) -> str:
    """Returns the HTML as delivered, with links and pixel that lead to `base`."""
    tracked = account.mail.tracking.get(message_id)
    if tracked is None:
        return _OPEN_TRACKER.sub("", html)
    if tracked.clicks:
        html = _rewritten(account, message_id, html, base)
    if not tracked.opens:
        return _OPEN_TRACKER.sub("", html)
    signature = _signature(account, OPEN, message_id)
    pixel = f'<img alt="" src="{escape(base)}{OPEN}{message_id}/{signature}" width="1" height="1">'
    html, placed = _OPEN_TRACKER.subn(lambda _: pixel, html, count=1)
    if placed:
        return _OPEN_TRACKER.sub("", html)
    end = html.lower().rfind("</body")
    return html + pixel if end < 0 else html[:end] + pixel + html[end:]


def respond(account: Account, request: Request) -> Response | None:
    """Responds to a pixel or a link, and publishes the event. Returns None if the request is for something else."""
    if request.method not in ("GET", "HEAD"):
        return None
    if request.path.startswith(OPEN):
        return _fetch_pixel(account, request)
    if request.path.startswith(CLICK):
        return _follow(account, request)
    return None


def report_open(account: Account, tracked: Tracked, ip: str, agent: str) -> None:
    """Publishes that the pixel was fetched by this User-Agent from this address."""
    _report(account, tracked, "Open", opened(ip, agent, _now(account), _bot_likelihood(agent)))


def report_click(account: Account, tracked: Tracked, ip: str, agent: str, link: str, pairs: str) -> None:
    """Publishes that a link was followed. `pairs` is its attribute ses:tags."""
    body = clicked(ip, agent, _now(account), _bot_likelihood(agent), link, _link_tags(pairs))
    _report(account, tracked, "Click", body)


def links_of(html: str, most: int) -> tuple[tuple[str, str], ...]:
    """Returns the first `most` links that click tracking changes, each with its attribute ses:tags."""
    found: list[tuple[str, str]] = []
    for anchor in _LINK.finditer(html):
        text = anchor[0]
        if len(found) == most:
            break
        if not _NO_TRACK.search(text) and (link := _tracked_link(_HREF.search(_LINK_TAGS.sub("", text)))):
            found.append((link, _pairs(_LINK_TAGS.search(text))))
    return tuple(found)


def _fetch_pixel(account: Account, request: Request) -> Response:
    parts = request.path[len(OPEN) :].split("/")
    if len(parts) == 2 and hmac.compare_digest(
        parts[1].encode(), _signature(account, OPEN, parts[0]).encode()
    ):
        tracked = account.mail.tracking.get(parts[0])
        if tracked is not None and tracked.opens:
            report_open(account, tracked, *_client(request))
    return Response(200, _PIXEL, "image/gif", (("Cache-Control", "no-cache, no-store"),))


def _follow(account: Account, request: Request) -> Response:
    parts = request.path[len(CLICK) :].split("/")
    if len(parts) != 4:
        return _gone()
    link, pairs, message_id, mark = unquote(parts[0]), unquote(parts[1]), parts[2], parts[3]
    if not hmac.compare_digest(mark.encode(), _signature(account, CLICK, message_id, link, pairs).encode()):
        return _gone()
    tracked = account.mail.tracking.get(message_id)
    if tracked is not None and tracked.clicks:
        report_click(account, tracked, *_client(request), link, pairs)
    return Response(302, b"", "text/plain", (("Location", quote(link, safe="%/:=&?~#+!$,;'@()*[]")),))


def _gone() -> Response:
    return Response(404, b"This link is unknown or was modified.", "text/plain")


def _rewritten(account: Account, message_id: str, html: str, base: str) -> str:
    left = _MOST_LINKS

    def rewrite(anchor: re.Match[str]) -> str:
        nonlocal left
        text = anchor[0]
        if _NO_TRACK.search(text):
            return _NO_TRACK.sub("", text)
        tags = _LINK_TAGS.search(text)
        text = _LINK_TAGS.sub("", text)
        href = _HREF.search(text)
        link = _tracked_link(href)
        if href is None or link is None or left <= 0:
            return text
        left -= 1
        pairs = _pairs(tags)
        signature = _signature(account, CLICK, message_id, link, pairs)
        url = f"{base}{CLICK}{quote(link, safe='')}/{quote(pairs, safe='')}/{message_id}/{signature}"
        return f'{text[: href.start()]}{href[1]}"{escape(url)}"{text[href.end() :]}'

    return _LINK.sub(rewrite, html)


def _tracked_link(href: re.Match[str] | None) -> str | None:
    """Returns the link of an anchor's `href` if it is one that click tracking changes."""
    if href is None:
        return None
    link = unescape(href[2].strip("\"'").strip())
    if not re.match(r"https?://", link, re.IGNORECASE) or re.search(r"[\x00-\x20\x7f]", link):
        return None
    return link


def _pairs(tags: re.Match[str] | None) -> str:
    return unescape(tags[1].strip("\"'")) if tags else ""


def _link_tags(pairs: str) -> dict[str, list[str]] | None:
    tags: dict[str, list[str]] = {}
    for pair in pairs.split(";"):
        name, colon, value = pair.partition(":")
        if colon and name.strip():
            tags.setdefault(name.strip(), []).append(value.strip())
    return tags or None


def _report(account: Account, tracked: Tracked, event: str, body: dict[str, object]) -> None:
    tenant_tag = account.behaviour.tenant_tag_on_every_event
    mail = tracked.mail
    for observer in account.mail.observers:
        observer.happened(mail, event, None, (), account.clock.now())
    publish(
        account,
        tracked.configuration_set,
        event,
        mail,
        lambda: event_document(mail, event, body, tenant_tag=tenant_tag, left=True),
    )


def _client(request: Request) -> tuple[str, str]:
    return request.peer, request.headers.get("user-agent", "")


def _bot_likelihood(agent: str) -> str:
    return "Unlikely" if agent and not _BOTS.search(agent) else "Likely"


def _now(account: Account) -> float:
    return account.clock.now() + account.faults.skew()


def _signature(account: Account, *parts: str) -> str:
    return hmac.new(
        account.mail.tracking.secret, "\n".join(parts).encode("utf-8", "replace"), hashlib.sha256
    ).hexdigest()[:24]
