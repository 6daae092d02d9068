"""The numbers that the world runs on. They are in TOML files in `data`, each with its unit and either the source that says so or
the reason why it was chosen:

    [domain.half_life]
    value = 7
    unit = "days"
    because = "..."        # or: source = "..."
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

_DATA: Final = Path(__file__).with_name("data")
_MEMBERS: Final = {"value", "unit", "source", "because"}


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str  #: with dots, as in the file
    value: float | tuple[float, ...]
    unit: str
    source: str  #: what says so; "" if it was chosen
    because: str  #: why it was chosen; "" if a source says so


class WrongParameter(Exception):
    """A file in `data` is not as described above. The message names file and parameter."""


class Parameters:
    """The parameters of one file."""

    def __init__(self, name: str, given: Mapping[str, Any]) -> None:
        self._name = name
        self.by_name = {one.name: one for one in _read(name, "", given)}
        self.asked: set[str] = (
            set()
        )  #: the names that were asked for, by which a test finds numbers that nothing uses

    def number(self, name: str) -> float:
        """Raises WrongParameter."""
        value = self._find(name).value
        if isinstance(value, tuple):
            raise WrongParameter(f"{self._name}: {name} is a list, and one number is needed.")
        return value

    def numbers(self, name: str) -> tuple[float, ...]:
        """Raises WrongParameter."""
        value = self._find(name).value
        return value if isinstance(value, tuple) else (value,)

    def _find(self, name: str) -> Parameter:
        if name not in self.by_name:
            raise WrongParameter(f"{self._name}: {name} is missing.")
        self.asked.add(name)
        return self.by_name[name]


@cache
def read(name: str) -> Parameters:
    """Returns the parameters of `data/NAME.toml`. Raises WrongParameter."""
    return Parameters(name, tomllib.loads((_DATA / f"{name}.toml").read_text(encoding="utf-8")))


def files() -> list[str]:
    """Returns the names of the files, sorted."""
    return sorted(path.stem for path in _DATA.glob("*.toml"))


def _read(file: str, prefix: str, given: Mapping[str, Any]) -> Iterator[Parameter]:
    for name, inner in given.items():
        path = f"{prefix}{name}"
        if not isinstance(inner, Mapping):
            raise WrongParameter(
                f"{file}: {path} stands alone; write [{path}] with value, unit, and source or because."
            )
        if "value" not in inner:
            yield from _read(file, path + ".", inner)  # pyright: ignore[reportUnknownArgumentType]
            continue
        found: Mapping[str, Any] = inner  # pyright: ignore[reportUnknownVariableType]
        if extra := set(found) - _MEMBERS:
            raise WrongParameter(f"{file}: {path} has the unknown member {sorted(extra)[0]}.")
        if bool(found.get("source")) == bool(found.get("because")) or not found.get("unit"):
            raise WrongParameter(f"{file}: {path} needs a unit, and either a source or because.")
        value: Any = found["value"]
        yield Parameter(
            path,
            tuple(map(float, value)) if isinstance(value, list) else float(value),  # pyright: ignore[reportUnknownArgumentType]
            found["unit"],
            found.get("source", ""),
            found.get("because", ""),
        )
