"""The pages of the docs site: links and anchors lead somewhere, here and on the site, and the navigation is whole."""

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import docs_check
import docs_pages

ROOT = Path(__file__).resolve().parents[1]
#: Files outside the site whose links count too.
ALSO = ("README.md", "packages/mailcordon/README.md", "packages/mailcordon-client/README.md")
HEADING = re.compile(r"^#{1,6} +(.*?) *#*$", re.M)


@cache
def anchors(path: Path) -> frozenset[str]:
    """Those that GitHub gives the headings of a page, and those that the page sets itself."""
    found: set[str] = set()
    for part, fenced in docs_pages.spans(path.read_text()):
        if fenced:
            continue
        found |= set(re.findall(r'<a id="([^"]+)">', part))
        for heading in HEADING.findall(part):
            plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
            slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
            found.add(
                slug
                if slug not in found
                else next(f"{slug}-{n}" for n in range(1, 99) if f"{slug}-{n}" not in found)
            )
    return frozenset(found)


def pages() -> list[Path]:
    return [path for path in docs_pages.places() if path.suffix == ".md"] + [ROOT / name for name in ALSO]


def faults(path: Path) -> Iterator[str]:
    for target in docs_pages.links(path.read_text()):
        name, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        there = (path.parent / name).resolve() if name else path
        if not there.exists():
            yield f"{path.relative_to(ROOT)}: {target} is not there"
        elif anchor and there.suffix == ".md" and anchor not in anchors(there):
            yield f"{path.relative_to(ROOT)}: {target} has no such anchor"


def test_each_link_of_each_page_leads_to_a_file_and_an_anchor() -> None:
    assert [fault for path in pages() for fault in faults(path)] == []
    assert sum(1 for path in pages() for _ in docs_pages.links(path.read_text())) > 500


def test_no_link_is_broken_over_two_lines() -> None:
    broken = re.compile(r"\]\([^()\s]+\n[^()\s]*\)")
    assert [path for path in pages() if broken.search(path.read_text())] == []


def _entries(nav: list[Any]) -> Iterator[str]:
    for entry in nav:
        for value in [entry] if isinstance(entry, str) else entry.values():
            yield from [value] if isinstance(value, str) else _entries(value)


def test_the_navigation_names_each_page_once_and_nothing_else() -> None:
    named = list(_entries(tomllib.loads((ROOT / "zensical.toml").read_text())["project"]["nav"]))
    there = {str(place) for place in docs_pages.places().values() if place.suffix == ".md"}
    assert len(named) == len(set(named))
    # Decisions and the pictures of worlds are read from the pages that link to them.
    unnamed = {page for page in there - set(named) if not page.startswith(("decisions/", "seslocal/world/"))}
    assert (set(named) - there, unnamed) == (set(), set())


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    for name, text in {
        "docs/one.md": "# One\n\n[guide](../packages/seslocal/docs/guide.md#state),\n[many\nwords](two.md) and [`dev`](../dev)\n",
        "docs/two.md": "# Two\n\n```\n[no link](nowhere.md)\n```\n\n![picture](two.svg), [safe](../SECURITY.md), `[x](y.md)`\n",
        "docs/two.svg": "<svg/>",
        "packages/seslocal/docs/guide.md": "# Guide\n\n## State\n\n[one](../../../docs/one.md), <https://rfc.example>\n",
        "SECURITY.md": "# Security\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_links_lead_to_the_places_that_pages_have_on_the_site(
    repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    site = tmp_path_factory.mktemp("pages")
    (site / "gone.md").write_text("of an earlier build")
    docs_pages.write(site, repository)
    assert "[guide](seslocal/guide.md#state)" in (site / "one.md").read_text()
    assert "[many\nwords](two.md)" in (site / "one.md").read_text()
    assert "`dev` (`" in (site / "one.md").read_text()  # a file that is on no page
    assert "[one](../one.md)" in (site / "seslocal" / "guide.md").read_text()
    assert "[safe](security.md)" in (site / "two.md").read_text()
    assert "[no link](nowhere.md)" in (site / "two.md").read_text()
    assert (site / "two.svg").exists()
    assert not (site / "gone.md").exists()


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ('<a href="../b/">there</a>', None),
        ('<a href="../b/#part">there</a>', None),
        ('<a href="https://rfc.example/">elsewhere, on a click</a>', None),
        ('<a href="../c/">nowhere</a>', "a/index.html links to ../c/, which is not there"),
        (
            '<a href="../b/#other">nowhere</a>',
            "a/index.html links to ../b/#other, and that page has no such anchor",
        ),
        ('<img src="../b/p.png">', "a/index.html loads ../b/p.png, which is not there"),
        (
            '<script src="https://cdn.example/x.js">',
            "a/index.html loads https://cdn.example/x.js from another host",
        ),
        (
            '<link rel="stylesheet" href="//fonts.example/f.css">',
            "a/index.html loads //fonts.example/f.css from another host",
        ),
    ],
)
def test_a_built_site_is_checked_for_dead_links_and_other_hosts(
    tmp_path: Path, body: str, fault: str | None
) -> None:
    for name, text in {"a": body, "b": '<h2 id="part">Part</h2>'}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "index.html").write_text(text)
    assert docs_check.faults(tmp_path) == ([fault] if fault else [])
