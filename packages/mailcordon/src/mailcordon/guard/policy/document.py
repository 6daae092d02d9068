"""The document of a policy: what `mailcordon policy set -f` reads and the server stores, version by version.

It is read whole: what it does not say is what is built in. Pure: the reader of the file gives plain values and knows the line of
each member by the path that faults name.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar, cast

from mailcordon.core import names, text
from mailcordon.core.document_path import path
from mailcordon.core.errors import Fault, Invalid, parse_into
from mailcordon.core.limit import OF_AN_ADDRESS, LimitScope
from mailcordon.core.priority import Class
from mailcordon.guard.policy import built_in, fields
from mailcordon.guard.policy.layer import Reasoned
from mailcordon.messages import api
from mailcordon.messages import document as document_words
from mailcordon.messages import policies as words

T = TypeVar("T")

VERSION: Final = 1  #: of the format
MOST_TENANTS: Final = 20_000
MOST_FAULTS: Final = 100
_CLASSES: Final = {each.word: each for each in Class}
_SECTION: Final = ("because", *fields.FIELDS, "caps")

Values = Mapping[str, Reasoned]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    like: str | None = None  #: the tier that it adds to
    values: Values = field(default_factory=dict[str, Reasoned])
    classes: Mapping[Class, Values] = field(default_factory=dict[Class, Values])


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantPolicy:
    tier: str | None = None
    because: str = ""  #: of its tier and its values
    values: Values = field(default_factory=dict[str, Reasoned])
    classes: Mapping[Class, Values] = field(default_factory=dict[Class, Values])
    types: Mapping[str, Values] = field(default_factory=dict[str, Values])


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyDocument:
    default_tier: str = built_in.STANDARD
    classes: Mapping[Class, Values] = field(default_factory=dict[Class, Values])
    tiers: Mapping[str, Tier] = field(default_factory=dict[str, Tier])
    tenants: Mapping[str, TenantPolicy] = field(default_factory=dict[str, TenantPolicy])

    @property
    def tier_names(self) -> list[str]:
        return sorted({*built_in.TIERS, *self.tiers})


EMPTY: Final = PolicyDocument()


def parse(data: object) -> PolicyDocument:
    """Reads plain values: mappings, lists, numbers and text. Raises Invalid with every fault, up to a bound."""
    reader = _Reader()
    found = reader.document(data)
    if reader.faults:
        raise Invalid(*reader.faults[:MOST_FAULTS])
    return found


class _Reader:
    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def document(self, data: object) -> PolicyDocument:
        members = self._members(data, "", ("version", "default_tier", "classes", "tiers", "tenants"))
        version = members.get("version", VERSION)
        if isinstance(version, bool) or version != VERSION:
            self.faults.append(Fault("version", document_words.unknown_document_version(VERSION)))
        tiers = {name: self._tier(name, at, value) for name, at, value in self._each(members, "tiers", "")}
        tenants = {
            slug: self._tenant(slug, at, value) for slug, at, value in self._each(members, "tenants", "")
        }
        if len(tenants) > MOST_TENANTS:
            self.faults.append(Fault("tenants", document_words.too_many_tenants_in_document(MOST_TENANTS)))
        default = members.get("default_tier", built_in.STANDARD)
        found = PolicyDocument(
            default_tier=str(default),
            classes=self._classes(members, ""),
            tiers=tiers,
            tenants=tenants,
        )
        self._check_tiers(found)
        return found

    def _tier(self, name: str, at: str, value: object) -> Tier:
        parse_into(self.faults, at, names.slug, name)
        members = self._members(value, at, ("like", "classes", *_SECTION))
        like = members.get("like")
        return Tier(
            like=None if like is None else str(like),
            values=self._values(members, at, fields.OF_A_LANE, "tiers"),
            classes=self._classes(members, at),
        )

    def _tenant(self, slug: str, at: str, value: object) -> TenantPolicy:
        parse_into(self.faults, at, names.slug, slug)
        if isinstance(value, str):
            return TenantPolicy(tier=value, because=words.no_reason())
        members = self._members(value, at, ("tier", "classes", "types", *_SECTION))
        tier = members.get("tier")
        types: dict[str, Values] = {}
        for name, own, part in self._each(members, "types", at):
            parse_into(self.faults, own, names.message_type, name)
            section = self._members(part, own, _SECTION)
            types[name] = self._values(section, own, fields.BEYOND_A_LANE, "types")
        return TenantPolicy(
            tier=None if tier is None else str(tier),
            because=self._because(members, at),
            values=self._values(members, at, fields.OF_A_LANE, "tenants"),
            classes=self._classes(members, at),
            types=types,
        )

    def _classes(self, members: Mapping[str, object], at: str) -> dict[Class, Values]:
        found: dict[Class, Values] = {}
        for name, own, value in self._each(members, "classes", at):
            if (class_ := _CLASSES.get(name)) is None:
                self.faults.append(Fault(own, api.not_one_of(list(_CLASSES))))
                continue
            section = self._members(value, own, _SECTION)
            found[class_] = self._values(section, own, fields.BEYOND_A_CLASS | fields.OF_A_LANE, "classes")
        return found

    def _values(
        self, members: Mapping[str, object], at: str, beyond: frozenset[LimitScope], where: str
    ) -> dict[str, Reasoned]:
        """The values of one part, by their paths in a policy."""
        because = self._because(members, at)
        found: dict[str, Reasoned] = {}

        def keep(name: str, own: str, read: Callable[[object], object], value: object) -> None:
            try:
                found[name] = Reasoned(read(value), because, own)
            except ValueError as problem:
                self.faults.append(Fault(own, str(problem)))

        for part, known in fields.FIELDS.items():
            extra = ("steps",) if part == "warm_up" else ()
            given = self._members(members.get(part, {}), path(at, part), (*known, *extra))
            for name, value in given.items():
                if name in known:
                    keep(f"{part}.{name}", path(path(at, part), name), known[name], value)
        warm_up = self._mapping(members.get("warm_up", {}), path(at, "warm_up"), say=False)
        for name, own, value in self._each(warm_up, "steps", path(at, "warm_up")):
            if (provider := parse_into(self.faults, own, fields.provider_word, name)) is not None:
                keep(f"warm_up.steps.{provider}", own, fields.curve, value)
        for scope, window, own, value in self._caps(members, at, beyond, where):
            always = scope in OF_AN_ADDRESS
            keep(
                f"caps.{scope}.{window}",
                own,
                lambda given, always=always: fields.cap(given, always=always),
                value,
            )
        return found

    def _caps(
        self, members: Mapping[str, object], at: str, beyond: frozenset[LimitScope], where: str
    ) -> Iterator[tuple[LimitScope, str, str, object]]:
        """Scope, window after its provider or campaign if it has one, member and value of each cap."""
        for name, own, given in self._each(members, "caps", at):
            if name not in fields.SCOPES:
                self.faults.append(Fault(own, api.not_one_of([str(each) for each in fields.SCOPES])))
                continue
            scope = LimitScope(name)
            if scope in beyond:
                self.faults.append(Fault(own, words.scope_elsewhere(scope, where)))
                continue
            if scope not in fields.NAMED:
                yield from self._windows(scope, "", given, own)
                continue
            for one, inner, value in self._items(given, own):
                if (word := parse_into(self.faults, inner, fields.NAMED[scope], one)) is not None:
                    yield from self._windows(scope, f"{word}.", value, inner)

    def _windows(
        self, scope: LimitScope, name: str, given: object, at: str
    ) -> Iterator[tuple[LimitScope, str, str, object]]:
        for window, own, value in self._items(given, at):
            if window in fields.WINDOWS:
                yield scope, f"{name}{window}", own, value
            else:
                self.faults.append(Fault(own, api.not_one_of(list(fields.WINDOWS))))

    def _because(self, members: Mapping[str, object], at: str) -> str:
        given = members.get("because")
        if given is None:
            return words.no_reason()
        if not isinstance(given, str):
            self.faults.append(Fault(path(at, "because"), words.bad_because()))
            return words.no_reason()
        return parse_into(self.faults, path(at, "because"), text.reason, given) or words.no_reason()

    def _check_tiers(self, found: PolicyDocument) -> None:
        known = found.tier_names
        named = [("default_tier", found.default_tier)]
        named += [
            (path(path("tiers", name), "like"), tier.like) for name, tier in found.tiers.items() if tier.like
        ]
        for slug, tenant in found.tenants.items():
            if tenant.tier is not None:
                named.append((path(path("tenants", slug), "tier"), tenant.tier))
        self.faults += [
            Fault(at, words.no_such_tier(text.harmless(name, 64), known))
            for at, name in named
            if name not in known
        ]
        for name in found.tiers:
            circle = _circle(found, name)
            if circle:
                self.faults.append(Fault(path(path("tiers", name), "like"), words.tiers_in_circle(circle)))

    # Plain values --------------------------------------------------------------------------------------------------------

    def _each(self, members: Mapping[str, object], name: str, at: str) -> Iterator[tuple[str, str, object]]:
        if members.get(name) is not None:
            yield from self._items(members[name], path(at, name))

    def _items(self, value: object, at: str) -> Iterator[tuple[str, str, object]]:
        for name, one in self._mapping(value, at).items():
            yield name, path(at, name), one

    def _members(self, value: object, at: str, known: tuple[str, ...]) -> Mapping[str, object]:
        found = self._mapping({} if value is None else value, at)
        for name in found:
            if name not in known:
                sentence = document_words.unknown_member(list(known))
                self.faults.append(Fault(path(at, name), sentence, "unknown-field"))
        return found

    def _mapping(self, value: object, at: str, *, say: bool = True) -> Mapping[str, object]:
        if isinstance(value, Mapping) and all(
            isinstance(key, str) for key in cast("Mapping[object, object]", value)
        ):
            return cast("Mapping[str, object]", value)
        if say:
            self.faults.append(Fault(at or "document", document_words.not_a_mapping()))
        return {}


def _circle(document: PolicyDocument, name: str) -> list[str]:
    """The tiers that are like each other, from this one on; empty if none are."""
    seen: list[str] = []
    at: str | None = name
    while at is not None and at in document.tiers:
        if at in seen:
            return sorted(seen[seen.index(at) :])
        seen.append(at)
        at = document.tiers[at].like
    return []
