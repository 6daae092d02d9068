"""Settings: the SES door. Access keys of an API key, and the names of configuration sets that stand for message types there."""

from typing import Any

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from mailcordon.adapters.dashboard.formats import segment
from mailcordon.adapters.dashboard.links import link
from mailcordon.adapters.dashboard.pages import actions, blocks, forms
from mailcordon.adapters.dashboard.pages.actions import Asked, Given, shell
from mailcordon.adapters.dashboard.pages.blocks import Button, Filter, Page, Section
from mailcordon.adapters.dashboard.pages.forms import Form, Input, ShownOnce, option
from mailcordon.adapters.dashboard.pages.settings_tabs import PATH, page
from mailcordon.adapters.dashboard.rest import Problem, Rest
from mailcordon.adapters.dashboard.site import PageRequest, Site
from mailcordon.control.access_keys import check_set_name
from mailcordon.core.principal import ADMIN
from mailcordon.messages import dashboard_forms
from mailcordon.messages import settings_pages as messages

DOOR = PATH + "/ses-door"
_OF_KEY = PATH + "/keys/{prefix:str}/access-keys"


def routes(site: Site) -> list[HTTPRouteHandler]:
    @get(DOOR)
    async def sets(request: PageRequest) -> Response[str]:
        tenant = request.query_params.get("tenant", "").strip()
        found = await site.rest(request).get("/v1/ses-door/sets", tenant=tenant or None)
        return blocks.shown(site, request, "settings", _sets(found, tenant))

    @get(_OF_KEY)
    async def access_keys(request: PageRequest, prefix: FromPath[str]) -> Response[str]:
        found = await site.rest(request).get("/v1/keys/{}/access-keys", prefix)
        return blocks.shown(site, request, "settings", _access_keys(found, prefix))

    return [
        sets,
        access_keys,
        *forms.routes(site, _OF_KEY + "/new", section="settings", ask=_ask_new, perform=_create),
        *actions.routes(
            site,
            _OF_KEY + "/{id:str}/revoke",
            section="settings",
            ask=_ask_revoke,
            perform=_revoke,
            done="removed",
            needs=ADMIN,
        ),
        *forms.routes(site, DOOR + "/name", section="settings", ask=_ask_name, perform=_name),
        *actions.routes(
            site,
            DOOR + "/forget",
            section="settings",
            ask=_ask_forget,
            perform=_forget,
            done="removed",
            needs=ADMIN,
        ),
    ]


# Access keys ---------------------------------------------------------------------------------------------------------------


def _path(given: Given) -> str:
    return f"{PATH}/keys/{segment(given['prefix'])}/access-keys"


def _access_keys(found: Any, prefix: str) -> Page:
    of = f"{PATH}/keys/{segment(prefix)}/access-keys"
    return page(
        "keys",
        f"Access keys of {prefix}",
        crumbs=[(PATH + "/keys", "API keys")],
        buttons=[Button(of + "/new", "Make an access key…", "admin")],
        sections=[
            Section(
                says=[messages.access_keys_are()],
                heads=("Access key", "Made", "State", ""),
                rows=[
                    [
                        blocks.code(one["id"]),
                        blocks.ago(one["made_at"], note=one["made_by"]),
                        blocks.tone("revoked", "") if one["revoked_at"] else blocks.tone("valid", "good"),
                        blocks.text("")
                        if one["revoked_at"]
                        else blocks.act("Revoke…", f"{of}/{one['id']}/revoke", "admin"),
                    ]
                    for one in found["items"]
                ],
                empty=messages.no_access_key(),
                command=f"mailcordon ses-door keys {shell(prefix)}",
            )
        ],
    )


async def _ask_new(rest: Rest, given: Given) -> Form:
    await rest.get("/v1/keys/{}/access-keys", given["prefix"])
    return Form(
        title=f"Make an access key of {given['prefix']}",
        back=_path(given),
        says=[dashboard_forms.new_access_key(given["prefix"])],
        button="Make the access key",
        leave="Make none",
        needs_reason=False,
        command=f"mailcordon ses-door key {shell(given['prefix'])}",
    )


async def _create(rest: Rest, given: Given) -> ShownOnce:
    made = await rest.post("/v1/keys/{}/access-keys", given["prefix"])
    return ShownOnce(
        title=f"The access key {made['id']}",
        says=[dashboard_forms.access_key_is()],
        secrets=[("AWS_ACCESS_KEY_ID", made["id"]), ("AWS_SECRET_ACCESS_KEY", made["secret"])],
        commands=[f"mailcordon ses-door revoke {made['id']}"],
        back=_path(given),
        back_words="To the access keys",
    )


async def _ask_revoke(rest: Rest, given: Given) -> Asked:
    found = await rest.get("/v1/keys/{}/access-keys", given["prefix"])
    if given["id"] not in {one["id"] for one in found["items"]}:
        raise Problem(404, messages.nothing_of_that_name(), "not-found")
    return Asked(
        title=f"Revoke the access key {given['id']}",
        back=_path(given),
        says=[messages.will_revoke_access_key(given["id"], given["prefix"])],
        needs_reason=False,
        button="Revoke it for good",
        is_dangerous=True,
        command=f"mailcordon ses-door revoke {shell(given['id'])}",
    )


async def _revoke(rest: Rest, given: Given) -> str:
    await rest.delete("/v1/access-keys/{}", given["id"])
    return _path(given)


# Names of configuration sets -----------------------------------------------------------------------------------------------


def _sets(found: Any, tenant: str) -> Page:
    return page(
        "ses-door",
        "The SES door",
        filters=[Filter(name="tenant", label="Tenant", value=tenant, hint="those for all tenants")],
        buttons=[Button(link(DOOR + "/name", tenant=tenant), "Give a name a type…", "admin")],
        sections=[
            Section(
                heading="Configuration set names",
                says=[messages.sets_are()],
                heads=("Name", "Stands for", "Of", "", ""),
                rows=[
                    [
                        blocks.code(one["name"]),
                        blocks.code(one["type"]),
                        blocks.tenant(one["tenant"]) if one["tenant"] else blocks.text("all tenants"),
                        blocks.act(
                            "Change…",
                            link(DOOR + "/name", set=one["name"], type=one["type"], tenant=one["tenant"]),
                            "admin",
                        ),
                        blocks.act(
                            "Forget…", link(DOOR + "/forget", set=one["name"], tenant=one["tenant"]), "admin"
                        ),
                    ]
                    for one in found["items"]
                ],
                empty=messages.no_set(tenant or None),
                command="mailcordon ses-door list" + option("tenant", tenant),
            ),
            Section(
                heading="Access keys",
                says=[messages.where_access_keys_are()],
                buttons=[Button(link(PATH + "/keys", tenant=tenant), "API keys")],
            ),
        ],
    )


async def _ask_name(rest: Rest, given: Given) -> Form:
    types = (await rest.get("/v1/types", limit=1000))["items"]
    tenant, name, type_ = given.get("tenant"), given.get("set"), given.get("type")
    return Form(
        title=f"What {name} stands for" if name else "Give a configuration set name a type",
        back=link(DOOR, tenant=tenant),
        says=[dashboard_forms.names_set()],
        fields=[
            Input(
                name="set",
                label="Name",
                required=True,
                limit=64,
                hint="As apps have it in `ConfigurationSetName`.",
            ),
            Input(
                name="type",
                label="Message type that it stands for",
                kind="select",
                options=[(one["name"], one["name"]) for one in types],
            ),
            Input(
                name="tenant",
                label="Tenant",
                hint="Its slug. Empty: of every tenant that has no own row of this name.",
            ),
        ],
        needs_reason=False,
        command=f"mailcordon ses-door map {shell(name or 'SET')} {shell(type_ or 'TYPE')}{option('tenant', tenant)}",
    )


async def _name(rest: Rest, given: Given) -> str:
    try:
        name = check_set_name(given.get("set"))
    except ValueError as problem:
        raise forms.refused("set", str(problem)) from None
    tenant = given.maybe("tenant")
    await rest.put("/v1/ses-door/sets/{}", name, body={"type": given.get("type"), "tenant": tenant})
    return link(DOOR, tenant=tenant)


async def _ask_forget(rest: Rest, given: Given) -> Asked:
    name, tenant = given.get("set"), given.get("tenant")
    found = await rest.get("/v1/ses-door/sets", tenant=tenant or None)
    one = next((one for one in found["items"] if one["name"] == name), None)
    if one is None:
        raise Problem(404, messages.nothing_of_that_name(), "not-found")
    return Asked(
        title=f"Forget what {name} stands for",
        back=link(DOOR, tenant=tenant),
        says=[messages.will_forget_set(name, one["type"], tenant or None)],
        fields=[
            actions.Field(name=field, label="", value=given.get(field), kind="hidden")
            for field in ("set", "tenant")
        ],
        needs_reason=False,
        button="Forget it",
        is_dangerous=True,
        command=f"mailcordon ses-door unmap {shell(name)}{option('tenant', tenant)}",
    )


async def _forget(rest: Rest, given: Given) -> str:
    tenant = given.maybe("tenant")
    await rest.delete("/v1/ses-door/sets/{}", given.get("set"), tenant=tenant)
    return link(DOOR, tenant=tenant)
