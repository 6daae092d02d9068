"""What changes from one policy to another, as people read it: one entry for each value, with the lanes it changes for."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from mailcordon.core.limit import Mode
from mailcordon.guard.policy.effective import Explained
from mailcordon.guard.policy.layer import CapValue
from mailcordon.messages import policies as words

MOST_NAMED = 3  #: lanes of one change that are named
_Changed = tuple[str, str, str, str, str, Mode | None]  #: path, was, now, origin, because, mode


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    path: str
    was: str
    now: str
    origin: str
    because: str
    lanes: tuple[str, ...]  #: such as acme/newsletter; the first ones
    number: int  #: of lanes
    mode: Mode | None = None  #: of a cap that is new or another

    @property
    def sentence(self) -> str:
        return words.changes(
            self.path, self.was, self.now, self.origin, self.because, self.lanes, self.number
        )


def changes(pairs: Iterable[tuple[Explained, Explained]]) -> list[Change]:
    """Before and after of each lane."""
    found: dict[_Changed, list[str]] = {}
    # Many lanes have the same values before and after, as one object each; the objects are kept, so that no id is used again.
    known: dict[tuple[int, int], tuple[Explained, Explained, list[_Changed]]] = {}
    for before, after in pairs:
        of = id(before.values), id(after.values)
        if of not in known:
            known[of] = before, after, _changed(before, after)
        for one in known[of][2]:
            found.setdefault(one, []).append(after.lane)
    return [
        Change(
            path=path,
            was=was,
            now=now,
            origin=origin,
            because=because,
            lanes=tuple(lanes[:MOST_NAMED]),
            number=len(lanes),
            mode=mode,
        )
        for (path, was, now, origin, because, mode), lanes in found.items()
    ]


def _changed(before: Explained, after: Explained) -> list[_Changed]:
    found: list[_Changed] = []
    for path in sorted({*before.values, *after.values}):
        was, now = before.values.get(path), after.values.get(path)
        said, says = shown(was.value if was else None), shown(now.value if now else None)
        if said == says:
            continue
        mode = now.value.mode if now is not None and isinstance(now.value, CapValue) else None
        # A cap that goes has no origin of its own: what set it does not say it any more.
        of = now or was
        assert of is not None
        found.append((path, said, says, of.origin, of.because, mode))
    return found


def changed(pairs: Iterable[tuple[Explained, Explained]]) -> Sequence[Explained]:
    """The policies of lanes for which anything changes, the origin of a value included."""
    return [after for before, after in pairs if before.values != after.values]


def shown(value: object) -> str:
    """A value as people read it."""
    if isinstance(value, CapValue):
        if value.mails is None:
            return "none"
        what = ", refuses" if value.refuses else ""
        return f"{value.mails:,} ({value.mode}{what})"
    if value is None:
        return "none"
    if isinstance(value, tuple) and any(isinstance(each, str) for each in cast("tuple[object, ...]", value)):
        return ", ".join(cast("tuple[str, ...]", value))
    if isinstance(value, tuple):
        steps = cast("tuple[int, ...]", value)
        first = ", ".join(f"{step:,}" for step in steps[:3])
        return f"{first}, ... {steps[-1]:,} in {len(steps)} steps" if len(steps) > 4 else first
    if isinstance(value, bool | Mode):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def plain(explained: Explained) -> Mapping[str, str]:
    return {path: shown(one.value) for path, one in explained.values.items()}
