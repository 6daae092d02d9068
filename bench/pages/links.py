"""The pages that links lead to: found by following them from the first one, without a list of pages."""

import re
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

#: Not pages: files, streams, and what ends the session.
_NOT_PAGES = re.compile(r"^/(static|sign-in|sign-out)(/|$)|\.(csv|json|txt|eml|pdf)$")
_COLLECTIONS = ("tenants", "lanes", "domains", "pools", "messages", "people", "templates", "webhooks")
CLICKS = 3  #: from the first page


async def pages(
    fetch: Callable[[str], Awaitable[str]], *, each: int = 2, start: str = "/now", clicks: int = CLICKS
) -> AsyncIterator[str]:
    """Paths of pages within so many clicks, at most `each` of every kind: `/tenants/acme` and `/tenants/zen` are of one kind.

    `fetch` returns the HTML of a path."""
    seen, kinds = {start}, Counter[str]()
    waiting = deque([(start, 0)])
    while waiting:
        path, depth = waiting.popleft()
        kind = _kind(path)
        if kinds[kind] >= each:
            continue
        kinds[kind] += 1
        yield path
        if depth == clicks:
            continue
        reader = _Links()
        reader.feed(await fetch(path))
        for href in reader.found:
            parts = urlsplit(urljoin(path, href))
            if (
                parts.scheme
                or parts.netloc
                or not parts.path.startswith("/")
                or _NOT_PAGES.search(parts.path)
            ):
                continue
            found = parts._replace(fragment="").geturl()  # a page of an action is about what its query names
            if found not in seen:
                seen.add(found)
                waiting.append((found, depth + 1))


def _kind(path: str) -> str:
    """`tenants/*/lanes/*`: what follows one of these, or has a digit, names a thing."""
    parts = urlsplit(path).path.strip("/").split("/")
    before = ["", *parts]
    return "/".join(
        "*" if last in _COLLECTIONS or any(one.isdigit() for one in part) else part
        for last, part in zip(before, parts, strict=False)
    )


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a" and (href := dict(attrs).get("href")):
            self.found.append(href)
