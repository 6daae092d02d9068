"""`mailcordon suppression`: who may not be mailed, by whom, and on what evidence."""

from typing import Annotated

import typer

from mailcordon.adapters.cli import command, failures, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Because, Cli, Limit, OfTenant, Yes
from mailcordon.adapters.cli.document import Document

app = typer.Typer(no_args_is_help=True, help="Who may not be mailed, by whom, and on what evidence.")

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
    app,
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
    cli.answer(found, show.table(columns, rows), *show.more(found))


@command.remote(
    app,
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
    app,
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
