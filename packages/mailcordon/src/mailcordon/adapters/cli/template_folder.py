"""Reads the sources of a template from a folder: one file for each, with the name that the source has.

`subject.txt`, `text.txt`, `html.html` and `html.mjml` are the template's own. Other `.txt` and `.html` files are parts, which the
others include by their name.
"""

import json
import sys
from pathlib import Path
from typing import Any

from mailcordon.adapters.cli import failures
from mailcordon.core.template import MOST_DATA, MOST_SOURCE
from mailcordon.messages import templates as words

_OWN = {"subject.txt": "subject", "text.txt": "text", "html.html": "html", "html.mjml": "mjml"}


def read(folder: Path, *, dialect: str) -> dict[str, Any]:
    """The sources as the API takes them. Raises Failure for what cannot be read."""
    found: dict[str, Any] = {"dialect": dialect, "parts": {}}
    try:
        files = sorted(one for one in folder.iterdir() if one.suffix in (".txt", ".html", ".mjml"))
        if sum(one.stat().st_size for one in files) > MOST_SOURCE:
            raise failures.usage(words.source_too_large(MOST_SOURCE))
        for file in files:
            text = file.read_text(encoding="utf-8")
            if (own := _OWN.get(file.name)) is not None:
                found[own] = text.rstrip("\r\n") if own == "subject" else text
            else:
                found["parts"][file.name] = text
    except OSError as error:
        raise failures.usage(words.folder_unreadable(str(folder), error.strerror or str(error))) from None
    except UnicodeDecodeError:
        raise failures.usage(words.folder_unreadable(str(folder), words.not_utf8())) from None
    if "subject" not in found:
        raise failures.usage(words.folder_without_subject(str(folder)))
    return found


def read_data(file: str | None) -> dict[str, Any]:
    """The data of a template: a JSON object in a file, or on stdin for `-`. Raises Failure."""
    if file is None:
        return {}
    try:
        raw = sys.stdin.buffer.read(MOST_DATA + 1) if file == "-" else Path(file).read_bytes()
        found = json.loads(raw)
    except OSError as error:
        raise failures.usage(words.folder_unreadable(file, error.strerror or str(error))) from None
    except ValueError as error:
        raise failures.usage(words.data_not_json(file, str(error))) from None
    if not isinstance(found, dict):
        raise failures.usage(words.data_no_object())
    return found  # pyright: ignore[reportUnknownVariableType]
