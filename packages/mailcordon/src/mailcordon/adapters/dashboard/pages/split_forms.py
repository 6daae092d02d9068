"""What people decide while the account's suppression list is taken apart."""

from litestar.handlers import HTTPRouteHandler

from mailcordon.adapters.dashboard.pages import forms
from mailcordon.adapters.dashboard.pages.actions import Given, because, shell
from mailcordon.adapters.dashboard.pages.forms import Form, Input
from mailcordon.adapters.dashboard.rest import Rest
from mailcordon.adapters.dashboard.site import Site
from mailcordon.core.principal import OPERATE
from mailcordon.messages import dashboard_forms as messages

SPLIT = "/migration/suppression-split"
_RELEASE = {
    "": "as it is safe: not if mail past Mailcordon was seen",
    "yes": "leaves it",
    "no": "stays on it",
}
_TO = {
    "tenant": "one tenant",
    "platform": "the platform: it covers every tenant",
    "nobody": "nobody: it covers no mail",
}


def routes(site: Site) -> list[HTTPRouteHandler]:
    def page(path: str, ask: forms.Ask, perform: forms.Perform, done: str) -> list[HTTPRouteHandler]:
        return forms.routes(
            site, SPLIT + path, section="migration", ask=ask, perform=perform, done=done, needs=OPERATE
        )

    return [
        *page("/start", _ask_start, _start, "started"),
        *page("/assign", _ask_assign, _assign, "saved"),
        *page("/finish", _ask_finish, _finish, "saved"),
    ]


async def _ask_start(_: Rest, given: Given) -> Form:
    release = {"yes": " --release", "no": " --keep"}.get(given.get("release"), "")
    return Form(
        title="Take the account's suppression list apart",
        back=SPLIT,
        says=[messages.starts_split()],
        fields=[
            Input(name="owner", label="Who decides on entries that are nobody's", required=True),
            Input(
                name="release",
                label="An entry that is given to a tenant, on the account's list",
                kind="select",
                options=list(_RELEASE.items()),
            ),
        ],
        button="Begin",
        command=f"mailcordon suppression split start --owner {shell(given.get('owner') or 'NAME')}{release} {because(given)}",
    )


async def _start(rest: Rest, given: Given) -> str:
    release = {"yes": True, "no": False}.get(given.get("release"))
    body = {"owner": given.get("owner"), "because": given.because, "release": release}
    await rest.post("/v1/suppression-split", body=body)
    return SPLIT


async def _ask_assign(_: Rest, given: Given) -> Form:
    addresses = forms.words(given, "addresses")
    to = given.get("to") or "tenant"
    of = f"--tenant {shell(given.get('tenant') or 'TENANT')}" if to == "tenant" else f"--{to}"
    named = " ".join(shell(one) for one in addresses) or "ADDRESS"
    return Form(
        title="Whose entry is it?" if len(addresses) == 1 else "Whose entries are they?",
        back=SPLIT,
        says=[messages.assigns_split()],
        warnings=[messages.nobody_loses_protection()],
        fields=[
            Input(
                name="addresses",
                label="Addresses",
                kind="textarea",
                required=True,
                hint="In the spellings of the list, with spaces or lines between.",
            ),
            Input(name="to", label="It is for", kind="select", options=list(_TO.items())),
            Input(name="tenant", label="Tenant", hint="Its slug. Empty for the platform or nobody."),
        ],
        button="Decide",
        command=f"mailcordon suppression split assign {named} {of} {because(given)}",
    )


async def _assign(rest: Rest, given: Given) -> str:
    to, tenant = given.get("to"), given.maybe("tenant")
    if (to == "tenant") != (tenant is not None):
        raise forms.refused("tenant", messages.which_owner())
    body = {
        "addresses": forms.words(given, "addresses"),
        "because": given.because,
        "tenant": tenant,
        "platform": to == "platform",
        "nobody": to == "nobody",
    }
    await rest.post("/v1/suppression-split/assign", body=body)
    return SPLIT


async def _ask_finish(_: Rest, given: Given) -> Form:
    leave = " --leave-unowned" if given.get("leave_unowned") else ""
    return Form(
        title="End the split",
        back=SPLIT,
        says=[messages.finishes_split()],
        fields=[
            Input(
                name="leave_unowned",
                label="Leave entries that are nobody's on the platform's list",
                kind="check",
            )
        ],
        button="End it",
        command=f"mailcordon suppression split finish {because(given)}{leave}",
    )


async def _finish(rest: Rest, given: Given) -> str:
    body = {"because": given.because, "leave_unowned": bool(given.get("leave_unowned"))}
    await rest.post("/v1/suppression-split/finish", body=body)
    return SPLIT
