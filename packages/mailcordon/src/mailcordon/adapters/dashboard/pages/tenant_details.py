"""What belongs to a tenant: its domains with their records, suppressed addresses, keys, webhooks and contacts."""

import asyncio
from typing import Any

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from mailcordon.adapters.dashboard.links import link
from mailcordon.adapters.dashboard.pages import (
    domain_forms,
    tenant,
    tenant_changes,
    tenant_fact_forms,
    tenant_forms,
)
from mailcordon.adapters.dashboard.rest import Problem
from mailcordon.adapters.dashboard.site import PageRequest, Site
from mailcordon.messages import dashboard as messages
from mailcordon.messages import tenant_pages

#: Domains whose last check is shown in the list; of the others the page of each shows it.
_CHECKED = 10


def routes(site: Site) -> list[HTTPRouteHandler]:
    @get("/tenants/{slug:str}/domains")
    async def domains(request: PageRequest, slug: FromPath[str]) -> Response[str]:
        rest, after = site.rest(request), request.query_params.get("after") or None
        found, identities, proofs, claims = await asyncio.gather(
            tenant.tenant_of(rest, slug),
            rest.get("/v1/identities", tenant=slug, after=after, limit=100),
            rest.found("/v1/tenants/{}/proofs", slug),
            rest.found("/v1/claims", tenant=slug, limit=100),
        )
        items: list[dict[str, Any]] = identities["items"]
        checks = await asyncio.gather(
            *(rest.found("/v1/identities/{}/check", one["domain"]) for one in items[:_CHECKED])
        )
        shown = [
            {**one, "check": checks[place] if place < len(checks) else None}
            for place, one in enumerate(items)
        ]
        return tenant.page(
            site,
            request,
            "tenants/domains.html",
            found,
            "domains",
            domains=shown,
            claims=[one for one in claims["items"] if one["proof"] is None or one["contended"]]
            if claims
            else [],
            claims_are=tenant_pages.claims_are(),
            proofs=[] if proofs is None else proofs["items"],
            next=identities["next"],
            more=link(f"/tenants/{slug}/domains", after=identities["next"]),
        )

    @get("/tenants/{slug:str}/domains/{domain:str}")
    async def domain(request: PageRequest, slug: FromPath[str], domain: FromPath[str]) -> Response[str]:
        rest = site.rest(request)
        found, identity, check, records, dkim = await asyncio.gather(
            tenant.tenant_of(rest, slug),
            rest.get("/v1/identities/{}", domain),
            rest.found("/v1/identities/{}/check", domain),
            rest.found("/v1/identities/{}/records", domain),
            rest.found("/v1/identities/{}/dkim", domain),
        )
        if identity["tenant"] != found["slug"]:
            raise Problem(404, messages.no_such_page(), "not-found")
        return tenant.page(
            site,
            request,
            "tenants/domain.html",
            found,
            "domains",
            title=f"{identity['domain']}, {found['slug']}",
            identity=identity,
            check=check,
            records=records,
            dkim=dkim and dkim["keys"],
            dkim_keys_are=tenant_pages.dkim_keys_are(),
        )

    @get("/tenants/{slug:str}/suppressions")
    async def suppressions(request: PageRequest, slug: FromPath[str]) -> Response[str]:
        rest, query = site.rest(request), request.query_params
        address = query.get("address", "").strip()
        wrong, explained, listed = "", None, None
        found = await tenant.tenant_of(rest, slug)
        if address:
            try:
                explained = await rest.get("/v1/suppressions/explain", tenant=slug, address=address)
            except Problem as problem:
                if problem.status != 422:
                    raise
                wrong = problem.fields[0].problem if problem.fields else problem.sentence
        else:
            listed = await rest.get(
                "/v1/suppressions", tenant=slug, after=query.get("after") or None, limit=50
            )
        return tenant.page(
            site,
            request,
            "tenants/suppressions.html",
            found,
            "suppressions",
            address=address,
            wrong=wrong,
            explained=explained,
            items=None if listed is None else listed["items"],
            next=None if listed is None else listed["next"],
            more=link(f"/tenants/{slug}/suppressions", after=None if listed is None else listed["next"]),
        )

    @get("/tenants/{slug:str}/access")
    async def access(request: PageRequest, slug: FromPath[str]) -> Response[str]:
        rest = site.rest(request)
        found, keys, views, webhooks, contacts, notices = await asyncio.gather(
            tenant.tenant_of(rest, slug),
            rest.found("/v1/keys", tenant=slug, limit=200),
            rest.found("/v1/tenants/{}/view-links", slug),
            rest.found("/v1/webhooks", tenant=slug),
            rest.found("/v1/tenants/{}/contacts", slug),
            rest.found("/v1/tenants/{}/notices", slug, limit=20),
        )
        return tenant.page(
            site,
            request,
            "tenants/access.html",
            found,
            "access",
            keys=keys and keys["items"],
            views=views and views["items"],
            webhooks=webhooks and webhooks["items"],
            contacts=contacts and contacts["items"],
            notices=notices and notices["items"],
        )

    return [
        domains,
        domain,
        suppressions,
        access,
        *tenant_forms.routes(site),
        *tenant_fact_forms.routes(site),
        *tenant_changes.routes(site),
        *domain_forms.routes(site),
    ]
