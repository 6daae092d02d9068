"""`mailcordon metrics`: counts and rates of mail, from its acceptance to its outcome."""

from collections.abc import Iterable
from typing import Annotated, Literal

import typer
from rich.console import RenderableType

from mailcordon.adapters.cli import command, failures, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Cli, Limit, OfTenant
from mailcordon.adapters.cli.document import Document, child, children
from mailcordon.adapters.cli.text import percent, plain, when
from mailcordon.messages import cli as messages

app = typer.Typer()

_COUNTS = ("sent", "delivered", "hard_bounced", "soft_bounced", "complained")
_UNSENT = ("refused", "expired", "cancelled", "given_up", "rejected", "no_outcome")


@command.remote(
    app,
    "metrics",
    examples="""
mailcordon metrics --tenant acme --watch 5s
mailcordon metrics --tenant acme --by provider --last 1d
mailcordon metrics --tenant acme --type newsletter --by minute
""",
    watchable=True,
)
async def metrics(
    cli: Cli,
    tenant: OfTenant = None,
    type_: Annotated[
        str | None, typer.Option("--type", metavar="TYPE", help="Only this message type. Default: all.")
    ] = None,
    provider: Annotated[
        str | None,
        typer.Option("--provider", metavar="NAME", help="Only this mailbox provider. Default: all."),
    ] = None,
    last: Annotated[
        float | None,
        command.duration_option(
            "--last", minimum=60, help="Mail sent within this time, in whole minutes. Default: 1h."
        ),
    ] = None,
    minutes: Annotated[
        int | None,
        typer.Option("--minutes", metavar="N", min=1, help="The same in minutes. Default: 60.", hidden=True),
    ] = None,
    by: Annotated[
        Literal["lane", "provider", "minute"], typer.Option("--by", help="One line for each of these.")
    ] = "lane",
    limit: Limit = 200,
) -> None:
    """Show counts of mail from its acceptance on, with the rates that mailbox providers judge by.

    By lane, accepted (with what was queued before) = queued + sent + not sent, and delivered % is a share of it. "Not sent" is
    refused, expired, cancelled, given up, rejected by SES, or without any outcome; --json has each. What SES reports counts
    in the minute the mail was sent. Below: the holds and stops that kept mail of these lanes in the window.
    """
    if last is not None and minutes is not None:
        raise failures.usage(messages.not_both(one="--last", other="--minutes"))
    span = minutes or (int(last // 60) if last is not None else 60)
    query: Document = {"tenant": tenant, "type": type_, "provider": provider, "minutes": span, "by": by}
    found = await cli.api.items(path("metrics"), query, limit=limit)
    kept = [_kept(one) for one in children(found, "kept")]
    cli.show_result(found, metric_table(found["items"]), *show.more(found), *kept)


def _kept(one: Document) -> str:
    """A hold or stop of the window, with its end if it has ended."""
    detail, until = plain(one.get("detail")), one.get("until")
    return detail if until is None else messages.kept_until(detail=detail, until=when(until))


def metric_table(items: list[Document]) -> RenderableType:
    """What each line is by, then counts from the acceptance on, then what SES reported, then rates."""
    names = [
        name
        for name in ("minute", "tenant", "type", "class", "provider")
        if any(item.get(name) is not None for item in items)
    ]
    flows = any(child(item, "flow") for item in items)
    head = ("accepted", "queued", "sent", "not sent") if flows else ("sent",)
    # Mail that never left was not delivered either; only lanes know of it.
    share = "delivered %" if flows else "delivered / sent"
    columns = (*names, *head, "delivered", "hard", "soft", "complained", share, "bounce %", "complaint %")
    rows = [
        [
            *(when(item[name]) if name == "minute" else item.get(name) for name in names),
            *(_whole(child(item, "flow")) if flows else [int(item.get("sent") or 0)]),
            *_outcomes(item, _accepted(child(item, "flow")) if flows else int(item.get("sent") or 0)),
        ]
        for item in items
    ]
    drop = [name for name in ("class", "tenant", share, "soft") if name in columns]
    return show.table(columns, rows, drop=[*drop, "delivered", "hard", "complained"])


def _accepted(flow: Document) -> int:
    """What could have left in the window: the mail accepted in it, and what was queued before."""
    return int(flow.get("queued_before") or 0) + int(flow.get("accepted") or 0)


def _whole(flow: Document) -> Iterable[object]:
    """A lane's mail from its acceptance on: the first is the sum of the others."""
    yield _accepted(flow)
    yield int(flow.get("queued") or 0)
    yield int(flow.get("sent") or 0)
    yield sum(int(flow.get(name) or 0) for name in _UNSENT)


def _outcomes(item: Document, whole: int) -> Iterable[object]:
    sent, delivered, hard, soft, complained = (int(item.get(name) or 0) for name in _COUNTS)
    yield from (delivered, hard, soft, complained)
    yield percent(min(delivered, whole), whole)
    yield percent(hard, sent)
    # Mailbox providers measure complaints against what reached an inbox.
    yield percent(complained, delivered)
