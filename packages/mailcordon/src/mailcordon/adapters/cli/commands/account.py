"""`mailcordon account`: what SES allows, what uses the management calls, and when a newcomer would be ready."""

import typer
from rich.console import RenderableType

from mailcordon.adapters.cli import command, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Cli
from mailcordon.adapters.cli.document import Document, child, children
from mailcordon.adapters.cli.text import NONE, plain, when
from mailcordon.messages import cli as messages

app = typer.Typer()


@command.remote(
    app,
    "account",
    examples="mailcordon account\nmailcordon account --watch 5s\nmailcordon account --json",
    watchable=True,
)
async def account(cli: Cli) -> None:
    """Show the account's limits at SES, and the budget of management calls: what used it, what waits, when a new tenant would be
    ready, and how often every resource is read again.
    """
    found = await cli.api.get(path("account"))
    cli.show_result(found, *account_views(found))


def _review(one: Document) -> str:
    rate = one.get("rate")
    return messages.account_review(
        signal=plain(one.get("signal")),
        rate=float(rate) if isinstance(rate, int | float) else None,
        review_at=_number(one, "review_at"),
        pause_at=_number(one, "pause_at"),
        events=int(_number(one, "events")),
        mails=int(_number(one, "mails")),
    )


def account_views(found: Document) -> list[RenderableType]:
    views: list[RenderableType] = [
        show.table(
            ("cell", "rate", "quota in 24 h", "sent in 24 h", "sending", "enforcement", "asked at"),
            [
                (
                    item.get("cell"),
                    f"{_number(item, 'max_send_rate'):,.0f}",
                    messages.unlimited()
                    if _number(item, "max_24h") < 0
                    else f"{_number(item, 'max_24h'):,.0f}",
                    f"{_number(item, 'sent_24h'):,.0f}",
                    messages.sending(enabled=bool(item.get("sending_enabled"))),
                    item.get("enforcement"),
                    when(item.get("polled_at")),
                )
                for item in children(found, "limits")
            ],
            drop=("asked at",),
        ),
        *([plain(child(found, "forecast").get("says"))] if found.get("forecast") else []),
        *(_review(one) for one in children(found, "review")),
        "",
    ]
    if found.get("calls") is None:
        return [*views, messages.calls_unknown()]
    calls = child(found, "calls")
    newcomer, scan = child(calls, "newcomer"), child(calls, "scan")
    rate = calls.get("per_second")
    return [
        *views,
        messages.calls_rate(
            per_second=None if rate is None else _number(calls, "per_second"),
            now=None if rate is None else _number(calls, "per_second_now"),
            slowed_at=when(calls.get("slowed_at")) if calls.get("slowed_at") else None,
        ),
        show.table(
            ("work", "share", "used in 60 s", "waiting", "tenants", "since"),
            [
                (
                    item.get("work"),
                    f"{_number(item, 'share'):.0%}",
                    plain(item.get("used_last_minute")),
                    plain(item.get("waiting")),
                    plain(item.get("tenants")),
                    when(item.get("since")) if item.get("since") else NONE,
                )
                for item in children(calls, "shares")
            ],
            drop=("since",),
        ),
        "",
        messages.newcomer(calls=int(_number(newcomer, "calls")), seconds=int(_number(newcomer, "seconds"))),
        messages.scan(
            resources=int(_number(scan, "resources")),
            period=int(_number(scan, "period")),
            longest=int(_number(scan, "longest_period")),
            shared=int(_number(scan, "shared_period")),
        ),
    ]


def _number(item: Document, name: str) -> float:
    value = item.get(name)
    return float(value) if isinstance(value, int | float) else 0.0
