"""Reads single settings by kind, and collects a sentence for each that is wrong."""

import difflib
import ipaddress
import json
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from mailcordon.door import client_address
from mailcordon.door.client_address import Network
from mailcordon.host.home import find_home
from mailcordon.messages import settings

_DATABASE_URL_IN_WORDS = "a URL such as postgresql://user:password@host:5432/mailcordon"
_SERVERS_IN_WORDS = (
    "IP addresses, each with an optional port, separated by commas, such as 192.0.2.53 or [2001:db8::53]:5353"
)
_RATE_IN_WORDS = "from 0.01 to 10000, with at most 3 decimals"


class SettingReader:
    """`known` are all the settings there are: any other MAILCORDON_* variable is wrong. `wrong` are the sentences."""

    def __init__(self, environ: Mapping[str, str], known: frozenset[str]) -> None:
        self.environ = environ
        self.wrong: list[str] = []
        for name in sorted(environ):
            if name.startswith("MAILCORDON_") and name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                self.wrong.append(settings.setting_unknown(name=name, similar=near[0] if near else None))

    def _get(self, name: str) -> str | None:
        return self.environ.get(name, "").strip() or None

    def _is_wrong(self, name: str, value: str, takes: str) -> None:
        self.wrong.append(settings.setting_wrong(name=name, value=value, takes=takes))

    def home(self) -> Path:
        try:
            home = find_home(self.environ)
        except RuntimeError:
            value = self.environ.get("MAILCORDON_HOME") or "~/.local/state/mailcordon"
            self.wrong.append(settings.home_user_unknown(value=value))
            return Path("/nonexistent")
        nearest = next(path for path in (home, *home.parents) if path.exists())
        if not nearest.is_dir():
            self.wrong.append(settings.home_not_a_directory(home=str(home), file=str(nearest)))
        return home

    def text(self, file: Path) -> str:
        """The content of a file of the home; empty if it does not exist."""
        try:
            return file.read_text()
        except (FileNotFoundError, NotADirectoryError):
            return ""

    def json(self, file: Path, repair: str) -> dict[str, str]:
        """A JSON file of the home; empty if it does not exist."""
        text = self.text(file)
        if not text:
            return {}
        try:
            return dict(json.loads(text))
        except (ValueError, TypeError):
            self.wrong.append(settings.file_not_readable_as_json(path=str(file), repair=repair))
            return {}

    def file(self, name: str, takes: str = "the path of a file in PEM format") -> Path | None:
        value = self._get(name)
        if value is None:
            return None
        path = Path(value)
        if not path.is_file():
            self._is_wrong(name, value, takes)
        return path

    def networks(self, name: str) -> tuple[Network, ...]:
        value = self._get(name) or ""
        try:
            return client_address.parse_networks(value)
        except ValueError:
            self._is_wrong(name, value, "addresses and networks such as 10.0.0.0/8, separated by commas")
            return ()

    def servers(self, name: str) -> tuple[tuple[str, int], ...]:
        """IP addresses, each with an optional port, separated by commas or white space; the default port is the DNS's, 53."""
        found: list[tuple[str, int]] = []
        for value in re.split(r"[\s,]+", self._get(name) or ""):
            if value:
                try:
                    found.append(_server(value))
                except ValueError:
                    self._is_wrong(name, value, _SERVERS_IN_WORDS)
        return tuple(found)

    def choice(self, name: str, choices: tuple[str, ...], default: str) -> str:
        value = self._get(name) or default
        if value not in choices:
            self._is_wrong(name, value, " or ".join(choices))
        return value

    def number(self, name: str, default: int, least: int, most: int) -> int:
        value = self._get(name)
        if value is None:
            return default
        if not re.fullmatch(r"-?\d{1,15}", value, re.ASCII) or not least <= int(value) <= most:
            self._is_wrong(name, value, f"a whole number from {least} to {most}")
            return default
        return int(value)

    def rate(self, name: str, default: float | None) -> float | None:
        value = self._get(name)
        if value is None:
            return default
        if not _is_rate(value):
            self._is_wrong(name, value, f"a number {_RATE_IN_WORDS}")
            return default
        return float(value)

    def rates(self, name: str) -> dict[str, float]:
        """NAME=NUMBER, separated by commas or white space."""
        found: dict[str, float] = {}
        for pair in re.split(r"[\s,]+", self._get(name) or ""):
            operation, _, value = pair.partition("=")
            if re.fullmatch(r"[A-Z][A-Za-z]{2,99}", operation, re.ASCII) and _is_rate(value):
                found[operation] = float(value)
            elif pair:
                takes = (
                    f"pairs such as ListRecommendations=1, separated by commas, each number {_RATE_IN_WORDS}"
                )
                self._is_wrong(name, pair, takes)
        return found

    def port(self, name: str) -> int | None:
        return None if self._get(name) is None else self.number(name, 0, 0, 65535)

    def pattern(self, name: str, pattern: str, takes: str, default: str | None) -> str:
        value = self._get(name)
        if value is None:
            if default is None:
                self.wrong.append(settings.setting_missing(name=name, takes=takes))
            return default or ""
        if not re.fullmatch(pattern, value, re.ASCII):
            self._is_wrong(name, value, takes)
        return value

    def secret(self, name: str, pattern: str, takes: str) -> str | None:
        """A value that no sentence shows."""
        value = self._get(name)
        if value is not None and not re.fullmatch(pattern, value, re.ASCII):
            self.wrong.append(settings.setting_wrong_secret(name=name, takes=takes))
        return value

    def patterns(self, name: str, pattern: str, takes: str) -> tuple[str, ...]:
        """Values separated by commas or white space; none if the setting is missing."""
        values = tuple(value for value in re.split(r"[\s,]+", self._get(name) or "") if value)
        if not all(re.fullmatch(pattern, value, re.ASCII) for value in values):
            self._is_wrong(name, ",".join(values), takes)
        return values

    def url(self, name: str) -> str | None:
        value = self._get(name)
        if value is not None and not _is_url(value, ("http", "https"), host=True):
            self._is_wrong(name, value, "a URL that begins with http:// or https://")
        return value

    def database(self, name: str) -> str | None:
        value = self._get(name)
        if value is not None and not _is_url(value, ("postgresql", "postgres"), host=False):
            self.wrong.append(settings.setting_wrong_secret(name=name, takes=_DATABASE_URL_IN_WORDS))
        return value


def _server(text: str) -> tuple[str, int]:
    """Raises ValueError."""
    try:
        return str(ipaddress.ip_address(text)), 53
    except ValueError:
        host, _, port = text.rpartition(":")
        if not re.fullmatch(r"\d{1,5}", port, re.ASCII) or not 1 <= int(port) <= 65535:
            raise
        return str(ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))), int(port)


def _is_rate(value: str) -> bool:
    return (
        re.fullmatch(r"\d{1,5}(\.\d{1,3})?", value, re.ASCII) is not None and 0.01 <= float(value) <= 10_000
    )


def _is_url(value: str, schemes: tuple[str, ...], *, host: bool) -> bool:
    try:
        parts = urlsplit(value)
        _ = parts.port  # raises ValueError if it is not a number from 0 to 65535
    except ValueError:
        return False
    return parts.scheme in schemes and (bool(parts.hostname) or not host)
