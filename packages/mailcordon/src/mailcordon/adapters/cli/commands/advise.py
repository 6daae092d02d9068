"""`mailcordon advise`: whether a tenant needs its own domains, configuration sets or IP addresses, and what each costs."""

from typing import Annotated, Literal

import typer
from rich.console import RenderableType

from mailcordon.adapters.cli import command, failures, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Cli, Limit, Yes
from mailcordon.adapters.cli.commands import change, pool
from mailcordon.adapters.cli.document import Document, child, children, strings
from mailcordon.adapters.cli.text import plain, when
from mailcordon.messages import advice as messages

app = typer.Typer()


@command.remote(
    app,
    "advise",
    examples="""
mailcordon advise acme
mailcordon advise --fleet
mailcordon advise acme --plan identity --dry-run --because "marketing apart"
""",
)
async def advise(
    cli: Cli,
    tenant: Annotated[
        str | None, typer.Argument(metavar="TENANT", help="The tenant's slug. Not with --fleet.")
    ] = None,
    fleet: Annotated[
        bool, typer.Option("--fleet", help="All tenants by what they cost and the risk they carry.")
    ] = False,
    plan: Annotated[
        Literal["identity", "set", "ip"] | None,
        typer.Option(
            "--plan", help="Plan what one decision says, and apply it once confirmed. Default: none."
        ),
    ] = None,
    because: Annotated[
        str | None,
        typer.Option("--because", metavar="TEXT", help="The reason; --plan needs one. No default."),
    ] = None,
    yes: Yes = False,
    dry_run: change.DryRun = False,
    limit: Limit = 200,
) -> None:
    """Advise on three separate decisions about a tenant: its domains, its configuration sets, its IP addresses.

    For each: what it buys, what it costs, the evidence, the common mistake, and what comes after it.
    """
    if (tenant is None) != fleet:
        raise failures.usage(messages.tenant_or_fleet())
    if plan is not None and (tenant is None or because is None):
        raise failures.usage(messages.plan_of_a_tenant())
    if tenant is None:
        found = await cli.api.items(path("advice"), limit=limit)
        cli.show_result(found, *fleet_view(found), *show.more(found))
    elif plan is not None and because is not None:
        made = await cli.api.post(path("tenants", tenant, "advice", plan, "plan"), {"because": because})
        if made.get("id") is None:
            cli.show_result(made, messages.nothing_to_plan(tenant, plan))
            return
        await change.carry_out(cli, pool.planned(made), because=because, yes=yes, dry_run=dry_run)
    else:
        found = await cli.api.get(path("tenants", tenant, "advice"))
        cli.show_result(found, *advice_view(found))


def advice_view(found: Document) -> list[RenderableType]:
    tenant = plain(found.get("tenant"))
    views: list[RenderableType] = [messages.heading(tenant)]
    for item in children(found, "items"):
        name, cost = plain(item.get("decision")), child(item, "cost")
        monthly = cost.get("monthly")
        said = [
            plain(item.get("says")),
            *(plain(each) for each in strings(item, "evidence")),
            messages.buys(plain(item.get("buys"))),
            messages.costs(
                None if monthly is None else float(monthly),
                plain(cost.get("currency")),
                list(strings(cost, "unknown")),
                list(strings(cost, "unchecked")),
                int(cost.get("calls") or 0),
                int(cost.get("days") or 0),
            ),
            messages.common_mistake(plain(item.get("mistake"))),
            messages.rung_after(plain(item.get("rung"))),
        ]
        if item.get("change"):
            command_ = None if item.get("command") is None else plain(item.get("command"))
            said.append(messages.to_follow(tenant, name, command_))
        views += ["", messages.decision(name, change=bool(item.get("change")))]
        views += [show.bullet(each) for each in said]
    return [*views, "", messages.priced(plain(found.get("prices_of")), plain(found.get("currency")))]


def fleet_view(found: Document) -> list[RenderableType]:
    items = children(found, "items")
    if found.get("counted_at") is None:
        return [messages.not_counted()]
    counted = messages.counted(when(found.get("counted_at")))
    if not items:
        return [messages.nobody_sends(), counted]
    currency = plain(found.get("currency"))
    columns = ("tenant", "mails in 28 days", f"{currency} a month", "a thousand", "bad", "risk")
    rows = [
        (
            item.get("tenant"),
            item.get("mails"),
            item.get("monthly"),
            item.get("per_thousand"),
            f"{float(item.get('bad_share') or 0):.2%}",
            item.get("risk"),
        )
        for item in items
    ]
    views: list[RenderableType] = [show.table(columns, rows, drop=("a thousand",))]
    if unknown := strings(found, "unknown"):
        views.append(messages.left_out(list(unknown)))
    if unchecked := strings(found, "unchecked"):
        views.append(messages.not_looked_up(list(unchecked)))
    return [*views, counted, messages.priced(plain(found.get("prices_of")), currency)]
