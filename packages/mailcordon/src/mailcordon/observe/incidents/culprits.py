"""Who brings what is too much, by share: from the evidence of an incident's worst alarm. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from mailcordon.messages import incidents as messages


@dataclass(frozen=True, slots=True, kw_only=True)
class Culprit:
    """A part of a lane's mail. Parts can be the same mail by another name: a list and its campaign."""

    kind: str  #: list, campaign, provider, lane or pool
    name: str
    share: float  #: of what is too much, from 0 to 1
    events: int
    mails: int

    @property
    def sentence(self) -> str:
        return messages.culprit(
            kind=self.kind, name=self.name, share=self.share, events=self.events, mails=self.mails
        )


def ranked(evidence: Mapping[str, Any]) -> list[Culprit]:
    """The worst first. Empty for incidents that are not about rates."""
    found = [*_of_breaker(evidence), *_of_rates(evidence)]
    # With the same share, what has less mail explains more.
    return sorted(found, key=lambda one: (-one.share, one.mails))


def _of_breaker(evidence: Mapping[str, Any]) -> Iterator[Culprit]:
    """Suspects of a decision (observe/breaker/words.py)."""
    for one in _dicts(evidence.get("suspects")):
        parts = _dicts(one.get("part"))
        if parts:
            yield Culprit(
                kind=str(parts[0].get("kind")),
                name=", ".join(str(part.get("name")) for part in parts),
                share=_number(one, "share"),
                events=int(_number(one, "events")),
                mails=int(_number(one, "mails")),
            )


def _of_rates(evidence: Mapping[str, Any]) -> Iterator[Culprit]:
    """Parts that explain what is too many (observe/rate_watch.py)."""
    for one in _dicts(evidence.get("excess_by")):
        yield Culprit(
            kind=str(one.get("part")),
            name=str(one.get("value")),
            share=_number(one, "share"),
            events=int(_number(one, "events")),
            mails=int(_number(one, "sent")),
        )


def _dicts(value: object) -> list[dict[str, Any]]:
    if not isinstance(value, list):
        return []
    return [cast("dict[str, Any]", one) for one in cast("list[object]", value) if isinstance(one, dict)]


def _number(of: Mapping[str, Any], name: str) -> float:
    value = of.get(name)
    return float(value) if isinstance(value, int | float) else 0.0
