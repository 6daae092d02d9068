"""The values that a policy may have: what each may be, and how it is read from plain values.

A document's file gives numbers with a point as text, as JSON gives them as numbers: both are read.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast

from mailcordon.core import names
from mailcordon.core.limit import LimitScope, Mode, Per
from mailcordon.core.provider import parse_provider
from mailcordon.guard.policy.layer import CapValue
from mailcordon.messages import api
from mailcordon.messages import policies as words

Read = Callable[[object], Any]  #: raises ValueError with the sentence

MOST_MAILS: Final = 1_000_000_000  #: of one cap
MOST_STEPS: Final = 60  #: of a warm-up
_MOST_DIGITS: Final = 20  #: of a number as text; more is no number that anything here may be


def whole(value: object, least: int, most: int) -> int:
    if isinstance(value, str) and value.isdecimal() and len(value) <= _MOST_DIGITS:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ValueError(words.bad_whole(least, most))
    return value


def number(value: object, least: float, most: float, sentence: str | None = None) -> float:
    found: float | None = None
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            found = float(value)
        except (ValueError, OverflowError):  # such as a whole number of 400 digits
            found = None
    if found is None or not least <= found <= most:
        raise ValueError(sentence or words.bad_number(least, most))
    return found


def share(value: object) -> float:
    return number(value, 0.0, 1.0, words.bad_share())


def mode(value: object) -> Mode:
    try:
        return Mode(str(value))
    except ValueError:
        raise ValueError(api.not_one_of([str(each) for each in Mode])) from None


def curve(value: object) -> tuple[int, ...]:
    """Steps of a warm-up, each above the one before."""
    sentence = words.bad_curve(MOST_STEPS)
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise ValueError(sentence)
    given = cast("Sequence[object]", value)
    try:
        steps = tuple(whole(each, 1, MOST_MAILS) for each in given)
    except ValueError:
        raise ValueError(sentence) from None
    if not 1 <= len(steps) <= MOST_STEPS or any(b <= a for a, b in itertools.pairwise(steps)):
        raise ValueError(sentence)
    return steps


def _providers(value: object) -> tuple[str, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise ValueError(words.bad_providers())
    return tuple(dict.fromkeys(provider_word(str(each)) for each in cast("Sequence[object]", value)))


def _whole(least: int, most: int) -> Read:
    return lambda value: whole(value, least, most)


def _number(least: float, most: float) -> Read:
    return lambda value: number(value, least, most)


def _or_none(read: Read) -> Read:
    return lambda value: None if value is None else read(value)


#: By part and name. Warm-up curves by provider and caps have names of their own: `warm_up.steps`, `caps`.
FIELDS: Final[Mapping[str, Mapping[str, Read]]] = {
    "new_sender": {"first": _whole(1, MOST_MAILS), "growth": _number(1.0, 10.0)},
    "breaker": {"mode": mode, "sensitivity": _number(0.01, 100.0)},
    "release": {
        "mode": mode,
        "first": _whole(1, MOST_MAILS),
        "wait_seconds": _whole(0, 86_400),
        "factor": _number(1.1, 100.0),
        "step_seconds": _whole(1, 86_400),
        "above_mails": _whole(0, MOST_MAILS),
        "above_share": share,
        "canary_share": share,
        "canary_hours": _number(0.0, 168.0),
    },
    "warm_up": {"mode": mode, "others": curve},
    "objectives": {
        "delivered": _or_none(share),
        "delivered_seconds": _or_none(_number(1.0, 604_800.0)),
        "bounces": _or_none(share),
        "complaints": _or_none(share),
        "days": _whole(1, 90),
        "providers": _providers,
    },
}

#: Whose mail a policy may cap, from the widest. Limits of lists and identities are those of releases and warm-up.
SCOPES: Final = (
    LimitScope.TENANT,
    LimitScope.CLASS,
    LimitScope.KEY,
    LimitScope.LANE,
    LimitScope.EACH_CAMPAIGN,
    LimitScope.CAMPAIGN,
    LimitScope.EACH_PROVIDER,
    LimitScope.PROVIDER,
    LimitScope.RECIPIENT,
    LimitScope.REPEAT,
)
#: Scopes of which mail of several lanes counts: they cannot stand where a part is about one class or lane.
BEYOND_A_CLASS: Final = frozenset({LimitScope.TENANT, LimitScope.KEY})
BEYOND_A_LANE: Final = BEYOND_A_CLASS | {LimitScope.CLASS}
OF_A_LANE: Final = frozenset({LimitScope.CAMPAIGN})  #: a campaign is one lane's
WINDOWS: Final = (Per.MINUTE, Per.HOUR, Per.DAY)


def provider_word(name: str) -> str:
    """Raises ValueError."""
    return parse_provider(name).word


#: Scopes whose caps name whose mail they count.
NAMED: Final[Mapping[LimitScope, Callable[[str], str]]] = {
    LimitScope.PROVIDER: provider_word,
    LimitScope.CAMPAIGN: names.campaign,
}


def cap(value: object, *, always: bool) -> CapValue:
    """Reads a number of mails, null, or `{mails, mode, refuses}`. `always`: it enforces, and has no mode of its own. Raises
    ValueError."""
    default = Mode.ENFORCE if always else Mode.SHADOW
    if value is None:
        return CapValue(None, default)
    if not isinstance(value, Mapping):
        return CapValue(whole(value, 0, MOST_MAILS), default)
    given = cast("Mapping[str, object]", value)
    if unknown := sorted(set(given) - {"mails", "mode", "refuses"}):
        raise ValueError(f"{unknown[0]} {api.field_unknown()}")
    if always and "mode" in given:
        raise ValueError(words.runaway_enforces())
    refuses = given.get("refuses", False)
    if not isinstance(refuses, bool):
        raise ValueError(api.not_one_of(["true", "false"]))
    chosen = mode(given["mode"]) if "mode" in given else default
    return CapValue(whole(given.get("mails"), 0, MOST_MAILS), chosen, refuses)
