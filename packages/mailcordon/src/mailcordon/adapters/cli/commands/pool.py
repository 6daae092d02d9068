"""`mailcordon pool`: IP pools, who owns them, and whose mail leaves from them."""

from typing import Annotated, Literal

import typer
from rich.console import RenderableType

from mailcordon.adapters.cli import command, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Because, Cli, Tenant, Yes
from mailcordon.adapters.cli.commands import change
from mailcordon.adapters.cli.document import Document, children, strings
from mailcordon.adapters.cli.text import plain
from mailcordon.messages import pools as messages

app = typer.Typer(
    no_args_is_help=True,
    help="IP pools: dedicated addresses, who owns them, and whose mail leaves from them.",
)
Pool = Annotated[str, typer.Argument(metavar="POOL", help="The pool's name.")]
Class = Annotated[
    Literal["urgent", "transactional", "marketing"] | None,
    typer.Option("--class", help="Only mail of this class. Default: all that fits the pool."),
]
Minimum = Annotated[
    int | None,
    typer.Option(
        "--minimum",
        metavar="N",
        help="Mails a day to a provider that keep an address's reputation. Default: 1000.",
    ),
]
Escalation = Annotated[
    str | None,
    typer.Option(
        "--escalation", metavar="TEXT", help="Whom to call when the owner does not answer. Default: nobody."
    ),
]


@command.remote(app, "list", examples="mailcordon pool list", watchable=True)
async def list_pools(cli: Cli) -> None:
    """List the IP pools with their owners, members and what is wrong with them."""
    found = await cli.api.get(path("pools"))
    items = children(found, "items")
    cli.show_result(found, pool_table(items) if items else messages.none_yet())


@command.remote(app, "show", examples="mailcordon pool show bulk", watchable=True)
async def show_pool(cli: Cli, pool: Pool) -> None:
    """Show one pool: members and why, addresses and their warm-up, the last week by provider, and what is wrong."""
    found = await cli.api.get(path("pools", pool))
    cli.show_result(found, *pool_view(found))


@command.remote(
    app,
    "create",
    examples="""
mailcordon pool create bulk --for marketing --managed --owner ops \\
    --because "gmail blocks the shared addresses"
mailcordon pool create receipts --for transactional --standard --owner ops \\
    --minimum 2000 --escalation "page mail-oncall" --because "known IPs"
""",
)
async def create_pool(
    cli: Cli,
    pool: Pool,
    because: Because,
    mail: Annotated[
        Literal["transactional", "marketing"],
        typer.Option(
            "--for", help="Its mail; transactional means urgent mail too. The two never share a pool."
        ),
    ],
    managed: Annotated[
        bool,
        typer.Option(
            "--managed/--standard",
            help="Addresses that SES leases, scales and warms, or leased ones. A managed pool stays one.",
        ),
    ],
    owner: Annotated[str, typer.Option("--owner", metavar="WHO", help="The person or team behind it.")],
    minimum: Minimum = None,
    escalation: Escalation = None,
) -> None:
    """Create a pool, here and at SES. No mail leaves from it before a tenant is added."""
    body: dict[str, object] = {
        "name": pool,
        "mail": mail,
        "managed": managed,
        "owner": owner,
        "because": because,
        **_given(minimum=minimum, escalation=escalation),
    }
    found = await cli.api.post(path("pools"), body)
    cli.show_result(found, *pool_view(found))


@command.remote(
    app,
    "owner",
    examples="""
mailcordon pool owner bulk --owner "mail team" --because "ops was split"
mailcordon pool owner bulk --minimum 2000 --because "two addresses now"
""",
)
async def care(
    cli: Cli,
    pool: Pool,
    because: Because,
    owner: Annotated[
        str | None, typer.Option("--owner", metavar="WHO", help="The person or team. Default: as it is.")
    ] = None,
    minimum: Minimum = None,
    escalation: Escalation = None,
) -> None:
    """Change who owns a pool, its minimum volume or its escalation path."""
    body = {"because": because, **_given(owner=owner, minimum=minimum, escalation=escalation)}
    found = await cli.api.call("PATCH", path("pools", pool), body=body)
    cli.show_result(found, *pool_view(found))


@command.remote(app, "delete", examples='mailcordon pool delete bulk --because "nobody uses it any more"')
async def delete_pool(cli: Cli, pool: Pool, because: Because) -> None:
    """Delete a pool that nothing uses, here and at SES. Addresses of a managed pool go back to AWS."""
    gone = await cli.api.call("DELETE", path("pools", pool), query={"because": because})
    cli.show_result(gone, messages.deleted(pool))


@command.remote(
    app,
    "add",
    examples="""
mailcordon pool add bulk acme --because "50,000 mails a day"
mailcordon pool add bulk acme --dry-run --because "what would change?"
""",
)
async def add(
    cli: Cli,
    pool: Pool,
    tenant: Tenant,
    because: Because,
    class_: Class = None,
    yes: Yes = False,
    dry_run: change.DryRun = False,
) -> None:
    """Let a tenant's mail leave from a pool: a plan that changes its configuration sets at SES."""
    body = {"tenant": tenant, "because": because, **_given(**{"class": class_})}
    plan = await cli.api.post(path("pools", pool, "members"), body)
    await change.carry_out(cli, planned(plan), because=because, yes=yes, dry_run=dry_run)


@command.remote(app, "remove", examples='mailcordon pool remove bulk acme --because "too little mail"')
async def remove(
    cli: Cli,
    pool: Pool,
    tenant: Tenant,
    because: Because,
    class_: Class = None,
    yes: Yes = False,
    dry_run: change.DryRun = False,
) -> None:
    """Let a tenant's mail leave from SES's shared addresses again, at once: they are warm."""
    body = {"tenant": tenant, "because": because, **_given(**{"class": class_})}
    plan = await cli.api.post(path("pools", pool, "members", "remove"), body)
    await change.carry_out(cli, planned(plan), because=because, yes=yes, dry_run=dry_run)


def planned(plan: Document) -> Document:
    """A plan as `change.carry_out` takes it."""
    does = [plain(step.get("says")) for step in children(plan, "steps")]
    return {"does": does, "touches": strings(plan, "notes"), "stays": [], "plan": plan}


def pool_table(items: list[Document]) -> RenderableType:
    return show.table(
        ("pool", "for", "kind", "owner", "members", "at SES", "wrong"),
        [
            (
                item.get("name"),
                item.get("mail"),
                "managed" if item.get("managed") else "standard",
                item.get("owner"),
                len(children(item, "members")),
                item.get("state"),
                messages.wrong([plain(each.get("code")) for each in children(item, "troubles")]),
            )
            for item in items
        ],
        drop=("kind", "at SES"),
        prose=("wrong",),
    )


def pool_view(item: Document) -> list[RenderableType]:
    name, owner = plain(item.get("name")), plain(item.get("owner"))
    views: list[RenderableType] = [
        messages.heading(name, plain(item.get("mail")), owner, managed=bool(item.get("managed"))),
        plain(item.get("because")),
        messages.needs(int(item.get("minimum") or 0)),
        messages.overflows(plain(item.get("overflow"))),
        messages.escalates(plain(item.get("escalation"))),
    ]
    if item.get("error"):
        views.append(messages.ses_refuses(plain(item.get("error"))))
    for trouble in children(item, "troubles"):
        views.append(show.bullet(f"{plain(trouble.get('sentence'))} {plain(trouble.get('next'))}"))
    if members := children(item, "members"):
        columns = ("tenant", "class", "since", "by", "at SES", "because")
        rows = [
            (
                each.get("tenant"),
                each.get("class"),
                each.get("since"),
                each.get("added_by"),
                messages.yes_or_soon(at_ses=bool(each.get("at_ses"))),
                each.get("because"),
            )
            for each in members
        ]
        views += ["", show.table(columns, rows, drop=("by", "since"), prose=("because",))]
    if weeks := children(item, "weeks"):
        columns = ("provider", "mails a day", "blocks", "complaints", "of")
        rows = [
            (
                each.get("provider"),
                each.get("per_day"),
                each.get("blocks"),
                each.get("complaints"),
                each.get("sent"),
            )
            for each in weeks
        ]
        views += ["", show.table(columns, rows, drop=())]
    if item.get("addresses"):
        rows = [
            (each.get("ip"), messages.warmth(None if each.get("warm") is None else int(each["warm"])))
            for each in children(item, "addresses")
        ]
        views += ["", show.table(("address", "warm"), rows, drop=())]
    return views


def _given(**members: object) -> dict[str, object]:
    return {name: value for name, value in members.items() if value is not None}
