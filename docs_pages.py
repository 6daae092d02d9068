"""The pages of the docs site, as `./dev docs` gives them to zensical: docs/, the local SES's pages and three files of the root.

In the repository a link leads to the file that it names. On the site some of those files have another place, and sources of
programs have none: `site_text` turns the former into links to that place, and the latter into the file's path as text.
"""

import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent
#: Directories and files of the repository, and their place on the site.
SOURCES = {
    "docs": ".",
    "packages/seslocal/docs": "seslocal",
    "packages/seslocal/README.md": "seslocal/index.md",
    "SECURITY.md": "security.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}
_FENCE = re.compile(r"^ {0,3}(```|~~~)")
_CODE = re.compile(r"(`+)(?:(?!`).)+?\1", re.DOTALL)
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+)\)")


def places(root: Path = ROOT) -> dict[Path, Path]:
    """Each file of the site, absolute, and its place, relative to the site's pages."""
    found: dict[Path, Path] = {}
    for source, place in SOURCES.items():
        path = root / source
        if path.is_dir():
            found |= {
                each: Path(place) / each.relative_to(path)
                for each in sorted(path.rglob("*"))
                if each.is_file()
            }
        elif path.exists():
            found[path] = Path(place)
    return found


def spans(text: str) -> Iterator[tuple[str, bool]]:
    """The parts of a page in their order, and whether each is a fenced block."""
    fence, part = "", ""
    for line in text.splitlines(keepends=True):
        mark = _FENCE.match(line)
        if mark and not fence:
            yield part, False
            fence, part = mark[1], line
        elif mark and fence == mark[1]:
            yield part + line, True
            fence, part = "", ""
        else:
            part += line
    yield part, bool(fence)


def links(text: str) -> Iterator[str]:
    """The targets of all links and pictures of a page that are not in code."""
    for part, fenced in spans(text):
        if not fenced:
            # A link may have code as its text; code that looks like a link is none.
            plain = _CODE.sub(lambda code: re.sub(r"[\[\]()]", " ", code[0]), part)
            yield from (found[3] for found in LINK.finditer(plain))


def site_text(path: Path, text: str, known: dict[Path, Path]) -> str:
    """The text of a page of the repository, with the links that it has on the site."""
    here = known[path]

    def mended(found: re.Match[str]) -> str:
        target, mark, anchor = found[3].partition("#")
        if not target or re.match(r"[a-z]+:", target):
            return found[0]
        named = Path(os.path.normpath(path.parent / target))
        for there in (named, named / "index.md", named / "README.md"):
            if there in known:
                relative = os.path.relpath(known[there], here.parent)
                return f"{found[1]}[{found[2]}]({relative}{mark}{anchor})"
        shown = named.relative_to(ROOT) if named.is_relative_to(ROOT) else named
        return found[2] if found[2].strip("`") == str(shown) else f"{found[2]} (`{shown}`)"

    return "".join(part if fenced else LINK.sub(mended, part) for part, fenced in spans(text))


def write(directory: Path, root: Path = ROOT) -> None:
    """Writes the site's pages. Those that did not change keep their time, and what is no page any more goes."""
    known = places(root)
    for path, place in known.items():
        there = directory / place
        there.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".md":
            text = site_text(path, path.read_text(), known)
            if not there.exists() or there.read_text() != text:
                there.write_text(text)
        elif not there.exists() or there.read_bytes() != path.read_bytes():
            shutil.copyfile(path, there)
    kept = {directory / place for place in known.values()}
    for there in directory.rglob("*"):
        if there.is_file() and there not in kept:
            there.unlink()


if __name__ == "__main__":
    write(Path(sys.argv[1]))
