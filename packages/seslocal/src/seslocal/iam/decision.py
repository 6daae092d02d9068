"""Decides whether the policies of a key allow a call. An explicit denial wins; what no statement allows is denied. Identity-based
policies and service control policies must both allow it (IAM User Guide, reference_policies_evaluation-logic)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from seslocal.iam.conditions import Context
from seslocal.iam.documents import ANY, Document

Kind = Literal["identity", "scp"]
KINDS: Final[tuple[Kind, ...]] = ("identity", "scp")
_NAMES: Final[Mapping[Kind, str]] = {"identity": "identity-based policy", "scp": "service control policy"}
MOST: Final = 20  #: policies of one key


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    name: str
    kind: Kind
    source: Mapping[str, Any]  #: the document as it was attached
    document: Document


@dataclass(slots=True)
class Attached:
    """The policies of one key. Without any of a kind, that kind allows everything."""

    policies: tuple[Policy, ...]
    principal: str | None = None  #: ARN for `aws:PrincipalArn`; None: that of a user with the key's name
    used: dict[str, int] = field(default_factory=dict[str, int])  #: how often an action was allowed


@dataclass(frozen=True, slots=True)
class Denial:
    resource: str
    kind: Kind
    explicit: bool

    def reason(self, action: str) -> str:
        """As AWS ends its sentence."""
        name = _NAMES[self.kind]
        if self.explicit:
            return f"with an explicit deny in {'an' if self.kind == 'identity' else 'a'} {name}"
        return f"because no {name} allows the {action} action"


def decide(
    policies: Sequence[Policy], action: str, resources: Sequence[str], context: Context
) -> Denial | None:
    """Returns None if the action is allowed on every resource. An action without resources is asked for `*`."""
    lower = action.lower()
    by_kind = {kind: [one.document for one in policies if one.kind == kind] for kind in KINDS}
    for resource in resources or (ANY,):
        found = {
            kind: {
                statement.allows
                for document in documents
                for statement in document
                if statement.covers(lower, resource, context)
            }
            for kind, documents in by_kind.items()
            if documents
        }
        for kind in reversed(KINDS):
            if False in found.get(kind, ()):
                return Denial(resource, kind, explicit=True)
        for kind in reversed(KINDS):
            if kind in found and True not in found[kind]:
                return Denial(resource, kind, explicit=False)
    return None
