"""Commands of the observability plane: suppression, metrics, quarantine, and mailboxes of the local SES."""

from collections.abc import Iterable
from typing import Annotated

import typer
from rich.console import RenderableType

from mailcordon.adapters.cli import command, failures, show, tenants
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Because, Cli, Limit, OfTenant, Yes
from mailcordon.adapters.cli.document import Document

top = typer.Typer()
suppressions = typer.Typer(no_args_is_help=True, help="Who may not be mailed, by whom, and on what evidence.")
quarantine = typer.Typer(
    no_args_is_help=True, help="Events that could not be attributed: kept, never guessed."
)
mailboxes = typer.Typer(
    no_args_is_help=True, help="Mailboxes of the local SES, and what becomes of mail to them."
)

Address = Annotated[str, typer.Argument(metavar="ADDRESS", help="The recipient's address.")]
Scope = Annotated[
    str,
    typer.Option(
        "--scope", metavar="SCOPE", help="tenant: all its mail; class or lane: with --class or --type."
    ),
]
OfClass = Annotated[
    str | None, typer.Option("--class", metavar="CLASS", help="With --scope class: which one.")
]
OfType = Annotated[
    str | None, typer.Option("--type", metavar="TYPE", help="With --scope lane: which message type.")
]


@command.remote(
    suppressions,
    "list",
    examples="mailcordon suppression list --tenant acme\nmailcordon suppression list --tenant acme --address kim@example.com",
)
async def list_suppressions(
    cli: Cli,
    tenant: OfTenant = None,
    address: Annotated[
        str | None, typer.Option("--address", metavar="ADDRESS", help="Only this address.")
    ] = None,
    limit: Limit = 200,
) -> None:
    """List the addresses that a tenant may not mail, with cause and evidence."""
    found = await cli.api.items(path("suppressions"), {"tenant": tenant, "address": address}, limit=limit)
    rows: list[tuple[object, ...]] = [
        (
            item.get("address"),
            item.get("scope"),
            item.get("target") or item.get("class") or item.get("type"),
            item.get("cause"),
            show.when(item.get("since")),
            show.when(item.get("until")),
            "being removed" if item.get("removing") else item.get("by"),
            item.get("evidence"),
        )
        for item in found["items"]
    ]
    columns = ("address", "scope", "of", "cause", "since", "until", "by", "evidence")
    cli.answer(found, show.table(columns, rows), *tenants.more(found))


def scoped(scope: str, class_: str | None, type_: str | None) -> dict[str, str]:
    """The scope as the API takes it. Raises Failure where scope and what it names do not fit."""
    wanted = {"tenant": (None, None), "class": ("class", class_), "lane": ("type", type_)}
    if scope not in wanted:
        raise failures.usage(f"--scope {scope}: a scope is tenant, class or lane")
    name, value = wanted[scope]
    if name is not None and not value:
        raise failures.usage(f"--scope {scope} needs --{name}")
    if (class_ and scope != "class") or (type_ and scope != "lane"):
        raise failures.usage(f"--scope {scope} does not go with --{'class' if class_ else 'type'}")
    return {"scope": scope, **({name: value} if name and value else {})}


@command.remote(
    suppressions,
    "add",
    examples="""
mailcordon suppression add kim@example.com --tenant acme --scope tenant --because "asked by letter"
mailcordon suppression add kim@example.com --tenant acme --scope class --class marketing --because "by phone"
""",
)
async def add_suppression(
    cli: Cli,
    address: Address,
    scope: Scope,
    because: Because,
    tenant: OfTenant = None,
    class_: OfClass = None,
    type_: OfType = None,
    until: Annotated[
        float | None,
        typer.Option("--until", min=1, metavar="SECONDS", help="It ends by itself after so long."),
    ] = None,
) -> None:
    """Stop mail of one tenant to an address. No other tenant notices."""
    body: Document = {
        "tenant": tenant,
        "address": address,
        "because": because,
        **scoped(scope, class_, type_),
    }
    if until is not None:
        body["until_seconds"] = until
    found = await cli.api.post(
        path("suppressions"), {name: value for name, value in body.items() if value is not None}
    )
    cli.answer(found, f"{address} is not mailed any more ({scope} scope).")


@command.remote(
    suppressions,
    "remove",
    examples="mailcordon suppression remove kim@example.com --tenant acme --scope tenant",
)
async def remove_suppression(
    cli: Cli,
    address: Address,
    scope: Scope,
    tenant: OfTenant = None,
    class_: OfClass = None,
    type_: OfType = None,
    because: Annotated[
        str | None, typer.Option("--because", metavar="TEXT", help="Why, for the record.")
    ] = None,
    yes: Yes = False,
) -> None:
    """Allow mail to an address again. SES's own entry goes first, so it reads as removed a moment later."""
    query: Document = {
        "tenant": tenant,
        "address": address,
        "because": because,
        **scoped(scope, class_, type_),
    }
    command.confirm(cli.err, f"Mail {address} again?", yes=yes)
    found = await cli.api.call("DELETE", path("suppressions"), query=query)
    cli.answer(found, f"{address} is being taken off, at SES first.")


_COUNTS = (
    "sent",
    "delivered",
    "hard_bounced",
    "soft_bounced",
    "complained",
    "delayed",
    "rejected",
    "suppressed_at_ses",
)


@command.remote(
    top,
    "metrics",
    examples="""
mailcordon metrics --tenant acme
mailcordon metrics --tenant acme --by provider --minutes 1440
mailcordon metrics --tenant acme --type newsletter --by minute
""",
)
async def metrics(
    cli: Cli,
    tenant: OfTenant = None,
    type_: Annotated[
        str | None, typer.Option("--type", metavar="TYPE", help="Only this message type.")
    ] = None,
    provider: Annotated[
        str | None, typer.Option("--provider", metavar="NAME", help="Only this mailbox provider.")
    ] = None,
    minutes: Annotated[
        int, typer.Option("--minutes", min=1, help="How far back, by the minute the mail left.")
    ] = 60,
    by: Annotated[
        str, typer.Option("--by", metavar="WHAT", help="A line for each lane, provider or minute.")
    ] = "lane",
    limit: Limit = 200,
) -> None:
    """Count what left and what came back, with the rates that mailbox providers judge by."""
    query: Document = {"tenant": tenant, "type": type_, "provider": provider, "minutes": minutes, "by": by}
    found = await cli.api.items(path("metrics"), query, limit=limit)
    cli.answer(found, metric_table(found["items"]), *tenants.more(found))


def metric_table(items: list[Document]) -> RenderableType:
    """Whatever the lines are by comes first, then counts, then rates of what was sent."""
    names = [
        name
        for name in ("minute", "tenant", "type", "class", "provider")
        if any(item.get(name) is not None for item in items)
    ]
    return show.table([*names, "sent", "delivered", "hard", "soft", "complained", "delivered %", "bounce %", "complaint %"], [
        [*(show.when(item[name]) if name == "minute" else item.get(name) for name in names), *_counts(item)] for item in items
    ])  # fmt: skip


def _counts(item: Document) -> Iterable[object]:
    sent, delivered, hard, soft, complained = (int(item.get(name) or 0) for name in _COUNTS[:5])
    yield from (sent, delivered, hard, soft, complained)
    yield show.percent(delivered, sent)
    yield show.percent(hard, sent)
    # A complaint is measured against what reached an inbox: that is what mailbox providers do.
    yield show.percent(complained, delivered)


@command.remote(quarantine, "list", examples="mailcordon quarantine list")
async def list_quarantine(cli: Cli, limit: Limit = 50) -> None:
    """List events that were kept because they could not be attributed."""
    found = await cli.api.items(path("quarantine"), limit=limit)
    rows: list[tuple[object, ...]] = [
        (
            str(item.get("id")),
            item.get("why"),
            item.get("tenant"),
            item.get("copies"),
            show.when(item.get("first_received_at")),
            item.get("resolution"),
            item.get("detail"),
        )
        for item in found["items"]
    ]
    columns = ("id", "why", "tenant", "copies", "received", "resolution", "detail")
    cli.answer(found, show.table(columns, rows), *tenants.more(found))


EntryId = Annotated[int, typer.Argument(metavar="ID", help="As `quarantine list` shows it.")]


@command.remote(quarantine, "show", examples="mailcordon quarantine show 3")
async def show_quarantine(cli: Cli, entry: EntryId) -> None:
    """Show one entry with the document as it came."""
    found = await cli.api.get(path("quarantine", str(entry)))
    about = show.fields(
        [(name.replace("_", " "), value) for name, value in found.items() if name != "document"]
    )
    cli.answer(found, about, "", show.plain(found.get("document")))


@command.remote(quarantine, "replay", examples="mailcordon quarantine replay 3")
async def replay_quarantine(cli: Cli, entry: EntryId) -> None:
    """Try one entry again, as if it had just come. It counts once, however often it is replayed."""
    found = await cli.api.post(path("quarantine", str(entry), "replay"), {})
    cli.answer(
        found,
        show.fields([(name.replace("_", " "), value) for name, value in found.items() if name != "document"]),
    )


@command.remote(
    mailboxes,
    "set",
    examples="""
mailcordon mailbox set kim@example.com bounces
mailcordon mailbox set kim@example.com complains --tenant acme     # for acme's mail only
mailcordon mailbox set kim@example.com delivers                     # back to normal
""",
)
async def set_mailbox(
    cli: Cli,
    address: Address,
    fate: Annotated[str, typer.Argument(metavar="FATE", help="delivers, bounces, complains or defers.")],
    tenant: OfTenant = None,
) -> None:
    """Decide what becomes of mail to an address at the local SES, for one tenant or for all."""
    ses = cli.local_ses("`mailcordon mailbox`")
    try:
        # SES knows tenants by their opaque key.
        key = (await cli.api.get(path("tenants", tenant))).get("key") if tenant is not None else None
        found = await ses.set_mailbox(address, fate, key)
    finally:
        await ses.close()
    cli.answer(
        found, f"From now on, mail to {address}: {fate}{f' (mail of {tenant} only)' if tenant else ''}."
    )
