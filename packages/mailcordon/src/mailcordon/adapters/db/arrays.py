"""Arrays as PostgreSQL writes them, to be passed as text: `$1::text::bigint[]`.

The driver inspects and encodes each element of a Python list; a text costs it a fraction of that. `mixed` takes any values, the
other functions are cheaper for one type.
"""

from collections.abc import Iterable, Sequence
from typing import cast

_SEPARATOR = "\x1f"


def mixed(values: Iterable[int | str | bytes | None]) -> str:
    return "{" + ",".join([_element(value) for value in values]) + "}"


def integers(values: Iterable[int]) -> str:
    # int.__repr__ writes members of an IntEnum as digits too, and is faster than str.
    return "{" + ",".join(map(int.__repr__, values)) + "}"


def texts(values: Sequence[str | None]) -> str:
    """Cheap if all values are there, or none is."""
    missing = values.count(None)
    if missing == len(values):
        return "{" + ",".join(["NULL"] * missing) + "}"
    joined = _SEPARATOR.join(cast("Sequence[str]", values)) if not missing else ""
    if missing or joined.count(_SEPARATOR) != len(values) - 1:
        return mixed(values)
    escaped = joined.replace("\\", "\\\\").replace('"', '\\"')
    return '{"' + escaped.replace(_SEPARATOR, '","') + '"}'


def digests(values: Sequence[bytes]) -> str:
    return '{"\\\\x' + '","\\\\x'.join([value.hex() for value in values]) + '"}' if values else "{}"


def _element(value: int | str | bytes | None) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, bytes):
        return f'"\\\\x{value.hex()}"'
    if "\\" in value or '"' in value:
        value = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{value}"'
