"""Whose a domain is, and which key signs its mail: claims, transfers and DKIM keys."""

from typing import Any

from litestar.handlers import HTTPRouteHandler

from mailcordon.adapters.dashboard.formats import segment
from mailcordon.adapters.dashboard.pages import forms
from mailcordon.adapters.dashboard.pages.actions import Given, because, shell
from mailcordon.adapters.dashboard.pages.forms import Form, Input, option
from mailcordon.adapters.dashboard.rest import Problem, Rest
from mailcordon.adapters.dashboard.site import Site
from mailcordon.messages import dashboard, identities, migration_pages
from mailcordon.messages import tenant_pages as messages

_KEYS = (
    ("own", "a key of ours"),
    ("rotate", "another key of ours, in place of the present one"),
    ("ses", "SES's own again, or none of ours that still waits"),
)


def routes(site: Site) -> list[HTTPRouteHandler]:
    of = "/tenants/{slug:str}"
    domain = of + "/domains/{domain:str}"

    def page(
        path: str, ask: forms.Ask, perform: forms.Perform, done: str = "saved"
    ) -> list[HTTPRouteHandler]:
        return forms.routes(site, path, section="tenants", ask=ask, perform=perform, done=done)

    return [
        *page(of + "/claim", _ask_claim, _claim),
        *page(domain + "/transfer", _ask_transfer, _transfer, "planned"),
        *page(domain + "/dkim", _ask_dkim, _change_dkim),
    ]


def _domains(given: Given) -> str:
    return f"/tenants/{segment(given['slug'])}/domains"


async def _domain(rest: Rest, given: Given) -> Any:
    """Raises Problem if there is none of this tenant."""
    found = await rest.get("/v1/identities/{}", given["domain"])
    if found["tenant"] != given["slug"]:
        raise Problem(404, dashboard.no_such_page(), "not-found")
    return found


async def _ask_claim(rest: Rest, given: Given) -> Form:
    slug: str = (await rest.get("/v1/tenants/{}", given["slug"]))["slug"]
    return Form(
        title=f"Claim a domain for {slug}",
        back=_domains(given),
        says=[messages.claims_domain(slug)],
        fields=[
            Input(name="domain", label="Domain", required=True, limit=253),
            Input(
                name="because", label="Reason", hint="For the audit trail. It can be left empty.", limit=500
            ),
        ],
        button="Claim it, or look for its record again",
        needs_reason=False,
        command=f"mailcordon identity claim {shell(given.get('domain') or 'DOMAIN')} --tenant {shell(slug)}",
    )


async def _claim(rest: Rest, given: Given) -> str:
    body = {"domain": given.get("domain"), "because": given.maybe("because")}
    await rest.post("/v1/tenants/{}/claims", given["slug"], body=body)
    return _domains(given) + "#claims"


async def _ask_transfer(rest: Rest, given: Given) -> Form:
    name, to = (await _domain(rest, given))["domain"], given.get("to")
    return Form(
        title=f"Move {name} to another tenant",
        back=f"{_domains(given)}/{segment(name)}",
        says=[
            identities.transfers(name, given["slug"], to) if to else messages.transfers_domain(given["slug"]),
            identities.transfer_cancels(name, given["slug"]),
            migration_pages.makes_a_plan(),
        ],
        fields=[Input(name="to", label="Tenant that gets it", required=True, limit=63)],
        button="Make the plan",
        is_dangerous=True,
        command=f"mailcordon identity transfer {shell(name)} --to {shell(to or 'TENANT')} {because(given)}",
    )


async def _transfer(rest: Rest, given: Given) -> str:
    await _domain(rest, given)
    body = {"to": given.get("to"), "because": given.because}
    made = await rest.post("/v1/identities/{}/transfer", given["domain"], body=body)
    return f"/ses/plans/{made['plan']['id']}"


async def _ask_dkim(rest: Rest, given: Given) -> Form:
    name = (await _domain(rest, given))["domain"]
    action = given.get("action") or "own"
    return Form(
        title=f"The key that signs mail of {name}",
        back=f"{_domains(given)}/{segment(name)}",
        says=[messages.changes_dkim()],
        fields=[
            Input(name="action", label="Sign with", kind="select", options=_KEYS),
            Input(
                name="selector",
                label="Selector",
                limit=63,
                hint="Of a new key. Empty: one is made up.",
                is_rare=True,
            ),
        ],
        command=f"mailcordon identity dkim {shell(name)} {shell(action)}{option('selector', given.get('selector'))}"
        f" {because(given)}",
    )


async def _change_dkim(rest: Rest, given: Given) -> str:
    await _domain(rest, given)
    body = {"action": given.get("action"), "selector": given.maybe("selector"), "because": given.because}
    await rest.post("/v1/identities/{}/dkim", given["domain"], body=body)
    return f"{_domains(given)}/{segment(given['domain'])}#dkim"
