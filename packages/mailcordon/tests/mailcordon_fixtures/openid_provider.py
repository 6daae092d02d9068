"""A real OpenID provider: npm's oidc-provider, run by Node. Its packages are installed once, into .mailcordon, from a lock."""

import contextlib
import fcntl
import json
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parents[1] / "openid_provider"
_PLACE = Path(__file__).parents[4] / ".mailcordon" / "openid-provider"
_LOCK = "package-lock.json"
_LEAST_NODE = 20
_PATIENCE = 300.0  #: seconds for downloads


class Absence(Exception):
    """Node or the packages are missing. The message says what, and how to get it."""


@dataclass(frozen=True, slots=True)
class OpenidProvider:
    issuer: str

    def knows(self, people: dict[str, dict[str, Any]]) -> None:
        """From now on, there are these people: claims by subject. A browser's header X-Person says who signs in."""
        request = urllib.request.Request(
            f"{self.issuer}/people", data=json.dumps(people).encode(), method="PUT"
        )
        with urllib.request.urlopen(request, timeout=30):
            pass


def installed() -> tuple[str, Path]:
    """Node, and the directory of the provider. Raises Absence."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise Absence(f"Node {_LEAST_NODE} and npm are not installed (on Debian: apt install nodejs npm)")
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    if int(said.removeprefix("v").partition(".")[0]) < _LEAST_NODE:
        raise Absence(f"Node {_LEAST_NODE} or newer is needed, and this is {said.strip()}")
    _PLACE.mkdir(parents=True, exist_ok=True)
    with (_PLACE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one of several workers installs
        stamp = _PLACE / "installed.json"
        if not stamp.exists() or stamp.read_bytes() != (HERE / _LOCK).read_bytes():
            for name in ("package.json", _LOCK):
                shutil.copy(HERE / name, _PLACE / name)
            done = subprocess.run(
                [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
                cwd=_PLACE,
                capture_output=True,
                text=True,
                timeout=_PATIENCE,
                check=False,
            )
            if done.returncode:
                raise Absence(f"npm could not install oidc-provider: {done.stderr.strip()[-300:]}")
            shutil.copy(HERE / _LOCK, stamp)
        shutil.copy(HERE / "server.mjs", _PLACE / "server.mjs")
    return node, _PLACE


@contextlib.contextmanager
def running(redirect_uri: str, *, log: Path) -> Iterator[OpenidProvider]:
    """Raises Absence. The process ends with its standard input, so it outlives no test."""
    node, place = installed()
    with log.open("wb") as said:
        process = subprocess.Popen(
            [node, "server.mjs", json.dumps({"redirect": redirect_uri})],
            cwd=place,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
        )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        issuer = process.stdout.readline().decode().strip()
        assert issuer.startswith("http://"), log.read_text()[-2000:]
        yield OpenidProvider(issuer)
    finally:
        process.stdin.close()
        process.stdout.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
