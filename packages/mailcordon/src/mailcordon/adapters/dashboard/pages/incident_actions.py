"""What people do about an incident: accept as normal, acknowledge, note, close, and say that a customer reported it.

To hold mail and to lift holds: holds.py. To set a lane's rate: lane_actions.py."""

from collections.abc import Mapping
from typing import Any

from litestar.handlers import HTTPRouteHandler

from mailcordon.adapters.dashboard.pages import actions
from mailcordon.adapters.dashboard.pages.actions import Asked, Field, Given, because
from mailcordon.adapters.dashboard.rest import Rest
from mailcordon.adapters.dashboard.site import Site
from mailcordon.messages import dashboard_actions as messages

_PATH = "/incidents/{incident:int}"


def routes(site: Site) -> list[HTTPRouteHandler]:
    def action(name: str, ask: actions.Ask, perform: actions.Perform, done: str) -> list[HTTPRouteHandler]:
        return actions.routes(
            site, _PATH + "/" + name, section="incidents", ask=ask, perform=perform, done=done
        )

    return [
        *action("decisions/{decision:int}/accept", _ask_to_accept, _accept, "accepted"),
        *action("decisions/{decision:int}/probe", _ask_to_probe, _probe, "tried"),
        *action("acknowledge", _ask_to_acknowledge, _acknowledge, "acknowledged"),
        *action("note", _ask_for_note, _note, "noted"),
        *action("close", _ask_to_close, _close, "closed"),
        *action("reported", _ask_when_reported, _report, "saved"),
    ]


def target(found: Mapping[str, Any]) -> dict[str, str]:
    """The smallest part of the mail that the incident is about, as the API names it: the worst culprit, else the lane."""
    incident = found["incident"]
    if incident["tenant"] is None:
        return {}
    named = {"tenant": incident["tenant"], "type": incident["type"] or ""}
    for one in found["culprits"]:
        if (
            one["kind"] in ("list", "campaign", "provider")
            and one["share"] >= 0.8
            and ", " not in one["name"]
        ):
            return {**named, one["kind"]: one["name"]}
    if incident["scope"] in ("list", "campaign", "provider"):
        return {**named, incident["scope"]: incident["name"]}
    return named


def _back(given: Given) -> str:
    return f"/incidents/{given['incident']}"


async def _incident(rest: Rest, given: Given) -> Any:
    return (await rest.get("/v1/incidents/{}", given["incident"]))["incident"]


async def _ask_to_accept(rest: Rest, given: Given) -> Asked:
    found = await rest.get("/v1/breaker/decisions/{}", given["decision"])
    return Asked(
        title="Accept as normal",
        back=_back(given),
        says=[
            found["detail"],
            messages.accept(f"{found['tenant']}/{found['type']}"),
            *([messages.accept_waiting(found["waiting"])] if found["waiting"] else []),
            *([found["touched"]] if found["touched"] else []),
        ],
        warnings=[] if found["open"] else [messages.accept_over()],
        is_ready=True,
        button="Accept it as normal",
        is_dangerous=True,
        command=f"mailcordon breaker accept {found['id']} {because(given)}",
    )


async def _accept(rest: Rest, given: Given) -> str:
    await rest.post("/v1/breaker/decisions/{}/accept", given["decision"], body={"because": given.because})
    return _back(given)


async def _ask_to_probe(rest: Rest, given: Given) -> Asked:
    found = await rest.get("/v1/breaker/decisions/{}", given["decision"])
    probe = await rest.get("/v1/breaker/decisions/{}/probe", given["decision"])
    return Asked(
        title="Release with a probe",
        back=_back(given),
        says=[found["detail"], *([probe["detail"]] if probe["possible"] else [])],
        warnings=[] if probe["possible"] else [probe["detail"]],
        is_ready=True,
        button="Try it now",
        command=f"mailcordon breaker probe {found['id']} {because(given)}",
    )


async def _probe(rest: Rest, given: Given) -> str:
    await rest.post("/v1/breaker/decisions/{}/probe", given["decision"], body={"because": given.because})
    return _back(given)


async def _ask_to_acknowledge(rest: Rest, given: Given) -> Asked:
    incident = await _incident(rest, given)
    return Asked(
        title=f"Acknowledge incident {incident['id']}",
        back=_back(given),
        says=[
            incident["detail"],
            messages.acknowledge(),
        ],
        button="I look at it",
        needs_reason=False,
        command=f"mailcordon incident ack {incident['id']}",
    )


async def _acknowledge(rest: Rest, given: Given) -> str:
    await rest.post("/v1/incidents/{}/acknowledge", given["incident"])
    return _back(given)


async def _ask_for_note(rest: Rest, given: Given) -> Asked:
    incident = await _incident(rest, given)
    return Asked(
        title=f"Write a note on incident {incident['id']}",
        back=_back(given),
        says=[
            incident["detail"],
            messages.note(),
        ],
        button="Write it",
        command=f"mailcordon incident note {incident['id']} {actions.reason(given)}",
    )


async def _note(rest: Rest, given: Given) -> str:
    await rest.post("/v1/incidents/{}/notes", given["incident"], body={"text": given.because})
    return _back(given)


async def _ask_to_close(rest: Rest, given: Given) -> Asked:
    found = await rest.get("/v1/incidents/{}", given["incident"])
    incident = found["incident"]
    showing = sum(one["ended_at"] is None for one in found["alarms"])
    return Asked(
        title=f"Close incident {incident['id']}",
        back=_back(given),
        says=[
            incident["detail"],
            messages.close(),
        ],
        warnings=[messages.close_showing(showing)] if showing else [],
        button="Close it",
        is_dangerous=showing > 0,
        command=f"mailcordon incident close {incident['id']} {because(given)}",
    )


async def _close(rest: Rest, given: Given) -> str:
    await rest.post("/v1/incidents/{}/close", given["incident"], body={"because": given.because})
    return _back(given)


async def _ask_when_reported(rest: Rest, given: Given) -> Asked:
    incident = await _incident(rest, given)
    at = given.get("at")
    return Asked(
        title="When did a customer report it?",
        back=_back(given),
        says=[messages.reported(at)],
        fields=[
            Field(
                name="at",
                label="Time in UTC",
                hint="Such as 2026-11-28T15:23:00Z. Empty: no customer reported it.",
            )
        ],
        button="Enter it",
        needs_reason=False,
        command=f"mailcordon incident reported {incident['id']}"
        + (f" --at {actions.shell(at)}" if at else " --nobody"),
    )


async def _report(rest: Rest, given: Given) -> str:
    await rest.put("/v1/incidents/{}/reported", given["incident"], body={"at": given.maybe("at")})
    return _back(given)
