"""Runs seslocal as a separate process on a free port, as its users do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 30.0  # seconds to start or to stop


class Failed(Exception):
    """A server did not start, or died."""


class Server:
    """`log` returns what it wrote, including any unexpected exception."""

    def __init__(self, url: str, pid: int, log: Path) -> None:
        self.url = url
        self.pid = pid
        self._log = log

    def log(self) -> str:
        return self._log.read_text()

    def reset(self) -> None:
        request = urllib.request.Request(f"{self.url}/_seslocal/reset", method="POST")
        urllib.request.urlopen(request, timeout=10).close()


@contextmanager
def seslocal(*options: str) -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="seslocal-") as home:
        ready, log = Path(home) / "ready.json", Path(home) / "log"
        command = [sys.executable, "-m", "seslocal", "--port", "0", "--ready-file", str(ready), *options]
        path = os.pathsep.join(filter(None, (str(ROOT / "src"), os.environ.get("PYTHONPATH"))))
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, stdout=output, stderr=output, cwd=home, env={**os.environ, "PYTHONPATH": path}
            )
        try:
            until = time.monotonic() + PATIENCE
            while not ready.exists():
                if process.poll() is not None or time.monotonic() > until:
                    raise Failed(f"seslocal did not start: {log.read_text()}")
                time.sleep(0.02)
            yield Server(json.loads(ready.read_text())["url"], process.pid, log)
            if process.poll() is not None:
                raise Failed(f"seslocal exited unexpectedly: {log.read_text()}")
        finally:
            process.terminate()
            process.wait(PATIENCE)
