"""Applying and rejecting a plan: the same two pages for plans of SES and of the policy."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from litestar.handlers import HTTPRouteHandler

from mailcordon.adapters.dashboard.pages import actions
from mailcordon.adapters.dashboard.pages.actions import Asked, Given, Table, because
from mailcordon.adapters.dashboard.pages.blocks import Button
from mailcordon.adapters.dashboard.rest import Rest
from mailcordon.adapters.dashboard.site import Site
from mailcordon.core.principal import ADMIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Plans:
    """One kind of plans. `says`, `warnings` and `tables` are of a plan as the API shows it."""

    section: str
    path: str  #: of their pages: a plan's is this and its number
    api: str  #: the API's path of them
    name: str  #: what a plan is called, with {} for its number
    command: str  #: that applies one, with {} for its number
    reject_command: str
    says: Callable[[Any], Sequence[str]]
    not_applied: str  #: what follows from rejecting one
    warnings: Callable[[Any], Sequence[str]] = lambda _: ()
    tables: Callable[[Any], Sequence[Table]] = lambda _: ()


def buttons(of: Plans, number: int) -> list[Button]:
    return [
        Button(f"{of.path}/{number}/apply", "Apply…", "admin"),
        Button(f"{of.path}/{number}/reject", "Reject…", "admin"),
    ]


def routes(site: Site, of: Plans) -> list[HTTPRouteHandler]:
    async def ask_apply(rest: Rest, given: Given) -> Asked:
        one = await rest.get(of.api + "/{}", given["number"])
        return Asked(
            title=f"Apply {of.name.format(one['id'])}",
            back=_page(of, given),
            says=of.says(one),
            warnings=of.warnings(one),
            tables=of.tables(one),
            button="Apply the plan",
            command=_command(of.command, given),
        )

    async def ask_reject(rest: Rest, given: Given) -> Asked:
        one = await rest.get(of.api + "/{}", given["number"])
        return Asked(
            title=f"Reject {of.name.format(one['id'])}",
            back=_page(of, given),
            says=[of.not_applied, *of.says(one)],
            button="Reject the plan",
            command=_command(of.reject_command, given),
        )

    def deciding(
        verb: str, ask: Callable[[Rest, Given], Awaitable[Asked]], done: str
    ) -> list[HTTPRouteHandler]:
        async def decide(rest: Rest, given: Given) -> str:
            await rest.post(of.api + "/{}/" + verb, given["number"], body={"because": given.because})
            return _page(of, given)

        return actions.routes(
            site,
            of.path + "/{number:int}/" + verb,
            section=of.section,
            ask=ask,
            perform=decide,
            done=done,
            needs=ADMIN,
        )

    return [*deciding("apply", ask_apply, "applied"), *deciding("reject", ask_reject, "rejected")]


def _page(of: Plans, given: Given) -> str:
    return f"{of.path}/{given['number']}"


def _command(of: str, given: Given) -> str:
    return f"{of.format(given['number'])} {because(given)}"
