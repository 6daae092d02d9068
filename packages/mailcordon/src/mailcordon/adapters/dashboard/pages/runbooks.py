"""Runbooks: what to check and do about each kind of incident, from the pages that ship with Mailcordon."""

import re
from pathlib import PurePosixPath
from posixpath import normpath

from litestar import Response, get
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from minijinja import safe

from mailcordon.adapters.dashboard.site import PageRequest, Site
from mailcordon.core import runbooks as shipped
from mailcordon.core.incident import Kind

PATH = "/runbooks"
_HERE = PurePosixPath("docs/runbooks")
#: A link to a page of the docs: only runbooks are shown here.
_TO_A_PAGE = re.compile(r"(?<!!)\[([^\[\]]*)\]\((?!https?:)([^()\s#]+\.md)(?:#[^()\s]*)?\)")


def routes(site: Site) -> list[HTTPRouteHandler]:
    @get(PATH)
    async def every(request: PageRequest) -> Response[str]:
        return page(request, None)

    @get(f"{PATH}/{{kind:str}}")
    async def one(request: PageRequest, kind: FromPath[str]) -> Response[str]:
        if kind not in list(Kind):
            raise NotFoundException
        return page(request, Kind(kind))

    def page(request: PageRequest, kind: Kind | None) -> Response[str]:
        return site.page(
            request,
            "runbooks/page.html",
            title="Runbooks" if kind is None else f"Runbook: {kind.value}",
            section="incidents",
            kind=kind,
            text=safe(html(shipped.text(kind))),
        )

    return [every, one]


def html(markdown: str) -> str:
    """Without HTML of the text itself; links lead to other runbooks, those to other pages of the docs become words."""
    from markdown_it import MarkdownIt  # takes as long to import as a page to make

    return MarkdownIt("commonmark", {"html": False}).enable("table").render(_TO_A_PAGE.sub(_link, markdown))


def _link(found: re.Match[str]) -> str:
    words, page = found[1], PurePosixPath(normpath(f"{_HERE}/{found[2]}"))
    is_runbook = page.parent == _HERE and page.stem in list(Kind)
    return f"[{words}]({PATH}/{page.stem})" if is_runbook else f"{words} ({page})"
