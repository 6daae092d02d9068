"""IP pools as people make them, and change who owns them."""

from typing import Any

from litestar.handlers import HTTPRouteHandler

from mailcordon.adapters.dashboard.pages import forms
from mailcordon.adapters.dashboard.pages.actions import Given, because, shell
from mailcordon.adapters.dashboard.pages.forms import Form, Input, given_only
from mailcordon.adapters.dashboard.rest import Rest
from mailcordon.adapters.dashboard.site import Site
from mailcordon.messages import dashboard_forms as messages

PATH = "/pools"
_MAIL = (("transactional", "urgent and transactional mail"), ("marketing", "marketing"))
_MODES = (("managed", "SES leases them, scales and warms them"), ("standard", "leased by us from AWS"))


def routes(site: Site) -> list[HTTPRouteHandler]:
    return [
        *forms.routes(site, PATH + "/new", section="pools", ask=_ask_new, perform=_make, done="made"),
        *forms.routes(site, PATH + "/{name:str}/change", section="pools", ask=_ask_change, perform=_change),
    ]


def _care(of: Any) -> list[Input]:
    """`of`: the pool that is changed."""
    return [
        Input(
            name="owner",
            label="Owner",
            value=of["owner"] if of else "",
            required=True,
            hint="The person or team that looks first when something is wrong with the pool.",
        ),
        Input(
            name="minimum",
            label="Mails a day that keep an address's reputation",
            kind="number",
            value=str(of["minimum"]) if of else "",
            hint="To each mailbox provider. Empty: as it is, and 1,000 for a new pool.",
        ),
        Input(
            name="escalation",
            label="If the owner does not answer",
            value=of["escalation"] if of else "",
            hint="Whom to call, and what to do.",
        ),
    ]


async def _ask_new(_: Rest, given: Given) -> Form:
    mail = given.get("mail") or "transactional"
    return Form(
        title="Make an IP pool",
        back=PATH,
        says=[messages.new_pool()],
        fields=[
            Input(
                name="name",
                label="Name",
                required=True,
                hint="Small letters, digits and hyphens, such as `bulk`.",
            ),
            Input(
                name="mail",
                label="Its mail",
                kind="select",
                value="transactional",
                options=_MAIL,
                hint="Marketing never shares a pool with other mail.",
            ),
            Input(
                name="mode",
                label="Its addresses",
                kind="select",
                value="managed",
                options=_MODES,
                of=("managed",),
                hint="A managed pool never becomes another one.",
            ),
            *_care(None),
        ],
        button="Make the pool",
        leave="Make none",
        command=f"mailcordon pool create {shell(given.get('name') or 'NAME')} --for {shell(mail)}"
        f"{' --standard' if given.get('mode') == 'standard' else ' --managed'}"
        f" --owner {shell(given.get('owner') or 'WHO')}{_options(given)} {because(given)}",
    )


async def _make(rest: Rest, given: Given) -> str:
    body = given_only(
        name=given.get("name"),
        mail=given.get("mail"),
        owner=given.get("owner"),
        minimum=forms.whole(given, "minimum"),
        escalation=given.get("escalation"),
        because=given.because,
    )
    made = await rest.post(
        "/v1/pools", body={"owner": "", **body, "managed": given.get("mode") != "standard"}
    )
    return f"{PATH}/{made['name']}"


async def _ask_change(rest: Rest, given: Given) -> Form:
    one = await rest.get("/v1/pools/{}", given["name"])
    return Form(
        title=f"Change the IP pool {one['name']}",
        back=f"{PATH}/{one['name']}",
        says=[messages.changes_pool(one["name"])],
        fields=_care(one),
        command=f"mailcordon pool owner {shell(one['name'])}{forms.option('owner', given.get('owner') or one['owner'])}"
        f"{_options(given)} {because(given)}",
    )


async def _change(rest: Rest, given: Given) -> str:
    one = await rest.get("/v1/pools/{}", given["name"])
    wanted = {
        "owner": given.get("owner"),
        "escalation": given.get("escalation"),
        **given_only(minimum=forms.whole(given, "minimum")),
    }
    body = forms.changed(wanted, one)
    await rest.patch("/v1/pools/{}", one["name"], body={**body, "because": given.because})
    return f"{PATH}/{one['name']}"


def _options(given: Given) -> str:
    return forms.option("minimum", given.get("minimum")) + forms.option("escalation", given.get("escalation"))
