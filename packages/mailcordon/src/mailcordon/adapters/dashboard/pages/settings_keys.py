"""Settings: the API keys. A key itself is never shown here."""

from typing import Any

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from mailcordon.adapters.dashboard.links import link
from mailcordon.adapters.dashboard.pages import blocks, key_forms
from mailcordon.adapters.dashboard.pages.blocks import Button, Cell, Filter, Page, Section
from mailcordon.adapters.dashboard.pages.settings_tabs import PATH, page
from mailcordon.adapters.dashboard.site import PageRequest, Site
from mailcordon.messages import settings_pages as messages


def routes(site: Site) -> list[HTTPRouteHandler]:
    @get(PATH + "/keys")
    async def keys(request: PageRequest) -> Response[str]:
        given = request.query_params
        tenant = given.get("tenant", "").strip()
        found = await site.rest(request).get(
            "/v1/keys", tenant=tenant or None, after=given.get("after"), limit=100
        )
        return blocks.shown(site, request, "settings", _keys(found, tenant))

    return [keys, *key_forms.routes(site)]


def _keys(found: Any, tenant: str) -> Page:
    return page(
        "keys",
        "API keys",
        filters=[Filter(name="tenant", label="Tenant", value=tenant, hint="every key")],
        buttons=[Button(link(PATH + "/keys/new", tenant=tenant), "Make a key…", "admin")],
        sections=[
            Section(
                says=[messages.keys_are()],
                heads=("Key", "Whose", "Of", "May", "Last used", "Made", "Ends", "", "", "", ""),
                rows=[
                    [
                        blocks.code(one["prefix"]),
                        blocks.text(one["holder"], note=one["name"]),
                        blocks.tenant(one["tenant"]) if one["tenant"] else blocks.text("the platform"),
                        blocks.text(
                            ", ".join(one["scopes"]),
                            note=f"types: {', '.join(one['types'])}" if one["types"] else "",
                        ),
                        blocks.ago(one["last_used_at"]),
                        blocks.ago(one["created_at"], note=one["created_by"]),
                        blocks.tone("revoked", "") if one["revoked_at"] else blocks.ago(one["expires_at"]),
                        *_acts(one),
                    ]
                    for one in found["items"]
                ],
                empty="No key fits.",
                more=link(PATH + "/keys", tenant=tenant, after=found["next"]) if found["next"] else "",
                command="mailcordon key list",
            )
        ],
    )


def _acts(one: Any) -> list[Cell]:
    of = f"{PATH}/keys/{one['prefix']}"
    acts = (("Change…", "change"), ("Replace…", "rotate"), ("Revoke…", "revoke"))
    return [
        blocks.text("Access keys", href=f"{of}/access-keys"),
        *(
            blocks.text("") if one["revoked_at"] else blocks.act(words, f"{of}/{verb}", "admin")
            for words, verb in acts
        ),
    ]
