"""Cancelling mail that waits, and setting a lane's rate. Holding and lifting: holds.py."""

from collections.abc import Mapping
from typing import Any

from litestar.handlers import HTTPRouteHandler

from mailcordon.adapters.dashboard.formats import segment
from mailcordon.adapters.dashboard.links import TARGET
from mailcordon.adapters.dashboard.pages import actions
from mailcordon.adapters.dashboard.pages.actions import Asked, Field, Given, Table, shell
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


async def _preview(rest: Rest, chosen: Mapping[str, Any]) -> tuple[list[str], list[Table], list[str]]:
    """What it would do, the lanes with their mail, and why it cannot be done."""
    try:
        found = await rest.post("/v1/holds/preview", body={"action": "cancel", **chosen})
    except Problem as problem:
        if problem.status not in (400, 404, 409, 422):
            raise
        return [], [], [problem.sentence, *(f"{one.field}: {one.problem}" for one in problem.fields)]
    rows = [
        (
            one["type"],
            one["class"],
            one["state"],
            *(f"{one[name]:,}" for name in ("ready", "waiting", "sending")),
        )
        for one in found["lanes"]
    ]
    heads = ("Lane", "Class", "State", "Ready", "Waiting", "Being sent")
    return [found["effect"], found["untouched"]], [Table(heads=heads, rows=rows)], []


async def _ask_cancel(rest: Rest, given: Given) -> Asked:
    chosen = selection(given)
    says, tables, wrong = await _preview(rest, chosen)
    return Asked(
        title=f"Cancel waiting mail of {given['slug']}",
        back=page_of(given),
        says=says,
        warnings=wrong,
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
    slug, type_ = given["slug"], given["type_"]
    lane = await rest.get("/v1/tenants/{}/lanes/{}", slug, type_)
    text, own = given.get("rate"), lane["own_rate"]
    rate = _rate(text)
    is_wrong = bool(text) and rate is None
    option = "--no-limit" if rate is None else f"--rate {rate:g}"
    return Asked(
        title=f"Rate of {slug}/{type_}",
        back=f"/tenants/{segment(slug)}/lanes/{segment(type_)}",
        says=[messages.has_rate(f"{slug}/{type_}", own), messages.sets_rate(f"{slug}/{type_}", rate)],
        warnings=[messages.not_a_rate(f"{slug}/{type_}")] if is_wrong else [],
        fields=[
            Field(
                name="rate",
                label="Mails a second, at most",
                value=text,
                hint="Empty: no limit of its own. To stop it, hold it.",
            )
        ],
        is_ready=not is_wrong,
        button="Remove its limit" if rate is None else "Set the rate",
        command=f'mailcordon lane limit {slug} {type_} {option} --because "..."',
    )


async def _set_rate(rest: Rest, given: Given) -> str:
    slug, type_, text = given["slug"], given["type_"], given.get("rate")
    rate = _rate(text)
    if text and rate is None:
        raise Problem(422, messages.not_a_rate(f"{slug}/{type_}"), "bad-rate")
    await rest.patch("/v1/tenants/{}/lanes/{}", slug, type_, body={"rate": rate, "because": given.because})
    return f"/tenants/{segment(slug)}/lanes/{segment(type_)}"


def _rate(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if 0 < found < 1e9 else None
