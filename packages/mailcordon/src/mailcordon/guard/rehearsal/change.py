"""The document of a change to rehearse: `bought_list` or `rollout`, read whole, with every fault by its member
(docs/rehearse.md)."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar, cast

from mailcordon.core import names
from mailcordon.core.document_path import path
from mailcordon.core.errors import Fault, Invalid
from mailcordon.guard.policy.fields import number, share, whole
from mailcordon.guard.rollouts.nouns import SHARES, Measure
from mailcordon.messages import api
from mailcordon.messages import document as document_words
from mailcordon.messages import rehearsals as words

T = TypeVar("T")

VERSION: Final = 1  #: of the format
MOST_MAILS: Final = 1_000_000  #: of one mailing
MOST_MAILINGS: Final = 7
MOST_MINUTES: Final = 1_440  #: that a mailing leaves over
MOST_DAYS: Final = 28  #: that a rollout is played for
CAMPAIGN: Final = "rehearsal"  #: name of the mailing, and of its list
LIST: Final = "rehearsal-list"
_TIME = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class BoughtList:
    """A tenant mails a list that it bought. The shares are those of the simulated world's bought lists, which are chosen from
    reports of such lists: 13 to 75 % hard bounces, complaints of 0.4 to 1.6 % of what was accepted."""

    tenant: str
    type: str
    mails: int
    starts: int = 9 * 60  #: minutes after midnight UTC, of the first whole day
    lasts: int = 60  #: minutes over which a mailing leaves
    mailings: int = 1  #: one each day
    dead: float = 0.23  #: share of addresses that bounce hard
    traps: float = 0.02  #: share of addresses that are spam traps
    complaints: float = 0.012  #: share of the mail in inboxes that is complained about


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """Lanes move to their own path by shares. `worse`: what goes wrong on the new path besides, as shares of its mail; of
    `opened`, of the opens that do not come."""

    tenant: str
    types: tuple[str, ...]
    shares: tuple[int, ...] = SHARES
    pace: float = 1.0
    days: int = 21  #: that are played; last week's mail is repeated
    worse: Mapping[Measure, float] = field(default_factory=dict[Measure, float])


Change = BoughtList | Rollout


def parse(data: object) -> Change:
    """Reads plain values. Raises Invalid with every fault."""
    reader = _Reader()
    found = reader.change(data)
    if reader.faults or found is None:
        raise Invalid(*reader.faults)
    return found


class _Reader:
    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def change(self, data: object) -> Change | None:
        members = self._members(data, "", ("version", "bought_list", "rollout"))
        version = members.get("version", VERSION)
        if isinstance(version, bool) or version != VERSION:
            self.faults.append(Fault("version", document_words.unknown_document_version(VERSION)))
        kinds = [name for name in ("bought_list", "rollout") if members.get(name) is not None]
        if len(kinds) != 1:
            self.faults.append(Fault(kinds[1] if kinds else "document", words.one_kind()))
            return None
        return (self._bought_list if kinds[0] == "bought_list" else self._rollout)(members[kinds[0]])

    def _bought_list(self, value: object) -> BoughtList | None:
        at = "bought_list"
        readers: dict[str, Callable[[object], object]] = {
            "tenant": _name(names.slug),
            "type": _name(names.message_type),
            "mails": lambda given: whole(given, 1, MOST_MAILS),
            "starts": _time,
            "lasts": lambda given: whole(given, 1, MOST_MINUTES),
            "mailings": lambda given: whole(given, 1, MOST_MAILINGS),
            "dead": share,
            "traps": share,
            "complaints": share,
        }
        found = self._read(value, at, readers, needed=("tenant", "type", "mails"))
        if found is None:
            return None
        made = BoughtList(**found)  # pyright: ignore[reportArgumentType]
        if made.dead + made.traps > 1:
            self.faults.append(Fault(path(at, "traps"), words.more_than_all()))
            return None
        return made

    def _rollout(self, value: object) -> Rollout | None:
        readers: dict[str, Callable[[object], object]] = {
            "tenant": _name(names.slug),
            "types": _types,
            "shares": _shares,
            "pace": lambda given: number(given, 0.0, 100.0),
            "days": lambda given: whole(given, 1, MOST_DAYS),
            "worse": lambda given: given,
        }
        found = self._read(value, "rollout", readers, needed=("tenant", "types"))
        if found is None:
            return None
        known = {measure.value: share for measure in Measure}
        at = path("rollout", "worse")
        worse = self._read(found.pop("worse", None), at, known, needed=()) or {}
        made = Rollout(**found)  # pyright: ignore[reportArgumentType]
        return Rollout(
            tenant=made.tenant,
            types=made.types,
            shares=made.shares,
            pace=made.pace,
            days=made.days,
            worse={Measure(name): cast("float", one) for name, one in worse.items()},
        )

    def _read(
        self, value: object, at: str, readers: Mapping[str, Callable[[object], object]], needed: Sequence[str]
    ) -> dict[str, object] | None:
        """None: something that is needed is missing or wrong."""
        before = len(self.faults)
        members = self._members(value, at, tuple(readers))
        found: dict[str, object] = {}
        for name in needed:
            if members.get(name) is None:
                self.faults.append(Fault(path(at, name), api.field_required(), "required"))
        for name, given in members.items():
            if name in readers and given is not None:
                try:
                    found[name] = readers[name](given)
                except ValueError as problem:
                    self.faults.append(Fault(path(at, name), str(problem)))
        return found if len(self.faults) == before else None

    def _members(self, value: object, at: str, known: Sequence[str]) -> Mapping[str, object]:
        given: object = {} if value is None else value
        if not isinstance(given, Mapping) or not all(
            isinstance(key, str) for key in cast("Mapping[object, object]", given)
        ):
            self.faults.append(Fault(at or "document", document_words.not_a_mapping()))
            return {}
        found = cast("Mapping[str, object]", given)
        for name in found:
            if name not in known:
                sentence = document_words.unknown_member(list(known))
                self.faults.append(Fault(path(at, name), sentence, "unknown-field"))
        return found


def _name(read: Callable[[str], str]) -> Callable[[object], str]:
    def named(value: object) -> str:
        if not isinstance(value, str):
            raise ValueError(document_words.not_text())
        return read(value)

    return named


def _time(value: object) -> int:
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(words.bad_time())
    return int(found[1]) * 60 + int(found[2])


def _types(value: object) -> tuple[str, ...]:
    given = cast("list[object]", value) if isinstance(value, list) else [value]
    if not given:
        raise ValueError(api.field_required())
    return tuple(dict.fromkeys(_name(names.message_type)(one) for one in given))


def _shares(value: object) -> tuple[int, ...]:
    given = cast("list[object]", value) if isinstance(value, list) else [value]
    try:
        found = tuple(whole(one, 1, 100) for one in given)
    except ValueError:
        raise ValueError(words.bad_shares()) from None
    if not found or found[-1] != 100 or list(found) != sorted(set(found)):
        raise ValueError(words.bad_shares())
    return found
