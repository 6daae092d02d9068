"""Messages: searching mail, one mail's way from accept to its end, and cancelling what has not left."""

import asyncio
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.response import Redirect

from mailcordon.adapters.dashboard.pages import actions
from mailcordon.adapters.dashboard.pages.actions import Asked, Given, Table, link
from mailcordon.adapters.dashboard.rest import Problem, Rest
from mailcordon.adapters.dashboard.site import PageRequest, Site
from mailcordon.core.delivery import State
from mailcordon.core.reason import MEANINGS
from mailcordon.messages import dashboard as messages

PAGE = 50  #: deliveries
#: What a search may name; each is the API's parameter of that name.
FILTERS = (
    "to", "tenant", "type", "state", "reason", "campaign", "list", "tag", "id", "message_id", "ses_id", "since", "until",
)  # fmt: skip
#: Those that are folded away until they are used.
RARE = ("reason", "campaign", "list", "tag", "message_id", "ses_id", "until")
STATES = tuple("queued" if state is State.READY else state.word for state in State)
#: In these a delivery may still be in the queue.
WAITING = ("queued", "waiting", "held")
#: How a delivery's state is coloured.
TONES = {
    "delivered": "good", "sent": "", "queued": "", "sending": "", "waiting": "slow", "held": "slow", "delayed": "slow",
    "soft-bounced": "slow", "unknown": "slow", "no-outcome": "slow", "cancelled": "", "expired": "bad",
}  # fmt: skip
_KNOWN = {reason.value: meaning for reason, meaning in MEANINGS.items()}
_SPAN = re.compile(r"(\d{1,4})(min|h|d)", re.ASCII)
_UNITS = {"min": "minutes", "h": "hours", "d": "days"}
_SES_ID = re.compile(r"[0-9a-f]{16}-[0-9a-f-]+", re.ASCII)


def routes(site: Site) -> list[HTTPRouteHandler]:
    @get("/messages")
    async def search(request: PageRequest) -> Response[str] | Redirect:
        given = request.query_params
        if (found := given.get("find", "").strip()) and (target := found_by(found)):
            return Redirect(target, status_code=303)
        asked = {name: given.get(name, "").strip() for name in FILTERS}
        query = {name: value for name, value in asked.items() if value}
        if "since" in query:
            query["since"] = since(query["since"], datetime.now(UTC))
        rest = site.rest(request)
        page, problem = None, None
        try:
            page = await rest.get("/v1/messages", **query, after=given.get("after"), limit=PAGE)
        except Problem as refused:
            if refused.status not in (404, 422):
                raise
            problem = refused
        types = await rest.found("/v1/types", limit=1000)
        return site.page(
            request,
            "messages/search.html",
            title="Messages",
            section="messages",
            status_code=200 if problem is None else problem.status,
            asked=asked,
            is_asked=any(asked.values()),
            is_rare=any(asked[name] for name in RARE),
            states=STATES,
            tones=TONES,
            types=[] if types is None else [one["name"] for one in types["items"]],
            page=page,
            problem=None if problem is None else problem.sentence,
            next_page=None if page is None else link("/messages", **asked, after=page["next"]),
            first_page=link("/messages", **asked) if given.get("after") else None,
            without={name: link("/messages", **{**asked, name: ""}) for name in FILTERS if asked[name]},
            similar=_similar(page, asked),
        )

    @get("/messages/{id:str}")
    async def message(request: PageRequest) -> Response[str]:
        id = str(request.path_params["id"])
        rest = site.rest(request)
        found, why, events = await asyncio.gather(
            rest.get("/v1/messages/{}", id),
            rest.found("/v1/why", of=id),
            rest.found("/v1/messages/{}/events", id, limit=1000),
        )
        deliveries = [_delivery(one, events) for one in found["deliveries"]]
        return site.page(
            request,
            "messages/message.html",
            title=f"{found['type']} to {_recipients(found)}",
            section="messages",
            message=found,
            sentence=why["sentence"] if why else None,
            deliveries=deliveries,
            chosen=id if id.startswith("dlv_") else None,
            tone=_tone(deliveries),
            tones=TONES,
            counts=_counts(deliveries),
            may_cancel=any(one["state"] in WAITING for one in deliveries),
            more_events=bool(events and events["more"]),
            has_events=events is not None,
        )

    cancelling = actions.routes(
        site,
        "/messages/{id:str}/cancel",
        section="messages",
        ask=_ask_cancel,
        perform=_cancel,
        done="cancelled",
    )
    return [search, message, *cancelling]


def found_by(text: str) -> str | None:
    """The page that shows what somebody pasted: an id, a Message-ID, SES's id, an address, or else a campaign."""
    if text.startswith(("msg_", "dlv_")) and text.isascii() and text[4:].isalnum():
        return f"/messages/{text}"
    if "amazonses.com" in text:
        return link("/messages", message_id=text)
    if "@" in text:
        return link("/messages", to=text.strip("<>"))
    if _SES_ID.fullmatch(text):
        return link("/messages", ses_id=text)
    return link("/messages", tag=text) if "=" in text else link("/messages", campaign=text)


def since(text: str, now: datetime) -> str:
    """A time as the API takes it: `24h` and `7d` are so long ago, so that such a search stays one."""
    match = _SPAN.fullmatch(text)
    if match is None:
        return text
    return (now - timedelta(**{_UNITS[match[2]]: int(match[1])})).isoformat(timespec="milliseconds")


def _similar(page: Any, asked: Mapping[str, str]) -> list[dict[str, str]]:
    """Searches for addresses with a similar spelling, if nothing was ever sent to the one that was asked for."""
    if page is None or page["never_mailed"] is None:
        return []
    found: list[str] = page["never_mailed"]["similar"]
    return [{"address": one, "href": link("/messages", **{**asked, "to": one})} for one in found]


def _recipients(message: Mapping[str, Any]) -> str:
    first, rest = message["deliveries"][0]["to"], len(message["deliveries"]) - 1
    return first if not rest else f"{first} and {rest} more"


def _delivery(one: Mapping[str, Any], events: Any) -> dict[str, Any]:
    """A delivery with the event that each moment of its timeline is about, and what its reason means."""
    own: list[Any] = [event for event in events["items"] if event["delivery"] == one["id"]] if events else []
    moments: list[dict[str, Any]] = []
    for moment in one["timeline"]:
        event = next(
            (e for e in own if e["at"] == moment["at"] and f"SES: {e['what']}" == moment["what"]), None
        )
        if event is not None:
            own.remove(event)
        moments.append({**moment, "event": event, "tone": _moment_tone(moment["what"])})
    meaning = None
    if (known := _KNOWN.get(one["reason"] or "")) is not None:
        meaning = {"text": known.meaning, "actor": known.actor.value}
    tone = TONES.get(one["state"], "bad")
    if one["state"] == "queued" and meaning is not None:
        tone = "slow"  # something keeps it
    return {**one, "timeline": moments, "meaning": meaning, "tone": tone}


def _moment_tone(what: str) -> str:
    if what in ("SES: delivery",):
        return "good"
    if what.startswith("SES: ") and what[5:] in (
        "hard-bounce",
        "complaint",
        "reject",
        "rendering-failure",
        "suppressed",
    ):
        return "bad"
    if what in (
        "held",
        "stopped",
        "no-dispatcher",
        "retry",
        "SES: delay",
        "SES: soft-bounce",
        "outcome-unknown",
    ):
        return "slow"
    return "bad" if what in ("expired", "refused", "given-up", "rejected-by-ses", "suppressed") else ""


def _tone(deliveries: list[dict[str, Any]]) -> str:
    tones = {one["tone"] for one in deliveries}
    return "bad" if "bad" in tones else "slow" if "slow" in tones else "good"


def _counts(deliveries: list[dict[str, Any]]) -> list[tuple[str, int]]:
    found: dict[str, int] = {}
    for one in deliveries:
        found[one["state"]] = found.get(one["state"], 0) + 1
    return sorted(found.items(), key=lambda pair: -pair[1])


async def _ask_cancel(rest: Rest, given: Given) -> Asked:
    id = given["id"]
    preview = await rest.delete("/v1/messages/{}", id, dry_run=True)
    message = await rest.get("/v1/messages/{}", id)
    gone = set(preview["cancelled"])
    kept = [one for one in message["deliveries"] if one["id"] in gone]
    reasons = list(dict.fromkeys(one["detail"] for one in kept if one["detail"]))
    rows = [(one["to"], one["state"], *([one["detail"] or ""] if len(reasons) > 1 else [])) for one in kept]
    heads = ("To", "State", *(["Why it waits"] if len(reasons) > 1 else []))
    return Asked(
        title=messages.cancel_title(message["type"], message["tenant"]),
        back=f"/messages/{id}",
        says=[preview["detail"], *(reasons if len(reasons) == 1 else [])],
        tables=[Table(heads=heads, rows=rows)] if rows else (),
        button="Cancel it for good",
        is_dangerous=True,
        command=f'mailcordon message cancel {id} --because "..."',
    )


async def _cancel(rest: Rest, given: Given) -> str:
    await rest.delete("/v1/messages/{}", given["id"], because=given.because)
    return f"/messages/{given['id']}"
