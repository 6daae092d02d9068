"""`mailcordon drift`: what SES has that differs from what is desired, who did it, and what repairs it."""

from typing import Annotated, Literal

import typer
from rich.console import Group, RenderableType

from mailcordon.adapters.cli import command, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Because, Cli, Limit, OfTenant
from mailcordon.adapters.cli.document import Document, child, children
from mailcordon.adapters.cli.text import plain, when
from mailcordon.messages import drift as messages

app = typer.Typer(
    cls=command.ListUnlessNamed,
    help="Drift: what SES has that differs from what is desired. Without a command: list what is open.",
)

Number = Annotated[int, typer.Argument(metavar="FINDING", help="The finding's number.")]


@command.remote(
    app,
    command.LIST,
    examples="""
mailcordon drift list
mailcordon drift list --tenant acme --severity critical
mailcordon drift list --all --watch
""",
    watchable=True,
)
async def list_findings(
    cli: Cli,
    tenant: OfTenant = None,
    kind: Annotated[
        str | None, typer.Option("--kind", metavar="KIND", help="Only this kind. Default: all.")
    ] = None,
    severity: Annotated[
        Literal["critical", "high", "medium", "low"] | None,
        typer.Option("--severity", help="Only this severity. Default: all."),
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Those that ended too.")] = False,
    limit: Limit = 100,
) -> None:
    """List what differs at SES, newest first. Exit code 0, whatever was found."""
    given = {"tenant": tenant, "kind": kind, "severity": severity, "open": None if all_ else "true"}
    found = await cli.api.items(path("drift"), given, limit=limit)
    if not found["items"]:
        cli.show_result(found, messages.drift_none())
        return
    cli.show_result(found, finding_table(found["items"]), *show.more(found))


def finding_table(items: list[Document]) -> RenderableType:
    return show.table(
        ("id", "severity", "kind", "tenant", "since", "plan", "state", "what"),
        [
            (
                str(item.get("id")),
                item.get("severity"),
                item.get("kind"),
                item.get("tenant"),
                when(item.get("since")),
                None if item.get("plan") is None else str(item.get("plan")),
                messages.drift_over() if item.get("ended_at") else messages.drift_open(),
                item.get("says"),
            )
            for item in items
        ],
        drop=("kind", "tenant", "since", "state"),
        prose=("what",),
    )


@command.remote(app, "show", examples="mailcordon drift show 12", watchable=True)
async def show_finding(cli: Cli, finding: Number) -> None:
    """Show one difference: what follows from it, who made it, and what repairs it."""
    found = await cli.api.get(path("drift", str(finding)))
    cli.show_result(found, _details(found))


def _details(found: Document) -> RenderableType:
    by, lines = child(found, "by"), list[RenderableType]()
    lines.append(plain(found.get("says")))
    rows: list[tuple[object, ...]] = [
        ("kind", found.get("kind")),
        ("severity", found.get("severity")),
        ("resource", f"{plain(found.get('resource_kind'))} {plain(found.get('resource'))}"),
        ("member", found.get("member")),
        ("tenant", found.get("tenant")),
        ("since", when(found.get("since"))),
        ("found by", found.get("found_by")),
        ("made by", by.get("name")),
        ("call", by.get("event")),
        ("arn", by.get("arn")),
        ("access key", by.get("access_key")),
        ("address", by.get("source_ip")),
        ("client", by.get("user_agent")),
        ("hold", found.get("hold")),
        ("ended", when(found.get("ended_at"))),
        ("because", found.get("ended_because")),
    ]
    lines.append(show.table(("what", "value"), [row for row in rows if row[1] not in (None, "", "-")]))
    for call in children(found, "repair"):
        member = f" {plain(call['member'])}" if call.get("member") else ""
        lines.append(
            show.bullet(
                f"{plain(call.get('action'))} {plain(call.get('kind'))} {plain(call.get('name'))}{member}"
            )
        )
    if found.get("ended_at") is None:
        lines.append(_next(found))
    return Group(*lines)


def _next(found: Document) -> str:
    if found.get("plan") is not None:
        return messages.drift_plan(plan=plain(found["plan"]), finding=plain(found.get("id")))
    if children(found, "repair"):
        return messages.drift_repairs_itself()
    return messages.drift_by_hand(finding=plain(found.get("id")))


@command.remote(app, "accept", examples='mailcordon drift accept 12 --because "our new archive"')
async def accept(cli: Cli, finding: Number, because: Because) -> None:
    """Accept what SES has as it is: it is compared with that from now on. Changes nothing at SES."""
    found = await cli.api.post(path("drift", str(finding), "accept"), {"because": because})
    cli.show_result(found, messages.drift_accepted(finding=finding))


@command.remote(
    app,
    "policy",
    examples="""
mailcordon drift policy
mailcordon drift policy dkim-off --act propose --because "careful"
mailcordon drift policy shared-association --act propose --hold \\
    --because "stop it"
""",
)
async def policy(
    cli: Cli,
    kind: Annotated[
        str | None, typer.Argument(metavar="KIND", help="A kind of difference, or addition. Default: all.")
    ] = None,
    act: Annotated[
        Literal["apply", "propose"] | None,
        typer.Option("--act", help="Repair it at once, or propose a plan. Default: only show."),
    ] = None,
    hold: Annotated[
        bool,
        typer.Option("--hold", help="Hold the tenant's mail while it lasts. For kinds that break isolation."),
    ] = False,
    because: Annotated[
        str | None,
        typer.Option("--because", metavar="TEXT", help="The reason. It is shown and audited. Default: none."),
    ] = None,
) -> None:
    """Show or set what happens when a kind of difference is found."""
    if kind is None:
        found = await cli.api.get(path("drift", "policies"))
        cli.show_result(found, _policy_table(children(found, "items")))
        return
    if act is None:
        found = await cli.api.get(path("drift", "policies", kind))
    else:
        body: Document = {"act": act, "hold": hold, "because": because or ""}
        found = await cli.api.call("PUT", path("drift", "policies", kind), body=body)
    cli.show_result(found, _policy_table([found]))


def _policy_table(items: list[Document]) -> RenderableType:
    return show.table(
        ("kind", "severity", "breaks isolation", "act", "hold", "set by", "because"),
        [
            (
                item.get("kind"),
                item.get("severity"),
                item.get("isolation"),
                item.get("act"),
                item.get("hold"),
                item.get("by"),
                item.get("because"),
            )
            for item in items
        ],
        drop=("because", "set by"),
        prose=("because",),
    )
