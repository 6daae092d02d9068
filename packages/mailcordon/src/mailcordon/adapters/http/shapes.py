"""What the control plane's routes have in common: how times, limits and reasons look in a request, and who may look at what."""

from datetime import UTC, datetime
from typing import Annotated, Any

from litestar import Request
from litestar.params import QueryParameter

from mailcordon.control.views import Reads, Viewer
from mailcordon.core.errors import Fault, Invalid, NotFound
from mailcordon.core.principal import READ, Principal

LONGEST_BECAUSE = 1000  #: characters
LONGEST_NAME = 200  #: characters of a campaign or list
HIGHEST_ID = 2**63 - 1

AnyRequest = Request[Any, Any, Any]
Limit = Annotated[int, QueryParameter(ge=1, le=1000, description="How many items at most.")]
After = Annotated[
    int | None, QueryParameter(ge=0, le=HIGHEST_ID, description="`next` of the page before this one.")
]
TenantSlug = Annotated[
    str | None, QueryParameter(max_length=64, description="The tenant's slug; left out: every tenant's.")
]


def iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def iso_or_none(moment: datetime | None) -> str | None:
    return None if moment is None else iso(moment)


def iso_ms(ms: int | None) -> str | None:
    return None if ms is None else iso(datetime.fromtimestamp(ms / 1000, UTC))


def reason(text: str, field: str = "because") -> str:
    """Raises Invalid: a change without a reason that others can read is not made."""
    text = text.strip()
    if not text or len(text) > LONGEST_BECAUSE or "\0" in text:
        raise Invalid(Fault(field, f"says why, in 1 to {LONGEST_BECAUSE} characters"))
    return text


def next_of(ids: list[int], limit: int) -> str | None:
    """The cursor after a full page; None where the list ends."""
    return str(ids[-1]) if len(ids) == limit else None


def id32(after: int | None) -> int:
    """A cursor for tables whose ids have 32 bits; whatever lies beyond is past their end."""
    return min(after or 0, 2**31 - 1)


async def viewer_of(reads: Reads, principal: Principal, slug: str | None) -> Viewer:
    """Who looks, and at whom. For a tenant's own key another tenant is not there (NotFound), and no name means itself."""
    principal.require(READ)
    if principal.tenant_id is not None:
        if slug is not None and not principal.sees(slug):
            raise no_tenant(slug)
        return Viewer(principal.tenant_id, as_tenant=True)
    if slug is None:
        return Viewer(None)
    return Viewer(await tenant_id(reads, slug))


async def tenant_id(reads: Reads, slug: str) -> int:
    found = await reads.tenant_id(slug)
    if found is None:
        raise no_tenant(slug)
    return found


def no_tenant(slug: str) -> NotFound:
    return NotFound(f"There is no tenant {slug[:64]}.", code="no-such-tenant")


def only_platform(principal: Principal, scope: str) -> Principal:
    """For what belongs to the platform alone. Raises Forbidden."""
    principal.require_platform()
    principal.require(scope)
    return principal
