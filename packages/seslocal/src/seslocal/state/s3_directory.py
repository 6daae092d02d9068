"""A directory in place of S3: `s3://bucket/key` is the file `bucket/key` in it. Nothing outside of it can be read, whatever
the URL. By default it is an empty temporary directory, created on first use and deleted when the process ends."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Final

MOST_BYTES: Final = 256 * 1024 * 1024  # of one file


class ObjectNotFound(Exception):
    """The object does not exist or cannot be read. Its text says why."""


class S3Directory:
    def __init__(self, directory: str | None) -> None:
        self._directory = directory

    @property
    def path(self) -> Path:
        return Path(self._directory) if self._directory is not None else _temporary()

    def read(self, url: str) -> str:
        """Returns the text of the object at this `s3://` URL. Raises ObjectNotFound."""
        root = self.path.resolve()
        try:
            found = (root / url.removeprefix("s3://")).resolve()
            if not found.is_relative_to(root) or not found.is_file():
                raise ObjectNotFound(f"There is no object {url}.")
            if found.stat().st_size > MOST_BYTES:
                raise ObjectNotFound(f"The object {url} is larger than {MOST_BYTES >> 20} MB.")
            return found.read_bytes().decode("utf-8-sig")
        except UnicodeDecodeError:
            raise ObjectNotFound(f"The object {url} is not text in UTF-8.") from None
        except (OSError, ValueError):  # unreadable, or not a valid file name
            raise ObjectNotFound(f"The object {url} cannot be read.") from None


@cache
def _temporary() -> Path:
    made = tempfile.mkdtemp(prefix="seslocal-")
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return Path(made)
