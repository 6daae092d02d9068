"""Moving, retiring and bringing back a tenant, its lanes and its domains: each becomes a plan, which is applied on its own page.
And erasing the personal data of a tenant that is retired."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from litestar.handlers import HTTPRouteHandler

from mailcordon.adapters.dashboard.formats import segment
from mailcordon.adapters.dashboard.pages import actions
from mailcordon.adapters.dashboard.pages.actions import Asked, Field, Given, Table, because, shell
from mailcordon.adapters.dashboard.rest import Problem, Rest
from mailcordon.adapters.dashboard.site import Site
from mailcordon.core.principal import ADMIN
from mailcordon.messages import migration_pages
from mailcordon.messages import tenant_pages as messages


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One verb of the API, as a page."""

    verb: str
    title: str  #: {} in it is the tenant
    button: str
    command: str  #: with {tenant} and the names of fields
    needs: tuple[str, ...] = ()  #: fields without which there is nothing to preview
    offers: tuple[str, ...] = ()  #: others; a change without needs has at least one of them
    is_dangerous: bool = False


CHANGES = (
    Change(
        verb="retire-lane",
        title="Retire a lane of {}",
        button="Plan to retire it",
        command="lane retire {tenant} {type}{mail}",
        needs=("type",),
        offers=("mail",),
        is_dangerous=True,
    ),
    Change(
        verb="unretire-lane",
        title="Bring a lane of {} back",
        button="Plan to bring it back",
        command="lane unretire {tenant} {type}",
        needs=("type",),
    ),
    Change(
        verb="move-lane",
        title="Send a lane of {} from another domain",
        button="Plan the move",
        command="lane move {tenant} {type} --to {domain}",
        needs=("type", "domain"),
    ),
    Change(
        verb="retire-domain",
        title="Retire a domain of {}",
        button="Plan to retire it",
        command="identity retire {domain}{mail}",
        needs=("domain",),
        offers=("mail",),
        is_dangerous=True,
    ),
    Change(
        verb="unretire-domain",
        title="Bring a domain of {} back",
        button="Plan to bring it back",
        command="identity unretire {domain}",
        needs=("domain",),
    ),
    Change(
        verb="set-topology",
        title="What {} has of its own at SES",
        button="Plan the change",
        command="tenant topology {tenant}{dedicated}{ses_tenants}",
        offers=("dedicated", "ses_tenants"),
    ),
    Change(
        verb="retire-tenant",
        title="Retire {}",
        button="Plan to retire it",
        command="tenant retire {tenant}{mail}",
        needs=("mail",),
        is_dangerous=True,
    ),
    Change(
        verb="unretire-tenant",
        title="Bring {} back",
        button="Plan to bring it back",
        command="tenant unretire {tenant}",
    ),
    Change(
        verb="add-path",
        title="Give a lane of {} a shared path",
        button="Plan it",
        command="path add {tenant} {type} {path}",
        needs=("type", "path"),
    ),
    Change(
        verb="drop-path",
        title="Leave a lane of {} its own path only",
        button="Plan it",
        command="path drop {tenant} {type}",
        needs=("type",),
        is_dangerous=True,
    ),
)
_MAIL = (("drain", "is sent first"), ("cancel", "is cancelled"))
_DEDICATED = (("", "as they are"), ("yes", "of its own"), ("no", "shared with others, by class"))
_SES_TENANTS = (("", "as it is"), ("one", "one for all its mail"), ("per-class", "one for each class"))


def path(slug: str, verb: str) -> str:
    return f"/tenants/{segment(slug)}/changes/{verb}"


def routes(site: Site) -> list[HTTPRouteHandler]:
    found: list[HTTPRouteHandler] = []
    for change in CHANGES:
        found += actions.routes(
            site,
            "/tenants/{slug:str}/changes/" + change.verb,
            section="tenants",
            ask=_asking(change),
            perform=_planning(change),
            done="planned",
            needs=ADMIN,
        )
    found += actions.routes(
        site,
        "/tenants/{slug:str}/erase",
        section="tenants",
        ask=_ask_erase,
        perform=_erase,
        done="started",
        needs=ADMIN,
    )
    return found


def _asking(change: Change) -> actions.Ask:
    async def ask(rest: Rest, given: Given) -> Asked:
        tenant = await rest.get("/v1/tenants/{}", given["slug"])
        slug: str = tenant["slug"]
        fields = [await _field(rest, change, name, tenant) for name in (*change.needs, *change.offers)]
        is_asked = all(given.get(name) for name in change.needs)
        if change.offers and not change.needs:
            is_asked = any(given.get(name) for name in change.offers)
        says: list[str] = []
        wrong: list[str] = []
        tables: list[Table] = []
        if is_asked:
            says, tables, wrong = await _preview(rest, slug, _body(change, given))
        return Asked(
            title=change.title.format(slug),
            back=_back(given),
            says=[*says, migration_pages.makes_a_plan()],
            wrong=wrong,
            tables=tables,
            fields=fields,
            is_ready=is_asked and not wrong,
            button=change.button,
            is_dangerous=change.is_dangerous,
            command=f"mailcordon {_command(change, slug, given)} {because(given)}",
        )

    return ask


async def _preview(
    rest: Rest, slug: str, body: Mapping[str, Any]
) -> tuple[list[str], list[Table], list[str]]:
    """What the change would mean, the mail of its lanes, and why it cannot be made."""
    try:
        found = await rest.post("/v1/tenants/{}/changes/preview", slug, body=body)
    except Problem as problem:
        if problem.status not in (400, 404, 409, 422):
            raise
        return [], [], [problem.sentence, *(f"{one.field}: {one.problem}" for one in problem.fields)]
    rows = [(one["type"], f"{one['queued']:,}", f"{one['sending']:,}") for one in found["lanes"]]
    heads = ("Lane", "In its queue", "Being sent")
    tables = [Table(heads=heads, rows=rows, numbers=(1, 2))] if rows else []
    return [*found["does"], *found["touches"], *found["stays"]], tables, []


def _planning(change: Change) -> actions.Perform:
    async def plan(rest: Rest, given: Given) -> str:
        body = {**_body(change, given), "because": given.because}
        made = await rest.post("/v1/tenants/{}/changes", given["slug"], body=body)
        return f"/ses/plans/{made['plan']['id']}"

    return plan


def _body(change: Change, given: Given) -> dict[str, Any]:
    asked = {name: given.maybe(name) for name in (*change.needs, *change.offers)}
    body: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
    if "dedicated" in body:
        body["dedicated"] = body["dedicated"] == "yes"
    return {"action": change.verb, **body}


async def _field(rest: Rest, change: Change, name: str, tenant: Any) -> Field:
    """The choice that the API calls `name`."""
    match name:
        case "type" if change.verb != "unretire-lane":
            return _select("type", "Lane", [one["type"] for one in tenant["lanes"]])
        case "type":  # a lane that has ended is listed nowhere
            return Field(name="type", label="Lane", required=True, hint="Its message type.")
        case "domain" if change.verb == "move-lane":
            hint = "One that it has, or another one, which SES then has to verify."
            return Field(name="domain", label="New domain", required=True, hint=hint)
        case "domain":
            return _select("domain", "Domain", [one["domain"] for one in tenant["identities"]])
        case "path":
            found = await rest.get("/v1/shared-paths")
            return _select("path", "Shared path", [one["name"] for one in found["items"]])
        case "mail":
            return Field(name="mail", label="Mail in its queue", kind="select", options=_MAIL)
        case "dedicated":
            return Field(name="dedicated", label="Configuration sets", kind="select", options=_DEDICATED)
        case _:
            return Field(name="ses_tenants", label="SES tenant", kind="select", options=_SES_TENANTS)


def _select(name: str, label: str, values: list[str]) -> Field:
    return Field(name=name, label=label, kind="select", options=[(one, one) for one in values], required=True)


def _command(change: Change, slug: str, given: Given) -> str:
    dedicated = {"yes": " --dedicated", "no": " --shared"}.get(given.get("dedicated"), "")
    ses_tenants = given.get("ses_tenants")
    return change.command.format(
        tenant=shell(slug),
        type=shell(given.get("type") or "TYPE"),
        domain=shell(given.get("domain") or "DOMAIN"),
        path=shell(given.get("path") or "NAME"),
        mail=" --mail cancel" if given.get("mail") == "cancel" else "",
        dedicated=dedicated,
        ses_tenants=f" --ses-tenants {shell(ses_tenants)}" if ses_tenants else "",
    )


def _back(given: Given) -> str:
    return f"/tenants/{segment(given['slug'])}"


# Erasing -------------------------------------------------------------------------------------------------------------------


async def _ask_erase(rest: Rest, given: Given) -> Asked:
    slug: str = (await rest.get("/v1/tenants/{}", given["slug"]))["slug"]
    found, wrong = None, []
    try:
        found = await rest.post("/v1/tenants/{}/erasure/preview", slug)
    except Problem as problem:
        if problem.status != 409:
            raise
        wrong = [problem.sentence]
    return Asked(
        title=f"Erase the personal data of {slug}",
        back=_back(given),
        says=[] if found is None else [*found["does"], *found["stays"]],
        warnings=[messages.erases_for_good()],
        wrong=wrong,
        is_ready=found is not None,
        button="Erase it for good",
        is_dangerous=True,
        command=f"mailcordon tenant erase {shell(slug)} {because(given)}",
    )


async def _erase(rest: Rest, given: Given) -> str:
    await rest.post("/v1/tenants/{}/erasure", given["slug"], body={"because": given.because})
    return _back(given)
