"""`mailcordon status`: is the service well, and if not, what is wrong and what to do."""

from datetime import UTC, datetime

import typer
from rich.console import RenderableType

from mailcordon.adapters.cli import command, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Cli
from mailcordon.adapters.cli.document import Document, child, children, strings
from mailcordon.adapters.cli.text import NONE, plain, when
from mailcordon.messages import cli as messages
from mailcordon.messages import incidents

app = typer.Typer()


@command.remote(
    app,
    "status",
    examples="mailcordon status\nmailcordon status --watch 5s\nmailcordon status --json",
    watchable=True,
)
async def status(cli: Cli) -> None:
    """Show whether the service is well: its processes, waiting mail, stops, and every problem with what to do.

    The exit code is 0 if all is well, else 1. A hold that somebody placed is a notice, not a problem.
    """
    found = await cli.api.get(path("status"))
    cli.show_result(found, *status_views(found))
    if not found.get("ok"):
        cli.exit_code = 1


def status_views(found: Document) -> list[RenderableType]:
    """The verdict first, then problems and notices, then the processes and the longest waits."""
    problems, notices = children(found, "problems"), children(found, "notices")
    views: list[RenderableType] = [
        plain(found.get("sentence")),
        messages.status_verdict(problems=len(problems), checked=strings(found, "checked")),
    ]
    for one in problems:
        views += ["", _problem(one)]
    if notices:
        views += ["", messages.status_notices()]
        views += [show.bullet(plain(one.get("detail"))) for one in notices]
    if opened := children(found, "incidents"):
        views += ["", _incidents(opened)]
    now = _moment(found.get("at"))
    views += ["", _processes(children(found, "processes"), now)]
    if found.get("scan"):
        views += ["", messages.status_scan(scan=plain(found["scan"]))]
    if waiting := children(found, "waiting"):
        views += ["", _waiting(waiting)]
    return views


def _problem(one: Document) -> RenderableType:
    detail = plain(one.get("detail"))
    if one.get("since") and " since " not in detail:
        detail += f" ({messages.since(when=when(one['since']))})"
    return show.bullet(f"{detail}\n{plain(one.get('next'))}")


def _incidents(items: list[Document]) -> RenderableType:
    return show.table(
        ("incident", "severity", "kind", "tenant", "state", "what"),
        [
            (
                str(item.get("id")),
                item.get("severity"),
                item.get("kind"),
                item.get("tenant"),
                incidents.state_of(is_open=True, mitigated=bool(item.get("mitigated")), acknowledged=False),
                item.get("detail"),
            )
            for item in items
        ],
        drop=("kind", "tenant"),
        prose=("what",),
    )


def _processes(items: list[Document], now: datetime) -> RenderableType:
    return show.table(
        ("role", "state", "reported", "host", "pid", "facts"),
        [
            (
                item.get("role"),
                messages.process_silent() if item.get("silent") else messages.process_runs(),
                _age(item.get("reported_at"), now),
                item.get("host"),
                str(item.get("pid")),
                _facts(child(item, "facts")),
            )
            for item in items
        ],
        drop=("host", "pid"),
        prose=("facts",),
    )


def _facts(facts: Document) -> str:
    """One line: `sent: 12; last success: ...`. Members without a value are left out."""
    parts: list[str] = []
    for name, value in facts.items():
        if value is None or value == "" or value == 0 or name == "calls":  # `mailcordon account` shows them
            continue
        if name == "queues":
            parts += [
                f"{plain(queue.get('name'))}: {_facts(_unnamed(queue))}" for queue in children(facts, name)
            ]
            continue
        shown = when(value) if name.startswith("last_") else plain(value)
        parts.append(f"{name.replace('_', ' ')} {shown}")
    return ", ".join(parts) or NONE


def _unnamed(queue: Document) -> Document:
    return {name: value for name, value in queue.items() if name != "name"}


def _waiting(items: list[Document]) -> RenderableType:
    return show.table(
        ("class", "longest wait", "tenant", "type", "since"),
        [
            (
                item.get("class"),
                messages.seconds(seconds=int(item.get("seconds") or 0)),
                item.get("tenant"),
                item.get("type"),
                when(item.get("since")),
            )
            for item in items
        ],
        drop=("since",),
    )


def _age(text: object, now: datetime) -> str:
    seconds = max(0, int((now - _moment(text)).total_seconds()))
    return messages.seconds_ago(seconds=seconds)


def _moment(text: object) -> datetime:
    return datetime.fromisoformat(str(text)).astimezone(UTC)
