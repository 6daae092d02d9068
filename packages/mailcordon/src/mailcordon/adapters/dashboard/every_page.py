"""Every page of the dashboard."""

from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.response import Redirect

from mailcordon.adapters.dashboard.pages import addresses, messages, now
from mailcordon.adapters.dashboard.sign_in import pages as sign_in_pages
from mailcordon.adapters.dashboard.sign_in.pages import SignIn
from mailcordon.adapters.dashboard.site import PageRequest, Site, visitor_of


def routes(site: Site, sign_in: SignIn) -> list[HTTPRouteHandler]:
    @get("/")
    async def first(request: PageRequest) -> Redirect:
        tenant = visitor_of(request).principal.tenant_slug
        return Redirect("/now" if tenant is None else f"/tenants/{tenant}", status_code=303)

    return [
        first,
        *sign_in_pages.routes(site, sign_in),
        *now.routes(site),
        *messages.routes(site),
        *addresses.routes(site),
    ]
