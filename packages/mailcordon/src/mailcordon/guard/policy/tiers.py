"""Which tier the facts about a tenant suggest, and why. A person decides: nothing changes a tier by itself."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from mailcordon.core.priority import Class
from mailcordon.guard.policy.built_in import STANDARD
from mailcordon.messages import policies as words

ListSource = Literal["own-signups", "customers", "imported", "bought"]
Payment = Literal["none", "trial", "card", "invoice"]

YOUNG_DAYS: Final = 30
KNOWN_DAYS: Final = 180
MUCH: Final = 10_000  #: mails a day that a tenant without a history plans


@dataclass(frozen=True, slots=True, kw_only=True)
class Type:
    name: str
    class_: Class
    criticality: int  #: 1 to 5; with 5, a missing mail hurts most


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """None: nobody said it."""

    age_days: int
    sign_up_source: str | None = None
    list_source: ListSource | None = None
    planned_per_day: int | None = None
    payment: Payment | None = None
    owner_group: str | None = None
    types: Sequence[Type] = field(default_factory=tuple[Type, ...])


@dataclass(frozen=True, slots=True)
class Suggestion:
    tier: str
    because: tuple[str, ...]


def suggest(facts: Facts) -> Suggestion:
    against = _against(facts)
    if facts.list_source == "bought":
        return Suggestion("strict", tuple(against))
    critical = [one.name for one in facts.types if one.class_ is not Class.MARKETING and one.criticality >= 4]
    lists = any(one.class_ is Class.MARKETING for one in facts.types)
    if against:
        if critical and not lists:
            return Suggestion(STANDARD, (*against, words.critical_types(sorted(critical))))
        return Suggestion("strict", tuple(against))
    own = facts.list_source in ("own-signups", "customers") or (facts.list_source is None and not lists)
    if facts.age_days >= KNOWN_DAYS and facts.payment == "invoice" and own:
        return Suggestion("trusted", (words.known_customer(facts.age_days),))
    if facts.list_source == "imported":
        return Suggestion(STANDARD, (words.imported_lists(),))
    return Suggestion(STANDARD, (words.nothing_special(),))


def _against(facts: Facts) -> list[str]:
    """What speaks for `strict`."""
    young = facts.age_days < YOUNG_DAYS
    found: list[str] = []
    if facts.list_source == "bought":
        found.append(words.bought_list())
    if young and facts.payment in ("none", "trial"):
        found.append(words.young_without_payment(facts.age_days))
    if young and facts.payment != "invoice" and (facts.planned_per_day or 0) > MUCH:
        found.append(words.plans_much(facts.planned_per_day or 0))
    if young and facts.sign_up_source is None and facts.list_source is None and facts.payment is None:
        found.append(words.unknown_everything())
    return found
