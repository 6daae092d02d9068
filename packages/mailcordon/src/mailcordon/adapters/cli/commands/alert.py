"""`mailcordon alert`: channels that are told of incidents, and what they were told."""

import sys
from typing import Annotated, Literal

import typer
from rich.console import RenderableType

from mailcordon.adapters.cli import command, failures, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Because, Cli, Limit
from mailcordon.adapters.cli.document import Document, strings
from mailcordon.adapters.cli.text import plain, when
from mailcordon.messages import alerts as messages
from mailcordon.messages import cli as cli_messages

app = typer.Typer(no_args_is_help=True, help="Alerts: who is told of incidents, and what they were told.")
channel = typer.Typer(no_args_is_help=True, help="Alert channels: webhook, Slack, PagerDuty and e-mail.")
app.add_typer(channel, name="channel")

Name = Annotated[str, typer.Argument(metavar="CHANNEL", help="The channel's name.")]
_STDIN = "-"  #: a secret that is read from standard input, so that no list of processes shows it


@command.remote(
    channel,
    "add",
    examples="""
mailcordon alert channel add night --webhook https://hooks.example.com/mc
mailcordon alert channel add ops --slack -
mailcordon alert channel add pager --pagerduty - --least high
mailcordon alert channel add mail --email ops@platform.example \\
    --tenant platform --type notification --from alerts@mail.example
""",
)
async def add(
    cli: Cli,
    name: Name,
    webhook: Annotated[
        str | None,
        typer.Option(
            "--webhook",
            metavar="URL",
            help="Post to this URL, signed as Standard Webhooks has it. Default: none.",
        ),
    ] = None,
    slack: Annotated[
        str | None,
        typer.Option("--slack", metavar="URL", help="Post to this incoming webhook of Slack. Default: none."),
    ] = None,
    pagerduty: Annotated[
        str | None,
        typer.Option(
            "--pagerduty", metavar="KEY", help="PagerDuty's integration key (Events API v2). Default: none."
        ),
    ] = None,
    email: Annotated[
        str | None,
        typer.Option(
            "--email", metavar="ADDRESS", help="Mail to this address, over a lane of ours. Default: none."
        ),
    ] = None,
    tenant: Annotated[
        str | None,
        typer.Option("--tenant", metavar="TENANT", help="For e-mail: whose lane carries it. Default: none."),
    ] = None,
    type_: Annotated[
        str | None,
        typer.Option("--type", metavar="TYPE", help="For e-mail: the lane's message type. Default: none."),
    ] = None,
    from_: Annotated[
        str | None,
        typer.Option("--from", metavar="ADDRESS", help="For e-mail: its From address. Default: none."),
    ] = None,
    events_url: Annotated[
        str | None,
        typer.Option(
            "--events-url",
            metavar="URL",
            help="For PagerDuty: another endpoint, such as the EU's. Default: the US's.",
        ),
    ] = None,
    least: Annotated[
        Literal["critical", "high", "medium", "low"],
        typer.Option("--least", help="Only incidents of this severity, and worse ones."),
    ] = "low",
    kind: Annotated[
        list[str] | None,
        typer.Option("--kind", metavar="KIND", help="Only this kind. Repeat for more. Default: all."),
    ] = None,
    of: Annotated[
        list[str] | None,
        typer.Option("--of", metavar="TENANT", help="Only this tenant's. Repeat for more. Default: all."),
    ] = None,
    because: Annotated[
        str | None,
        typer.Option("--because", metavar="TEXT", help="The reason. It is audited. Default: none."),
    ] = None,
) -> None:
    """Add a channel. It is told of every open incident that is for it, and of each new one.

    `-` instead of a URL or key reads it from standard input, so that no list of processes shows it.
    """
    given = {"webhook": webhook, "slack": slack, "pagerduty": pagerduty, "email": email}
    forms = [form for form, value in given.items() if value is not None]
    if len(forms) != 1:
        raise failures.usage(messages.one_form())
    (form,) = forms
    value = _read(given[form])
    field = {"pagerduty": "key", "email": "to"}.get(form, "url")
    body: Document = {"name": name, "form": form, "least": least, "kinds": kind or [], "tenants": of or []}
    more = {field: value, "tenant": tenant, "type": type_, "from": from_, "because": because}
    if events_url is not None:
        more["url"] = events_url
    body |= {key: text for key, text in more.items() if text is not None}
    made = await cli.api.post(path("alert-channels"), body)
    secret = made.get("secret")
    cli.show_result(made, messages.channel_made(name, None if secret is None else plain(secret)))


def _read(value: str | None) -> str | None:
    """What was given, or the next line of standard input."""
    return sys.stdin.readline().strip() if value == _STDIN else value


@command.remote(
    channel,
    "change",
    examples="""
mailcordon alert channel change night --to https://hooks.example.com/new
mailcordon alert channel change pager --secret - --least critical
mailcordon alert channel change mail --to night@platform.example
""",
)
async def change(
    cli: Cli,
    name: Name,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="RECEIVER",
            help="Another URL, or for e-mail another address. Default: as it is.",
        ),
    ] = None,
    secret: Annotated[
        str | None,
        typer.Option(
            "--secret",
            metavar="SECRET",
            help="PagerDuty's integration key, or a webhook's signing secret. Default: as it is.",
        ),
    ] = None,
    tenant: Annotated[
        str | None,
        typer.Option(
            "--tenant", metavar="TENANT", help="Of e-mail: whose lane carries it. Default: as it is."
        ),
    ] = None,
    type_: Annotated[
        str | None,
        typer.Option("--type", metavar="TYPE", help="Of e-mail: the lane's message type. Default: as it is."),
    ] = None,
    from_: Annotated[
        str | None,
        typer.Option("--from", metavar="ADDRESS", help="Of e-mail: its From address. Default: as it is."),
    ] = None,
    least: Annotated[
        Literal["critical", "high", "medium", "low"] | None,
        typer.Option("--least", help="Only incidents of this severity, and worse ones. Default: as it is."),
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option("--kind", metavar="KIND", help="Only this kind. Repeat for more. Default: as they are."),
    ] = None,
    every_kind: Annotated[bool, typer.Option("--every-kind", help="Every kind again.")] = False,
    of: Annotated[
        list[str] | None,
        typer.Option(
            "--of", metavar="TENANT", help="Only this tenant's. Repeat for more. Default: as they are."
        ),
    ] = None,
    every_tenant: Annotated[bool, typer.Option("--every-tenant", help="Every tenant's again.")] = False,
    because: Annotated[
        str | None,
        typer.Option("--because", metavar="TEXT", help="The reason. It is audited. Default: none."),
    ] = None,
) -> None:
    """Change a channel. What is not given stays. A new receiver is told of every open incident.

    `-` instead of a URL or secret reads it from standard input, so that no list of processes shows it.
    """
    if kind and every_kind:
        raise failures.usage(cli_messages.one_of(options="--kind or --every-kind"))
    if of and every_tenant:
        raise failures.usage(cli_messages.one_of(options="--of or --every-tenant"))
    given = {
        "key": _read(secret),
        "tenant": tenant,
        "type": type_,
        "from": from_,
        "least": least,
        "kinds": kind or ([] if every_kind else None),
        "tenants": of or ([] if every_tenant else None),
    }
    body: Document = {field: value for field, value in given.items() if value is not None}
    if not body and to is None:
        raise failures.usage(messages.no_change_of_a_channel())
    if to is not None:
        form = (await cli.api.get(path("alert-channels", name))).get("form")
        body["to" if form == "email" else "url"] = _read(to)
    if because is not None:
        body["because"] = because
    found = await cli.api.call("PATCH", path("alert-channels", name), body=body)
    cli.show_result(found, messages.channel_changed(name, plain(found.get("target"))))


@command.remote(channel, "list", examples="mailcordon alert channel list", watchable=True)
async def list_channels(cli: Cli) -> None:
    """List the channels, with what does not work."""
    found = await cli.api.get(path("alert-channels"))
    if not found["items"]:
        cli.show_result(found, messages.no_channels())
        return
    cli.show_result(found, _channels(found["items"]))


def _channels(items: list[Document]) -> RenderableType:
    return show.table(
        ("channel", "form", "leads to", "least", "kinds", "tenants", "lane", "fails since", "problem"),
        [
            (
                item.get("name"),
                item.get("form"),
                item.get("target"),
                item.get("least"),
                ", ".join(strings(item, "kinds")) or "all",
                ", ".join(strings(item, "tenants")) or "all",
                item.get("lane"),
                when(item.get("failing_since")),
                item.get("problem"),
            )
            for item in items
        ],
        drop=("lane", "kinds", "tenants", "fails since"),
        prose=("problem",),
    )


@command.remote(channel, "test", examples="mailcordon alert channel test night")
async def try_channel(cli: Cli, name: Name) -> None:
    """Send a test message, at once. Exit code 1 if it does not arrive."""
    found = await cli.api.post(path("alert-channels", name, "test"), {})
    problem = found.get("problem")
    cli.show_result(found, messages.channel_tried(name, None if problem is None else plain(problem)))
    cli.exit_code = 0 if found.get("delivered") else int(failures.Exit.REFUSED)


@command.remote(channel, "remove", examples='mailcordon alert channel remove night --because "another team"')
async def remove(cli: Cli, name: Name, because: Because) -> None:
    """Remove a channel with its secrets. It is told nothing more; what it was told stays on record."""
    gone = await cli.api.call("DELETE", path("alert-channels", name), query={"because": because})
    cli.show_result(gone, messages.channel_removed(name))


@command.remote(
    app,
    "list",
    examples="mailcordon alert list --open\nmailcordon alert list --incident 12",
    watchable=True,
)
async def list_alerts(
    cli: Cli,
    incident: Annotated[
        int | None,
        typer.Option("--incident", metavar="INCIDENT", min=0, help="Only of this incident. Default: all."),
    ] = None,
    channel: Annotated[
        str | None, typer.Option("--channel", metavar="CHANNEL", help="Only of this channel. Default: all.")
    ] = None,
    open_: Annotated[
        bool | None,
        typer.Option("--open/--closed", help="Only of open incidents, or of closed ones. Default: both."),
    ] = None,
    limit: Limit = 100,
) -> None:
    """List what each channel was told of which incident, newest first."""
    is_open = None if open_ is None else str(open_).lower()
    query = {"incident": incident, "channel": channel, "open": is_open}
    found = await cli.api.items(path("alerts"), query, limit=limit)
    if not found["items"]:
        cli.show_result(found, messages.no_alerts())
        return
    cli.show_result(found, _alerts(found["items"]), *show.more(found))


def _alerts(items: list[Document]) -> RenderableType:
    return show.table(
        ("id", "incident", "channel", "severity", "tenant", "told", "messages", "again at", "state", "what"),
        [
            (
                str(item.get("id")),
                str(item.get("incident")),
                item.get("channel"),
                item.get("severity"),
                item.get("tenant"),
                when(item.get("told_at")),
                str(item.get("sent")),
                when(item.get("remind_at")),
                _state(item),
                item.get("sentence"),
            )
            for item in items
        ],
        drop=("tenant", "messages", "again at", "severity"),
        prose=("what",),
    )


def _state(item: Document) -> str:
    if item.get("problem"):
        return messages.state_problem(plain(item["problem"]))
    if item.get("closed_at"):
        return messages.state_closed()
    by = item.get("acknowledged_by")
    return messages.state_open() if by is None else messages.state_acknowledged(plain(by))


@command.remote(app, "ack", examples="mailcordon alert ack 31")
async def acknowledge(
    cli: Cli, alert: Annotated[int, typer.Argument(metavar="ALERT", help="The alert's number.")]
) -> None:
    """Acknowledge the incident of an alert: no channel is reminded of it any more."""
    found = await cli.api.get(path("alerts", str(alert)))
    incident = int(str(found.get("incident")))
    done = await cli.api.post(path("incidents", str(incident), "acknowledge"), {})
    cli.show_result(done, messages.acknowledged(incident))
