"""Arming the breaker for a lane, starting a proof, checking a domain, and letting a release leave."""

from typing import Any

from litestar.handlers import HTTPRouteHandler

from mailcordon.adapters.dashboard.formats import segment
from mailcordon.adapters.dashboard.pages import actions
from mailcordon.adapters.dashboard.pages.actions import Asked, Field, Given, shell
from mailcordon.adapters.dashboard.rest import Problem, Rest
from mailcordon.adapters.dashboard.site import Site
from mailcordon.messages import dashboard
from mailcordon.messages import lane_pages as messages


def routes(site: Site) -> list[HTTPRouteHandler]:
    def action(path: str, ask: actions.Ask, perform: actions.Perform, done: str) -> list[HTTPRouteHandler]:
        return actions.routes(site, path, section="tenants", ask=ask, perform=perform, done=done)

    return [
        *action("/tenants/{slug:str}/lanes/{type_:str}/breaker", _ask_breaker, _set_breaker, "saved"),
        *action("/tenants/{slug:str}/prove", _ask_proof, _prove, "started"),
        *action("/tenants/{slug:str}/domains/{domain:str}/check", _ask_check, _check, "checked"),
        *action("/tenants/{slug:str}/releases/{number:int}/open", _ask_open, _open, "opened"),
    ]


def _lane_page(given: Given) -> str:
    return f"/tenants/{segment(given['slug'])}/lanes/{segment(given['type_'])}"


async def _ask_breaker(rest: Rest, given: Given) -> Asked:
    slug, type_ = given["slug"], given["type_"]
    found = (await rest.get("/v1/breaker/lanes", tenant=slug, type=type_, limit=1))["items"]
    if not found:
        raise Problem(404, dashboard.no_such_page(), "not-found")
    armed = given.get("armed", "yes") != "no"
    checks = [one["detail"] for one in found[0]["checks"] if not one["ok"]]
    return Asked(
        title=f"Breaker of {slug}/{type_}",
        back=_lane_page(given),
        says=[f"Now: {found[0]['detail']}", messages.sets_breaker(f"{slug}/{type_}", armed)],
        warnings=checks if armed else [],
        fields=[
            Field(
                name="armed",
                label="The breaker",
                kind="select",
                value="yes" if armed else "no",
                options=[("yes", "is armed"), ("no", "is disarmed")],
            )
        ],
        button="Arm it" if armed else "Disarm it",
        command=f'mailcordon breaker {"arm" if armed else "disarm"} {slug} --type {type_} --because "..."',
    )


async def _set_breaker(rest: Rest, given: Given) -> str:
    body = {"armed": given.get("armed", "yes") != "no", "because": given.because}
    await rest.put("/v1/tenants/{}/lanes/{}/breaker", given["slug"], given["type_"], body=body)
    return _lane_page(given)


async def _ask_proof(rest: Rest, given: Given) -> Asked:
    slug, type_ = given["slug"], given.get("type")
    lanes: list[dict[str, Any]] = (await rest.get("/v1/tenants/{}/proofs", slug))["items"]
    meant = [one for one in lanes if type_ in ("", one["type"])]
    running = [
        messages.already_runs(f"{slug}/{one['type']}", one["running"]) for one in meant if one["running"]
    ]
    option = f" --type {shell(type_)}" if type_ else ""
    return Asked(
        title=f"Prove attribution of {slug}",
        back=f"/tenants/{segment(slug)}/domains",
        says=[
            messages.asks_proof(f"{slug}/{type_}" if type_ else slug),
            *(f"{one['type']}: {one['because']}" for one in meant),
        ],
        warnings=running,
        fields=[
            Field(
                name="type",
                label="Message type",
                kind="select",
                value=type_,
                options=[("", "every lane"), *((one["type"], one["type"]) for one in lanes)],
            )
        ],
        is_ready=bool(meant),
        button="Start the proof",
        needs_reason=False,
        command=f"mailcordon prove {slug}{option}",
    )


async def _prove(rest: Rest, given: Given) -> str:
    type_ = given.maybe("type")
    body: dict[str, Any] = {} if type_ is None else {"types": [type_]}
    await rest.post("/v1/tenants/{}/proofs", given["slug"], body=body)
    return f"/tenants/{segment(given['slug'])}/domains"


async def _own_domain(rest: Rest, given: Given) -> None:
    """Raises Problem for a domain of nobody, or of another tenant than the page is about."""
    identity = await rest.get("/v1/identities/{}", given["domain"])
    if identity["tenant"] != given["slug"]:
        raise Problem(404, dashboard.no_such_page(), "not-found")


async def _ask_check(rest: Rest, given: Given) -> Asked:
    await _own_domain(rest, given)
    domain = given["domain"]
    return Asked(
        title=f"Check {domain}",
        back=f"/tenants/{segment(given['slug'])}/domains/{segment(domain)}",
        says=[messages.checks_domain(domain)],
        button="Check it now",
        needs_reason=False,
        command=f"mailcordon identity check {shell(domain)}",
    )


async def _check(rest: Rest, given: Given) -> str:
    await _own_domain(rest, given)
    await rest.post("/v1/identities/{}/check", given["domain"])
    return f"/tenants/{segment(given['slug'])}/domains/{segment(given['domain'])}"


async def _release(rest: Rest, given: Given) -> dict[str, Any]:
    """Raises Problem for a release of nobody, or of another tenant than the page is about."""
    number = int(given["number"])
    items = (await rest.get("/v1/releases", tenant=given["slug"], after=number + 1, limit=1))["items"]
    if not items or items[0]["id"] != number:
        raise Problem(404, dashboard.no_such_page(), "not-found")
    return items[0]


async def _ask_open(rest: Rest, given: Given) -> Asked:
    found = await _release(rest, given)
    slug, type_ = given["slug"], found["type"]
    named = shell(found["name"])
    return Asked(
        title=f"Let all of {found['name'] or type_} leave",
        back=f"/tenants/{segment(slug)}/lanes/{segment(type_)}",
        says=[
            found["sentence"],
            messages.opens_release(f"{slug}/{type_}", found["accepted"], found["feedback"]["out"]),
        ],
        button="Let all of it leave",
        is_dangerous=True,
        command=f'mailcordon campaign open {slug} {named} --type {type_} --because "..."',
    )


async def _open(rest: Rest, given: Given) -> str:
    found = await _release(rest, given)
    await rest.post("/v1/releases/{}/open", int(given["number"]), body={"because": given.because})
    return f"/tenants/{segment(given['slug'])}/lanes/{segment(found['type'])}"
