"""Where a command finds the server: flags, then the environment, then the file that `mailcordon up` wrote.

`cli.json` in the home directory is to Mailcordon what a kubeconfig is to kubectl: a URL and a key, mode 0600, plus the address
of the local SES where there is one. Each value is taken from the first place that names it, and errors say where that was.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mailcordon.adapters.cli import failures
from mailcordon.adapters.cli.document import Document, as_document
from mailcordon.host.home import CLI_FILE

FILE = CLI_FILE


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    url: str  #: of the REST API, without a slash at its end
    key: str | None
    ses_url: str | None  #: of the local SES; None where the system sends through another one, or nobody said
    home: Path


def find(
    *,
    url: str | None,
    key: str | None,
    environment: Mapping[str, str],
    home: Path,
) -> Connection:
    """Raises Failure where no URL is known, or the file cannot be read."""
    written = _read(home / FILE)
    theirs = str(written.get("url") or "").rstrip("/")
    url = url or environment.get("MAILCORDON_URL") or theirs
    if not url:
        raise failures.Failure(
            failures.Exit.UNAVAILABLE,
            f"no server is known: there is no {home / FILE}. `mailcordon up` starts one on this machine and writes that file; "
            "or name one with --url and --key (MAILCORDON_URL, MAILCORDON_KEY).",
            "no-server",
        )
    if not url.startswith(("http://", "https://")):
        raise failures.usage(f"{url} is no URL: it starts with http:// or https://")
    url = url.rstrip("/")
    # The file's key and local SES belong to the file's server: a key is not shown to a stranger that --url names, and what the
    # file says of that server's SES stands, also when it says that there is no local one.
    own = written if url == theirs else {}
    ses_url = own["ses_url"] if "ses_url" in own else environment.get("MAILCORDON_SES_ENDPOINT")
    return Connection(
        url=url,
        key=key or environment.get("MAILCORDON_KEY") or _text(own.get("key")),
        ses_url=_text(ses_url),
        home=home,
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _read(path: Path) -> Document:
    try:
        found = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except PermissionError:
        raise failures.Failure(
            failures.Exit.NOT_ALLOWED,
            f"{path} belongs to somebody else: run as them, or give --url and --key.",
            "no-key",
        ) from None
    except (OSError, ValueError) as error:
        raise failures.usage(
            f"{path} cannot be read ({error}): remove it and run `mailcordon up` again."
        ) from None
    if not isinstance(found, dict):
        raise failures.usage(f"{path} is not a JSON object: remove it and run `mailcordon up` again.")
    return as_document(found)  # pyright: ignore[reportUnknownArgumentType]
