"""Addresses: whether a tenant may mail one, why not, its last mail, and changing that."""

import asyncio
from typing import Any

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.response import Redirect

from mailcordon.adapters.dashboard.pages import actions, blocks
from mailcordon.adapters.dashboard.pages.actions import Asked, Field, Given, because, link, shell
from mailcordon.adapters.dashboard.pages.blocks import Button, Filter, Page, Section
from mailcordon.adapters.dashboard.pages.messages import TONES
from mailcordon.adapters.dashboard.rest import Rest
from mailcordon.adapters.dashboard.site import PageRequest, Site, visitor_of
from mailcordon.messages import dashboard as messages
from mailcordon.messages import lane_pages

_MOST_TENANTS = 5  #: that are explained, if none was named
_SCOPES = (("tenant", "All mail of the tenant"), ("class", "Mail of one class"), ("lane", "Mail of one type"))
_CLASSES = (("", "-"), ("urgent", "urgent"), ("transactional", "transactional"), ("marketing", "marketing"))


def routes(site: Site) -> list[HTTPRouteHandler]:
    @get("/addresses/{address:str}")
    async def by_path(request: PageRequest) -> Redirect:
        address, tenant = str(request.path_params["address"]), request.query_params.get("tenant")
        return Redirect(link("/addresses", address=address, tenant=tenant), status_code=303)

    @get("/addresses")
    async def show(request: PageRequest) -> Response[str]:
        rest = site.rest(request)
        address = request.query_params.get("address", "").strip()
        tenant = visitor_of(request).principal.tenant_slug or request.query_params.get("tenant", "").strip()
        filters = [Filter(name="address", label="Address", value=address, hint="kim@example.com")]
        if visitor_of(request).principal.is_platform:
            filters.append(
                Filter(name="tenant", label="Tenant", value=tenant, hint="every tenant that mailed it")
            )
        sections, sentence = [], ""
        if address:
            found = await rest.get("/v1/messages", to=address, tenant=tenant or None, limit=50)
            of = [tenant] if tenant else sorted({one["tenant"] for one in found["items"]})[:_MOST_TENANTS]
            known = await asyncio.gather(
                *(rest.found("/v1/suppressions/explain", address=address, tenant=one) for one in of)
            )
            sections = [_explained(one) for one in known if one is not None]
            if found["never_mailed"]:
                sentence = found["never_mailed"]["detail"]
            sections.append(_mail(found, address, tenant))
        return blocks.shown(
            site,
            request,
            "messages",
            Page(
                title=address or "Addresses",
                crumbs=[("/messages", "Messages")],
                filters=filters,
                sentence=sentence,
                tone="slow",
                sections=sections,
            ),
        )

    suppressing = actions.routes(
        site, "/addresses/suppress", section="messages", ask=_ask_suppress, perform=_suppress, done="saved"
    )
    allowing = actions.routes(
        site, "/addresses/allow", section="messages", ask=_ask_allow, perform=_allow, done="saved"
    )
    reading = actions.routes(
        site, "/addresses/read", section="messages", ask=_ask_read, perform=_read, done="asked"
    )
    return [by_path, show, *suppressing, *allowing, *reading]


def _explained(known: Any) -> Section:
    tenant, address = known["tenant"], known["address"]
    rows = [
        [
            blocks.text(_scope(one)),
            blocks.text(one["cause"].replace("-", " "), note=one["evidence"]),
            blocks.ago(one["since"]),
            blocks.clock(one["until"]),
            blocks.text(one["by"], note=_removing(one)),
            blocks.act("Allow again…", _allow_link(address, tenant, one), "operate")
            if one["scope"] != "platform"
            else blocks.text("the platform's own list"),
        ]
        for one in known["ours"]
    ]
    at_ses = [f"SES's list {one['list']}: {_at_ses(one)}" for one in known["at_ses"]]
    return Section(
        heading=tenant,
        says=[
            known["sentence"] + ".",
            *([known["dropped_sentence"] + "."] if known["dropped_sentence"] else ()),
            *known["next"],
        ],
        warns=[*known["disagreements"]],
        heads=("Scope", "Cause", "Since", "Until", "By", ""),
        rows=rows,
        text="\n".join(at_ses),
        buttons=[
            Button(link("/addresses/suppress", address=address, tenant=tenant), "Suppress…", "operate"),
            Button(link("/addresses/read", address=address, tenant=tenant), "Ask SES's lists…", "operate"),
        ],
        command=f"mailcordon suppression explain {shell(address)} --tenant {tenant}",
    )


def _allow_link(address: str, tenant: str, one: Any) -> str:
    narrow = {"class": one["class"], "type": one["type"]}
    return link("/addresses/allow", address=address, tenant=tenant, scope=one["scope"], **narrow)


def _scope(one: Any) -> str:
    if one["scope"] == "class":
        return f"{one['class']} mail"
    return f"type {one['type']}" if one["scope"] == "lane" else f"all mail ({one['scope']})"


def _removing(one: Any) -> str:
    if not one["removing"]:
        return ""
    return f"is being removed: {one['removal_waits']}" if one["removal_waits"] else "is being removed"


def _at_ses(one: Any) -> str:
    if one["problem"]:
        return str(one["problem"])
    if one["found"] is None:
        return "not read yet"
    return f"has it ({one['reason']}), as {one['spelling']}" if one["found"] else "does not have it"


def _mail(found: Any, address: str, tenant: str) -> Section:
    return Section(
        heading="Last mail to it",
        heads=("Accepted", "Tenant / type", "State", "Why"),
        rows=[
            [
                blocks.ago(one["accepted_at"]),
                blocks.lane(one["tenant"], one["type"]),
                blocks.tone(one["state"], TONES.get(one["state"], "bad")),
                blocks.text(one["detail"] or one["reason"] or "Show", href=f"/messages/{one['id']}"),
            ]
            for one in found["items"][:20]
        ],
        empty="No mail to this address is in the records.",
        buttons=[Button(link("/messages", to=address, tenant=tenant), "Search its mail")],
    )


async def _ask_suppress(rest: Rest, given: Given) -> Asked:
    address, tenant, scope = given.get("address"), given.get("tenant"), given.get("scope")
    is_ready = bool(address and tenant and scope)
    says: list[str] = []
    if is_ready:
        known = await rest.get("/v1/suppressions/explain", address=address, tenant=tenant)
        says = [messages.will_suppress(tenant, address, _covered(given)), f"Now: {known['sentence']}."]
    return Asked(
        title=messages.suppress_title(address),
        back=link("/addresses", address=address, tenant=tenant) if address else "/messages",
        says=says,
        fields=[
            Field(name="address", label="Address", value=address, required=True),
            Field(name="tenant", label="Tenant", value=tenant, required=True),
            Field(name="scope", label="What must not go there", value=scope, kind="select", options=_SCOPES),
            Field(name="class", label="Class, if mail of one class", kind="select", options=_CLASSES),
            Field(name="type", label="Type, if mail of one type"),
            Field(
                name="days",
                label="For how many days",
                kind="number",
                hint="Empty: until somebody allows it again.",
            ),
        ],
        is_ready=is_ready,
        button="Suppress it",
        is_dangerous=True,
        command=f"mailcordon suppression add {shell(address or 'ADDRESS')} --tenant {tenant or 'TENANT'} "
        f"--scope {scope or 'tenant'}{_options(given)} {because(given)}",
    )


def _options(given: Given) -> str:
    return "".join(f" --{name} {shell(value)}" for name in ("class", "type") if (value := given.maybe(name)))


def _covered(given: Given) -> str:
    if given.get("scope") == "class":
        return f"{given.get('class') or 'CLASS'} mail"
    return f"mail of the type {given.get('type') or 'TYPE'}" if given.get("scope") == "lane" else "all mail"


async def _suppress(rest: Rest, given: Given) -> str:
    scope = given.get("scope")
    days = given.whole("days")
    body: dict[str, object] = {
        "address": given.get("address"),
        "tenant": given.get("tenant"),
        "scope": scope,
        "because": given.because,
        "class": given.maybe("class") if scope == "class" else None,
        "type": given.maybe("type") if scope == "lane" else None,
        "until_seconds": days * 86_400.0 if days else None,
    }
    await rest.post("/v1/suppressions", body=body)
    return link("/addresses", address=given.get("address"), tenant=given.get("tenant"))


async def _ask_allow(rest: Rest, given: Given) -> Asked:
    address, tenant = given.get("address"), given.get("tenant")
    known = await rest.get("/v1/suppressions/explain", address=address, tenant=tenant)
    return Asked(
        title=messages.allow_title(address),
        back=link("/addresses", address=address, tenant=tenant),
        says=[
            messages.will_allow(tenant, address, _covered(given)),
            f"Now: {known['sentence']}.",
            *known["next"],
        ],
        fields=[
            Field(name=name, label=label, value=given.get(name), kind="hidden")
            for name, label in (("address", ""), ("tenant", ""), ("scope", ""), ("class", ""), ("type", ""))
        ],
        button="Allow it again",
        command=f"mailcordon suppression remove {shell(address)} --tenant {tenant} --scope {given.get('scope')}"
        f'{_options(given)} --because "..."',
    )


async def _allow(rest: Rest, given: Given) -> str:
    await rest.delete(
        "/v1/suppressions",
        address=given.get("address"),
        tenant=given.get("tenant"),
        scope=given.get("scope"),
        class_=given.maybe("class"),
        type=given.maybe("type"),
        because=given.because,
    )
    return link("/addresses", address=given.get("address"), tenant=given.get("tenant"))


async def _ask_read(rest: Rest, given: Given) -> Asked:
    address, tenant = given.get("address"), given.get("tenant")
    await rest.get("/v1/suppressions/explain", address=address, tenant=tenant)
    return Asked(
        title=f"Ask SES's lists about {address}",
        back=link("/addresses", address=address, tenant=tenant),
        says=[lane_pages.reads_ses_lists(tenant, address)],
        fields=[
            Field(name=name, label="", value=given.get(name), kind="hidden") for name in ("address", "tenant")
        ],
        needs_reason=False,
        button="Ask them",
        command=f"mailcordon suppression explain {shell(address)} --tenant {shell(tenant)}",
    )


async def _read(rest: Rest, given: Given) -> str:
    address, tenant = given.get("address"), given.get("tenant")
    await rest.post("/v1/suppressions/read", body={"address": address, "tenant": tenant})
    return link("/addresses", address=address, tenant=tenant)
