"""`mailcordon metrics` and `mailcordon top`: counts and rates of mail, from its acceptance to its outcome."""

import sys
from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

import typer
from rich.console import RenderableType

from mailcordon.adapters.cli import command, failures, metrics_csv, show
from mailcordon.adapters.cli.client import PAGE, path
from mailcordon.adapters.cli.command import Cli, Limit
from mailcordon.adapters.cli.document import Document, child, children, strings
from mailcordon.adapters.cli.text import NONE, percent, plain, when
from mailcordon.messages import cli as messages
from mailcordon.messages import metrics as sentences

app = typer.Typer()

_UNSENT = ("refused", "expired", "cancelled", "given_up", "rejected", "no_outcome")
_NAMES = (
    *("minute", "hour", "day", "tenant", "type", "class", "provider"),
    *("campaign", "list", "domain", "pool"),
)
_TIMES = ("minute", "hour", "day")
_MOST_SENTENCES = 3  #: of lines above their usual rate, before the table
#: What a narrow terminal can do without, least important first.
_DROP = (
    *(
        "class",
        "opened",
        "delivered / sent",
        "soft",
        "delivered %",
        "block %",
        "delivered",
        "usual complaint %",
    ),
    *("not sent", "queued"),
    *("tenant", "complained", "hard", "usual bounce %", "accepted"),
)

# fmt: off
By = Literal[
    "lane", "tenant", "type", "class", "campaign", "list", "provider", "domain", "pool", "day", "hour", "minute"
]
# fmt: on

Last = Annotated[
    float | None,
    command.duration_option(
        "--last", minimum=60, help="Mail sent within this time, in whole minutes. Default: 1h."
    ),
]
Since = Annotated[
    str | None,
    typer.Option(
        "--since", metavar="TIME", help="Mail sent since then (2026-11-28T15:00Z). Default: 1h before now."
    ),
]
Until = Annotated[
    str | None, typer.Option("--until", metavar="TIME", help="Mail sent before then. Default: now.")
]
OfClass = Annotated[
    command.Class | None, typer.Option("--class", help="Only lanes of this class. Default: all.")
]
AtProvider = Annotated[
    str | None,
    typer.Option("--provider", metavar="NAME", help="Only this mailbox provider. Default: all."),
]


@command.remote(
    app,
    "metrics",
    examples="""
mailcordon metrics --tenant acme --watch 5s
mailcordon metrics --by provider --last 7d
mailcordon metrics --tenant acme --type newsletter --by campaign --last 1d
mailcordon metrics --provider gmail --by day --last 7d
mailcordon metrics --by lane --last 90d --format csv --limit 100000
""",
    watchable=True,
)
async def metrics(
    cli: Cli,
    tenant: Annotated[
        str | None,
        typer.Option(
            "--tenant",
            metavar="TENANT",
            help="The tenant's slug. Default: the tenant of the key; all, with a platform key.",
        ),
    ] = None,
    type_: Annotated[
        str | None, typer.Option("--type", metavar="TYPE", help="Only this message type. Default: all.")
    ] = None,
    class_: OfClass = None,
    provider: AtProvider = None,
    campaign: Annotated[
        str | None, typer.Option("--campaign", metavar="NAME", help="Only this campaign. Default: all.")
    ] = None,
    list_: Annotated[
        str | None, typer.Option("--list", metavar="NAME", help="Only this list. Default: all.")
    ] = None,
    last: Last = None,
    since: Since = None,
    until: Until = None,
    minutes: Annotated[
        int | None,
        typer.Option("--minutes", metavar="N", min=1, help="The same in minutes. Default: 60.", hidden=True),
    ] = None,
    by: Annotated[
        By,
        typer.Option(
            "--by",
            metavar="WHAT",
            help="One line for each lane, tenant, type, class, campaign, list, provider, domain, pool, day, hour or minute.",
        ),
    ] = "lane",
    format_: Annotated[
        Literal["text", "csv"],
        typer.Option("--format", help="csv: every count and rate, for a spreadsheet."),
    ] = "text",
    limit: Limit = 200,
) -> None:
    """Show counts of mail from its acceptance on, with the rates that mailbox providers judge by.

    Mail counts in the minute it was handed to SES, and whatever becomes of it counts there too. A rate is a share of the mail
    whose feedback can have come by now; ~ marks one for which much has not come yet, ! one whose feedback is lost or late.
    Complaint rates leave out the mail of providers that report no complaints. "Usual" is the rate of the same mail in the time
    before.

    By lane of one tenant, accepted (with what was queued before) = queued + sent + not sent. "Not sent" is refused, expired,
    cancelled, given up, rejected by SES, or without any outcome; --json has each. Below: the holds and stops that kept mail of
    these lanes in the window.
    """
    if last is not None and minutes is not None:
        raise failures.usage(messages.not_both(one="--last", other="--minutes"))
    if cli.json and format_ == "csv":
        raise failures.usage(messages.not_both(one="--json", other="--format csv"))
    query: Document = {
        **_window(last, since, until, minutes),
        "tenant": tenant,
        "type": type_,
        "class": class_,
        "provider": provider,
        "campaign": campaign,
        "list": list_,
        "by": by,
    }
    if format_ == "csv":
        await _export(cli, query, limit)
        return
    found = await cli.api.items(path("metrics"), query, limit=limit)
    items = children(found, "items")
    kept = [_kept(one) for one in children(found, "kept")]
    cli.show_result(found, *_first(items), metric_table(items), *_marks(items), *show.more(found), *kept)


async def ranking(cli: Cli, by: str, per: str, movers: bool, narrowed: Document, limit: int) -> None:
    """The ranking of `mailcordon top`."""
    query: Document = {**narrowed, "by": by, "per": per, "movers": "true" if movers else None, "limit": limit}
    found = await cli.api.get(path("top"), query)
    items = children(found, "items")
    said = [plain(one.get("detail")) for one in items[:_MOST_SENTENCES]]
    first = [plain(found["detail"])] if found.get("detail") else []
    cli.show_result(found, *first, *said, "", top_table(items, by), *_marks(items))


def window_of(last: float | None, since: str | None, until: str | None) -> Document:
    """What the API is asked for. Raises Failure for both forms at once."""
    return _window(last, since, until, None)


def _window(last: float | None, since: str | None, until: str | None, minutes: int | None) -> Document:
    if since is not None or until is not None:
        if last is not None or minutes is not None:
            raise failures.usage(messages.not_both(one="--since or --until", other="--last or --window"))
        return {"since": since, "until": until}
    return {"minutes": minutes or (int(last // 60) if last is not None else 60)}


async def _export(cli: Cli, query: Document, limit: int) -> None:
    """Page by page, so that the memory needed is that of one page."""
    after: str | None = None
    left, head = limit, True
    while left > 0:
        page = await cli.api.get(path("metrics"), {**query, "limit": min(PAGE, left), "after": after})
        items = children(page, "items")
        show.write(sys.stdout, metrics_csv.text(items, head=head))
        head, left, after = False, left - len(items), page.get("next")
        if after is None or not items:
            break
    if after is not None:
        cli.note(messages.more_results())


# For people -------------------------------------------------------------------------------------------------------------


def _first(items: list[Document]) -> Iterator[RenderableType]:
    """What matters of the table below: the lines whose rate is above their usual one; else one line's own sentence."""
    if not items:
        return
    above = [item for item in items if _is_above(child(item, "rates"))]
    if not above and len(items) > 1:
        yield sentences.nothing_above(lines=len(items))
    for item in (above or items)[: _MOST_SENTENCES if above else 1 if len(items) == 1 else 0]:
        yield plain(item.get("detail"))
    if len(above) > _MOST_SENTENCES:
        yield sentences.more_above(count=len(above) - _MOST_SENTENCES)
    yield ""


def _is_above(rates: Document) -> bool:
    return any(child(rates, name).get("standing") == "above" for name in rates)


def _marks(items: list[Document]) -> Iterator[RenderableType]:
    """What the marks at rates mean, and what the complaint rates leave out."""
    rates = [child(rates, name) for item in items for rates in [child(item, "rates")] for name in rates]
    if any(strings(item, "notes") for item in items):
        yield sentences.feedback_unreliable()
    if any(rate.get("young") and rate.get("rate") is not None for rate in rates):
        yield sentences.still_young()
    mails = sum(int(item.get("sent") or 0) for item in items)
    left_out = sum(
        float(child(child(item, "rates"), "complaints").get("left_out") or 0) * int(item.get("sent") or 0)
        for item in items
    )
    if mails and left_out / mails >= 0.005:
        yield sentences.complaints_left_out(share=left_out / mails)


def _kept(one: Document) -> str:
    """A hold or stop of the window, with its end if it has ended."""
    detail, until = plain(one.get("detail")), one.get("until")
    return detail if until is None else messages.kept_until(detail=detail, until=when(until))


def metric_table(items: list[Document]) -> RenderableType:
    """What each line is by, then counts from the acceptance on, then what became of the mail, then rates."""
    names = [name for name in _NAMES if any(item.get(name) is not None for item in items)]
    flows = any(child(item, "flow") for item in items)
    opens = any(item.get("opened") for item in items)
    head = ("accepted", "queued", "sent", "not sent") if flows else ("sent",)
    # Mail that never left was not delivered either; only lanes know of it.
    share = "delivered %" if flows else "delivered / sent"
    rates = (share, "bounce %", "usual bounce %", "block %", "complaint %", "usual complaint %")
    outcomes = ("delivered", "hard", "soft", "complained", *(("opened",) if opens else ()))
    columns = (*names, *head, *outcomes, *rates)
    rows = [
        [
            *_named(item, names),
            *(_whole(child(item, "flow")) if flows else [int(item.get("sent") or 0)]),
            *(
                int(item.get(name) or 0)
                for name in ("delivered", "hard_bounced", "soft_bounced", "complained")
            ),
            *([int(item.get("opened") or 0)] if opens else []),
            _delivered(item, flows=flows),
            *(_rate(item, "bounces"), _usual(item, "bounces"), _rate(item, "blocks")),
            *(_rate(item, "complaints"), _usual(item, "complaints")),
        ]
        for item in items
    ]
    return show.table(
        columns, rows, drop=[name for name in _DROP if name in columns and name not in names[:1]]
    )


def top_table(items: list[Document], by: str) -> RenderableType:
    """The places of a ranking."""
    names = [name for name in _NAMES if any(item.get(name) is not None for item in items)]
    signal = "bounces" if by == "volume" else by
    movers = any(item.get("points") is not None for item in items)
    columns = (
        *names,
        *(("points",) if movers else ()),
        *("sent", signal, "rate %", "low %", "high %", "usual %", "fleet %"),
    )
    rows = [
        [
            *_named(item, names),
            *([f"{float(item.get('points') or 0):+.3f} %"] if movers else []),
            int(item.get("sent") or 0),
            int(child(child(item, "rates"), signal).get("events") or 0),
            _rate(item, signal),
            *(
                share(child(child(item, "rates"), signal).get(name))
                for name in ("low", "high", "usual", "fleet")
            ),
        ]
        for item in items
    ]
    drop = [name for name in ("class", "fleet %", "low %", "high %", "usual %") if name in columns]
    return show.table(columns, rows, drop=drop)


def _delivered(item: Document, *, flows: bool) -> str:
    whole = _accepted(child(item, "flow")) if flows else int(item.get("sent") or 0)
    return percent(min(int(item.get("delivered") or 0), whole), whole)


def _named(item: Document, names: Iterable[str]) -> Iterator[object]:
    for name in names:
        yield when(item[name]) if name in _TIMES and item.get(name) else item.get(name)


def _rate(item: Document, name: str) -> str:
    """With its marks: ! unreliable, ~ young."""
    rate = child(child(item, "rates"), name)
    said = share(rate.get("rate"))
    if said == NONE:
        return said
    return ("!" if strings(item, "notes") else "") + ("~" if rate.get("young") else "") + said


def _usual(item: Document, name: str) -> str:
    return share(child(child(item, "rates"), name).get("usual"))


def share(value: object) -> str:
    return percent(round(value * 1_000_000), 1_000_000) if isinstance(value, int | float) else NONE


def _accepted(flow: Document) -> int:
    """What could have left in the window: the mail accepted in it, and what was queued before."""
    return int(flow.get("queued_before") or 0) + int(flow.get("accepted") or 0)


def _whole(flow: Document) -> Iterable[object]:
    """A lane's mail from its acceptance on: the first is the sum of the others."""
    yield _accepted(flow)
    yield int(flow.get("queued") or 0)
    yield int(flow.get("sent") or 0)
    yield sum(int(flow.get(name) or 0) for name in _UNSENT)
