"""`mailcordon messages`: search deliveries."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.console import RenderableType

from mailcordon.adapters.cli import client, command, duration, failures, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Cli, Limit, OfTenant
from mailcordon.adapters.cli.commands import why
from mailcordon.adapters.cli.document import Document, child, children
from mailcordon.adapters.cli.text import plain, when
from mailcordon.messages import search as messages

app = typer.Typer()
_MOST_PAGES = 100


@command.remote(
    app,
    "messages",
    examples="""
mailcordon messages --to kim@example.com --since 7d
mailcordon messages --tenant acme --state bounced --reason mailbox_full
mailcordon messages --ses-id 0100019ff189d429-e4511161-82f8-000000
""",
    watchable=True,
)
async def search_messages(
    cli: Cli,
    to: Annotated[
        str | None, typer.Option("--to", metavar="ADDRESS", help="Sent to this address. Default: any.")
    ] = None,
    id_: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="A message id or a delivery id. Default: any.")
    ] = None,
    message_id: Annotated[
        str | None,
        typer.Option(
            "--message-id",
            metavar="HEADER",
            help="The Message-ID header that the recipient sees. Default: any.",
        ),
    ] = None,
    ses_id: Annotated[
        str | None, typer.Option("--ses-id", metavar="ID", help="SES's id of the mail. Default: any.")
    ] = None,
    campaign: Annotated[
        str | None, typer.Option("--campaign", metavar="NAME", help="Of this campaign. Default: any.")
    ] = None,
    list_: Annotated[
        str | None, typer.Option("--list", metavar="NAME", help="Of this list. Default: any.")
    ] = None,
    tag: Annotated[
        str | None,
        typer.Option("--tag", metavar="KEY=VALUE", help="With this tag of the app's. Default: any."),
    ] = None,
    type_: Annotated[
        str | None, typer.Option("--type", metavar="TYPE", help="Of this message type. Default: any.")
    ] = None,
    state: Annotated[
        str | None,
        typer.Option("--state", metavar="STATE", help="In this state now, such as bounced. Default: any."),
    ] = None,
    reason: Annotated[
        str | None,
        typer.Option(
            "--reason",
            metavar="CODE",
            help="With this reason: a code of ours, SES's, or that of a bounce. Default: any.",
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="TIME",
            help="Accepted since then: a duration such as 7d, or a time in UTC. Default: everything kept.",
        ),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option("--until", metavar="TIME", help="Accepted before then. Default: now."),
    ] = None,
    tenant: OfTenant = None,
    limit: Limit = 50,
) -> None:
    """Search deliveries, newest first. A platform key searches all tenants unless --tenant names one."""
    query: dict[str, str | None] = {
        "to": to,
        "id": id_,
        "message_id": message_id,
        "ses_id": ses_id,
        "campaign": campaign,
        "list": list_,
        "tag": tag,
        "type": type_,
        "state": state,
        "reason": reason,
        "since": moment("--since", since, cli.now),
        "until": moment("--until", until, cli.now),
        "tenant": tenant,
    }
    found = await _pages(cli, query, limit)
    cli.show_result(found, *found_view(found))


async def _pages(cli: Cli, query: client.Query, limit: int) -> Document:
    """A page that stopped early is followed by the next one, for a while."""
    items: list[Document] = []
    found, after = Document(), None
    for _ in range(_MOST_PAGES):
        wanted = min(client.PAGE, limit - len(items))
        found = await cli.api.get(path("messages"), {**query, "limit": wanted, "after": after})
        items += children(found, "items")
        after = found.get("next")
        if after is None or len(items) >= limit:
            break
    return {**found, "items": items}


def moment(option: str, text: str | None, now: datetime) -> str | None:
    """A time as the API takes it, from one or from a duration before now. Raises Failure."""
    if text is None:
        return None
    try:
        at = now - timedelta(seconds=duration.parse(text))
    except (ValueError, OverflowError):
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            raise failures.usage(messages.not_a_time_option(option, plain(text))) from None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def found_view(found: Document) -> list[RenderableType]:
    """The sentence of an address that was never mailed comes instead of an empty table."""
    never = found.get("never_mailed")
    if never and not children(found, "items"):
        return [plain(child(found, "never_mailed").get("detail"))]
    views: list[RenderableType] = [_table(children(found, "items"))]
    if found.get("stopped_early"):
        return [*views, plain(child(found, "stopped_early").get("detail"))]
    return [*views, *show.more(found)]


def _table(items: list[Document]) -> RenderableType:
    return show.table(
        ("at", "message", "tenant", "type", "to", "state", "why"),
        [
            (
                when(item.get("accepted_at")),
                item.get("message"),
                item.get("tenant"),
                item.get("type"),
                item.get("to"),
                item.get("state"),
                why.reason_of(item),
            )
            for item in items
        ],
        drop=("type", "tenant", "at"),
        prose=("why",),
    )
