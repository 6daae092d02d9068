"""Where a command finds the server: flags, then the environment, then the file that `mailcordon up` wrote.

`cli.json` in the home directory is what a kubeconfig is for kubectl: a URL and a key, mode 0600, a second key that can only send,
and the address of the local SES if there is one. Each value is taken from the first place that names it, and errors say which
place that was.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from mailcordon.adapters.cli import failures
from mailcordon.adapters.cli.document import Document, as_document
from mailcordon.host.home import CLI_FILE, find_home
from mailcordon.host.private_file import write_private
from mailcordon.messages import cli as messages
from mailcordon.messages import settings

FILE = CLI_FILE
_KEY = re.compile(r"[!-~]+")  #: what an HTTP header can carry as one word


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    url: str  #: of the REST API, without a slash at its end
    key: str | None
    send_key: str | None = None  #: of cli.json: can only send, and may be shown
    ses_url: str | None  #: of the local SES; None if the system sends through another SES, or it is not known
    dashboard: str | None = None  #: URL of the pages, without a slash at its end; None: it is not known
    home: Path


def home(environment: Mapping[str, str]) -> Path:
    """Raises Failure if the home's path has a `~` that cannot be expanded."""
    try:
        return find_home(environment)
    except RuntimeError:
        value = environment.get("MAILCORDON_HOME") or environment.get("XDG_STATE_HOME") or "~"
        raise failures.usage(settings.home_user_unknown(value=value)) from None


def find(
    *,
    url: str | None,
    key: str | None,
    environment: Mapping[str, str],
    home: Path,
) -> Connection:
    """Raises Failure if no URL is known, or the file cannot be read."""
    written = _read(home / FILE)
    url_in_file = str(written.get("url") or "").rstrip("/")
    url = url or environment.get("MAILCORDON_URL") or url_in_file
    if not url:
        raise failures.Failure(
            failures.Exit.UNAVAILABLE, messages.no_server(file=str(home / FILE)), "no-server"
        )
    if not _is_url(url):
        raise failures.usage(messages.not_a_url(url=url))
    url = url.rstrip("/")
    # The file's key and local SES belong to the file's server: its key is not sent to another server that --url names. Where the
    # file says that its server has no local SES, the environment does not overrule that.
    own = written if url == url_in_file else {}
    ses_url = own["ses_url"] if "ses_url" in own else environment.get("MAILCORDON_SES_ENDPOINT")
    send_key = _text(own.get("send_key"))
    dashboard = environment.get("MAILCORDON_DASHBOARD_URL") or _text(own.get("dashboard"))
    # What `mailcordon env` put into the shell is for other programs. It could only send.
    given = environment.get("MAILCORDON_KEY")
    key = key or (given if given != send_key else None) or _text(own.get("key"))
    if key is not None and not _KEY.fullmatch(key):
        raise failures.usage(messages.not_a_key())
    return Connection(
        url=url,
        key=key,
        send_key=send_key,
        ses_url=_text(ses_url),
        dashboard=dashboard.rstrip("/") if dashboard is not None and _is_url(dashboard) else None,
        home=home,
    )


def replace_key(found: Connection, prefix: str, new: str) -> bool:
    """Writes the command line's new key to cli.json, if the file has the one with this prefix for the same server."""
    file = found.home / FILE
    written = _read(file)
    held = _text(written.get("key")) or ""
    if not held.startswith(f"mck_{prefix}_") or str(written.get("url") or "").rstrip("/") != found.url:
        return False
    write_private(file, json.dumps({**written, "key": new}, indent=2) + "\n")
    return True


def _is_url(text: str) -> bool:
    """Whether an HTTP request can be made to it: scheme, host, and a port in range if there is one."""
    try:
        found = urlsplit(text)
        return (
            found.scheme in ("http", "https") and bool(found.hostname) and found.port != 0 and " " not in text
        )
    except ValueError:
        return False


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _read(path: Path) -> Document:
    try:
        found = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except PermissionError:
        raise failures.Failure(
            failures.Exit.NOT_ALLOWED, messages.file_of_another_user(file=str(path)), "no-key"
        ) from None
    except NotADirectoryError:
        home = path.parent
        file = next(place for place in (home, *home.parents) if place.exists())
        raise failures.usage(settings.home_not_a_directory(home=str(home), file=str(file))) from None
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise failures.usage(messages.file_unreadable(file=str(path), said=said)) from None
    if not isinstance(found, dict):
        raise failures.usage(messages.file_not_an_object(file=str(path)))
    return as_document(found)  # pyright: ignore[reportUnknownArgumentType]
