"""Which requests the port answers at all, decided before any service sees them. seslocal runs next to a developer's browser, and
every page that is open there can send requests to it. Three rules hold for the whole port:

- Host: the name is a loopback name, the server's own address, or was allowed (`--allow-host`). A page whose name was rebound to
  this address keeps its own name in Host.
- Origin and Sec-Fetch-Site: a page of another origin is refused, signed or not: the keys `test`/`test` are known to every page.
  Only what is made to be opened from elsewhere is answered: links and pixels of a mail, SNS's links and certificate, and a
  link to the page. A GET has no Origin, and over plain HTTP browsers send Sec-Fetch-Site to loopback addresses alone. So where a
  page would not be told from a program, a presigned GET may only read.
- Token: the admin API and the page require it if the server listens beyond loopback, or if one was set.

`refusal` is pure: it takes a request and returns what is wrong with it, or None."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Collection
from dataclasses import dataclass, field
from hmac import compare_digest
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final
from urllib.parse import parse_qsl

from seslocal import messages, sns
from seslocal.errors import ApiError
from seslocal.events.documents import CERTIFICATE_PATH
from seslocal.mail import list_management, tracking, verification_links
from seslocal.wire import signature
from seslocal.wire.protocol import Request

#: a Host header: a name or an address, and perhaps a port
_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:/@,\s]+)(?::[0-9]{0,5})?")
_LINKS: Final = (tracking.OPEN, tracking.CLICK, list_management.PATH, verification_links.PATH)
_READS: Final = ("Get", "List", "Describe")  #: beginnings of the actions that change nothing
_OWN_SITE: Final = ("same-origin", "none")  #: this page, or typed by the user
_MOST_KNOWN: Final = 1000  #: Host headers that are remembered as allowed
#: makes browsers ask for the token: any user name, the token as password
CHALLENGE: Final = ("WWW-Authenticate", 'Basic realm="seslocal", charset="UTF-8"')


@dataclass(slots=True)
class Admission:
    """`bound` are the addresses that the server listens on, and its `--host`; `names` are further Host names, and `*.example.com`
    stands for all names below example.com. With a `token`, the admin API and the page require it."""

    bound: Collection[str]
    names: Collection[str] = ()
    token: str | None = None
    _known: set[str] = field(default_factory=set[str])

    def refusal(self, request: Request) -> ApiError | None:
        """Returns why the request is not answered. Called for every request."""
        headers = request.headers
        host = headers.get("host")
        if host is not None and host not in self._known:  # no browser leaves Host out
            if not self._is_allowed(host):
                return ApiError("AccessDeniedException", messages.host_not_allowed(_shown(host)), 403)
            if len(self._known) < _MOST_KNOWN:
                self._known.add(host)
        is_from_browser = "origin" in headers or "sec-fetch-site" in headers
        if is_from_browser and _is_foreign(request) and not _is_open_to_all(request):
            return ApiError("AccessDeniedException", messages.from_another_origin(_who(request)), 403)
        if request.method in ("GET", "HEAD") and _changes_by_link(request) and not _says_its_site(request):
            return ApiError("AccessDeniedException", messages.change_by_link(), 403)
        return None

    def token_refusal(self, request: Request) -> str | None:
        """Returns why a request of the admin API or the page is not answered: the token is missing or wrong."""
        if self.token is None:
            return None
        given = _token(request.headers.get("authorization", ""))
        if given is None:
            return messages.token_missing()
        if not compare_digest(given.encode("utf-8", "replace"), self.token.encode()):
            return messages.token_wrong()
        return None

    def _is_allowed(self, host: str) -> bool:
        found = _HOST.fullmatch(host)
        if found is None:
            return False
        name = found[1].strip("[]").lower().removesuffix(".")
        address = _address(name)
        if name == "localhost" or name in self.bound or (address is not None and address.is_loopback):
            return True
        if address is not None and any(_is_every(each) for each in self.bound):
            return True  # it is not known by which address clients reach it, and a rebound name is not an address
        return any(_names(pattern, name) for pattern in self.names)


def is_loopback(address: str) -> bool:
    """Whether only this machine reaches a server at the address."""
    found = _address(address)
    return found is not None and found.is_loopback


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(text)
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found


def _is_every(address: str) -> bool:
    found = _address(address)
    return found is not None and found.is_unspecified


def _names(pattern: str, name: str) -> bool:
    pattern = pattern.lower()
    return name.endswith(pattern[1:]) if pattern.startswith("*.") else name == pattern


def _is_foreign(request: Request) -> bool:
    """Whether a browser sent it for a page of another origin. Browsers set both headers themselves; a page cannot."""
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    if site is not None and site not in _OWN_SITE:
        return True
    if origin is None or (origin == "null" and site == "same-origin"):
        return False
    host = request.headers.get("host", "").lower()
    return origin.lower() not in (f"http://{host}", f"https://{host}")  # https: behind a proxy


def _changes_by_link(request: Request) -> bool:
    """Whether all that a call needs is in its address, its signature too, so that any page can make a browser send it."""
    if "Action=" not in request.query or "authorization" in request.headers:
        return False
    if not signature.is_signed(request):
        return False
    return not all(action.startswith(_READS) for action in _calls(request.query))


def _says_its_site(request: Request) -> bool:
    """Whether a browser would have said which page a GET is for, so that a request that does not say so is a program's.

    Browsers say it to https and to loopback (Fetch Metadata; Secure Contexts section 3.1). Behind a proxy https is not seen here.
    """
    headers = request.headers
    if "sec-fetch-site" in headers:
        return True
    host = headers.get("host")
    if host is None:
        return True
    if headers.get("user-agent", "").startswith("Mozilla/"):
        return False  # a browser from before 2023
    found = _HOST.fullmatch(host)
    name = "" if found is None else found[1].strip("[]").lower()
    if name == "localhost":
        return True
    try:
        address = ip_address(name)
    except ValueError:
        return False
    return address.is_loopback and getattr(address, "ipv4_mapped", None) is None


def _is_open_to_all(request: Request) -> bool:
    """Whether it reads something that other sites and mail programs link to."""
    if request.method not in ("GET", "HEAD"):
        return False
    path = request.path
    if path.startswith(_LINKS) or path == CERTIFICATE_PATH:
        return True  # each link carries its own proof
    is_navigation = (
        request.headers.get("sec-fetch-mode") == "navigate"
        and request.headers.get("sec-fetch-dest") == "document"
    )
    if not is_navigation:
        return False
    if path == "/" and "Action=" in request.query:
        return _calls(request.query) <= set(sns.FREE) and not signature.is_signed(request)
    return path == "/" or path.startswith("/mail/")


def _calls(query: str) -> set[str]:
    """Returns the actions that a query could be read as."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="replace", max_num_fields=100)
    except ValueError:
        return {""}
    return {value for name, value in pairs if name == "Action"}


def _token(authorization: str) -> str | None:
    """Returns the token in `Bearer TOKEN`, or the password in `Basic`."""
    kind, _, value = authorization.partition(" ")
    match kind.lower():
        case "bearer":
            return value.strip()
        case "basic":
            try:
                return b64decode(value.strip()).decode().partition(":")[2]
            except (binascii.Error, ValueError):
                return ""
        case _:
            return None


def _who(request: Request) -> str:
    return _shown(request.headers.get("origin") or request.headers.get("sec-fetch-site", ""))


def _shown(text: str) -> str:
    """Returns it for a sentence: printable and short."""
    return "".join(char if char.isprintable() else "?" for char in text[:100])
