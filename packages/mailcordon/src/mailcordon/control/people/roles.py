"""What people may do: three roles, and the values of an OpenID provider's claim that give them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from mailcordon.core.errors import Fault, Forbidden, Invalid
from mailcordon.core.principal import ADMIN, EVENTS, OPERATE, READ, SEND, Principal
from mailcordon.messages import keys, sign_in

LONGEST_VALUE = 256  #: characters of one value of the claim
MOST_VALUES = (
    1000  #: values of a person's claim that are looked at; a person in more groups than this is in too many
)


class Role(StrEnum):
    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"


_SCOPES: Mapping[Role, frozenset[str]] = {
    Role.VIEWER: frozenset({READ}),
    Role.OPERATOR: frozenset({READ, OPERATE}),
    Role.ADMIN: frozenset({READ, OPERATE, ADMIN}),
}
_HIGHEST_FIRST = (Role.ADMIN, Role.OPERATOR, Role.VIEWER)


def scopes_of(role: Role) -> frozenset[str]:
    """What a person with the role may do. None sends mail: that is for programs, with keys."""
    return _SCOPES[role]


def also_mints(role: Role) -> frozenset[str]:
    """What keys that the person makes may do beyond that: an admin gives programs their keys."""
    return frozenset({SEND, EVENTS}) if role is Role.ADMIN else frozenset()


def role(name: str) -> Role:
    """Raises Invalid."""
    try:
        return Role(name)
    except ValueError:
        raise Invalid(Fault("role", sign_in.bad_role([one.value for one in Role]))) from None


def require_to_give(principal: Principal, role: Role) -> None:
    """Nobody lets another in with more than they have. Raises Forbidden."""
    missing = sorted(scopes_of(role) - principal.gives)
    if missing:
        problem = keys.scopes_not_held(principal.prefix, missing, sorted(principal.gives))
        raise Forbidden(problem, code="scope-not-held")


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleMap:
    """Which values of which claim give which role."""

    claim: str  #: its name; a dot goes into an object, as in `realm_access.roles`, if no claim has the whole name
    values: Mapping[Role, frozenset[str]]

    def matching(self, claims: Mapping[str, object]) -> list[str]:
        """The values of a person's claims that give a role: all that is kept of them. Sorted; empty if they give none."""
        known = frozenset[str]().union(*self.values.values())
        return sorted(known.intersection(_texts(_found(claims, self.claim))))

    def role_of(self, values: Collection[str]) -> Role | None:
        """The highest role that one of the values gives. None: no role."""
        held = frozenset(values)
        return next((one for one in _HIGHEST_FIRST if held & self.values.get(one, frozenset())), None)


def _found(claims: Mapping[str, object], path: str) -> object:
    if path in claims:
        return claims[path]
    found: object = claims
    for part in path.split("."):
        if not isinstance(found, Mapping):
            return None
        found = found.get(part)  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    return found  # pyright: ignore[reportUnknownVariableType]


def _texts(found: object) -> list[str]:
    """A claim is one text, or a list of them. Anything else gives nobody a role."""
    if isinstance(found, str):
        return [found]
    if isinstance(found, list):
        return [one for one in found[:MOST_VALUES] if isinstance(one, str)]  # pyright: ignore[reportUnknownVariableType]
    return []
