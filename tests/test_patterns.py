"""Regular expressions mean the same on every Python that is supported."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
#: A group that is repeated possessively: `(...)*+`.
_POSSESSIVE_GROUP = re.compile(r"(?<!\\)\)(?:[*+?]|\{[0-9,]*\})\+(?!\+)")


def test_no_group_is_repeated_possessively() -> None:
    """Before Python 3.11.5 such a match ends in the midst of a repetition that fails (python/cpython#106052), as with Debian 12's
    3.11.2. An atomic group around a greedy repetition, `(?>(?:...)*)`, is right everywhere."""
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for source in (
            "packages/mailcordon/src",
            "packages/seslocal/src",
            "packages/mailcordon-client/src",
            "bench",
        )
        for path in (ROOT / source).rglob("*.py")
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if "compile(" in line or 'r"' in line or "r'" in line
        if _POSSESSIVE_GROUP.search(line)
    ]
    assert found == []
    assert _POSSESSIVE_GROUP.search(r"(?:ab?c)*+")
