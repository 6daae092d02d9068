"""Every page of the dashboard."""

from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.response import Redirect

from mailcordon.adapters.dashboard.live import Live
from mailcordon.adapters.dashboard.pages import (
    addresses,
    audit,
    go,
    holds,
    incidents,
    lane_actions,
    lane_checks,
    lanes,
    mail_template_forms,
    mail_templates,
    message_preview,
    messages,
    migration,
    now,
    pool_forms,
    pools,
    runbooks,
    ses,
    settings,
    tenant,
    tenant_details,
    tenants,
)
from mailcordon.adapters.dashboard.sign_in import pages as sign_in_pages
from mailcordon.adapters.dashboard.sign_in.pages import SignIn
from mailcordon.adapters.dashboard.site import PageRequest, Site, visitor_of
from mailcordon.adapters.dashboard.visitor import Visitors


def routes(site: Site, sign_in: SignIn, visitors: Visitors, live: Live) -> list[HTTPRouteHandler]:
    @get("/")
    async def first(request: PageRequest) -> Redirect:
        own = visitor_of(request).principal.tenant_slug
        return Redirect("/now" if own is None else f"/tenants/{own}", status_code=303)

    return [
        first,
        *sign_in_pages.routes(site, sign_in),
        *now.routes(site, visitors, live),
        *beside_now(site),
    ]


def beside_now(site: Site) -> list[HTTPRouteHandler]:
    """All pages but Now and those of signing in."""
    return [
        *holds.routes(site),
        *incidents.routes(site),
        *runbooks.routes(site),
        *messages.routes(site),
        *message_preview.routes(site),
        *addresses.routes(site),
        *tenants.routes(site),
        *tenant.routes(site),
        *tenant_details.routes(site),
        *mail_templates.routes(site),
        *mail_template_forms.routes(site),
        *lanes.routes(site),
        *lane_actions.routes(site),
        *lane_checks.routes(site),
        *go.routes(site),
        *ses.routes(site),
        *migration.routes(site),
        *pools.routes(site),
        *pool_forms.routes(site),
        *audit.routes(site),
        *settings.routes(site),
    ]
