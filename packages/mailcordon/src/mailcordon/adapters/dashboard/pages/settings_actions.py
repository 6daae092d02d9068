"""What people change in Settings: keys, sessions, alert channels and webhooks."""

from litestar.handlers import HTTPRouteHandler

from mailcordon.adapters.dashboard.pages import actions
from mailcordon.adapters.dashboard.pages.actions import Asked, Given, because, shell
from mailcordon.adapters.dashboard.pages.one_of_a_list import one_of
from mailcordon.adapters.dashboard.pages.settings_tabs import PATH
from mailcordon.adapters.dashboard.rest import Problem, Rest
from mailcordon.adapters.dashboard.site import Site
from mailcordon.core.principal import ADMIN, OPERATE
from mailcordon.messages import settings_pages as messages

_VERBS = {"pause": "Pause", "resume": "Resume"}


def routes(site: Site) -> list[HTTPRouteHandler]:
    def page(
        path: str, ask: actions.Ask, perform: actions.Perform, done: str, needs: str = OPERATE
    ) -> list[HTTPRouteHandler]:
        return actions.routes(
            site, PATH + path, section="settings", ask=ask, perform=perform, done=done, needs=needs
        )

    return [
        *page("/keys/{prefix:str}/revoke", _ask_revoke, _revoke, "removed", ADMIN),
        *page("/people/{prefix:str}/end", _ask_end, _end, "removed", ADMIN),
        *page("/alerts/{name:str}/test", _testing("alerts"), _trying("alerts", "alert-channels"), "tested"),
        *page("/webhooks/{name:str}/test", _testing("webhooks"), _trying("webhooks", "webhooks"), "tested"),
        *page(
            "/alerts/{name:str}/remove",
            _removing("alerts"),
            _remove("alerts", "alert-channels"),
            "removed",
            ADMIN,
        ),
        *page(
            "/webhooks/{name:str}/remove",
            _removing("webhooks"),
            _remove("webhooks", "webhooks"),
            "removed",
            ADMIN,
        ),
        *page("/webhooks/{name:str}/pause", _pausing("pause"), _pause("pause"), "saved"),
        *page("/webhooks/{name:str}/resume", _pausing("resume"), _pause("resume"), "saved"),
    ]


async def _ask_revoke(rest: Rest, given: Given) -> Asked:
    key = await one_of(rest, "/v1/keys", "prefix", given["prefix"])
    return Asked(
        title=f"Revoke the key {key['prefix']}",
        back=PATH + "/keys",
        says=[messages.will_revoke(key["prefix"], key["holder"], key["name"], key["tenant"])],
        warnings=[messages.key_is_used()] if key["last_used_at"] else (),
        button="Revoke it for good",
        is_dangerous=True,
        command=f"mailcordon key revoke {key['prefix']} {because(given)}",
    )


async def _revoke(rest: Rest, given: Given) -> str:
    await rest.delete("/v1/keys/{}", given["prefix"], because=given.because)
    return PATH + "/keys"


async def _ask_end(rest: Rest, given: Given) -> Asked:
    one = await one_of(rest, "/v1/sessions", "prefix", given["prefix"])
    return Asked(
        title=f"End a session of {one['person']}",
        back=PATH + "/people",
        says=[messages.will_end_session(one["person"])],
        button="End it",
        is_dangerous=True,
        command=f"mailcordon session end {one['prefix']} --because REASON",
    )


async def _end(rest: Rest, given: Given) -> str:
    await rest.delete("/v1/sessions/{}", given["prefix"], because=given.because)
    return PATH + "/people"


_NOUNS = {"alerts": "alert channel", "webhooks": "webhook"}


def _testing(part: str) -> actions.Ask:
    async def ask(_: Rest, given: Given) -> Asked:
        name = given["name"]
        return Asked(
            title=f"Test the {_NOUNS[part]} {name}",
            back=f"{PATH}/{part}",
            says=[messages.will_test()],
            needs_reason=False,
            button="Send a test",
            command=f"mailcordon {_NOUNS[part]} test {shell(name)}",
        )

    return ask


def _trying(part: str, route: str) -> actions.Perform:
    async def perform(rest: Rest, given: Given) -> str:
        tried = await rest.post("/v1/" + route + "/{}/test", given["name"])
        if not tried["delivered"]:
            raise Problem(422, messages.did_not_arrive(tried["problem"] or ""), "not-delivered")
        return f"{PATH}/{part}"

    return perform


def _removing(part: str) -> actions.Ask:
    async def ask(_: Rest, given: Given) -> Asked:
        name = given["name"]
        return Asked(
            title=f"Remove the {_NOUNS[part]} {name}",
            back=f"{PATH}/{part}",
            says=[
                messages.will_remove_channel(name) if part == "alerts" else messages.will_remove_webhook(name)
            ],
            button="Remove it",
            is_dangerous=True,
            command=f'mailcordon {_NOUNS[part]} remove {shell(name)} --because "..."',
        )

    return ask


def _remove(part: str, route: str) -> actions.Perform:
    async def perform(rest: Rest, given: Given) -> str:
        await rest.delete("/v1/" + route + "/{}", given["name"], because=given.because)
        return f"{PATH}/{part}"

    return perform


def _pausing(verb: str) -> actions.Ask:
    async def ask(_: Rest, given: Given) -> Asked:
        name = given["name"]
        return Asked(
            title=f"{_VERBS[verb]} the webhook {name}",
            back=PATH + "/webhooks",
            says=[messages.will_pause(name) if verb == "pause" else messages.will_resume(name)],
            button=_VERBS[verb] + " it",
            command=f'mailcordon webhook {verb} {shell(name)} --because "..."',
        )

    return ask


def _pause(verb: str) -> actions.Perform:
    async def perform(rest: Rest, given: Given) -> str:
        await rest.post("/v1/webhooks/{}/" + verb, given["name"], body={"because": given.because})
        return PATH + "/webhooks"

    return perform
