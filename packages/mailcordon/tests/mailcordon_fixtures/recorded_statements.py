"""The SQL statements of released versions, so that a test can try them on the schema of this one (store/test_upgrades.py).

A release records its own (docs/upgrades.md): in `packages/mailcordon/tests`, `python -m mailcordon_fixtures.recorded_statements
VERSION`. The file of the version before stays until the release after; older ones go.
"""

import json
import lzma
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from mailcordon.adapters.db import migrate, queries

DIRECTORY = Path(__file__).parent / "released"


@dataclass(frozen=True, slots=True)
class Released:
    version: str
    newest_migration: str
    statements: dict[str, str]  #: by file and name


def released() -> list[Released]:
    """The versions whose processes may run on this schema: those before the first migration that they do not know."""
    files = sorted(DIRECTORY.glob("*.json.xz"))
    return [Released(**json.loads(lzma.decompress(file.read_bytes()))) for file in files]


def record(version: str) -> Path:
    files = sorted((Path(queries.__file__).parent / "sql").glob("*.sql"))
    made = Released(
        version,
        migrate.shipped_migrations()[-1].name,
        {f"{file.stem}.{name}": text for file in files for name, text in queries.load(file.name).items()},
    )
    DIRECTORY.mkdir(exist_ok=True)
    file = DIRECTORY / f"{version}.json.xz"
    file.write_bytes(lzma.compress(json.dumps(asdict(made), sort_keys=True).encode(), preset=9))
    return file


if __name__ == "__main__":
    print(record(sys.argv[1]))
