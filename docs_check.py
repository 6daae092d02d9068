"""Checks a built docs site: each link of each page leads to a page and an anchor that are there, and nothing is loaded from
another host. Prints what is wrong, and exits with 1 if anything is."""

import os
import sys
from collections.abc import Iterable
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

#: What a browser loads by itself.
LOADS = {
    "script": ("src",),
    "img": ("src", "srcset"),
    "iframe": ("src",),
    "source": ("src", "srcset"),
    "video": ("src",),
}
LOADED_RELATIONS = {
    "stylesheet",
    "icon",
    "preload",
    "preconnect",
    "modulepreload",
    "prefetch",
    "dns-prefetch",
    "manifest",
}


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = {name: value or "" for name, value in attrs}
        self.anchors |= {has[name] for name in ("id", "name") if name in has}
        if tag == "a" and "href" in has:
            self.links.append(has["href"])
        if tag == "link" and LOADED_RELATIONS & set(has.get("rel", "").split()):
            self.loaded.append(has.get("href", ""))
        self.loaded += [has[name] for name in LOADS.get(tag, ()) if name in has]


def faults(site: Path) -> list[str]:
    """Sentences about links that lead nowhere and about what is loaded from elsewhere."""
    pages = {path: Page(path.read_text()) for path in sorted(site.rglob("*.html"))}
    found: list[str] = []
    for path, page in pages.items():
        name = path.relative_to(site)
        if name.name == "404.html":
            continue  # served at any address, so that its links are absolute
        for target in page.loaded:
            if urlsplit(target).netloc:
                found.append(f"{name} loads {target} from another host")
            else:
                found += _missing(site, path, target, pages, "loads")
        for target in page.links:
            parts = urlsplit(target)
            if not parts.scheme and not parts.netloc:
                found += _missing(site, path, target, pages, "links to")
    return found


def _missing(site: Path, path: Path, target: str, pages: dict[Path, Page], what: str) -> Iterable[str]:
    parts = urlsplit(target)
    named = Path(os.path.normpath(path.parent / unquote(parts.path))) if parts.path else path
    there = named / "index.html" if named.is_dir() else named
    if not there.exists():
        yield f"{path.relative_to(site)} {what} {target}, which is not there"
    elif parts.fragment and there in pages and unquote(parts.fragment) not in pages[there].anchors:
        yield f"{path.relative_to(site)} {what} {target}, and that page has no such anchor"


if __name__ == "__main__":
    wrong = faults(Path(sys.argv[1]))
    print("".join(f"  {sentence}\n" for sentence in wrong), end="")
    sys.exit(1 if wrong else 0)
