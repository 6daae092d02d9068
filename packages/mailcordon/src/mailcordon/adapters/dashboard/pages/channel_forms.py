"""Alert channels as people make and change them: who is told of incidents."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from litestar.handlers import HTTPRouteHandler

from mailcordon.adapters.dashboard.links import link
from mailcordon.adapters.dashboard.pages import forms
from mailcordon.adapters.dashboard.pages.actions import Given, because, shell
from mailcordon.adapters.dashboard.pages.forms import Form, Input, ShownOnce, given_only, option, options
from mailcordon.adapters.dashboard.pages.settings_tabs import PATH
from mailcordon.adapters.dashboard.rest import Rest
from mailcordon.adapters.dashboard.site import Site
from mailcordon.core.incident import Kind
from mailcordon.messages import dashboard_forms as messages

CHANNELS = PATH + "/alerts"
_FORMS = {"webhook": "Webhook", "slack": "Slack", "pagerduty": "PagerDuty", "email": "E-mail"}
_KINDS = [one.value for one in Kind]
_LEAST = ("low", "medium", "high", "critical")


def routes(site: Site) -> list[HTTPRouteHandler]:
    def page(path: str, ask: forms.Ask, perform: forms.Perform, done: str) -> list[HTTPRouteHandler]:
        return forms.routes(site, CHANNELS + path, section="settings", ask=ask, perform=perform, done=done)

    return [
        *page("/new", _ask_new, _create, "made"),
        *page("/{name:str}/change", _ask_change, _change, "saved"),
    ]


def _form(given: Given) -> str:
    found = given.get("form")
    return found if found in _FORMS else "webhook"


def _own(form: str) -> list[Input]:
    """The fields of this form of channels."""

    def url(label: str, **over: Any) -> Input:
        return Input(name="url", label=label, kind="url", limit=2000, is_secret=True, **over)

    match form:
        case "slack":
            return [
                Input(
                    name="url",
                    label="URL of Slack's incoming webhook",
                    kind="url",
                    required=True,
                    limit=2000,
                    is_secret=True,
                )
            ]
        case "pagerduty":
            return [
                Input(
                    name="key",
                    label="Integration key",
                    kind="password",
                    required=True,
                    hint="Of the Events API v2.",
                ),
                Input(
                    name="url",
                    label="Another endpoint",
                    kind="url",
                    hint="Such as the EU's. Empty: the US's.",
                    is_secret=True,
                    is_rare=True,
                ),
            ]
        case "email":
            return [
                Input(name="to", label="To", kind="email", required=True),
                Input(
                    name="tenant",
                    label="Tenant whose lane carries it",
                    required=True,
                    hint="Such as `platform`.",
                ),
                Input(name="type", label="Type of that lane", required=True, hint="Not one of marketing."),
                Input(
                    name="from",
                    label="From",
                    kind="email",
                    required=True,
                    hint="An address of that lane's domain.",
                ),
            ]
        case _:
            return [
                url("URL", required=True),
                Input(
                    name="key",
                    label="Signing secret",
                    kind="password",
                    hint="If the receiver has one already, such as `whsec_…`. Empty: one is made up.",
                    is_rare=True,
                ),
            ]


async def _ask_new(_: Rest, given: Given) -> Form:
    form = _form(given)
    where = {
        "webhook": " --webhook URL",
        "slack": " --slack -",
        "pagerduty": " --pagerduty -",
        "email": f" --email {shell(given.get('to') or 'ADDRESS')}"
        + "".join(
            f" --{name} {shell(given.get(name) or name.upper())}" for name in ("tenant", "type", "from")
        ),
    }[form]
    return Form(
        title="Make an alert channel",
        back=CHANNELS,
        ways=[(link(CHANNELS + "/new", form=one), words, one == form) for one, words in _FORMS.items()],
        says=[messages.new_channel(form)],
        fields=[
            Input(name="form", label="", kind="hidden", value=form),
            Input(
                name="name",
                label="Name",
                required=True,
                hint="Small letters, digits and hyphens, such as `night`.",
            ),
            *_own(form),
            *_told_of("low", (), ()),
        ],
        button="Make the channel",
        leave="Make none",
        command=f"mailcordon alert channel add {shell(given.get('name') or 'NAME')}{where}"
        f"{option('least', given.get('least') if given.get('least') in _LEAST[1:] else '')}"
        f"{options('kind', forms.chosen(given, 'kinds', _KINDS))}"
        f"{options('of', forms.words(given, 'tenants'))} {because(given)}",
    )


def _told_of(least: str, kinds: Sequence[str], tenants: Sequence[str]) -> list[Input]:
    """Which incidents a channel is told of."""
    return [
        Input(
            name="least",
            label="Told of incidents that are",
            kind="select",
            value=least,
            options=[(one, f"{one} and worse" if one != "critical" else one) for one in _LEAST],
        ),
        Input(
            name="kinds",
            label="Only of these kinds",
            kind="checks",
            value=" ".join(kinds),
            options=[(one, one) for one in _KINDS],
            hint="None chosen: all.",
            is_rare=True,
        ),
        Input(
            name="tenants",
            label="Only of these tenants",
            value=", ".join(tenants),
            hint="With commas between. Empty: all, and the platform.",
            limit=4000,
            is_rare=True,
        ),
    ]


def _as_typed(one: Any) -> dict[str, Any]:
    """What a channel of e-mail is, by the fields of its form."""
    tenant, _, type_ = (one["lane"] or "/").partition("/")
    return {"to": one["target"], "tenant": tenant, "type": type_, "from": one["from"]}


async def _ask_change(rest: Rest, given: Given) -> Form:
    one = await rest.get("/v1/alert-channels/{}", given["name"])
    values = _as_typed(one)
    stays = "Empty: as it is."
    return Form(
        title=f"Change the channel {one['name']}",
        back=CHANNELS,
        says=[messages.changes_channel(one["name"], one["target"])],
        fields=[
            *(
                replace(field, value=values[field.name])
                if one["form"] == "email"
                else replace(field, required=False, hint=stays)
                for field in _own(one["form"])
            ),
            *_told_of(one["least"], one["kinds"], one["tenants"]),
        ],
        command=f"mailcordon alert channel change {shell(one['name'])} --help",
    )


async def _change(rest: Rest, given: Given) -> str:
    one = await rest.get("/v1/alert-channels/{}", given["name"])
    wanted: dict[str, Any] = {
        **given_only(**{field.name: given.get(field.name) for field in _own(one["form"])}),
        "least": given.get("least", one["least"]),
        "kinds": forms.chosen(given, "kinds", _KINDS),
        "tenants": sorted(set(forms.words(given, "tenants"))),
    }
    is_now = {**one, **_as_typed(one), "kinds": [kind for kind in _KINDS if kind in one["kinds"]]}
    body = forms.changed(wanted, is_now)
    await rest.patch("/v1/alert-channels/{}", one["name"], body={**body, "because": given.because})
    return CHANNELS


async def _create(rest: Rest, given: Given) -> str | ShownOnce:
    form, name = _form(given), given.get("name")
    own = {field.name: given.get(field.name) for field in _own(form)}
    made = await rest.post(
        "/v1/alert-channels",
        body={
            "name": name,
            "form": form,
            "least": given.get("least", "low"),
            "kinds": forms.chosen(given, "kinds", _KINDS),
            "tenants": forms.words(given, "tenants"),
            "because": given.because,
            **given_only(**own),
        },
    )
    if made["secret"] is None:
        return CHANNELS
    return ShownOnce(
        title=f"The channel {name}",
        says=[messages.channel_made(name)],
        secrets=[("Signing secret", made["secret"])],
        commands=[f"mailcordon alert channel test {shell(name)}"],
        back=CHANNELS,
        back_words="To the channels",
    )
