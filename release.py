"""`./dev release VERSION [--yes]`: sets the version everywhere, dates the changelog, builds everything, commits and tags.

Without --yes it checks and says what it would do. It pushes and uploads nothing: that is for a person who has looked at it all.
"""

import argparse
import datetime
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
PACKAGES = ("mailcordon", "mailcordon-client", "seslocal")
#: Modules that say their version themselves.
MODULES = (
    "packages/mailcordon/src/mailcordon/__init__.py",
    "packages/mailcordon-client/src/mailcordon_client/__init__.py",
)
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")
_EMPTY = "## Unreleased\n\n"


class Refused(Exception):
    """What keeps the release from being made, as a sentence."""


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _git(root: Path, *words: str) -> str:
    return subprocess.run(
        ["git", "-C", str(root), *words], capture_output=True, text=True, check=True
    ).stdout.strip()


def current(root: Path) -> str:
    """The version that all distributions have."""
    found = {
        name: _stated(root / "packages" / name / "pyproject.toml", r'^version = "(.*)"$') for name in PACKAGES
    }
    found |= {name: _stated(root / name, r'^__version__ = "(.*)"$') for name in MODULES}
    if len(set(found.values())) != 1:
        raise Refused(f"the versions differ: {found}")
    return found[PACKAGES[0]]


def _stated(path: Path, pattern: str) -> str:
    [version] = re.findall(pattern, path.read_text(), re.M)
    return version


def unreleased(changelog: str) -> str:
    """What the changelog has of the next version."""
    return changelog.partition("## Unreleased\n")[2].partition("\n## ")[0].strip()


def check(root: Path, version: str) -> None:
    """Raises Refused."""
    if not _VERSION.fullmatch(version):
        raise Refused(f"{version} is no version such as 0.2.0")
    if _numbers(version) <= _numbers(now := current(root)):
        raise Refused(f"{version} is not after {now}, the version of this checkout")
    if changed := _git(root, "status", "--porcelain"):
        raise Refused(f"the tree is not clean: commit or put away\n{changed}")
    if _git(root, "tag", "--list", f"v{version}"):
        raise Refused(f"the tag v{version} exists")
    if not re.search(r"^- ", unreleased((root / "CHANGELOG.md").read_text()), re.M):
        raise Refused("CHANGELOG.md says nothing under Unreleased")


def edits(root: Path, version: str, day: datetime.date) -> dict[Path, str]:
    """The new text of each file that the release changes."""
    major, minor, _ = _numbers(version)
    found: dict[Path, str] = {}
    for name in PACKAGES:
        path = root / "packages" / name / "pyproject.toml"
        text = re.sub(r'^version = ".*"$', f'version = "{version}"', path.read_text(), count=1, flags=re.M)
        # The local SES of the extra `local` has the same minor version.
        found[path] = re.sub(
            r'("seslocal\[dns\])>=[\d.]+,<[\d.]+"', rf'\1>={major}.{minor},<{major}.{minor + 1}"', text
        )
    for name in MODULES:
        path = root / name
        found[path] = re.sub(
            r'^__version__ = ".*"$', f'__version__ = "{version}"', path.read_text(), count=1, flags=re.M
        )
    path = root / "CHANGELOG.md"
    found[path] = path.read_text().replace(_EMPTY, f"{_EMPTY}## {version} - {day.isoformat()}\n\n", 1)
    return found


def release(root: Path, version: str, *, really: bool, day: datetime.date) -> list[str]:
    """Does it, or with `really` off only says what it would do, line by line."""
    check(root, version)
    changes = edits(root, version, day)
    out = root / "dist" / version
    said = [f"would set {version} in {path.relative_to(root)}" for path in changes]
    said += [f"would commit, build wheels, sdists, SBOMs and the docs site into {out}, and tag v{version}"]
    if not really:
        return [*said, "nothing was changed; --yes does it"]
    for path, text in changes.items():
        path.write_text(text)
    _git(
        root,
        "commit",
        "--quiet",
        "--message",
        f"release: Mailcordon {version}",
        "--",
        *(str(path) for path in changes),
    )
    for command in (["build", "--try", str(out)], ["docs", str(out / "docs")]):
        # The commit stays if this fails: mend the cause in a further commit, and build and tag by hand.
        subprocess.run([str(root / "dev"), *command], check=True)
    _git(root, "tag", "--annotate", f"v{version}", "--message", f"Mailcordon {version}")
    return [
        f"v{version} is committed, tagged and built in {out}; push it with: git push origin HEAD v{version}"
    ]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="./dev release", description=__doc__)
    parser.add_argument("version")
    parser.add_argument("--yes", action="store_true", help="do it")
    given = parser.parse_args(arguments)
    try:
        day = datetime.datetime.now(datetime.UTC).date()
        lines = release(ROOT, given.version, really=given.yes, day=day)
    except Refused as why:
        print(f"dev: not released: {why}", file=sys.stderr)
        return 1
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
