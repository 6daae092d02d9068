"""`mailcordon message`: show a message and its content, or cancel it."""

import json
import sys
from typing import Annotated, Any, cast

import typer
from rich.text import Text

from mailcordon.adapters.cli import command, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Cli, Limit, OfTenant
from mailcordon.adapters.cli.commands import why
from mailcordon.adapters.cli.document import children
from mailcordon.adapters.cli.text import counted
from mailcordon.messages import cli as messages
from mailcordon.messages import previews

app = typer.Typer(no_args_is_help=True, help="Messages by id: show or cancel one.")
MessageId = Annotated[str, typer.Argument(metavar="MESSAGE", help="The message id: msg_...")]


@command.remote(
    app,
    "show",
    examples="""
mailcordon message show msg_0r4tq2v6k7m8n --json
mailcordon message show msg_0r4tq2v6k7m8n --watch
""",
    watchable=True,
)
async def show_message(cli: Cli, message: MessageId, tenant: OfTenant = None) -> None:
    """Show a message and the timelines of its deliveries. `why` adds the holds and suppressions behind them."""
    found = await cli.api.get(path("messages", message), {"tenant": tenant})
    cli.show_result(found, why.explanation(found, children(found, "deliveries"), None, {}, cli.now))


@command.remote(
    app,
    "events",
    examples="""
mailcordon message events msg_0r4tq2v6k7m8n
mailcordon message events msg_0r4tq2v6k7m8n --json
""",
)
async def list_events(cli: Cli, message: MessageId, limit: Limit = 200) -> None:
    """Show what SES reported of a message, as it is stored; `--json` shows each event whole."""
    found = await cli.api.get(path("messages", message, "events"), {"limit": min(limit, 1000)})
    rows = [
        (one["delivery"], one["at"], one["what"], _in_one_line(one["detail"]))
        for one in children(found, "items")
    ]
    table = show.table(("delivery", "at", "event", "detail"), rows, prose=("detail",))
    cli.show_result(found, table, *show.more({"next": found.get("more") or None}))


@command.remote(
    app,
    "preview",
    examples="""
mailcordon message preview msg_0r4tq2v6k7m8n
mailcordon message preview dlv_0r4tq2v6k7m8p --html > mail.html
""",
)
async def preview_message(
    cli: Cli,
    message: MessageId,
    html: Annotated[
        bool, typer.Option("--html", help="Only the source of its HTML. Default: headers, files, text.")
    ] = False,
) -> None:
    """Show the content of a mail, as a recipient gets it. Never of urgent mail.

    The audit trail records who looked. Of several recipients the first one is shown, or the one whose
    delivery (dlv_...) is named."""
    found = await cli.api.get(path("messages", message, "preview"), {"part": "html" if html else "text"})
    content = found.get("content")
    if not isinstance(content, dict):
        cli.show_result(found, str(found.get("detail")))
        return
    shown = cast("dict[str, Any]", content)
    if html:
        cli.show_result(found)
        if not cli.json:
            show.write(sys.stdout, _source(shown["html"]) + "\n")
        return
    facts = [(name, shown[name]) for name in ("from", "to", "cc", "subject") if shown[name]]
    facts += [
        ("file", f"{one['name'] or '-'}, {one['content_type']}, {one['size']:,} bytes")
        for one in shown["files"]
    ]
    if shown["more_files"]:
        facts.append(("file", previews.more_files(shown["more_files"])))
    if shown["html"]:
        facts.append(("html", previews.html_source(message, shown["html"]["characters"])))
    cli.show_result(found, show.fields(facts), Text(_source(shown["text"])))


def _source(part: dict[str, Any] | None) -> str:
    if part is None:
        return previews.no_such_part()
    cut = "" if not part["cut"] else "\n" + previews.cut(part["shown"], part["characters"])
    return part["content"] + cut


@command.remote(
    app,
    "cancel",
    examples="""
mailcordon message cancel msg_0r4tq2v6k7m8n --dry-run
mailcordon message cancel msg_0r4tq2v6k7m8n --because "wrong invoice"
""",
)
async def cancel_message(
    cli: Cli,
    message: MessageId,
    tenant: OfTenant = None,
    because: Annotated[
        str | None,
        typer.Option(
            "--because", metavar="TEXT", help="Why: audited, and kept with each delivery. Default: no reason."
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be cancelled.")] = False,
) -> None:
    """Cancel the queued deliveries of one message. A call to SES that has begun is not recalled."""
    query = {"tenant": tenant, "because": because, "dry_run": "true" if dry_run else None}
    found = await cli.api.call("DELETE", path("messages", message), query=query)
    if dry_run:
        cli.show_result(found, str(found.get("detail")))
        return
    gone, left = len(found.get("cancelled") or []), int(found.get("left") or 0)
    cli.show_result(
        found,
        messages.message_cancelled(message=message, deliveries=counted(gone, "delivery"), left=left),
    )


def _in_one_line(detail: object) -> str:
    return "too large to show" if detail is None else json.dumps(detail, ensure_ascii=False)
