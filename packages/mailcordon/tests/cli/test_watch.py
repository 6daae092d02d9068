"""`--watch` repeats a command at a bounded rate until Ctrl-C."""

import contextlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TextIO

import pytest

from mailcordon.adapters.cli import failures, watch
from mailcordon.adapters.cli.document import Document


@pytest.mark.parametrize(
    ("given", "spelled"),
    [
        ("lane list --watch", "lane list --watch 2s"),
        ("lane list --watch 5s", "lane list --watch 5s"),
        ("lane show --watch acme newsletter", "lane show --watch 2s acme newsletter"),
        ("lane list --watch --tenant acme", "lane list --watch 2s --tenant acme"),
        ("lane list --watch=5s", "lane list --watch=5s"),
        ("why -- --watch", "why -- --watch"),
        ("lane list", "lane list"),
    ],
)
def test_the_interval_may_be_left_out(given: str, spelled: str) -> None:
    assert watch.with_interval(given.split()) == spelled.split()


class Ended(Exception):
    """The test has seen enough."""


async def test_a_server_that_does_not_respond_is_shown_and_asked_again() -> None:
    results: Iterator[str | BaseException] = iter(
        ["first", failures.cannot_connect("http://x", "refused"), "third", Ended()]
    )

    async def once(file: TextIO) -> Document:
        result = next(results)
        if isinstance(result, BaseException):
            raise result
        file.write(f"{result}\n")
        return {}

    out = io.StringIO()
    with pytest.raises(Ended):
        await watch.repeat(once, out, every=0.0, title="x", as_json=False)
    lines = out.getvalue().splitlines()
    assert (lines[0], lines[2]) == ("first", "third")
    assert lines[1].startswith("Cannot connect to http://x")


async def test_any_other_failure_ends_it() -> None:
    async def once(file: TextIO) -> Document:
        raise failures.Failure(failures.Exit.NOT_FOUND, "There is no tenant acme.")

    with pytest.raises(failures.Failure, match="no tenant"):
        await watch.repeat(once, io.StringIO(), every=0.0, title="x", as_json=False)


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    """Responds to every request with one tenant."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"items": [{"slug": "acme", "key": "mc-1"}], "next": None}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def started(server: HTTPServer, *options: str, stdout: int) -> subprocess.Popen[bytes]:
    url = f"http://127.0.0.1:{server.server_port}"
    command = [
        sys.executable,
        "-m",
        "mailcordon",
        "tenant",
        "list",
        "--url",
        url,
        "--watch",
        "0.5s",
        *options,
    ]
    return subprocess.Popen(command, stdout=stdout, stderr=subprocess.PIPE)


def test_with_json_it_is_one_document_per_line_and_ctrl_c_ends_it_well(server: HTTPServer) -> None:
    process = started(server, "--json", stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    first, second = process.stdout.readline(), process.stdout.readline()
    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert errors == b""
    for line in [first, second, *rest.splitlines()]:
        assert json.loads(line)["items"][0]["slug"] == "acme"


def test_on_a_terminal_the_screen_is_redrawn_and_cut_to_its_height(server: HTTPServer) -> None:
    keyboard, terminal = os.openpty()
    process = started(server, stdout=terminal)
    os.close(terminal)
    seen = b""
    deadline = time.monotonic() + 60
    while seen.count(b"\x1b[H") < 2 and time.monotonic() < deadline:
        seen += os.read(keyboard, 65536)
    process.send_signal(signal.SIGINT)
    with contextlib.suppress(OSError):  # the terminal is gone when the process is
        while more := os.read(keyboard, 65536):
            seen += more
    _, errors = process.communicate(timeout=120)
    os.close(keyboard)
    assert (process.returncode, errors) == (0, b"")
    assert seen.count(b"\x1b[2J") == 1
    assert re.search(rb"mailcordon tenant list, every 0.5 s", seen)
    assert b"acme" in seen
