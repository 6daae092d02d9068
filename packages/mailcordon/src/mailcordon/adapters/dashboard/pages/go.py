"""The search of the bar: from a name, an address or an id to the page about it."""

import re
from typing import Any

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.response import Redirect

from mailcordon.adapters.dashboard.formats import segment
from mailcordon.adapters.dashboard.links import link
from mailcordon.adapters.dashboard.rest import Problem, Rest
from mailcordon.adapters.dashboard.site import PageRequest, Site
from mailcordon.messages import lane_pages as messages

LONGEST = 320  #: characters
_ID = re.compile(r"(msg|dlv)_[0-9a-z]{1,32}", re.ASCII)
_INCIDENT = re.compile(r"(?:incident )?#?([0-9]{1,9})", re.ASCII | re.IGNORECASE)
_LANE = re.compile(r"([a-z0-9][a-z0-9-]{0,62})/([a-z0-9][a-z0-9-]{0,62})", re.ASCII)
_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,62}", re.ASCII)
_DOMAIN = re.compile(r"[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+", re.ASCII)
#: SES's id of a mail: `0100...-8-4-4-4-12-000000`, alone or in its Message-ID.
_SES_ID = re.compile(r"[0-9a-f]{16}-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}-[0-9]{6}", re.ASCII)
_MOST_TENANTS = 20

Choice = tuple[str, str]  #: words, and the page


def routes(site: Site) -> list[HTTPRouteHandler]:
    @get("/go")
    async def go(request: PageRequest) -> Response[str] | Redirect:
        asked = request.query_params.get("q", "")[:LONGEST].strip()
        choices = await _choices(site.rest(request), asked) if asked else []
        if len(choices) == 1:
            return Redirect(choices[0][1], status_code=303)
        return site.page(
            request,
            "tenants/go.html",
            title="Search",
            asked=asked,
            choices=choices,
            nothing=messages.nothing_is_called(asked),
            finds=messages.what_can_be_found(),
        )

    return [go]


async def _choices(rest: Rest, asked: str) -> list[Choice]:
    """The pages that can be meant. The API says what exists for this person."""
    low = asked.lower()
    if _ID.fullmatch(low):
        found = await _got(rest, "/v1/messages/{}", low)
        return [] if found is None else [(low, f"/messages/{segment(low)}")]
    if match := _SES_ID.search(low):
        return await _mails(rest, ses_id=match[0])
    if low.startswith("<") or low.endswith("amazonses.com>"):
        return await _mails(rest, message_id=asked)
    if "@" in asked:
        # An address has one page even before it was mailed: the search says that it never was.
        return [(asked, link("/messages", to=asked))] if await _is_address(rest, asked) else []
    if match := _LANE.fullmatch(low):
        found = await _got(rest, "/v1/tenants/{}/lanes/{}", match[1], match[2])
        return [] if found is None else [(low, f"/tenants/{match[1]}/lanes/{match[2]}")]
    return await _by_name(rest, low)


async def _by_name(rest: Rest, low: str) -> list[Choice]:
    found: list[Choice] = []
    if match := _INCIDENT.fullmatch(low):
        number = int(match[1])
        if await _got(rest, "/v1/incidents/{}", number) is not None:
            found.append((f"Incident {number}", f"/incidents/{number}"))
    if _SLUG.fullmatch(low):
        if await _got(rest, "/v1/tenants/{}", low) is not None:
            return [*found, (f"Tenant {low}", f"/tenants/{low}")]
        found += [
            (f"Tenant {one['slug']}", f"/tenants/{segment(one['slug'])}")
            for one in await _items(rest, "/v1/tenants", prefix=low, limit=_MOST_TENANTS)
            if one["retired_at"] is None
        ]
    if _DOMAIN.fullmatch(low):
        identity = await _got(rest, "/v1/identities/{}", low)
        if identity is not None:
            found.append((f"Domain {low}", f"/tenants/{segment(identity['tenant'])}/domains/{segment(low)}"))
    return found


async def _mails(rest: Rest, **asked: str) -> list[Choice]:
    items = await _items(rest, "/v1/messages", **asked)
    return [(f"{one['to']}, {one['type']}", f"/messages/{segment(one['message'])}") for one in items]


async def _items(rest: Rest, path: str, **query: Any) -> list[dict[str, Any]]:
    page = await _got(rest, path, **query)
    return [] if page is None else page["items"]


async def _is_address(rest: Rest, asked: str) -> bool:
    return await _got(rest, "/v1/messages", to=asked, limit=1) is not None


async def _got(rest: Rest, path: str, *parts: str | int, **query: Any) -> Any:
    """None for what is not there, not for this person, or nothing that can be asked for."""
    try:
        return await rest.get(path, *parts, **query)
    except Problem as problem:
        if problem.status in (400, 403, 404, 422):
            return None
        raise
