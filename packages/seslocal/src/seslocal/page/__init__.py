"""The web page that shows the mail that arrived, its recipients and outcomes. It is rendered on the server from the ledger and
works without scripts; a small script only shows that there is new mail. A mail's HTML is untrusted: it is shown in a
sandboxed frame under a policy that runs no scripts and loads nothing remote unless asked."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import Final
from urllib.parse import parse_qs, quote, unquote

from seslocal.mail.parts import read_parts
from seslocal.page import fates, mail_html, messages, views
from seslocal.page.search import find
from seslocal.state.account import Account
from seslocal.state.ledger import LedgerEntry
from seslocal.wire.protocol import Request, Response

_ASSETS: Final = {"page.css": "text/css", "page.js": "text/javascript"}
_COMMON: Final = (("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"))
_POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_PAGE: Final = (
    ("Content-Security-Policy", _POLICY),
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    (
        "Referrer-Policy",
        "same-origin",
    ),  # with no-referrer, browsers send `Origin: null` with the page's own form
)
PER_PAGE: Final = 50


def is_for(request: Request) -> bool:
    path = request.path
    if path == "/clear":
        return True
    return request.method in ("GET", "HEAD") and (
        path in ("/", "/account") or path.startswith(("/assets/", "/mail/"))
    )


def respond(account: Account, request: Request) -> Response | None:
    """Returns None if the request is not for the page."""
    if not is_for(request):
        return None
    path = request.path
    if path == "/clear":
        return _clear(account, request)
    if path == "/":
        return _html(views.listing(_page_request(account, request), None))
    if path == "/account":
        return _html(views.account(_page_request(account, request)))
    if path.startswith("/assets/"):
        return _asset(path[len("/assets/") :])
    return _mail(account, request, [unquote(part) for part in path[len("/mail/") :].split("/")])


def _mail(account: Account, request: Request, parts: list[str]) -> Response:
    entry = account.mail.ledger.get(parts[0])
    if entry is None:
        return _html(views.missing(_page_request(account, request), parts[0]), 404)
    match parts[1:]:
        case []:
            return _html(views.listing(_page_request(account, request), entry))
        case ["body"]:
            return _body(account, request, entry)
        case ["source"]:
            found = read_parts(entry)
            return _download(found.source if found else b"", f"{entry.message_id}.eml", "message/rfc822")
        case ["files", number]:
            return _file(entry, number)
        case _:
            return _html(views.missing(_page_request(account, request), parts[0]), 404)


def _page_request(account: Account, request: Request) -> views.PageRequest:
    """Reads the request's query and finds the mails to list."""
    query = parse_qs(request.query, errors="replace") if request.query.count("&") < 50 else {}

    def of(name: str) -> str:
        return query.get(name, [""])[0]

    text, tenant = of("q").strip(), of("tenant")
    fate = of("fate") if of("fate") in fates.GROUPS else ""
    before = _number(of("before"))
    events = account.events.log.by_mail()
    entries, more = find(account, text, tenant, fate, before, PER_PAGE, events)
    return views.PageRequest(
        account=account,
        text=text,
        tenant=tenant,
        fate=fate,
        before=before,
        view=of("view"),
        remote=of("remote") == "1",
        entries=entries,
        events=events,
        more=more,
        base=f"http://{request.headers.get('host', '')}" if request.headers.get("host") else account.url,
    )


def _body(account: Account, request: Request, entry: LedgerEntry) -> Response:
    found = read_parts(entry)
    remote = "remote=1" in request.query.split("&")
    if found is None or found.html is None:
        return Response(404, messages.NO_HTML.encode(), "text/plain", _COMMON)
    host = request.headers.get("host")
    text = mail_html.html(account, entry, found, f"http://{host}" if host else account.url)
    headers = (
        ("Content-Security-Policy", mail_html.policy(remote=remote)),
        ("Cache-Control", "no-store"),
        *_COMMON,
    )
    return Response(200, text.encode("utf-8", "replace"), "text/html; charset=utf-8", headers)


def _file(entry: LedgerEntry, number: str) -> Response:
    found = read_parts(entry)
    index = _number(number)
    if found is None or index is None or index >= len(found.files):
        return Response(404, messages.NO_ATTACHMENT.encode(), "text/plain", _COMMON)
    file = found.files[index]
    return _download(file.data, file.name, "application/octet-stream")


def _download(data: bytes, name: str, kind: str) -> Response:
    """Always downloaded, never displayed: the content is untrusted."""
    headers = (
        ("Content-Disposition", f"attachment; filename*=UTF-8''{quote(name, safe='')}"),
        ("Content-Security-Policy", "sandbox; default-src 'none'"),
        *_COMMON,
    )
    return Response(200, data, kind, headers)


def _clear(account: Account, request: Request) -> Response:
    if request.method != "POST":
        return Response(405, messages.CLEAR_TAKES_POST.encode(), "text/plain", (("Allow", "POST"), *_COMMON))
    account.mail.ledger.clear()
    account.mail.tracking.clear()
    return Response(303, b"", "text/plain", (("Location", "/"), *_COMMON))


def _asset(name: str) -> Response:
    kind = _ASSETS.get(name)
    if kind is None:
        return Response(404, messages.NO_ASSET.encode(), "text/plain", _COMMON)
    return Response(200, _read(name), f"{kind}; charset=utf-8", _COMMON)


@cache
def _read(name: str) -> bytes:
    return files("seslocal.page").joinpath(name).read_bytes()


def _number(text: str) -> int | None:
    return int(text) if re.fullmatch("[0-9]{1,12}", text) else None


def _html(text: str, status: int = 200) -> Response:
    return Response(status, text.encode("utf-8", "replace"), "text/html; charset=utf-8", _PAGE)
