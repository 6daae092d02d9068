"""`mailcordon top`: the lanes that send most and those that may not, live; or a ranking of lanes, tenants or domains."""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import typer
from rich.console import RenderableType

from mailcordon.adapters.cli import command, failures, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Cli
from mailcordon.adapters.cli.commands import holds
from mailcordon.adapters.cli.commands.metrics import (
    AtProvider,
    OfClass,
    Since,
    Until,
    ranking,
    share,
    window_of,
)
from mailcordon.adapters.cli.document import Document, child, children
from mailcordon.adapters.cli.text import NONE, plain
from mailcordon.messages import cli as messages
from mailcordon.messages import metrics as sentences

app = typer.Typer()

_ALL_AT_ONCE = 1000  #: lanes of one response; where there are more, only those that are shown are asked for
_NOT_OPEN = ("held", "stopped", "throttled")
_MOST_NOT_OPEN = 100  #: of each state

Lanes = dict[tuple[str, str], Document]


def is_live(given: Mapping[str, Any]) -> bool:
    """Lanes are watched on a terminal unless told otherwise; a ranking is not."""
    return not given.get("once") and not _is_ranking(given)


def _is_ranking(given: Mapping[str, Any]) -> bool:
    return any(given.get(name) for name in ("by", "per", "movers"))


@command.remote(
    app,
    "top",
    examples="""
mailcordon top                               # live, until Ctrl-C
mailcordon top --once --window 10m
mailcordon top --watch 5s --json
mailcordon top --by complaints --window 1d --per tenant
mailcordon top --movers --window 1d
""",
    watchable=True,
    live=is_live,
)
async def top(
    cli: Cli,
    by: Annotated[
        Literal["bounces", "complaints", "blocks", "volume"] | None,
        typer.Option(
            "--by",
            help="Rank by this instead. Blocks: bounces for spam, reputation or policy. Default: no ranking.",
        ),
    ] = None,
    per: Annotated[
        Literal["lane", "tenant", "type", "domain", "pool"] | None,
        typer.Option("--per", help="Rank these. Default: lanes."),
    ] = None,
    movers: Annotated[
        bool,
        typer.Option("--movers", help="Rank by what each adds to the change of the rate of all mail."),
    ] = False,
    once: Annotated[bool, typer.Option("--once", help="Print one table and end, on a terminal too.")] = False,
    window: Annotated[
        float | None,
        command.duration_option(
            "--window", minimum=60, help="Mail sent within this time, in whole minutes. Default: 1h."
        ),
    ] = None,
    since: Since = None,
    until: Until = None,
    class_: OfClass = None,
    provider: AtProvider = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            metavar="N",
            min=1,
            max=100,
            help="Show at most N lines. Default: 20, or 10 of a ranking.",
        ),
    ] = None,
) -> None:
    """Watch the lanes: those that are held, stopped or slowed first, with the reason, then those that send most.

    On a terminal it is live until Ctrl-C. With --by, --per or --movers it shows a ranking of all tenants: which lanes, tenants or
    domains are worst now, or moved the rate of all mail.

    Rates rank by how strongly they speak for being above that of healthy mail (0.8 % hard bounces, 0.03 % complaints, 0.08 %
    blocks), so that one bounce of two mails is not the worst. With --movers, a lane that only grew at the usual rate moves
    nothing. A ranking needs a platform key; a tenant's key watches its own lanes.
    """
    span = window_of(window, since, until)
    narrowed: Document = {**span, "class": class_, "provider": provider}
    if _is_ranking({"by": by, "per": per, "movers": movers}):
        await ranking(cli, by or "bounces", per or "lane", movers, narrowed, limit or 10)
        return
    most = limit or 20
    sent, states = await asyncio.gather(_sent(cli, narrowed, most), _not_open(cli))
    lanes, whole = await _lanes(cli, sent, states)
    items = _lines(sent, lanes, states, most, class_)
    minutes = span.get("minutes")
    cli.show_result(
        {"items": items, "lanes": whole},
        summary(items, lanes, states, whole),
        "",
        live_table(items, cli, int(minutes) if minutes is not None else None),
    )


async def _sent(cli: Cli, narrowed: Document, most: int) -> Lanes:
    """The lanes that sent most, with their rates. A tenant's key has its own only."""
    try:
        found = await cli.api.get(path("top"), {**narrowed, "by": "volume", "per": "lane", "limit": most})
    except failures.Failure as failure:
        if failure.exit is not failures.Exit.NOT_ALLOWED or failure.code != "platform-only":
            raise
        found = await cli.api.items(path("metrics"), {**narrowed, "by": "lane"})
        found["items"] = sorted(children(found, "items"), key=lambda one: -int(one.get("sent") or 0))[:most]
    return {_key(one): one for one in children(found, "items")}


async def _not_open(cli: Cli) -> Lanes:
    pages = [cli.api.get(path("lanes"), {"state": state, "limit": _MOST_NOT_OPEN}) for state in _NOT_OPEN]
    return {_key(one): one for page in await asyncio.gather(*pages) for one in children(page, "items")}


async def _lanes(cli: Cli, sent: Lanes, states: Lanes) -> tuple[Lanes, int | None]:
    """Lanes by name, and how many there are. Of more than a page's worth only those that are shown, and no number."""
    page = await cli.api.get(path("lanes"), {"limit": _ALL_AT_ONCE})
    lanes = {_key(one): one for one in children(page, "items")} | states
    if page.get("next") is None:
        return lanes, len(lanes)
    missing = [key for key in sent if key not in lanes]
    found = await asyncio.gather(*(_lane(cli, *key) for key in missing))
    return lanes | {key: one for key, one in zip(missing, found, strict=True) if one}, None


async def _lane(cli: Cli, tenant: str, type_: str) -> Document | None:
    """None if it was retired meanwhile."""
    try:
        return await cli.api.get(path("tenants", tenant, "lanes", type_))
    except failures.Failure as failure:
        if failure.exit is failures.Exit.NOT_FOUND:
            return None
        raise


def _key(one: Document) -> tuple[str, str]:
    return str(one.get("tenant")), str(one.get("type"))


def _lines(sent: Lanes, lanes: Lanes, states: Lanes, most: int, class_: str | None) -> list[Document]:
    """At most half of the lines for lanes that may not send, as long as others do."""
    closed = [key for key in states if class_ is None or states[key].get("class") == class_]
    closed.sort(key=lambda key: (_NOT_OPEN.index(str(states[key].get("state"))), -_waiting(states[key]), key))
    opened = [key for key in sent if key not in states]
    room = max(most - len(opened), (most + 1) // 2)
    return [_line(key, sent, lanes) for key in (closed[:room] + opened)[:most]]


def _line(key: tuple[str, str], sent: Lanes, lanes: Lanes) -> Document:
    lane, counted = lanes.get(key, {}), sent.get(key, {})
    return {
        "tenant": key[0],
        "type": key[1],
        "class": lane.get("class") or counted.get("class"),
        "state": lane.get("state"),
        "sent": int(counted.get("sent") or 0),
        "waiting": _waiting(lane),
        "rate": lane.get("rate"),
        "rates": child(counted, "rates"),
        "holds": children(lane, "holds"),
        "stops": children(lane, "stops"),
    }


def _waiting(lane: Document) -> int:
    return int(child(lane, "backlog").get("deliveries") or 0)


def summary(items: list[Document], lanes: Lanes, states: Lanes, whole: int | None) -> str:
    counts = {state: sum(1 for one in states.values() if one.get("state") == state) for state in _NOT_OPEN}
    return sentences.lanes_now(
        lanes=whole,
        held=counts["held"],
        stopped=counts["stopped"],
        throttled=counts["throttled"],
        waiting=sum(map(_waiting, lanes.values())),
        some=whole is None,
    )


def live_table(items: list[Document], cli: Cli, minutes: int | None) -> RenderableType:
    columns = ("lane", "state", "sent", "a minute", "waiting", "bounce %", "complaint %", "why")
    rows = [
        (
            f"{plain(item.get('tenant'))}/{plain(item.get('type'))}",
            item.get("state"),
            item.get("sent"),
            NONE if not minutes else round(int(item["sent"]) / minutes, 1),
            item.get("waiting"),
            share(child(child(item, "rates"), "bounces").get("rate")),
            share(child(child(item, "rates"), "complaints").get("rate")),
            why(item, cli),
        )
        for item in items
    ]
    return show.table(columns, rows, drop=("a minute", "complaint %", "bounce %", "waiting"), prose=("why",))


def why(item: Document, cli: Cli) -> str | None:
    """What stops or slows the lane, the first reason in words."""
    said = [plain(stop.get("detail")) for stop in children(item, "stops")]
    said += [holds.hold_sentence(hold, cli.now) for hold in children(item, "holds")]
    said = list(dict.fromkeys(said))
    if not said:
        return None
    return said[0] if len(said) == 1 else messages.and_more(first=said[0], more=len(said) - 1)
