"""Cancelling mail that waits, and setting a lane's rate. Holding and lifting: holds.py."""

from collections.abc import Mapping
from typing import Any

from litestar.handlers import HTTPRouteHandler

from mailcordon.adapters.dashboard import links
from mailcordon.adapters.dashboard.formats import segment
from mailcordon.adapters.dashboard.links import TARGET
from mailcordon.adapters.dashboard.pages import actions
from mailcordon.adapters.dashboard.pages.actions import Asked, Field, Given, because, shell
from mailcordon.adapters.dashboard.rest import Problem, Rest
from mailcordon.adapters.dashboard.site import Site
from mailcordon.core.principal import ADMIN
from mailcordon.core.provider import Provider
from mailcordon.messages import lane_pages as messages

#: What of a tenant's mail is meant: the members of the API's bodies, which are the fields of the form.
PARTS = TARGET[1:]
_CLASSES = ("urgent", "transactional", "marketing")


def routes(site: Site) -> list[HTTPRouteHandler]:
    def action(
        path: str, ask: actions.Ask, perform: actions.Perform, done: str, **more: Any
    ) -> list[HTTPRouteHandler]:
        return actions.routes(site, path, section="tenants", ask=ask, perform=perform, done=done, **more)

    return [
        *action("/tenants/{slug:str}/cancel", _ask_cancel, _cancel, "cancelled"),
        *action("/tenants/{slug:str}/lanes/{type_:str}/rate", _ask_rate, _set_rate, "throttled", needs=ADMIN),
    ]


def selection(given: Given) -> dict[str, str]:
    """Which mail is meant, as the API takes it."""
    return {"tenant": given["slug"]} | {name: value for name in PARTS if (value := given.maybe(name))}


def options(chosen: Mapping[str, str]) -> str:
    """The same as options of the command line."""
    return "".join(f" --{name} {shell(chosen[name])}" for name in PARTS if name in chosen)


def page_of(given: Given) -> str:
    """The lane that is meant, if it is one, or its tenant."""
    found = f"/tenants/{segment(given['slug'])}"
    type_ = given.maybe("type")
    return found if type_ is None else f"{found}/lanes/{segment(type_)}"


async def _fields(rest: Rest, given: Given) -> list[Field]:
    tenant = await rest.get("/v1/tenants/{}", given["slug"])
    types = [lane["type"] for lane in tenant["lanes"]]
    return [
        Field(
            name="type",
            label="Message type",
            kind="select",
            value=given.get("type"),
            options=[("", "every type"), *((one, one) for one in types)],
        ),
        Field(
            name="class",
            label="Class",
            kind="select",
            value=given.get("class"),
            options=[("", "every class"), *((one, one) for one in _CLASSES)],
            hint="Instead of a type.",
        ),
        Field(
            name="provider",
            label="Mailbox provider",
            kind="select",
            value=given.get("provider"),
            options=[("", "every provider"), *((one.word, one.word) for one in Provider)],
        ),
        Field(name="campaign", label="Campaign", value=given.get("campaign")),
        Field(name="list", label="List", value=given.get("list")),
    ]


async def _ask_cancel(rest: Rest, given: Given) -> Asked:
    chosen = selection(given)
    says, tables, wrong = await actions.preview_of_hold(rest, {"action": "cancel", **chosen})
    return Asked(
        title=f"Cancel waiting mail of {given['slug']}",
        back=page_of(given),
        says=says,
        wrong=wrong,
        tables=tables,
        fields=await _fields(rest, given),
        is_ready=not wrong,
        button="Drop this mail for good",
        is_dangerous=True,
        command=f'mailcordon cancel {given["slug"]}{options(chosen)} --because "..."',
    )


async def _cancel(rest: Rest, given: Given) -> str:
    await rest.post("/v1/cancellations", body={**selection(given), "because": given.because})
    return page_of(given)


async def _ask_rate(rest: Rest, given: Given) -> Asked:
    slug, type_, back = given["slug"], given["type_"], _back(given)
    lane = await rest.get("/v1/tenants/{}/lanes/{}", slug, type_)
    name, text = f"{slug}/{type_}", given.get("rate")
    rate = _rate(text)
    is_wrong = bool(text) and rate is None
    says = [messages.has_rate(lane=name, state=lane["state"], rate=lane["rate"], own=lane["own_rate"])]
    # An empty field takes the limit away, if there is one and the field was shown.
    is_empty = not text and (lane["own_rate"] is None or "rate" not in given.fields)
    if not is_empty:
        says += [
            messages.sets_rate(lane=name, rate=rate, waiting=lane["backlog"]["deliveries"]),
            messages.no_other_lane(),
        ]
    option = "--no-limit" if rate is None else f"--rate {rate:g}"
    return Asked(
        title=f"Rate of {name}",
        back=back,
        says=says,
        wrong=[messages.not_a_rate(name)] if is_wrong else [],
        fields=[
            Field(
                name="rate",
                label="Mails a second, at most",
                value=text,
                required=lane["own_rate"] is None,
                hint="Such as 0.5 or 20. To stop it, hold it."
                if lane["own_rate"] is None
                else "Such as 0.5 or 20. Empty: no limit of its own. To stop it, hold it.",
            ),
            Field(name="back", label="", kind="hidden", value=back),
        ],
        is_ready=not is_wrong and not is_empty,
        button="Remove its limit" if rate is None else "Set this rate",
        command=""
        if is_wrong or is_empty
        else f"mailcordon lane limit {shell(slug)} {shell(type_)} {option} {because(given)}",
    )


async def _set_rate(rest: Rest, given: Given) -> str:
    slug, type_, text = given["slug"], given["type_"], given.get("rate")
    rate = _rate(text)
    if text and rate is None:
        raise Problem(422, messages.not_a_rate(f"{slug}/{type_}"), "bad-rate")
    await rest.patch("/v1/tenants/{}/lanes/{}", slug, type_, body={"rate": rate, "because": given.because})
    return _back(given)


def _back(given: Given) -> str:
    """The page that led to the form; else the lane's."""
    lane = f"/tenants/{segment(given['slug'])}/lanes/{segment(given['type_'])}"
    return links.own_path(given.get("back"), lane)


def _rate(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if 0 < found < 1e6 else None
