"""`mailcordon webhook`: programs that are sent events, and what was sent to them."""

import sys
from typing import Annotated, Literal

import typer
from rich.console import RenderableType

from mailcordon.adapters.cli import command, duration, failures, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Because, Cli, Limit
from mailcordon.adapters.cli.commands.messages import moment
from mailcordon.adapters.cli.document import Document, strings
from mailcordon.adapters.cli.text import plain, when
from mailcordon.messages import cli as cli_messages
from mailcordon.messages import webhooks as messages

app = typer.Typer(
    no_args_is_help=True, help="Webhooks: programs that are sent events, and what was sent to them."
)

Name = Annotated[str, typer.Argument(metavar="WEBHOOK", help="The webhook's name.")]
Why = Annotated[
    str | None, typer.Option("--because", metavar="TEXT", help="The reason. It is audited. Default: none.")
]
_STDIN = "-"  #: a URL that is read from standard input, so that no list of processes shows it


@command.remote(
    app,
    "add",
    examples="""
mailcordon webhook add app https://acme.example/hook --tenant acme
mailcordon webhook add all - --event delivery.bounced
mailcordon webhook add ses https://acme.example/sns --form ses-sns
""",
)
async def add(
    cli: Cli,
    name: Name,
    to: Annotated[
        str, typer.Argument(metavar="URL", help="Post to this URL. `-` reads it from standard input.")
    ],
    tenant: Annotated[
        str | None,
        typer.Option(
            "--tenant", metavar="TENANT", help="Only this tenant's events. Default: every tenant's."
        ),
    ] = None,
    form: Annotated[
        Literal["standard", "ses-sns"],
        typer.Option(
            "--form", help="Our JSON, signed as Standard Webhooks has it, or SES's in SNS's envelope."
        ),
    ] = "standard",
    event: Annotated[
        list[str] | None,
        typer.Option(
            "--event",
            metavar="EVENT",
            help="Only this event. Repeat for more. Default: all but sent, opened and clicked.",
        ),
    ] = None,
    because: Why = None,
) -> None:
    """Add a webhook. It gets what happens from now on."""
    body: Document = {"name": name, "url": _read(to), "form": form, "events": event or []}
    body |= {key: text for key, text in {"tenant": tenant, "because": because}.items() if text is not None}
    made = await cli.api.post(path("webhooks"), body)
    secret = made.get("secret")
    cli.show_result(made, messages.endpoint_made(name, None if secret is None else plain(secret)))


@command.remote(
    app,
    "change",
    examples="""
mailcordon webhook change app --to https://acme.example/new-hook
mailcordon webhook change app --event delivery.bounced --event lane.held
mailcordon webhook change all --usual-events --every-tenant
""",
)
async def change(
    cli: Cli,
    name: Name,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="URL",
            help="Post to this URL from now on. `-` reads it from standard input. Default: as it is.",
        ),
    ] = None,
    tenant: Annotated[
        str | None,
        typer.Option("--tenant", metavar="TENANT", help="Only this tenant's events. Default: as it is."),
    ] = None,
    every_tenant: Annotated[
        bool, typer.Option("--every-tenant", help="Every tenant's events. Default: as it is.")
    ] = False,
    event: Annotated[
        list[str] | None,
        typer.Option(
            "--event", metavar="EVENT", help="Only this event. Repeat for more. Default: as they are."
        ),
    ] = None,
    usual_events: Annotated[
        bool,
        typer.Option("--usual-events", help="All but sent, opened and clicked. Default: as they are."),
    ] = False,
    secret: Annotated[
        str | None,
        typer.Option(
            "--secret",
            metavar="SECRET",
            help="Sign with this secret of the receiver's. `-` reads it from standard input. Default: as it is.",
        ),
    ] = None,
    because: Why = None,
) -> None:
    """Change a webhook. What is not given stays, and what waits for it goes to the new URL.

    With another secret, both sign for a day. `webhook rotate` makes one up.
    """
    if tenant is not None and every_tenant:
        raise failures.usage(cli_messages.one_of(options="--tenant or --every-tenant"))
    if event and usual_events:
        raise failures.usage(cli_messages.one_of(options="--event or --usual-events"))
    body: Document = {"url": _read(to), "tenant": tenant, "secret": _read(secret), "because": because}
    body = {key: value for key, value in body.items() if value is not None}
    if every_tenant:
        body["tenant"] = None
    if event or usual_events:
        body["events"] = event or []
    if not body.keys() - {"because"}:
        raise failures.usage(messages.no_change_of_an_endpoint())
    found = await cli.api.call("PATCH", path("webhooks", name), body=body)
    paused = found.get("paused_at") is not None
    cli.show_result(found, messages.endpoint_changed(name, plain(found.get("target")), paused=paused))


def _read(value: str | None) -> str | None:
    """What was given, or the next line of standard input."""
    return sys.stdin.readline().strip() if value == _STDIN else value


@command.remote(app, "list", examples="mailcordon webhook list --tenant acme", watchable=True)
async def list_webhooks(
    cli: Cli,
    tenant: Annotated[
        str | None, typer.Option("--tenant", metavar="TENANT", help="Only this tenant's. Default: all.")
    ] = None,
) -> None:
    """List the webhooks, with what does not work."""
    found = await cli.api.get(path("webhooks"), {"tenant": tenant})
    if not found["items"]:
        cli.show_result(found, messages.no_endpoints())
        return
    cli.show_result(found, _webhooks(found["items"]))


def _webhooks(items: list[Document]) -> RenderableType:
    return show.table(
        ("webhook", "tenant", "form", "leads to", "events", "state"),
        [
            (
                item.get("name"),
                item.get("tenant") or "all",
                item.get("form"),
                item.get("target"),
                str(len(strings(item, "events"))),
                _state(item),
            )
            for item in items
        ],
        drop=("events", "form"),
        prose=("state",),
    )


def _state(item: Document) -> str:
    if item.get("paused_at"):
        return messages.state_paused(plain(item.get("paused_because")))
    if item.get("failing_since"):
        return messages.state_fails(plain(item.get("problem")))
    return messages.state_works()


@command.remote(app, "show", examples="mailcordon webhook show acme-app", watchable=True)
async def show_webhook(cli: Cli, name: Name) -> None:
    """Show a webhook: its events, whether they arrive, and how many wait."""
    found = await cli.api.get(path("webhooks", name))
    pairs = [
        ("webhook", found.get("name")),
        ("tenant", found.get("tenant") or "all"),
        ("form", found.get("form")),
        ("leads to", found.get("target")),
        ("events", ", ".join(strings(found, "events"))),
        ("state", _state(found)),
        ("fails since", when(found.get("failing_since"))),
        ("tried at", when(found.get("next_at"))),
        ("waiting", str(found.get("waiting"))),
        ("made", when(found.get("made_at"))),
        ("by", found.get("made_by")),
    ]
    cli.show_result(found, show.fields((name, value) for name, value in pairs if value))


@command.remote(app, "test", examples="mailcordon webhook test acme-app")
async def try_webhook(cli: Cli, name: Name) -> None:
    """Send a test message, at once. Exit code 1 if it does not arrive."""
    found = await cli.api.post(path("webhooks", name, "test"), {})
    problem = found.get("problem")
    cli.show_result(found, messages.endpoint_tried(name, None if problem is None else plain(problem)))
    cli.exit_code = 0 if found.get("delivered") else int(failures.Exit.REFUSED)


@command.remote(app, "rotate", examples="mailcordon webhook rotate acme-app --overlap 24h")
async def rotate(
    cli: Cli,
    name: Name,
    overlap: Annotated[
        float,
        command.duration_option(
            "--overlap", minimum=0, help="How long the former secret signs too, at most 7d. Default: 24h."
        ),
    ] = 86_400.0,
    because: Why = None,
) -> None:
    """Give a webhook another signing secret. Both sign until the overlap is over."""
    body: Document = {"overlap_seconds": int(overlap)}
    if because is not None:
        body["because"] = because
    made = await cli.api.post(path("webhooks", name, "rotation"), body)
    spoken = duration.spoken(int(overlap))
    cli.show_result(made, messages.secret_rotated(name, plain(made.get("secret")), spoken))


@command.remote(app, "pause", examples='mailcordon webhook pause acme-app --because "their deploy"')
async def pause(cli: Cli, name: Name, because: Because) -> None:
    """Send nothing to a webhook until it is resumed. What happens meanwhile is kept for 7 days."""
    found = await cli.api.post(path("webhooks", name, "pause"), {"because": because})
    cli.show_result(found, messages.endpoint_paused(name))


@command.remote(app, "resume", examples="mailcordon webhook resume acme-app")
async def resume(cli: Cli, name: Name, because: Why = None) -> None:
    """Send what waits for a paused webhook, and what happens from now on."""
    body: Document = {} if because is None else {"because": because}
    found = await cli.api.post(path("webhooks", name, "resume"), body)
    cli.show_result(found, messages.endpoint_resumed(name))


@command.remote(app, "remove", examples='mailcordon webhook remove acme-app --because "they moved"')
async def remove(cli: Cli, name: Name, because: Because) -> None:
    """Remove a webhook with its secrets. What waits for it is given up."""
    gone = await cli.api.call("DELETE", path("webhooks", name), query={"because": because})
    cli.show_result(gone, messages.endpoint_removed(name))


@command.remote(
    app,
    "log",
    examples="""
mailcordon webhook log acme-app --state failed
mailcordon webhook log acme-app --delivery dlv_0hb3c5zqg0401
""",
    watchable=True,
)
async def log(
    cli: Cli,
    name: Name,
    state: Annotated[
        Literal["arrived", "waiting", "failed"] | None,
        typer.Option("--state", help="Only what arrived, waits, or was given up. Default: all."),
    ] = None,
    delivery: Annotated[
        str | None,
        typer.Option("--delivery", metavar="DELIVERY", help="Only of this delivery. Default: all."),
    ] = None,
    limit: Limit = 100,
) -> None:
    """List what was sent to a webhook in the last 7 days, newest first."""
    query = {"state": state, "delivery": delivery}
    found = await cli.api.items(path("webhooks", name, "messages"), query, limit=limit)
    if not found["items"]:
        cli.show_result(found, messages.log_empty(name))
        return
    cli.show_result(found, _messages(found["items"]), *show.more(found))


def _messages(items: list[Document]) -> RenderableType:
    return show.table(
        ("number", "event", "delivery", "at", "tries", "again at", "state"),
        [
            (
                str(item.get("number")),
                item.get("event"),
                item.get("delivery"),
                when(item.get("made_at")),
                str(item.get("tries")),
                when(item.get("due_at")),
                _message_state(item),
            )
            for item in items
        ],
        drop=("tries", "again at", "number"),
        prose=("state",),
    )


def _message_state(item: Document) -> str:
    if item.get("arrived_at"):
        return messages.log_arrived()
    problem = None if item.get("problem") is None else plain(item["problem"])
    return messages.log_waiting(problem) if item.get("due_at") else messages.log_given_up(problem)


@command.remote(
    app,
    "replay",
    examples="""
mailcordon webhook replay acme-app --since 2h
mailcordon webhook replay acme-app --since 3d --until 1d --all
mailcordon webhook replay acme-app --message msg_0hb3c5zqg0400
""",
)
async def replay(
    cli: Cli,
    name: Name,
    message: Annotated[
        str | None,
        typer.Option(
            "--message", metavar="ID", help="All events of this message or delivery. Default: by time."
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="TIME", help="A time, or a duration before now. Default: none."),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option("--until", metavar="TIME", help="A time, or a duration before now. Default: now."),
    ] = None,
    all_: Annotated[
        bool, typer.Option("--all", help="Also what arrived. Default: only what did not.")
    ] = False,
    because: Why = None,
) -> None:
    """Send events to a webhook again, with the ids that they had: of a message, or of the last 7 days by time."""
    if message is not None and (since is not None or until is not None or all_):
        raise failures.usage(messages.bad_state())
    if (message is None) == (since is None):
        raise failures.usage(messages.bad_replay())
    more: Document = {} if because is None else {"because": because}
    if message is not None:
        found = await cli.api.post(path("webhooks", name, "replay"), {"message": message, **more})
        cli.show_result(found, messages.replayed(name, int(found["messages"])))
        return
    body: Document = {"since": moment("--since", since, cli.now), "all": all_, **more}
    if until is not None:
        body["until"] = moment("--until", until, cli.now)
    count, after = 0, 0
    while True:
        found = await cli.api.post(path("webhooks", name, "replay"), {**body, "after": after})
        count += int(found["messages"])
        if found.get("next") is None:
            break
        after = int(found["next"])
    cli.show_result({"messages": count}, messages.replayed(name, count))
