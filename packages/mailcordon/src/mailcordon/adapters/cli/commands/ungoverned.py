"""`mailcordon ungoverned`: who sends past Mailcordon, what stops it, and what is expected for some time."""

import json
from typing import Annotated

import typer
from rich.console import Group, RenderableType

from mailcordon.adapters.cli import command, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Because, Cli, Limit, OfTenant
from mailcordon.adapters.cli.document import Document, child, children, strings
from mailcordon.adapters.cli.text import plain, when
from mailcordon.messages import times
from mailcordon.messages import ungoverned as messages

app = typer.Typer(
    no_args_is_help=True,
    help="Ungoverned mail: who sends in the account without Mailcordon, what stops it, and what is expected.",
)


@command.remote(
    app,
    "list",
    examples="mailcordon ungoverned list\nmailcordon ungoverned list --tenant acme --watch",
    watchable=True,
)
async def list_senders(cli: Cli, tenant: OfTenant = None, limit: Limit = 100) -> None:
    """List who sends past Mailcordon, newest first, and what SES's own count of the last 24 hours shows.

    The exit code is 0, whatever was found.
    """
    found = await cli.api.items(path("ungoverned"), {"tenant": tenant}, limit=limit)
    items: list[Document] = found["items"]
    shown: list[RenderableType] = [sender_table(items)] if items else [messages.none_seen()]
    shown += [_count(each) for each in children(found, "counts")]
    cli.show_result(found, *shown, *show.more(found))


def sender_table(items: list[Document]) -> RenderableType:
    return show.table(
        (
            "id",
            "identity",
            "tenant",
            "caller",
            "mails",
            "24 h",
            "since",
            "last",
            "from",
            "service",
            "expected",
        ),
        [
            (
                str(item.get("id")),
                item.get("identity"),
                item.get("tenant"),
                item.get("who"),
                f"{item.get('mails') or 0:,}",
                f"{item.get('mails_24h') or 0:,}",
                when(item.get("since")),
                when(item.get("last_at")),
                ", ".join(strings(item, "source_ips")[:2]),
                item.get("service"),
                _expected(item),
            )
            for item in items
        ],
        drop=("24 h", "last", "since", "service", "from"),
    )


def _expected(item: Document) -> str | None:
    found = child(item, "expected")
    return when(found.get("until")) if found.get("valid") else None


def _count(found: Document) -> str:
    cell = plain(found.get("cell"))
    if not found.get("compared"):
        return messages.count_learning(cell)
    sent, known, excess = (f"{found.get(name) or 0:,}" for name in ("sent", "known", "excess"))
    return messages.count_line(cell, sent, known, excess, times.span(found.get("lag_seconds") or 0))


@command.remote(app, "show", examples="mailcordon ungoverned show 7", watchable=True)
async def show_sender(
    cli: Cli, sender: Annotated[int, typer.Argument(metavar="SENDER", help="The sender's number.")]
) -> None:
    """Show who sends past Mailcordon: what its mail has in common, and the IAM policy that stops it."""
    found = await cli.api.get(path("ungoverned", str(sender)))
    rows: list[tuple[object, ...]] = [
        ("identity", found.get("identity")),
        ("tenant", found.get("tenant")),
        ("caller", found.get("who")),
        ("mails", f"{found.get('mails') or 0:,} ({found.get('mails_24h') or 0:,} in 24 h)"),
        ("recipients", f"{found.get('recipients') or 0:,}"),
        ("bounces", f"{found.get('bounces') or 0:,}"),
        ("complaints", f"{found.get('complaints') or 0:,}"),
        ("first", when(found.get("first_at"))),
        ("since", when(found.get("since"))),
        ("last", when(found.get("last_at"))),
    ]
    facts = child(found, "facts")
    for name in facts:
        values = [f"{plain(each.get('value'))} ({each.get('mails'):,})" for each in children(facts, name)]
        rows.append((name.replace("_", " "), ", ".join(values)))
    expected = child(found, "expected")
    if expected:
        rows.append(("expected", f"{when(expected.get('until'))}: {plain(expected.get('because'))}"))
    policy = found.get("policy")
    if policy is None:
        heading = messages.own_role()
    else:
        heading = messages.policy_heading() if found.get("caller") else messages.role_heading()
    cli.show_result(
        found,
        Group(
            show.table(("what", "value"), [row for row in rows if row[1] not in (None, "", "-")]),
            heading,
            *([] if policy is None else [json.dumps(policy, indent=2)]),
        ),
    )


@command.remote(
    app,
    "expect",
    examples="""
mailcordon ungoverned expect mail.acme.example --caller shop --until 14d \\
    --because "the old shop until it is migrated"
mailcordon ungoverned expect old.example --until 30d \\
    --because "retired in December"
""",
)
async def expect(
    cli: Cli,
    identity: Annotated[
        str, typer.Argument(metavar="IDENTITY", help="A domain or address of SES; `*`: what nothing names.")
    ],
    because: Because,
    until: Annotated[
        float,
        command.duration_option(
            "--until",
            minimum=60,
            help="For how long, 90 days at most. After that it is an alarm again.",
        ),
    ],
    caller: Annotated[
        str | None,
        typer.Option("--caller", metavar="CALLER", help="Only this IAM user or role. Default: every caller."),
    ] = None,
) -> None:
    """Declare mail past Mailcordon as expected for some time. It is counted and shown, and is no alarm until then."""
    body = {"identity": identity, "caller": caller, "until_seconds": until, "because": because}
    made = await cli.api.post(path("ungoverned", "expectations"), body)
    said = messages.declared(plain(made.get("identity")), made.get("caller"), when(made.get("until")) or "")
    cli.show_result(made, said)


@command.remote(app, "expected", examples="mailcordon ungoverned expected")
async def expected(cli: Cli, limit: Limit = 100) -> None:
    """List what was declared, newest first, ended ones too."""
    found = await cli.api.items(path("ungoverned", "expectations"), {}, limit=limit)
    table = show.table(
        ("id", "identity", "caller", "valid", "until", "by", "because"),
        [
            (
                str(item.get("id")),
                item.get("identity"),
                item.get("caller"),
                "yes" if item.get("valid") else "no",
                when(item.get("ended_at") or item.get("until")),
                item.get("by"),
                item.get("because"),
            )
            for item in found["items"]
        ],
        drop=("by",),
        prose=("because",),
    )
    cli.show_result(found, table, *show.more(found))


@command.remote(app, "unexpect", examples='mailcordon ungoverned unexpect 3 --because "the shop is migrated"')
async def unexpect(
    cli: Cli,
    expectation: Annotated[int, typer.Argument(metavar="NUMBER", help="Of `ungoverned expected`.")],
    because: Because,
) -> None:
    """End what was declared before its time. Mail that it covers is an alarm from now on."""
    found = await cli.api.post(
        path("ungoverned", "expectations", str(expectation), "end"), {"because": because}
    )
    cli.show_result(found, messages.undeclared(expectation))
