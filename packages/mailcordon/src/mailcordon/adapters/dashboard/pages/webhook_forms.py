"""Webhooks as people make and change them, give them another secret, and have events sent to them again."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from litestar.handlers import HTTPRouteHandler

from mailcordon.adapters.dashboard.pages import forms
from mailcordon.adapters.dashboard.pages.actions import Given, because, shell
from mailcordon.adapters.dashboard.pages.forms import Form, Input, ShownOnce, given_only, option, options
from mailcordon.adapters.dashboard.pages.settings_tabs import PATH
from mailcordon.adapters.dashboard.rest import Problem, Rest
from mailcordon.adapters.dashboard.site import Site
from mailcordon.core.principal import ADMIN, OPERATE
from mailcordon.messages import dashboard_forms as messages
from mailcordon.observe.webhooks.nouns import EVENTS, FREQUENT, OF_SES

WEBHOOKS = PATH + "/webhooks"
_USUAL = [one for one in EVENTS if one not in FREQUENT]
#: Requests to the API that one page makes, of 10,000 messages each.
_MOST_REQUESTS = 20


def routes(site: Site) -> list[HTTPRouteHandler]:
    def page(
        path: str, ask: forms.Ask, perform: forms.Perform, done: str = "made", needs: str = ADMIN
    ) -> list[HTTPRouteHandler]:
        return forms.routes(
            site, WEBHOOKS + path, section="settings", ask=ask, perform=perform, done=done, needs=needs
        )

    return [
        *page("/new", _ask_new, _create),
        *page("/{name:str}/change", _ask_change, _change, "saved"),
        *page("/{name:str}/rotate", _ask_rotate, _rotate),
        *page("/{name:str}/replay", _ask_replay, _replay, "replayed", OPERATE),
    ]


def events_of(webhook: Any) -> str:
    """What a webhook gets, in words: most get what they would get of themselves, which would be a long list."""
    possible = [one for one in _USUAL if webhook["form"] == "standard" or one in OF_SES]
    return "all but the frequent ones" if webhook["events"] == possible else ", ".join(webhook["events"])


async def _ask_new(_: Rest, given: Given) -> Form:
    events = _events(given)
    return Form(
        title="Make a webhook",
        back=WEBHOOKS,
        says=[messages.new_webhook()],
        fields=[
            Input(
                name="name",
                label="Name",
                required=True,
                hint="Small letters, digits and hyphens, such as `acme-app`.",
            ),
            Input(name="url", label="URL", kind="url", required=True, limit=2000, is_secret=True),
            _tenant(),
            Input(
                name="form",
                label="Form",
                kind="select",
                options=[
                    ("standard", "our JSON, signed as Standard Webhooks has it"),
                    ("ses-sns", "SES's JSON, in SNS's envelope"),
                ],
            ),
            _choice_of_events(_USUAL, EVENTS),
            _secret("Empty: one is made up."),
        ],
        button="Make the webhook",
        leave="Make none",
        command=f"mailcordon webhook add {shell(given.get('name') or 'NAME')} - {option('tenant', given.get('tenant'))}"
        f"{option('form', given.get('form', 'standard') if given.get('form') == 'ses-sns' else '')}"
        f"{options('event', events)} {because(given)}".replace("  ", " "),
    )


def _tenant(value: str = "") -> Input:
    return Input(
        name="tenant",
        label="Tenant",
        value=value,
        hint="Only events of this tenant. Empty: of every tenant.",
    )


def _choice_of_events(chosen: Sequence[str], possible: Sequence[str]) -> Input:
    return Input(
        name="events",
        label="Events",
        kind="checks",
        value=" ".join(chosen),
        options=[(one, one) for one in possible],
        hint="Those that are as frequent as mail are left out unless you choose them.",
        is_rare=True,
    )


def _secret(empty: str) -> Input:
    return Input(
        name="secret",
        label="Signing secret",
        kind="password",
        hint=f"If the receiver has one already, such as `whsec_…`. {empty}",
        is_rare=True,
    )


def _events(given: Given) -> list[str]:
    """Empty: those that a webhook gets of itself."""
    found = forms.chosen(given, "events", EVENTS)
    return [] if found == _USUAL else found


async def _create(rest: Rest, given: Given) -> str | ShownOnce:
    name = given.get("name")
    body = given_only(tenant=given.get("tenant"), secret=given.get("secret"), form=given.get("form"))
    made = await rest.post(
        "/v1/webhooks",
        body={
            "name": name,
            "url": given.get("url"),
            "events": _events(given),
            "because": given.because,
            **body,
        },
    )
    if made["secret"] is None:
        return WEBHOOKS
    return ShownOnce(
        title=f"The webhook {name}",
        says=[messages.webhook_made(name)],
        secrets=[("Signing secret", made["secret"])],
        commands=[f"mailcordon webhook test {shell(name)}"],
        back=WEBHOOKS,
        back_words="To the webhooks",
    )


async def _ask_change(rest: Rest, given: Given) -> Form:
    one = await rest.get("/v1/webhooks/{}", given["name"])
    is_standard = one["form"] == "standard"
    possible = [event for event in EVENTS if is_standard or event in OF_SES]
    return Form(
        title=f"Change the webhook {one['name']}",
        back=WEBHOOKS,
        says=[messages.changes_webhook(one["name"], one["waiting"])],
        fields=[
            Input(
                name="url",
                label="Another URL",
                kind="url",
                limit=2000,
                is_secret=True,
                hint=f"Empty: as it is, at {one['target']}.",
            ),
            _tenant(one["tenant"] or ""),
            _choice_of_events(one["events"], possible),
            *([_secret("Empty: as it is.")] if is_standard else []),
        ],
        command=f"mailcordon webhook change {shell(one['name'])} --help",
    )


async def _change(rest: Rest, given: Given) -> str:
    one = await rest.get("/v1/webhooks/{}", given["name"])
    wanted = {"tenant": given.maybe("tenant"), "events": forms.chosen(given, "events", EVENTS)}
    body = forms.changed(wanted, one, **given_only(url=given.get("url"), secret=given.get("secret")))
    if body.get("events") == []:
        raise forms.refused("events", messages.no_event())
    await rest.patch("/v1/webhooks/{}", one["name"], body={**body, "because": given.because})
    return WEBHOOKS


async def _ask_rotate(rest: Rest, given: Given) -> Form:
    one = await rest.get("/v1/webhooks/{}", given["name"])
    hours = given.get("hours") or "24"
    return Form(
        title=f"Another signing secret for {one['name']}",
        back=WEBHOOKS,
        says=[messages.rotates_webhook(one["name"])],
        fields=[
            Input(
                name="hours",
                label="The former secret signs too for so many hours",
                kind="number",
                value="24",
                required=True,
                hint="168 at most.",
                of=["overlap_seconds"],
            )
        ],
        button="Make the new secret",
        command=f"mailcordon webhook rotate {shell(one['name'])} --overlap {shell(hours + 'h')} {because(given)}",
    )


async def _rotate(rest: Rest, given: Given) -> ShownOnce:
    name, hours = given["name"], forms.number(given, "hours")
    if hours is None or hours > 168:
        raise forms.refused("hours", messages.not_a_number())
    body = {"overlap_seconds": round(hours * 3600), "because": given.because}
    made = await rest.post("/v1/webhooks/{}/rotation", name, body=body)
    return ShownOnce(
        title=f"The new signing secret of {name}",
        says=[messages.webhook_rotated(name, hours)],
        secrets=[("Signing secret", made["secret"])],
        commands=[f"mailcordon webhook test {shell(name)}"],
        back=WEBHOOKS,
        back_words="To the webhooks",
    )


async def _ask_replay(rest: Rest, given: Given) -> Form:
    one = await rest.get("/v1/webhooks/{}", given["name"])
    message = given.get("message")
    of = f"--message {shell(message)}" if message else f"--since {shell((given.get('since') or '2') + 'h')}"
    return Form(
        title=f"Send events to {one['name']} again",
        back=WEBHOOKS,
        says=[messages.replays(one["name"])],
        fields=[
            Input(name="message", label="Of one mail", hint="The id of a message or of a delivery."),
            Input(name="since", label="Or of the last so many hours", kind="number", hint="168 at most."),
            Input(
                name="until", label="Until so many hours ago", kind="number", hint="Empty: now.", is_rare=True
            ),
            Input(name="all", label="Also what arrived already", kind="check", is_rare=True),
        ],
        button="Send them again",
        command=f"mailcordon webhook replay {shell(one['name'])} {of}{' --all' if given.get('all') else ''} {because(given)}",
    )


async def _replay(rest: Rest, given: Given) -> str:
    message, since = given.maybe("message"), forms.number(given, "since")
    if (message is None) == (since is None):
        raise forms.refused("since", messages.mail_or_time())
    body = {"because": given.because}
    if message is not None:
        await rest.post("/v1/webhooks/{}/replay", given["name"], body={**body, "message": message})
        return WEBHOOKS
    until = forms.number(given, "until")
    of = {
        "since": _ago(since or 0),
        "until": None if until is None else _ago(until),
        "all": bool(given.get("all")),
    }
    count, after = 0, 0
    for _ in range(_MOST_REQUESTS):
        done = await rest.post("/v1/webhooks/{}/replay", given["name"], body={**body, **of, "after": after})
        count += done["messages"]
        if done["next"] is None:
            return WEBHOOKS
        after = done["next"]
    raise Problem(422, messages.replay_goes_on(count), "more-to-replay")


def _ago(hours: float) -> str:
    """The time so many hours ago, as the API takes it; no earlier than events are kept."""
    return (datetime.now(UTC) - timedelta(hours=min(hours, 10_000))).isoformat(timespec="seconds")
