"""The log of a role process: with MAILCORDON_LOG=json every line is a JSON object, whoever wrote it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mailcordon_fixtures import systems

#: Everything that may write a line in a process, and at the end an exception that nothing catches.
EVERYTHING = """
import asyncio, gc, logging, sys, threading, warnings
from mailcordon.app import log
log.configure({kind!r}, "api")
import structlog

structlog.get_logger("mailcordon.test").info("from structlog", text="two\\nlines", number=7)
logging.getLogger("mailcordon.test").info("from %s", "logging")
for name in ("uvicorn.error", "asyncio", "aiohttp.client", "botocore"):
    logging.getLogger(name).error("from\\n%s", name, exc_info=ValueError("a\\nb"))
logging.getLogger("uvicorn.error").error("wrong arguments: %d", "seven")
warnings.warn("a warning\\nof two lines")
try:
    1 / 0
except ZeroDivisionError:
    structlog.get_logger("mailcordon.test").exception("caught")

async def lost():
    async def fails():
        raise RuntimeError("nobody awaits this")
    task = asyncio.create_task(fails())
    await asyncio.sleep(0)
    del task
    gc.collect()

asyncio.run(lost())
thread = threading.Thread(target=lambda: 1 / 0)
thread.start()
thread.join()

class Unraisable:
    def __del__(self):
        raise RuntimeError("in a finalizer")

Unraisable()
raise RuntimeError("uncaught")
"""


def written(kind: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-W", "default", "-c", EVERYTHING.format(kind=kind)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    return done.stderr.splitlines()


def parsed(lines: list[str]) -> list[dict[str, Any]]:
    documents = [json.loads(line) for line in lines]
    assert all({"timestamp", "level", "role", "event"} <= set(each) for each in documents)
    return documents


def test_every_line_of_every_logger_is_json():
    lines = parsed(written("json"))
    events = [line["event"] for line in lines]
    for event in (
        "from structlog",
        "from logging",
        "from\nuvicorn.error",
        "from\nasyncio",
        "from\naiohttp.client",
    ):
        assert event in events
    assert "a log line could not be formatted" in events
    assert any("a warning\nof two lines" in event for event in events)
    exceptions = "".join(line.get("exception", "") for line in lines)
    for text in ("ValueError: a\nb", "nobody awaits this", "in a finalizer", "uncaught", "ZeroDivisionError"):
        assert text in exceptions
    assert events.count("uncaught exception") == 3
    assert {line["role"] for line in lines} == {"api"}


def test_text_has_one_format_for_all_of_them():
    lines = [line for line in written("text") if line[:2] == "20"]
    assert len(lines) == len(parsed(written("json")))
    for line in lines:
        _, level, role, *_ = line.split()
        assert (level in ("info", "warning", "error", "critical"), role) == (True, "api:"), line


@pytest.mark.parametrize("role", ["dispatch", "no-such-role"])
def test_a_process_that_does_not_start_says_why_in_json(tmp_path: Path, role: str):
    settings = {"MAILCORDON_LOG": "json", "MAILCORDON_CALL_SLOTS": "many", "MAILCORDON_CELL": "A B"}
    done = systems.mailcordon(tmp_path, "run", role, **settings)
    assert done.returncode == 2
    lines = parsed(done.stderr.splitlines())
    assert {line["code"] for line in lines} == {"bad-config"}
    assert {line["role"] for line in lines} == {role}


#: Every way in which an error of the database gets into a line. The canary is a key, a row and a value.
ERRORS = """
import asyncpg, logging, structlog
from mailcordon.app import log
log.configure({kind!r}, "api")

def refused():
    fields = {{"C": "23505", "M": "duplicate key", "D": "Key (key)=(canary) already exists.", "H": "canary"}}
    try:
        try:
            raise asyncpg.PostgresError.new(fields)
        except asyncpg.PostgresError as error:
            raise ValueError("while storing") from error
    except ValueError as error:
        return ExceptionGroup("several", [error, asyncpg.PostgresError.new({{"C": "22P02", "M": "invalid: canary"}})])

error = asyncpg.PostgresError.new({{"C": "22P02", "M": "invalid input syntax: canary", "D": "canary"}})
logging.getLogger("mailcordon.test").warning("could not store: %s", error)
logging.getLogger("mailcordon.test").warning("could not store: %(why)s", {{"why": refused().exceptions[1]}})
logging.getLogger("asyncio").error("task failed", exc_info=refused())
structlog.get_logger("mailcordon.test").error("as a value", problem=refused().exceptions[1], exc_info=refused())
try:
    raise refused()
except ExceptionGroup:
    structlog.get_logger("mailcordon.test").exception("caught")
    logging.getLogger("mailcordon.test").exception("caught")
raise refused()
"""


@pytest.mark.parametrize("kind", ["json", "text"])
def test_no_line_holds_what_a_statement_carried(kind: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ERRORS.format(kind=kind)], capture_output=True, text=True, check=False
    )
    assert "canary" not in done.stderr
    assert done.stderr.count("duplicate key") == 5, "the cause stands there all the same"
    assert "InvalidTextRepresentationError, 22P02" in done.stderr
