"""One difference at SES from what is desired, as a value, and what it was found from (control/drift.py)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from mailcordon.control.administration import Whole
from mailcordon.control.desired import Json, Kind, Resource
from mailcordon.control.plan import Change
from mailcordon.core.drift import TABLE, Drift, Rule
from mailcordon.messages import drift as messages

EXTRA = "extra"  #: in `accepted`: names that were accepted beside what is desired

#: The member that a management event names, where it is not the whole resource.
_TOUCHED: Mapping[Drift, str] = {
    Drift.TENANT_SUPPRESSION: "suppression",
    Drift.SET_SUPPRESSION: "suppression",
    Drift.ACCOUNT_SUPPRESSION: "suppression",
    Drift.REPUTATION_POLICY: "policy",
    Drift.TENANT_DISABLED: "status",
    Drift.SENDING_OFF: "sending",
    Drift.DKIM_OFF: "dkim_signing",
    Drift.DKIM_KEY: "dkim_key",
    Drift.MAIL_FROM: "mail_from",
    Drift.MAIL_FROM_FAILED: "mail_from",
    Drift.DEFAULT_SET: "configuration_set",
    Drift.IDENTITY_POLICY: "policies",
    Drift.FEEDBACK_FORWARDING: "feedback_forwarding",
    Drift.TLS_POLICY: "delivery",
    Drift.MAX_DELIVERY: "delivery",
    Drift.SENDING_POOL: "delivery",
    Drift.ACCOUNT_TRACKING: "vdm",
    Drift.TAGS: "tags",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One difference."""

    kind: Drift
    resource_kind: str
    resource: str
    member: str = ""  #: the association, destination or member that differs
    tenant: int | None = None  #: whom it concerns; None: the owner of the resource that was looked at
    detail: Mapping[str, Json] = field(default_factory=dict[str, Json])  #: parameters of its sentence
    repair: tuple[Change, ...] = ()

    @property
    def key(self) -> tuple[str, str, str, str]:
        return (self.kind.value, self.resource_kind, self.resource, self.member)

    @property
    def touched(self) -> tuple[str, str, str]:
        """What somebody touched who made this difference: kind, name and member, as in control/hints.py."""
        if self.kind in (Drift.SHARED_ASSOCIATION, Drift.EXTRA_ASSOCIATION, Drift.MISSING_ASSOCIATION):
            return (Kind.ASSOCIATION.word, self.resource, self.member)
        if self.kind is Drift.FOREIGN_ASSOCIATION:
            return (Kind.ASSOCIATION.word, self.member, f"{self.resource_kind}/{self.resource}")
        if self.kind is Drift.TRACKING and self.resource_kind == Kind.CONFIGURATION_SET.word:
            return (self.resource_kind, self.resource, self.member)
        return (self.resource_kind, self.resource, _TOUCHED.get(self.kind, ""))

    @property
    def rule(self) -> Rule:
        return TABLE[self.kind]

    @property
    def sentence(self) -> str:
        return says(self.kind, self.detail)


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Whose resource something is. `tenant` None: shared by all."""

    tenant: int | None
    slug: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What sentences need, and what only the database knows."""

    slug: str | None = None  #: of the tenant whose resource is looked at
    owners: Mapping[str, Owner] = field(default_factory=dict[str, Owner])  #: by kind/name; ours only


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look at one resource."""

    resource: Resource
    whole: Whole | None  #: None: it does not exist
    before: Mapping[str, Json] | None  #: the members when it was last read; None: never
    accepted: Mapping[str, Any] | None  #: `uncovered.baseline` of what was last accepted; None: nothing yet
    open: frozenset[tuple[str, str, str, str]] = frozenset()  #: keys of findings that are open
    beside: Sequence[str] = ()  #: destinations of the same set that are not ours
    leaving: frozenset[str] = frozenset()  #: `Change.key` of what applied plans take away


def says(kind: Drift, detail: Mapping[str, Json]) -> str:
    """The sentence of a finding of this kind."""
    message = cast("Callable[..., str]", getattr(messages, kind.value.replace("-", "_")))
    return message(**detail)


def unknown(resource: Resource, path: str, was: str | None, has: str | None) -> Found:
    detail: dict[str, Json] = {
        "resource": str(resource),
        "member": path,
        "was": cut(was),
        "has": cut(has),
    }
    return difference(Drift.UNKNOWN, resource, member=path, detail=detail)


def difference(
    kind: Drift,
    resource: Resource,
    *,
    member: str = "",
    detail: Mapping[str, Json] | None = None,
    repair: tuple[Change, ...] = (),
) -> Found:
    return Found(
        kind=kind,
        resource_kind=resource.kind.word,
        resource=resource.name,
        member=member,
        detail=detail or {},
        repair=repair,
    )


def texts(value: Any) -> list[str]:
    return list(map(str, cast("Iterable[object]", value or ())))


def cut(text: str | None, most: int = 200) -> str | None:
    return text if text is None or len(text) <= most else f"{text[:most]}..."
