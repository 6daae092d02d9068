"""`mailcordon campaign`: large batches that leave in steps, what came back, and when the next step opens."""

from typing import Annotated

import typer
from rich.console import RenderableType

from mailcordon.adapters.cli import command, failures, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Because, Cli, Limit, OfTenant, Tenant, Yes
from mailcordon.adapters.cli.document import Document, child, children
from mailcordon.adapters.cli.text import NONE, plain, when
from mailcordon.messages import cli as messages
from mailcordon.messages import pacing

app = typer.Typer(
    no_args_is_help=True,
    help="Large batches of marketing mail, which leave in steps: campaigns, new lists, and mail without either.",
)
Name = Annotated[
    str,
    typer.Argument(metavar="NAME", help="The campaign or list. Without it: a lane's mail without either."),
]
OfType = Annotated[
    str | None,
    typer.Option("--type", metavar="TYPE", help="Only of this message type. Default: any that has the name."),
]


@command.remote(
    app,
    "list",
    examples="mailcordon campaign list --tenant acme\nmailcordon campaign list --all --json",
    watchable=True,
)
async def list_releases(
    cli: Cli,
    tenant: OfTenant = None,
    type_: OfType = None,
    all_: Annotated[
        bool, typer.Option("--all", help="Also those that are over. Default: those that last.")
    ] = False,
    limit: Limit = 200,
) -> None:
    """List batches that leave in steps, newest first: what is out, what waits, and when the next step opens."""
    query = {"tenant": tenant, "type": type_, "open": None if all_ else "true"}
    found = await cli.api.items(path("releases"), query, limit=limit)
    cli.show_result(found, release_table(children(found, "items")), *show.more(found))


@command.remote(
    app,
    "show",
    examples="mailcordon campaign show acme spring-sale\nmailcordon campaign show acme --type newsletter",
    watchable=True,
)
async def show_release(cli: Cli, tenant: Tenant, name: Name = "", type_: OfType = None) -> None:
    """Show one batch: its step, what is out, what came back, and what opens the next step."""
    found = await _one(cli, tenant, name, type_)
    cli.show_result(found, plain(found.get("sentence")), "", release_view(found))


@command.remote(
    app,
    "open",
    examples='mailcordon campaign open acme spring-sale --because "checked the list"',
)
async def open_release(
    cli: Cli, tenant: Tenant, because: Because, name: Name = "", type_: OfType = None, yes: Yes = False
) -> None:
    """Let all of a batch leave without waiting for its steps. Holds and other limits still apply."""
    found = await _one(cli, tenant, name, type_)
    question = pacing.open_question(plain(found.get("kind")), name, int(found.get("waiting") or 0))
    command.confirm(cli.err, question, yes=yes)
    opened = await cli.api.call(
        "POST", path("releases", str(found.get("id")), "open"), body={"because": because}
    )
    cli.show_result(opened, plain(opened.get("sentence")), "", release_view(opened))


async def _one(cli: Cli, tenant: str, name: str, type_: str | None) -> Document:
    """The batch of that name that lasts, else the newest."""
    query = {"tenant": tenant, "name": name, "type": type_}
    items = children(await cli.api.items(path("releases"), query, limit=200), "items")
    lasting = [item for item in items if item.get("ended_at") is None]
    types = sorted({plain(item.get("type")) for item in lasting or items})
    if not items:
        raise failures.Failure(failures.Exit.NOT_FOUND, pacing.no_release(tenant, name), "no-such-release")
    if len(types) > 1:
        raise failures.usage(pacing.several_releases(tenant, name, types))
    return (lasting or items)[0]


def release_table(items: list[Document]) -> RenderableType:
    columns = (
        "tenant",
        "type",
        "kind",
        "name",
        "state",
        "step",
        "out",
        "may leave",
        "waiting",
        "next step",
        "waits for",
    )
    rows = [
        (
            item.get("tenant"),
            item.get("type"),
            item.get("kind"),
            item.get("name") or NONE,
            item.get("state"),
            item.get("step"),
            child(item, "feedback").get("out"),
            _cap(item),
            item.get("waiting"),
            when(item.get("next_step_at")),
            item.get("waits_for"),
        )
        for item in items
    ]
    return show.table(columns, rows, drop=("kind", "next step", "step", "type", "out"), prose=())


def release_view(item: Document) -> RenderableType:
    back = child(item, "feedback")
    return show.fields(
        [
            ("batch", pacing.batch(plain(item.get("kind")), plain(item.get("name") or ""))),
            ("lane", f"{plain(item.get('tenant'))} / {plain(item.get('type'))}"),
            ("state", item.get("state")),
            ("mode", item.get("mode")),
            ("step", item.get("step")),
            ("accepted", item.get("accepted")),
            ("may leave", _cap(item)),
            ("out", back.get("out")),
            ("waiting for a step", item.get("waiting")),
            ("outcomes", back.get("heard")),
            (
                "hard bounces",
                pacing.at_most(int(back.get("hard_bounces") or 0), float(back.get("most_hard_bounces") or 0)),
            ),
            (
                "complaints",
                pacing.at_most(int(back.get("complaints") or 0), float(back.get("most_complaints") or 0)),
            ),
            ("began", when(item.get("began_at"))),
            ("step opened", when(item.get("step_opened_at"))),
            ("next step", when(item.get("next_step_at"))),
        ]
    )


def _cap(item: Document) -> object:
    cap = item.get("may_leave")
    return messages.no_limit() if cap is None else cap
