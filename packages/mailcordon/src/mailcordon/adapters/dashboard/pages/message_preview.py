"""The content of one mail: its headers, its text, the names of its files, and its HTML in a frame in which nothing can happen.

The HTML is anybody's. It is served by a route of its own, which a page shows in a sandboxed frame: no script, no form, no window,
no request. The policy of the answer forbids each of them once more, should the frame be missing.
"""

import re
from typing import Any

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from mailcordon.adapters.dashboard.rest import Problem
from mailcordon.adapters.dashboard.site import HTML, SECURITY_HEADERS, PageRequest, Site, visitor_of
from mailcordon.messages import dashboard
from mailcordon.messages import previews as messages

#: Of the frame's document. Its own styles and the pictures in it are shown, and nothing is asked of anybody.
FRAME_HEADERS = {
    "content-security-policy": (
        "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data: cid:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'self'"
    ),
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-dns-prefetch-control": "off",
    "cache-control": "no-store",
}
#: Elements whose requests and effects no policy covers: `link` looks up names and connects ahead, `meta` sets policies and
#: refreshes, `base` changes where the others lead. A parser of HTML takes only these letters for them, in whatever case.
_UNCOVERED = re.compile(r"<(?=(?:link|meta|base)[\s/>])", re.IGNORECASE)
_HOST = re.compile(r"[A-Za-z0-9.-]+(?::[0-9]{1,5})?|\[[0-9a-fA-F:.]+\](?::[0-9]{1,5})?", re.ASCII)


def routes(site: Site) -> list[HTTPRouteHandler]:
    @get("/messages/{id:str}/preview")
    async def preview(request: PageRequest) -> Response[str]:
        _require(request)
        id = str(request.path_params["id"])
        found = await site.rest(request).get("/v1/messages/{}/preview", id, part="text")
        content = found["content"]
        frame = f"/messages/{found['delivery']}/preview/html"
        page = site.page(
            request,
            "messages/preview.html",
            title="Content of a mail",
            section="messages",
            found=found,
            content=content,
            frame=frame if content and content["html"] else "",
            text=_cut(content["text"]) if content else "",
            html=_cut(content["html"]) if content else "",
            more_files=messages.more_files(content["more_files"])
            if content and content["more_files"]
            else "",
            audited=messages.audited(visitor_of(request).name),
            nothing_runs=messages.nothing_runs(),
            no_text=messages.no_text(),
        )
        page.headers["content-security-policy"] = policy_of_page(site, request, frame)
        return page

    @get("/messages/{id:str}/preview/html")
    async def framed(request: PageRequest) -> Response[bytes]:
        _require(request)
        require_frame(request)
        id = str(request.path_params["id"])
        found = await site.rest(request).get("/v1/messages/{}/preview", id, part="html")
        if found["content"] is None or found["content"]["html"] is None:
            raise Problem(404, found["detail"] or dashboard.no_such_page(), "not-found")
        return document_of_frame(found["content"]["html"]["content"])

    return [preview, framed]


def policy_of_page(site: Site, request: PageRequest, frame: str) -> str:
    """Of the page with the frame. A link in it would lead the frame elsewhere: it may show the one path `frame` only."""
    return f"{SECURITY_HEADERS['content-security-policy']}; frame-src {_origin(site, request)}{frame}"


def require_frame(request: PageRequest) -> None:
    """Raises Problem for a browser that would show the document as a page of its own."""
    if request.headers.get("sec-fetch-dest", "iframe") != "iframe":
        raise Problem(403, messages.frame_only(), "frame-only")


def document_of_frame(html: str) -> Response[bytes]:
    return Response(
        harmless(html), status_code=200, media_type=f"{HTML}; charset=utf-8", headers=dict(FRAME_HEADERS)
    )


def harmless(html: str) -> bytes:
    """The document of the frame: HTML whose headers are FRAME_HEADERS."""
    return _UNCOVERED.sub("<x-", html).encode()


def _cut(part: dict[str, Any] | None) -> str:
    if part is None or not part["cut"]:
        return ""
    return messages.cut(part["shown"], part["characters"])


def _require(request: PageRequest) -> None:
    if not visitor_of(request).may_operate:
        raise Problem(403, dashboard.role_needed("operator"), "role")


def _origin(site: Site, request: PageRequest) -> str:
    """Where this page is, for a policy: as the browser asked for it, or as it is set. `https` is meant by `http` too."""
    host = request.headers.get("host", "")
    if _HOST.fullmatch(host):
        return f"{request.url.scheme}://{host}"
    return site.url or "https://invalid"
