"""The pages that links lead to: found by following them from the first one, without a list of pages."""

import re
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from html.parser import HTMLParser
from urllib.parse import urlsplit

#: Not pages: files, streams, and what ends the session.
_NOT_PAGES = re.compile(r"^/(static|sign-in|sign-out)(/|$)|\.(csv|json|txt|eml|pdf)$")
CLICKS = 3  #: from the first page


async def pages(
    fetch: Callable[[str], Awaitable[str]], *, each: int = 2, start: str = "/now", clicks: int = CLICKS
) -> AsyncIterator[str]:
    """Paths of pages within so many clicks, at most `each` of every kind: `/tenants/acme` and `/tenants/zen` are of one kind.

    `fetch` returns the HTML of a path."""
    seen, kinds = {start}, Counter[str]()
    waiting = deque([(start, 0)])
    fixed: set[str] = set()  #: segments that the navigation names
    while waiting:
        path, depth = waiting.popleft()
        kind = _kind(path, fixed)
        if kinds[kind] >= each:
            continue
        kinds[kind] += 1
        yield path
        if depth == clicks:
            continue
        reader = _Links()
        reader.feed(await fetch(path))
        for href, in_navigation in reader.found:
            parts = urlsplit(href)
            if (
                parts.scheme
                or parts.netloc
                or not parts.path.startswith("/")
                or _NOT_PAGES.search(parts.path)
            ):
                continue
            if in_navigation:
                fixed |= set(parts.path.strip("/").split("/"))
            if parts.path not in seen:
                seen.add(parts.path)
                waiting.append((parts.path, depth + 1))


def _kind(path: str, fixed: set[str]) -> str:
    """`tenants/*/lanes/*`: a segment after the name of a kind of things names one of them."""
    parts = path.strip("/").split("/")
    return "/".join(part if n % 2 == 0 or part in fixed else "*" for n, part in enumerate(parts))


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, bool]] = []
        self._navigation = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._navigation += tag == "nav"
        if tag == "a" and (href := dict(attrs).get("href")):
            self.found.append((href, self._navigation > 0))

    def handle_endtag(self, tag: str) -> None:
        self._navigation -= tag == "nav"
