"""`mailcordon suppression`: which addresses a tenant may not mail, and why."""

import asyncio
from typing import Annotated, Literal

import typer
from rich.console import RenderableType

from mailcordon.adapters.cli import command, failures, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Because, Class, Cli, Limit, OfTenant, Yes
from mailcordon.adapters.cli.commands import suppression_files, suppression_split
from mailcordon.adapters.cli.document import Document, children, strings
from mailcordon.adapters.cli.text import plain, when, words
from mailcordon.messages import cli as messages
from mailcordon.messages import suppressions as sentences

_READ_TRIES, _READ_PAUSE = 40, 0.25  #: of waiting for SES's answer, and seconds in between

app = typer.Typer(no_args_is_help=True, help="Suppressions: addresses that a tenant may not mail, and why.")

suppression_files.register(app)
app.add_typer(suppression_split.app, name="split")

ScopeName = Literal["tenant", "class", "lane"]
Address = Annotated[str, typer.Argument(metavar="ADDRESS", help="The recipient's address.")]
Scope = Annotated[
    ScopeName,
    typer.Option(
        "--scope", help="tenant: all its mail; class: with --class; lane: one message type, with --type."
    ),
]
OfClass = Annotated[
    Class | None, typer.Option("--class", help="The class, with --scope class. Default: none.")
]
OfType = Annotated[
    str | None,
    typer.Option("--type", metavar="TYPE", help="The message type, with --scope lane. Default: none."),
]


@command.remote(
    app,
    "list",
    examples="""
mailcordon suppression list --tenant acme
mailcordon suppression list --tenant acme --address kim@example.com
""",
    watchable=True,
)
async def list_suppressions(
    cli: Cli,
    tenant: OfTenant = None,
    address: Annotated[
        str | None, typer.Option("--address", metavar="ADDRESS", help="Only this address. Default: all.")
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
            words(item.get("cause")),
            when(item.get("since")),
            when(item.get("until")),
            messages.being_removed() if item.get("removing") else item.get("by"),
            item.get("evidence"),
        )
        for item in found["items"]
    ]
    table = show.table(
        ("address", "scope", "of", "cause", "since", "until", "by", "evidence"),
        rows,
        drop=("until", "by", "of", "since", "evidence"),
        prose=("evidence",),
    )
    cli.show_result(found, table, *show.more(found))


@command.remote(
    app,
    "add",
    examples="""
mailcordon suppression add kim@example.com --tenant acme --scope tenant \\
    --because "asked by letter"
mailcordon suppression add kim@example.com --tenant acme \\
    --scope class --class marketing --because "by phone" --until 90d
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
        command.duration_option(
            "--until", minimum=1, help="End it after this time. Default: it stays until it is removed."
        ),
    ] = None,
) -> None:
    """Stop mail of one tenant to an address. Other tenants are not affected."""
    body: Document = {
        "tenant": tenant,
        "address": address,
        "because": because,
        **scoped(scope, class_, type_),
    }
    if until is not None:
        body["until_seconds"] = until
    body = {name: value for name, value in body.items() if value is not None}
    found = await cli.api.post(path("suppressions"), body)
    cli.show_result(found, messages.suppressed(address=address, scope=scope))


@command.remote(
    app,
    "remove",
    examples="""
mailcordon suppression remove kim@example.com --tenant acme --scope tenant
""",
)
async def remove_suppression(
    cli: Cli,
    address: Address,
    scope: Scope,
    tenant: OfTenant = None,
    class_: OfClass = None,
    type_: OfType = None,
    because: Annotated[
        str | None,
        typer.Option("--because", metavar="TEXT", help="The reason, for the audit trail. Default: none."),
    ] = None,
    yes: Yes = False,
) -> None:
    """Allow mail to an address again. SES's own entry is removed first, so it takes a moment."""
    query: Document = {
        "tenant": tenant,
        "address": address,
        "because": because,
        **scoped(scope, class_, type_),
    }
    command.confirm(cli.err, messages.remove_suppression_question(address=address), yes=yes)
    found = await cli.api.call("DELETE", path("suppressions"), query=query)
    cli.show_result(found, messages.suppression_being_removed(address=address))


@command.remote(
    app,
    "explain",
    examples="""
mailcordon suppression explain kim@example.com --tenant acme
mailcordon suppression explain kim@example.com --tenant acme --no-read
""",
)
async def explain_suppression(
    cli: Cli,
    address: Address,
    tenant: OfTenant = None,
    read: Annotated[
        bool,
        typer.Option(
            "--read/--no-read",
            help="Ask SES's lists first, which takes a call or two; a key without `operate` sees what was read last.",
        ),
    ] = True,
) -> None:
    """Show whether a tenant may mail an address, why not, what was dropped because of it, and what SES's lists say."""
    query = {"tenant": tenant, "address": address}
    found = await cli.api.get(path("suppressions", "explain"), query)
    if read and await _ask_ses(cli, {name: value for name, value in query.items() if value is not None}):
        for _ in range(_READ_TRIES):
            await asyncio.sleep(_READ_PAUSE)
            found = await cli.api.get(path("suppressions", "explain"), query)
            if all(item.get("read_at") or item.get("problem") for item in children(found, "at_ses")):
                break
    cli.show_result(found, *explanation(found))


@command.remote(
    app,
    "forget",
    examples="""
mailcordon suppression forget kim@example.com --tenant acme \\
    --because "asked by letter" --yes
""",
)
async def forget_address(
    cli: Cli, address: Address, because: Because, tenant: OfTenant = None, yes: Yes = False
) -> None:
    """Erase an address from what is stored of a tenant, and from SES's lists. Its keyed hash stays, so no mail goes to it."""
    command.confirm(cli.err, sentences.forget_question(address, tenant), yes=yes)
    body: Document = {"tenant": tenant, "address": address, "because": because}
    body = {name: value for name, value in body.items() if value is not None}
    found = await cli.api.post(path("suppressions", "forget"), body)
    cli.show_result(found, plain(found.get("detail")))


@command.remote(
    app,
    "resubscribe",
    examples="""
mailcordon suppression resubscribe kim@example.com --tenant acme \\
    --type newsletter --evidence "ticked the box on acme.example/profile" \\
    --consented-at 2026-11-28T15:23:00Z
""",
)
async def resubscribe(
    cli: Cli,
    address: Address,
    type_: Annotated[str, typer.Option("--type", metavar="TYPE", help="The message type.")],
    evidence: Annotated[
        str,
        typer.Option(
            "--evidence", metavar="TEXT", help="How the recipient asked for it again, for the audit trail."
        ),
    ],
    consented_at: Annotated[
        str,
        typer.Option("--consented-at", metavar="TIME", help="When, in ISO 8601: after they unsubscribed."),
    ],
    tenant: OfTenant = None,
) -> None:
    """Take back an unsubscription because the recipient asked for the mail again. Other suppressions stay."""
    body: Document = {
        "tenant": tenant,
        "address": address,
        "type": type_,
        "evidence": evidence,
        "consented_at": consented_at,
    }
    body = {name: value for name, value in body.items() if value is not None}
    found = await cli.api.post(path("suppressions", "resubscribe"), body)
    cli.show_result(found, plain(found.get("detail")))


async def _ask_ses(cli: Cli, body: Document) -> bool:
    """Whether SES is being asked. A key that may not ask sees what is known."""
    try:
        return bool((await cli.api.post(path("suppressions", "read"), body)).get("entries"))
    except failures.Failure as failure:
        if failure.exit is failures.Exit.NOT_ALLOWED:
            return False
        raise


def explanation(found: Document) -> list[RenderableType]:
    """One sentence, what was dropped, what to do; then ours and SES's entries."""
    views: list[RenderableType] = [plain(found.get("sentence"))]
    if said := found.get("dropped_sentence"):
        views.append(plain(said))
    views += [plain(line) for line in strings(found, "next")]
    ours = [
        (
            "ours",
            item.get("address"),
            words(item.get("cause")),
            " ".join(str(one) for one in (item.get("scope"), item.get("class") or item.get("type")) if one),
            when(item.get("since")),
            when(item.get("until")),
            item.get("evidence"),
        )
        for item in children(found, "ours")
    ]
    at_ses = [
        (
            f"SES: {item.get('list')}",
            item.get("spelling"),
            sentences.says(found=item.get("found"), reason=str(item.get("reason") or "")),
            "",
            when(item.get("listed_at")),
            None,
            item.get("problem") or item.get("message_id"),
        )
        for item in children(found, "at_ses")
    ]
    rows: list[tuple[object, ...]] = [*ours, *at_ses]
    if rows:
        headers = ("list", "address", "says", "scope", "since", "until", "evidence")
        views += ["", show.table(headers, rows, drop=("until", "since"), prose=("evidence",))]
    views += [plain(line) for line in strings(found, "disagreements")]
    if dropped := children(found, "dropped"):
        mails: list[tuple[object, ...]] = [
            (item.get("delivery"), item.get("type"), when(item.get("at")), item.get("by")) for item in dropped
        ]
        views += ["", show.table(("dropped", "type", "at", "by"), mails)]
    return views


def scoped(scope: str, class_: str | None, type_: str | None) -> dict[str, str]:
    """The scope as the API takes it. Raises Failure if the scope and the options do not fit."""
    wanted = {"tenant": (None, None), "class": ("class", class_), "lane": ("type", type_)}
    if scope not in wanted:
        raise failures.usage(messages.not_a_scope(text=scope))
    name, value = wanted[scope]
    if name is not None and not value:
        raise failures.usage(messages.scope_needs(scope=scope, option=f"--{name}"))
    if (class_ and scope != "class") or (type_ and scope != "lane"):
        raise failures.usage(
            messages.not_both(
                one=f"--scope {scope}", other="--class" if class_ and scope != "class" else "--type"
            )
        )
    return {"scope": scope, **({name: value} if name and value else {})}
