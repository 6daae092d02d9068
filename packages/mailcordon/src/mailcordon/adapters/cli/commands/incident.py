"""`mailcordon incident`: what went wrong, whose it is, what was done, and how long it took."""

from datetime import UTC, datetime
from typing import Annotated, Literal

import typer
from rich.console import RenderableType

from mailcordon.adapters.cli import command, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Because, Cli, Limit, OfTenant
from mailcordon.adapters.cli.commands.why import event_of
from mailcordon.adapters.cli.document import Document, child, children, strings
from mailcordon.adapters.cli.text import NONE, pairs, plain, when
from mailcordon.messages import incidents as messages

app = typer.Typer(
    cls=command.ListUnlessNamed,
    help="Incidents: what went wrong and whose it is. Without a command: list what is open.",
)

Number = Annotated[int, typer.Argument(metavar="INCIDENT", help="The incident's number.")]


@command.remote(
    app,
    command.LIST,
    examples="""
mailcordon incident list
mailcordon incident list --tenant acme --kind rates
mailcordon incident list --all --watch
""",
    watchable=True,
)
async def list_incidents(
    cli: Cli,
    tenant: OfTenant = None,
    kind: Annotated[
        str | None, typer.Option("--kind", metavar="KIND", help="Only this kind. Default: all.")
    ] = None,
    severity: Annotated[
        Literal["critical", "high", "medium", "low"] | None,
        typer.Option("--severity", help="Only this severity. Default: all."),
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Closed ones too.")] = False,
    limit: Limit = 100,
) -> None:
    """List incidents, newest first. Exit code 0, whatever is open."""
    given = {"tenant": tenant, "kind": kind, "severity": severity, "open": None if all_ else "true"}
    found = await cli.api.items(path("incidents"), given, limit=limit)
    if not found["items"]:
        cli.show_result(found, messages.none_ever() if all_ else messages.none_open())
        return
    cli.show_result(found, incident_table(found["items"]), *show.more(found))


def incident_table(items: list[Document]) -> RenderableType:
    return show.table(
        ("id", "severity", "kind", "whose", "since", "state", "culprit", "what"),
        [
            (
                str(item.get("id")),
                item.get("severity"),
                item.get("kind"),
                whose(item),
                when(item.get("since")),
                state_of(item),
                item.get("culprit"),
                item.get("detail"),
            )
            for item in items
        ],
        drop=("kind", "culprit", "since", "whose"),
        prose=("what",),
    )


def whose(item: Document) -> str | None:
    if item.get("type"):
        return f"{item.get('tenant')}/{item['type']}"
    return item.get("tenant")


def state_of(item: Document) -> str:
    return messages.state_of(
        is_open=bool(item.get("open")),
        mitigated=item.get("mitigated_at") is not None,
        acknowledged=item.get("acknowledged_at") is not None,
    )


@command.remote(app, "show", examples="mailcordon incident show 12", watchable=True)
async def show_incident(cli: Cli, incident: Number) -> None:
    """Show an incident: what is wrong, whose it is, what to do, its alarms and its timeline."""
    found = await cli.api.get(path("incidents", str(incident)))
    cli.show_result(found, *incident_views(found))


def incident_views(found: Document) -> list[RenderableType]:
    item = child(found, "incident")
    views: list[RenderableType] = [plain(item.get("detail"))]
    if item.get("open") and item.get("next"):
        views.append(plain(item["next"]))
        if item.get("command"):
            views.append(f"  {plain(item['command'])}")
    rows: list[tuple[str, object]] = [
        ("incident", f"{plain(item.get('id'))}, {plain(item.get('severity'))}, {state_of(item)}"),
        ("kind", item.get("kind")),
        ("whose", whose(item)),
        ("culprit", item.get("culprit")),
        ("since", when(item.get("since"))),
        ("opened", when(item.get("opened_at"))),
        ("identified", _at(item, "identified_at", "identify_seconds")),
        ("mitigated", _at(item, "mitigated_at", "mitigate_seconds")),
        ("by", item.get("mitigated_by")),
        ("reported", when(item.get("reported_at"))),
        ("acknowledged", _by(item, "acknowledged")),
        ("closed", _by(item, "closed")),
        ("because", item.get("closed_because")),
        ("part of", item.get("part_of")),
        ("concerns", ", ".join(strings(item, "concerned"))),
        ("alarms", item.get("alarms")),
        ("runbook", f"mailcordon runbook {plain(item['kind'])}" if item.get("runbook") else None),
    ]
    views += ["", show.fields([row for row in rows if row[1] not in (None, "", NONE)])]
    if found_at := children(found, "culprits"):
        views += ["", messages.heading_culprits(), *(f"  {plain(one.get('detail'))}" for one in found_at)]
    # Its suspects are the culprits above.
    numbers = {name: value for name, value in child(found, "evidence").items() if name != "suspects"}
    if evidence := list(pairs(numbers)):
        views += ["", messages.heading_evidence(), *(f"  {name}: {value}" for name, value in evidence)]
    if alarms := children(found, "alarms"):
        views += ["", messages.heading_alarms(), _alarms(alarms)]
    if entries := children(found, "timeline"):
        views += ["", messages.heading_timeline(), *timeline(entries)]
    return views


def timeline(entries: list[Document]) -> list[RenderableType]:
    return [
        f"  {when(one.get('at'))}  {event_of(one)}{_author(one)}: {plain(one.get('detail'))}"
        for one in entries
    ]


def _author(entry: Document) -> str:
    author = entry.get("author")
    return "" if author in (None, "mailcordon") else f" ({plain(author)})"


def _alarms(items: list[Document]) -> RenderableType:
    return show.table(
        ("severity", "tenant", "since", "ended", "what"),
        [
            (
                item.get("severity"),
                item.get("tenant"),
                when(item.get("since")),
                when(item.get("ended_at")),
                item.get("detail"),
            )
            for item in items
        ],
        drop=("ended", "tenant", "since"),
        prose=("what",),
    )


def _at(item: Document, at: str, seconds: str) -> str | None:
    if item.get(at) is None:
        return None
    return messages.after(when=when(item[at]), seconds=float(item.get(seconds) or 0))


def _by(item: Document, what: str) -> str | None:
    if item.get(f"{what}_at") is None:
        return None
    by = item.get(f"{what}_by")
    return when(item[f"{what}_at"]) + (f" by {plain(by)}" if by else "")


@command.remote(app, "note", examples='mailcordon incident note 12 "asked acme to stop the mailing"')
async def note(
    cli: Cli,
    incident: Number,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The note, for the timeline.")],
) -> None:
    """Write a note into the timeline. Tenants do not see it."""
    found = await cli.api.post(path("incidents", str(incident), "notes"), {"text": text})
    cli.show_result(found, messages.noted(number=incident))


@command.remote(app, "ack", examples="mailcordon incident ack 12")
async def acknowledge(cli: Cli, incident: Number) -> None:
    """Say that you look at it: alerts about it are not sent again."""
    found = await cli.api.call("POST", path("incidents", str(incident), "acknowledge"))
    cli.show_result(found, messages.acknowledged(number=incident))


@command.remote(app, "close", examples='mailcordon incident close 12 --because "list deleted"')
async def close(cli: Cli, incident: Number, because: Because) -> None:
    """Close an incident. Alarms that still show stay silent until they end and return, or become worse."""
    found = await cli.api.post(path("incidents", str(incident), "close"), {"because": because})
    cli.show_result(found, messages.closed(number=incident))


@command.remote(
    app,
    "reported",
    examples="""
mailcordon incident reported 12
mailcordon incident reported 12 --at 2026-11-28T15:23:00Z
mailcordon incident reported 12 --nobody
""",
)
async def reported(
    cli: Cli,
    incident: Number,
    at: Annotated[
        str | None, typer.Option("--at", metavar="TIME", help="When, in UTC. Default: now.")
    ] = None,
    nobody: Annotated[bool, typer.Option("--nobody", help="No customer reported it.")] = False,
) -> None:
    """Set when a customer first reported it."""
    moment = None if nobody else at or datetime.now(UTC).isoformat(timespec="seconds")
    found = await cli.api.call("PUT", path("incidents", str(incident), "reported"), body={"at": moment})
    cli.show_result(found, messages.reported(number=incident, nobody=nobody))


@command.remote(
    app,
    "report",
    examples="""
mailcordon incident report 12
mailcordon incident report 12 --for-tenant acme
""",
)
async def report(
    cli: Cli,
    incident: Number,
    for_tenant: Annotated[
        str | None,
        typer.Option(
            "--for-tenant",
            metavar="TENANT",
            help="Only what concerns this tenant, without the name of anybody else. Default: all.",
        ),
    ] = None,
) -> None:
    """Print a report: onset, cause, what was done, effect, and how mail goes on."""
    if for_tenant is None:
        found = await cli.api.get(path("incidents", str(incident)))
        cli.show_result(found, *_whole_report(found))
        return
    found = await cli.api.get(path("incidents", str(incident), "report"), {"tenant": for_tenant})
    cli.show_result(found, *tenant_report(found))


def _whole_report(found: Document) -> list[RenderableType]:
    item = child(found, "incident")
    return [
        messages.report_title(number=plain(item.get("id")), state=state_of(item)),
        "",
        *incident_views(found),
    ]


def tenant_report(found: Document) -> list[RenderableType]:
    item = {**found, "identified": found.get("identified_at"), "acknowledged_at": None}
    views: list[RenderableType] = [
        messages.report_title(number=plain(found.get("id")), state=state_of(item)),
        "",
        show.fields(
            [
                row
                for row in (
                    ("tenant", found.get("tenant")),
                    ("onset", when(found.get("onset"))),
                    ("cause", found.get("cause")),
                    ("culprit", found.get("culprit")),
                    ("identified", _at(found, "identified_at", "identify_seconds")),
                    ("mitigated", _at(found, "mitigated_at", "mitigate_seconds")),
                    ("closed", when(found.get("closed_at"))),
                )
                if row[1] not in (None, "", NONE)
            ]
        ),
    ]
    if effects := children(found, "effects"):
        views += ["", messages.heading_effects()]
        views += [show.bullet(_effect(one)) for one in effects]
    if actions := children(found, "actions"):
        views += ["", messages.heading_actions(), *timeline(actions)]
    if holds := strings(found, "holds"):
        views += ["", messages.heading_holds(), *(show.bullet(one) for one in holds)]
    return [*views, "", messages.heading_resume(), f"  {plain(found.get('resume'))}"]


def _effect(one: Document) -> str:
    until = f" until {when(one['ended_at'])}" if one.get("ended_at") else ""
    return f"{plain(one.get('detail'))} (since {when(one.get('since'))}{until})"


@command.remote(
    app,
    "times",
    examples="""
mailcordon incident times
mailcordon incident times --by kind --since 2026-11-01T00:00:00Z
""",
)
async def times(
    cli: Cli,
    by: Annotated[
        Literal["kind,month", "kind", "month", "all"],
        typer.Option("--by", help="How incidents are grouped."),
    ] = "kind,month",
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="TIME", help="Only those opened since. Default: 400 days ago."),
    ] = None,
) -> None:
    """Show time to identify and time to mitigate: median and 95th percentile, from the estimated onset."""
    found = await cli.api.get(path("incidents", "times"), {"by": by, "since": since})
    items = children(found, "items")
    if not items:
        cli.show_result(found, messages.none_ever())
        return
    cli.show_result(found, times_table(items))


def times_table(items: list[Document]) -> RenderableType:
    return show.table(
        (
            *("month", "kind", "incidents", "open", "identified", "identify median", "identify p95"),
            *("mitigated", "mitigate median", "mitigate p95", "customer first"),
        ),
        [
            (
                item.get("month"),
                item.get("kind"),
                str(item.get("incidents")),
                str(item.get("open")),
                str(item.get("identified")),
                _span(item.get("identify_median")),
                _span(item.get("identify_p95")),
                str(item.get("mitigated")),
                _span(item.get("mitigate_median")),
                _span(item.get("mitigate_p95")),
                str(item.get("customer_first")),
            )
            for item in items
        ],
        drop=("mitigated", "identified", "open", "identify p95", "mitigate p95", "customer first"),
    )


def _span(seconds: float | None) -> str | None:
    return None if seconds is None else messages.took(seconds=seconds)
