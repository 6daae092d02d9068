"""`mailcordon suppression split`: the account's suppression list taken apart, each entry given to the tenant that it is about."""

from typing import Annotated

import typer
from rich.console import RenderableType

from mailcordon.adapters.cli import command, failures, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Because, Cli, Limit, OfTenant, Yes
from mailcordon.adapters.cli.document import Document, child, strings
from mailcordon.adapters.cli.text import plain, when
from mailcordon.messages import suppression_split as messages

app = typer.Typer(
    no_args_is_help=True,
    help="The account's suppression list, given to its tenants.",
)


@command.remote(
    app,
    "start",
    examples="""
mailcordon suppression split start --owner "Kim, deliverability" \\
    --because "acme and zen move to paths of their own"
mailcordon suppression split start --owner kim --keep --because "a trial"
""",
)
async def start(
    cli: Cli,
    because: Because,
    owner: Annotated[
        str,
        typer.Option(
            "--owner", metavar="NAME", help="Who decides on entries that nothing says the owner of."
        ),
    ],
    release: Annotated[
        bool | None,
        typer.Option(
            "--release/--keep",
            help="Whether an entry leaves the account's list once it is assigned. Default: it does, unless mail past "
            "Mailcordon was seen; then say which.",
        ),
    ] = None,
) -> None:
    """List the account's suppression list and give each entry to its tenant. Started again, it compares all of it once more.

    It goes on by itself, also after a restart, at the pace of calls to SES.
    """
    body: Document = {"owner": owner, "because": because, "release": release}
    found = await cli.api.post(path("suppression-split"), body)
    cli.show_result(found, messages.started(int(found.get("round") or 1)), *_status(found))


@command.remote(
    app,
    "status",
    examples="mailcordon suppression split status\nmailcordon suppression split status --watch",
    watchable=True,
)
async def status(cli: Cli) -> None:
    """Show where it stands, how long it takes, what waits for a person, and tenants that only feel migrated."""
    found = await cli.api.get(path("suppression-split"))
    cli.show_result(found, *_status(found))


@command.remote(
    app,
    "show",
    examples="""
mailcordon suppression split show --state unowned
mailcordon suppression split show --address kim@example.com
mailcordon suppression split show --tenant acme
""",
    watchable=True,
)
async def show_entries(
    cli: Cli,
    tenant: OfTenant = None,
    state: Annotated[
        str | None,
        typer.Option(
            "--state",
            metavar="STATE",
            help="Only in this state: listed, owned, freeing, assigned, kept, unowned, platform, freed, gone or odd. "
            "Default: all.",
        ),
    ] = None,
    address: Annotated[
        str | None, typer.Option("--address", metavar="ADDRESS", help="Only this address. Default: all.")
    ] = None,
    limit: Limit = 200,
) -> None:
    """List the entries of the account's list: whose each is, what says so, and whom it blocked."""
    query = {"tenant": tenant, "state": state, "address": address}
    found = await cli.api.items(path("suppression-split", "entries"), query, limit=limit)
    rows: list[tuple[object, ...]] = [
        (
            item.get("address"),
            item.get("state"),
            item.get("tenant") or item.get("owner"),
            item.get("by"),
            item.get("reason"),
            when(item.get("listed_at")),
            item.get("message_id"),
            item.get("problem") or _evidence(child(item, "evidence")),
        )
        for item in found["items"]
    ]
    table = show.table(
        ("address", "state", "whose", "by", "reason", "listed", "message", "evidence"),
        rows,
        drop=("message", "listed", "by"),
        prose=("evidence",),
    )
    cli.show_result(found, table, *show.more(found))


@command.remote(
    app,
    "assign",
    examples="""
mailcordon suppression split assign kim@example.com --tenant acme \\
    --because "acme imported it in 2024"
mailcordon suppression split assign kim@example.com --platform \\
    --because "a court order"
mailcordon suppression split assign kim@example.com --nobody \\
    --because "a test of 2023" --yes
""",
)
async def assign(
    cli: Cli,
    addresses: Annotated[
        list[str],
        typer.Argument(metavar="ADDRESS", help="Entries, in the spellings that `split show` shows."),
    ],
    because: Because,
    tenant: OfTenant = None,
    platform: Annotated[
        bool, typer.Option("--platform", help="Keep it on the platform's list: it covers every tenant.")
    ] = False,
    nobody: Annotated[
        bool, typer.Option("--nobody", help="Take it off the account's list: it covers no mail any more.")
    ] = False,
    yes: Yes = False,
) -> None:
    """Decide on entries that nothing says the owner of. All of them are decided, or none."""
    if platform or nobody:
        tenant = None  # the one of the environment is not meant
    if (tenant is not None) + platform + nobody != 1:
        raise failures.usage(messages.one_of_three())
    if nobody:
        command.confirm(cli.err, messages.nobody_question(len(addresses)), yes=yes)
    body: Document = {"addresses": addresses, "because": because, "platform": platform, "nobody": nobody}
    if tenant is not None:
        body["tenant"] = tenant
    found = await cli.api.post(path("suppression-split", "assign"), body)
    cli.show_result(found, plain(found.get("detail")))


@command.remote(
    app,
    "finish",
    examples="""
mailcordon suppression split finish --because "all tenants have moved"
mailcordon suppression split finish --leave-unowned \\
    --because "kim goes through the rest by June"
""",
)
async def finish(
    cli: Cli,
    because: Because,
    leave_unowned: Annotated[
        bool,
        typer.Option("--leave-unowned", help="Leave entries that are nobody's on the platform's list."),
    ] = False,
) -> None:
    """End it, once every entry is taken apart and SES's lists agree. What comes on the account's list later stays there, and
    `mailcordon status` says so."""
    body: Document = {"because": because, "leave_unowned": leave_unowned}
    found = await cli.api.post(path("suppression-split", "finish"), body)
    cli.show_result(found, *_status(found))


def _status(found: Document) -> list[RenderableType]:
    views: list[RenderableType] = [plain(line) for line in strings(found, "sentences")]
    states = child(found, "states")
    if states:
        by = ", ".join(f"{name} {number:,}" for name, number in child(found, "assigned_by").items())
        rows = [(name, f"{number:,}", by if name == "assigned" else "") for name, number in states.items()]
        views += ["", show.table(("state", "entries", "assigned by"), rows)]
    migrated = strings(found, "feels_migrated")
    if migrated:
        views += ["", *(plain(line) for line in migrated)]
    return views


def _evidence(evidence: Document) -> str:
    said = [
        f"{name}: {', '.join(strings(evidence, name))}" for name in ("others", "freed") if name in evidence
    ]
    said += [f"{name}: {evidence[name]}" for name in ("because", "by") if name in evidence]
    return "; ".join(said)
