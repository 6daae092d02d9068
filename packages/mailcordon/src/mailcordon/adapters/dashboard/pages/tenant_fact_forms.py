"""What an admin says of a tenant: its lanes, its tier, what is known of it, and the host name of its links to unsubscribe."""

from typing import Any

from litestar.handlers import HTTPRouteHandler

from mailcordon.adapters.dashboard.formats import segment
from mailcordon.adapters.dashboard.pages import forms
from mailcordon.adapters.dashboard.pages.actions import Given, because, shell
from mailcordon.adapters.dashboard.pages.forms import Form, Input, ShownOnce, option
from mailcordon.adapters.dashboard.pages.settings_policy import PLANS
from mailcordon.adapters.dashboard.rest import Problem, Rest
from mailcordon.adapters.dashboard.site import Site
from mailcordon.control.tenant_facts import LIST_SOURCES, PAYMENTS
from mailcordon.messages import dashboard_forms
from mailcordon.messages import tenant_pages as messages

#: Not below /tenants, where each name is a tenant's.
ONBOARD = "/onboard"
_LABELS = {
    "sign_up_source": "Signed up by",
    "signed_up_at": "Signed up on",
    "list_source": "Its lists come from",
    "planned_per_day": "Mails a day that it plans",
    "payment": "Pays by",
    "owner_group": "Who looks after it",
}
_HINTS = {
    "sign_up_source": "A label such as `web` or `sales`.",
    "signed_up_at": "A date such as `2019-05-01`. Empty: when it came here.",
    "owner_group": "A label such as `team-north`.",
}


def routes(site: Site) -> list[HTTPRouteHandler]:
    of = "/tenants/{slug:str}"

    def page(
        path: str, ask: forms.Ask, perform: forms.Perform, done: str = "saved"
    ) -> list[HTTPRouteHandler]:
        return forms.routes(site, path, section="tenants", ask=ask, perform=perform, done=done)

    return [
        *page(ONBOARD, _ask_onboard, _onboard),
        *page(of + "/tier", _ask_tier, _plan_tier, "planned"),
        *page(of + "/facts", _ask_facts, _tell_facts),
        *page(of + "/unsubscribe-host", _ask_host, _set_host),
    ]


def _page(slug: str, part: str = "") -> str:
    return f"/tenants/{segment(slug)}{part}"


# A tenant and its lanes ----------------------------------------------------------------------------------------------------


async def _ask_onboard(rest: Rest, given: Given) -> Form:
    types = [one["name"] for one in (await rest.get("/v1/types", limit=1000))["items"]]
    tenant = given.get("tenant")
    lanes = " ".join(f"--type {shell(one)}" for one in _lanes(given)) or "--type TYPE=DOMAIN"
    return Form(
        title=f"Add lanes to {tenant}" if tenant else "Onboard a tenant",
        back=_page(tenant) if tenant else "/tenants",
        says=[messages.onboards()],
        fields=[
            Input(
                name="tenant",
                label="Tenant",
                required=True,
                of=["slug"],
                limit=63,
                hint="Small letters, digits and hyphens. It never changes. One that is here already gets more lanes.",
            ),
            Input(
                name="types",
                label="Lanes",
                kind="textarea",
                required=True,
                hint="One a line: a message type, and the domain of its From addresses, such as"
                f" `{types[0] if types else 'receipt'} mail.acme.example`. Types: {', '.join(types)}.",
            ),
            Input(
                name="dedicated",
                label="Give it configuration sets of its own, not those that tenants share",
                kind="check",
                is_rare=True,
            ),
        ],
        button="Add the lanes" if tenant else "Onboard it",
        leave="Add none" if tenant else "Onboard none",
        needs_reason=False,
        command=f"mailcordon tenant onboard {shell(tenant or 'TENANT')} {lanes}"
        f"{' --dedicated' if given.get('dedicated') else ''}",
    )


def _lanes(given: Given) -> list[str]:
    """Each line as TYPE=DOMAIN, as far as it is one."""
    lines = [line.replace("=", " ").split() for line in given.get("types").splitlines()]
    return ["=".join(line) for line in lines if line]


async def _onboard(rest: Rest, given: Given) -> str | ShownOnce:
    types: dict[str, str] = {}
    for line in _lanes(given):
        type_, _, domain = line.partition("=")
        if not domain or "=" in domain:
            raise forms.refused("types", messages.no_lane(line.replace("=", " ")))
        if type_ in types:
            raise forms.refused("types", messages.lane_twice(type_))
        types[type_] = domain
    body: dict[str, Any] = {"slug": given.get("tenant"), "types": types}
    if given.get("dedicated"):
        body["dedicated"] = True
    made = await rest.post("/v1/tenants", body=body)
    slug, key = made["slug"], made["api_key"]
    if key is None or key.get("key") is None:
        return _page(slug)
    return ShownOnce(
        title=f"The key of {slug}",
        says=[messages.tenant_made(slug), messages.first_key(slug)],
        secrets=[("API key", key["key"])],
        after=[messages.publish_records(slug), dashboard_forms.how_to_end_key(key["prefix"])],
        back=_page(slug, "/domains"),
        back_words="To the records to publish",
    )


# Tier and facts ------------------------------------------------------------------------------------------------------------


async def _ask_tier(rest: Rest, given: Given) -> Form:
    known = await rest.get("/v1/tenants/{}/facts", given["slug"])
    slug, tier = known["tenant"], known["tier"]
    tiers = (await rest.get("/v1/policy"))["tiers"]
    suggested = known["suggested_tier"]
    says = [messages.has_tier(slug, tier), messages.plans_tier()]
    if suggested != tier:
        says.insert(1, messages.suggests_tier(suggested, "; ".join(known["suggested_because"])))
    return Form(
        title=f"Tier of {slug}",
        back=_page(slug, "/policy"),
        says=says,
        fields=[
            Input(
                name="tier",
                label="Tier",
                kind="select",
                value=tier,
                options=[(one, f"{one} (now)" if one == tier else one) for one in tiers],
            )
        ],
        button="Show what it would change",
        command=f"mailcordon tier set {shell(slug)} {shell(given.get('tier') or 'TIER')} {because(given)}",
    )


async def _plan_tier(rest: Rest, given: Given) -> str:
    body = {"tier": given.get("tier"), "because": given.because}
    made = await rest.post("/v1/tenants/{}/tier", given["slug"], body=body)
    if made["id"] is None:
        raise forms.refused("tier", messages.has_tier(given["slug"], given.get("tier")))
    return f"{PLANS}/{made['id']}"


async def _ask_facts(rest: Rest, given: Given) -> Form:
    known = await rest.get("/v1/tenants/{}/facts", given["slug"])
    shown = _as_typed(known)
    choices = {"list_source": LIST_SOURCES, "payment": PAYMENTS}
    return Form(
        title=f"What is known of {known['tenant']}",
        back=_page(known["tenant"], "/policy"),
        says=[messages.tells_facts()],
        fields=[
            *(
                Input(
                    name=name,
                    label=label,
                    value=shown[name],
                    kind="select" if name in choices else "number" if name == "planned_per_day" else "text",
                    options=[
                        ("", "not known"),
                        *((one, one.replace("-", " ")) for one in choices.get(name, ())),
                    ],
                    hint=_HINTS.get(name, ""),
                )
                for name, label in _LABELS.items()
            ),
            Input(
                name="because", label="Reason", hint="For the audit trail. It can be left empty.", limit=500
            ),
        ],
        needs_reason=False,
        command=f"mailcordon tier facts {shell(known['tenant'])}"
        + "".join(
            option(flag, given.get(name))
            for flag, name in (
                ("sign-up-source", "sign_up_source"),
                ("signed-up", "signed_up_at"),
                ("list-source", "list_source"),
                ("planned", "planned_per_day"),
                ("payment", "payment"),
                ("owner-group", "owner_group"),
            )
        ),
    )


def _as_typed(known: Any) -> dict[str, str]:
    """The facts as the form has them: a time is a date, unless it says more."""
    shown = {name: "" if known[name] is None else str(known[name]) for name in _LABELS}
    day, _, time = shown["signed_up_at"].partition("T")
    if time.startswith("00:00:00"):
        shown["signed_up_at"] = day
    return shown


async def _tell_facts(rest: Rest, given: Given) -> str:
    known = await rest.get("/v1/tenants/{}/facts", given["slug"])
    shown = _as_typed(known)
    told: dict[str, Any] = {name: given.maybe(name) for name in _LABELS if given.get(name) != shown[name]}
    if not told:
        raise Problem(422, dashboard_forms.nothing_changed(), "nothing-to-change")
    if "planned_per_day" in told:
        planned = forms.number(given, "planned_per_day")
        told["planned_per_day"] = int(planned) if planned is not None and planned.is_integer() else planned
    if told.get("signed_up_at") and "T" not in told["signed_up_at"]:
        told["signed_up_at"] += "T00:00:00Z"
    body = {**told, "because": given.maybe("because")}
    await rest.patch("/v1/tenants/{}/facts", given["slug"], body=body)
    return _page(given["slug"], "/policy")


# Links to unsubscribe ------------------------------------------------------------------------------------------------------


async def _ask_host(rest: Rest, given: Given) -> Form:
    slug: str = (await rest.get("/v1/tenants/{}", given["slug"]))["slug"]
    is_shared, host = given.get("whose") == "shared", given.get("host")
    return Form(
        title=f"Links to unsubscribe of {slug}",
        back=_page(slug, "/sharing"),
        says=[messages.sets_unsubscribe_host()],
        fields=[
            Input(
                name="whose",
                label="They begin with",
                kind="select",
                options=[("own", "a host name of its own"), ("shared", "the installation's")],
            ),
            Input(name="host", label="Its host name", limit=253, hint="Such as `links.acme.example`."),
        ],
        command=f"mailcordon tenant unsubscribe-host {shell(slug)} {'--shared' if is_shared else shell(host or 'HOST')}"
        f" {because(given)}",
    )


async def _set_host(rest: Rest, given: Given) -> str:
    host = given.get("host")
    if given.get("whose") == "shared":
        if host:
            raise forms.refused("host", messages.host_or_shared())
    elif not host:
        raise forms.refused("host", messages.host_missing())
    body = {"host": host or None, "because": given.because}
    await rest.put("/v1/tenants/{}/unsubscribe-host", given["slug"], body=body)
    return _page(given["slug"], "/sharing")
