"""The templates, and the files that pages load."""

import hashlib
import mimetypes
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from minijinja import Environment, safe

from mailcordon.adapters.dashboard import formats, links

_HERE = Path(__file__).parent
TEMPLATES = _HERE / "templates"
STATIC = _HERE / "static"
_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".txt": "text/plain"}


@dataclass(frozen=True, slots=True)
class StaticFile:
    body: bytes
    media_type: str
    digest: str


class StaticFiles:
    """All in memory, read once. A URL has the digest of its file, so browsers may keep it for ever."""

    def __init__(self) -> None:
        self._files: dict[str, StaticFile] = {}
        for path in sorted(STATIC.rglob("*")):
            if path.is_file():
                body = path.read_bytes()
                media = (
                    _TYPES.get(path.suffix)
                    or mimetypes.guess_type(path.name)[0]
                    or "application/octet-stream"
                )
                name = path.relative_to(STATIC).as_posix()
                self._files[name] = StaticFile(body, media, hashlib.sha256(body).hexdigest()[:12])

    def url(self, name: str) -> str:
        """Raises KeyError for a file that is not there."""
        return f"/static/{self._files[name].digest}/{name}"

    def find(self, digest: str, name: str) -> StaticFile | None:
        found = self._files.get(name)
        return found if found is not None and found.digest == digest else None


class Templates:
    """Every value is escaped, unless a format in formats.py made it."""

    def __init__(self, static: StaticFiles) -> None:
        sources = {
            path.relative_to(TEMPLATES).as_posix(): path.read_text()
            for path in sorted(TEMPLATES.rglob("*.html"))
        }
        self._environment = Environment(
            loader=sources.get, trim_blocks=True, lstrip_blocks=True, undefined_behavior="chainable"
        )
        environment = self._environment
        environment.add_filter("duration", formats.duration)
        environment.add_filter("exact", formats.exact)
        environment.add_filter("clock", formats.clock)
        environment.add_filter("number", formats.number)
        environment.add_filter("short", formats.short)
        environment.add_filter("percent", formats.percent)
        environment.add_filter("visible", formats.visible)
        environment.add_filter("said", formats.said)
        environment.add_filter("sentence", formats.sentence)
        environment.add_filter("command", formats.command)
        environment.add_filter("segment", formats.segment)
        environment.add_filter("ago", _ago)
        environment.add_filter("passed", _passed)
        environment.add_filter("lift_link", links.lift)
        environment.add_global("static", _static(static))

    def render(self, name: str, data: Mapping[str, Any]) -> str:
        return self._environment.render_template(name, **data)


def _passed(value: str | None) -> bool:
    return formats.passed(value, datetime.now(UTC))


def _ago(value: str | None) -> str:
    return formats.ago(value, datetime.now(UTC))


def _static(files: StaticFiles) -> Callable[[str], str]:
    return lambda name: safe(files.url(name))
