"""To hold mail, and to lift holds: each with the API's preview. Reached from Now, from an incident, and from a lane."""

from typing import Any

from litestar.handlers import HTTPRouteHandler

from mailcordon.adapters.dashboard import links
from mailcordon.adapters.dashboard.pages import actions
from mailcordon.adapters.dashboard.pages.actions import Asked, Field, Given
from mailcordon.adapters.dashboard.rest import Rest
from mailcordon.adapters.dashboard.site import Site
from mailcordon.messages import dashboard_actions as messages

_CLASSES = (
    ("", "all classes"),
    ("urgent", "urgent"),
    ("transactional", "transactional"),
    ("marketing", "marketing"),
)
_UNTIL = (
    ("", "until it is lifted"),
    ("3600", "1 hour"),
    ("21600", "6 hours"),
    ("86400", "1 day"),
    ("604800", "7 days"),
)
_DURATIONS = {"3600": "1h", "21600": "6h", "86400": "1d", "604800": "7d"}


def routes(site: Site) -> list[HTTPRouteHandler]:
    return [
        *actions.routes(site, "/holds/new", section="now", ask=_ask_to_hold, perform=_hold, done="held"),
        *actions.routes(site, "/holds/lift", section="now", ask=_ask_to_lift, perform=_lift, done="lifted"),
    ]


def target_of(given: Given) -> dict[str, str]:
    """The mail that the form names, as the API takes it."""
    return {name: value for name in links.TARGET if (value := given.get(name))}


async def _ask_to_hold(rest: Rest, given: Given) -> Asked:
    target = target_of(given)
    says, tables, wrong = (
        await actions.preview_of_hold(rest, {"action": "cordon", **target})
        if "tenant" in target
        else ([], [], [])
    )
    is_ready = "tenant" in target and not wrong
    until = given.get("until_seconds")
    return Asked(
        title="Hold mail",
        back=_back(given),
        says=[
            *says,
            messages.held_mail(),
        ],
        wrong=wrong,
        tables=tables,
        fields=[
            Field(name="tenant", label="Tenant", required=True),
            Field(name="type", label="Message type", hint="Empty: all types."),
            Field(name="class", label="Class", kind="select", options=_CLASSES),
            Field(name="list", label="List", hint="Only mail to this list or import."),
            Field(name="campaign", label="Campaign", hint="Only mail of this campaign."),
            Field(name="provider", label="Mailbox provider", hint="Such as gmail."),
            Field(name="until_seconds", label="For how long", kind="select", options=_UNTIL),
            Field(name="back", label="", kind="hidden", value=_back(given)),
        ],
        is_ready=is_ready,
        button="Hold this mail",
        is_dangerous=True,
        command=_command("cordon", given, *(["--until", _DURATIONS[until]] if until in _DURATIONS else []))
        if is_ready
        else "",
    )


async def _hold(rest: Rest, given: Given) -> str:
    until = given.get("until_seconds")
    body: dict[str, Any] = {**target_of(given), "because": given.because}
    if until in _DURATIONS:
        body["until_seconds"] = float(until)
    await rest.post("/v1/holds", body=body)
    return _back(given)


async def _ask_to_lift(rest: Rest, given: Given) -> Asked:
    owner, number = given.get("owner", "person"), _number(given)
    target = target_of(given)
    says, tables, wrong = await actions.preview_of_hold(
        rest, {"action": "uncordon", "owner": owner, **target}
    )
    return Asked(
        title="Lift a hold",
        back=_back(given),
        says=says,
        warnings=[messages.breaker_watches()] if owner == "breaker" else [],
        wrong=wrong,
        tables=tables,
        fields=[
            *(Field(name=name, label="", kind="hidden", value=given.get(name)) for name in links.TARGET),
            Field(name="owner", label="", kind="hidden", value=owner),
            Field(name="id", label="", kind="hidden", value=given.get("id")),
            Field(name="back", label="", kind="hidden", value=_back(given)),
        ],
        is_ready=not wrong,
        button="Lift it",
        command=_command("uncordon", given, *(["--owner", owner] if owner != "person" else []))
        if not number
        else f'mailcordon uncordon {actions.shell(given.get("tenant"))} --hold {number} --because "..."',
    )


async def _lift(rest: Rest, given: Given) -> str:
    number = _number(given)
    chosen: dict[str, Any] = {**target_of(given), "owner": given.get("owner", "person")}
    if number is not None:
        chosen = {"tenant": given.get("tenant"), "ids": [number]}
    await rest.post("/v1/holds/lift", body={**chosen, "because": given.because})
    return _back(given)


def _number(given: Given) -> int | None:
    """The one hold that is meant. A hold is lifted, and never another that covers the same mail."""
    text = given.get("id")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _command(verb: str, given: Given, *more: str) -> str:
    words = ["mailcordon", verb, actions.shell(given.get("tenant"))]
    for name in links.TARGET[1:]:
        if value := given.get(name):
            words += [f"--{name}", actions.shell(value)]
    return " ".join([*words, *more, actions.because(given)])


def _back(given: Given) -> str:
    return links.own_path(given.get("back"), "/now")
