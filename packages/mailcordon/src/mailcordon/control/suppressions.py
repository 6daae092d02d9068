"""Which mail a suppression covers, as a request says it."""

from typing import NamedTuple

from mailcordon.control import lookup
from mailcordon.core.errors import Fault, Invalid, parse_field
from mailcordon.core.priority import parse_class
from mailcordon.core.suppression import Scope
from mailcordon.messages import api


class Covered(NamedTuple):
    tenant: int
    scope: Scope
    target: int  #: the number of the class or lane that the scope names, else 0


async def covered(
    names: lookup.LaneNames, slug: str, scope: str, class_: str | None, type: str | None, *, code: str
) -> Covered:
    """`scope` is one of `core.suppression.SCOPES`; `code` that of the error for an unknown tenant or lane.

    Raises Invalid where scope, class and type do not fit together, NotFound.
    """
    if (class_ is not None) != (scope == "class"):
        raise Invalid(Fault("class", api.only_with_scope("class")))
    if (type is not None) != (scope == "lane"):
        raise Invalid(Fault("type", api.only_with_scope("lane")))
    of_class = None if class_ is None else parse_field("class", parse_class, class_)
    tenant = await lookup.tenant_id(names, slug, code=code)
    target = 0
    if of_class is not None:
        target = int(of_class)
    elif type is not None:
        target = await lookup.lane_id(names, tenant, slug, type, code=code)
    return Covered(tenant, Scope[scope.upper()], target)
