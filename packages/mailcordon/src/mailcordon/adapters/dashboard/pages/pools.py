"""IP pools: who owns each, whose mail leaves from it, and what is wrong with it."""

from typing import Any

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from mailcordon.adapters.dashboard.pages import actions, blocks
from mailcordon.adapters.dashboard.pages.actions import Asked, Field, Given, because, shell
from mailcordon.adapters.dashboard.pages.blocks import Button, Cell, Page, Section
from mailcordon.adapters.dashboard.rest import Rest
from mailcordon.adapters.dashboard.site import PageRequest, Site
from mailcordon.core.principal import ADMIN
from mailcordon.messages import migration_pages as messages

PATH = "/pools"
_CLASSES = (
    ("", "All mail that fits the pool"),
    ("urgent", "urgent"),
    ("transactional", "transactional"),
    ("marketing", "marketing"),
)


def routes(site: Site) -> list[HTTPRouteHandler]:
    @get(PATH)
    async def pools(request: PageRequest) -> Response[str]:
        found = await site.rest(request).get("/v1/pools")
        return blocks.shown(site, request, "pools", _pools(found))

    @get(PATH + "/{name:str}")
    async def pool(request: PageRequest) -> Response[str]:
        found = await site.rest(request).get("/v1/pools/{}", request.path_params["name"])
        return blocks.shown(site, request, "pools", _pool(found))

    adding = actions.routes(
        site, PATH + "/{name:str}/add", section="pools", ask=_ask_add, perform=_add, done="saved", needs=ADMIN
    )
    removing = actions.routes(
        site,
        PATH + "/{name:str}/remove",
        section="pools",
        ask=_ask_remove,
        perform=_remove,
        done="saved",
        needs=ADMIN,
    )
    deleting = actions.routes(
        site,
        PATH + "/{name:str}/delete",
        section="pools",
        ask=_ask_delete,
        perform=_delete,
        done="removed",
        needs=ADMIN,
    )
    return [pools, pool, *adding, *removing, *deleting]


def _state(one: Any) -> Cell:
    return blocks.tone(one["state"], {"applied": "good", "failing": "bad"}.get(one["state"], "slow"))


def _members(one: Any) -> str:
    tenants = sorted({each["tenant"] for each in one["members"]})
    return (
        f"{len(tenants)}: {', '.join(tenants[:3])}{', …' if len(tenants) > 3 else ''}"
        if tenants
        else "nobody"
    )


def _pools(found: Any) -> Page:
    troubled = [one for one in found["items"] if one["troubles"] or one["state"] == "failing"]
    return Page(
        title="IP pools",
        buttons=[Button(f"{PATH}/new", "Make a pool…", "admin")],
        sentence=messages.pools_are(len(found["items"]), len(troubled)) if found["items"] else "",
        tone="slow" if troubled else "good",
        sections=[
            Section(
                heads=("Pool", "At SES", "Mail", "Addresses", "Whose mail", "Owner", "What is wrong"),
                rows=[
                    [
                        blocks.text(one["name"], href=f"{PATH}/{one['name']}"),
                        _state(one),
                        blocks.text(one["mail"]),
                        blocks.text("managed by SES" if one["managed"] else _addresses(one)),
                        blocks.text(_members(one)),
                        blocks.text(one["owner"]),
                        blocks.text(" ".join(each["sentence"] for each in one["troubles"]) or "nothing"),
                    ]
                    for one in found["items"]
                ],
                empty=messages.no_pool(),
                command="mailcordon pool list",
            )
        ],
    )


def _addresses(one: Any) -> str:
    if one["addresses"] is None:
        return "SES was not asked yet"
    return f"{len(one['addresses'])}"


def _pool(one: Any) -> Page:
    name = one["name"]
    return Page(
        title=f"IP pool {name}",
        crumbs=[(PATH, "IP pools")],
        sentence=" ".join(each["sentence"] for each in one["troubles"]),
        tone="slow",
        buttons=[
            Button(f"{PATH}/{name}/add", "Add a tenant…", "admin"),
            Button(f"{PATH}/{name}/change", "Change the owner…", "admin"),
            Button(f"{PATH}/{name}/remove", "Remove a tenant…", "admin")
            if one["members"]
            else Button(f"{PATH}/{name}/delete", "Delete the pool…", "admin"),
        ],
        sections=[
            Section(
                facts=[
                    ("At SES", _state(one)),
                    *([("Error", blocks.text(one["error"]))] if one["error"] else []),
                    ("Mail", blocks.text(one["mail"])),
                    (
                        "Mode",
                        blocks.text(
                            "managed by SES" if one["managed"] else "our own addresses",
                            note=one["mode_at_ses"] or "",
                        ),
                    ),
                    ("What it cannot take", blocks.text(one["overflow"])),
                    (
                        "Needs",
                        blocks.text(f"{one['minimum']:,} mails a day to a mailbox provider for each address"),
                    ),
                    ("Owner", blocks.text(one["owner"], note=one["escalation"])),
                    ("Made", blocks.clock(one["created_at"])),
                    ("By", blocks.text(one["created_by"], note=one["because"])),
                ],
                says=[each["next"] for each in one["troubles"]],
            ),
            Section(
                heading="Whose mail leaves from it",
                says=[messages.pool_is_shared()]
                if len({each["tenant"] for each in one["members"]}) > 1
                else (),
                heads=("Tenant", "Class", "At SES", "Since", "By", "Why"),
                rows=[
                    [
                        blocks.tenant(each["tenant"]),
                        blocks.text(each["class"]),
                        blocks.tone("yes", "good") if each["at_ses"] else blocks.tone("not yet", "slow"),
                        blocks.ago(each["since"]),
                        blocks.text(each["added_by"]),
                        blocks.text(each["because"]),
                    ]
                    for each in one["members"]
                ],
                empty="No mail leaves from it yet.",
            ),
            Section(
                heading="Its last seven days",
                heads=("Mailbox provider", "Days", "Sent", "A day", "Blocks", "Complaints"),
                rows=[
                    [
                        blocks.text(each["provider"]),
                        blocks.number(each["days"]),
                        blocks.number(each["sent"]),
                        blocks.number(each["per_day"]),
                        blocks.number(each["blocks"]),
                        blocks.number(each["complaints"]),
                    ]
                    for each in one["weeks"]
                ],
                empty="It sent nothing in the last seven days.",
            ),
            Section(
                heading="Addresses",
                heads=("Address", "Warm-up"),
                rows=[
                    [
                        blocks.code(each["ip"]),
                        blocks.text("SES does not say" if each["warm"] is None else f"{each['warm']} %"),
                    ]
                    for each in one["addresses"] or ()
                ],
                empty="SES names no address of it.",
                command=f"mailcordon pool show {shell(name)}",
            ),
        ],
    )


def _choices() -> list[Field]:
    return [
        Field(name="tenant", label="Tenant", required=True),
        Field(name="class", label="Mail", kind="select", options=_CLASSES),
    ]


def _asked(given: Given, verb: str, title: str, says: str) -> Asked:
    tenant, class_ = given.get("tenant"), given.maybe("class")
    return Asked(
        title=title,
        back=f"{PATH}/{given['name']}",
        says=[says, messages.makes_a_plan()],
        fields=_choices(),
        is_ready=bool(tenant),
        button="Make the plan",
        command=f"mailcordon pool {verb} {shell(given['name'])} {shell(tenant or 'TENANT')}"
        f"{f' --class {class_}' if class_ else ''} {because(given)}",
    )


async def _ask_add(rest: Rest, given: Given) -> Asked:
    await rest.get("/v1/pools/{}", given["name"])
    says = messages.will_add_to_pool(given.get("tenant"), given.get("class"), given["name"])
    return _asked(given, "add", f"Let a tenant's mail leave from {given['name']}", says)


async def _ask_remove(rest: Rest, given: Given) -> Asked:
    await rest.get("/v1/pools/{}", given["name"])
    says = messages.will_remove_from_pool(given.get("tenant"), given.get("class"), given["name"])
    return _asked(given, "remove", f"Take a tenant's mail away from {given['name']}", says)


async def _ask_delete(rest: Rest, given: Given) -> Asked:
    one = await rest.get("/v1/pools/{}", given["name"])
    return Asked(
        title=f"Delete the IP pool {one['name']}",
        back=f"{PATH}/{one['name']}",
        says=[messages.will_delete_pool(one["name"], managed=one["managed"])],
        button="Delete it",
        is_dangerous=True,
        command=f"mailcordon pool delete {shell(one['name'])} {because(given)}",
    )


async def _delete(rest: Rest, given: Given) -> str:
    await rest.delete("/v1/pools/{}", given["name"], because=given.because)
    return PATH


def _body(given: Given) -> dict[str, object]:
    return {"tenant": given.get("tenant"), "class": given.maybe("class"), "because": given.because}


def _planned(given: Given, made: Any) -> str:
    return f"{PATH}/{given['name']}" if made["id"] is None else f"/ses/plans/{made['id']}"


async def _add(rest: Rest, given: Given) -> str:
    return _planned(given, await rest.post("/v1/pools/{}/members", given["name"], body=_body(given)))


async def _remove(rest: Rest, given: Given) -> str:
    return _planned(given, await rest.post("/v1/pools/{}/members/remove", given["name"], body=_body(given)))
