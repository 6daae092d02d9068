"""`mailcordon tier`: which tier each tenant has, what its facts suggest, and giving it another."""

from typing import Annotated, Any, Literal

import typer
from rich.console import RenderableType

from mailcordon.adapters.cli import command, failures, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Because, Cli, Limit, Tenant, Yes
from mailcordon.adapters.cli.commands import policy
from mailcordon.adapters.cli.document import Document, strings
from mailcordon.adapters.cli.text import plain, when
from mailcordon.messages import policies as words

app = typer.Typer(
    no_args_is_help=True, help="Tiers: how much a tenant is trusted, and what its facts suggest."
)

_FACTS = ("sign_up_source", "signed_up_at", "list_source", "planned_per_day", "payment", "owner_group")


@command.remote(app, "list", examples="mailcordon tier list")
async def list_tiers(cli: Cli, limit: Limit = 200) -> None:
    """List tenants with their tier, and the one that their facts suggest."""
    found = await cli.api.items(path("policy", "tenants"), limit=limit)
    rows: list[tuple[object, ...]] = [
        (
            item.get("tenant"),
            item.get("tier"),
            item.get("suggested_tier"),
            "; ".join(strings(item, "suggested_because")),
        )
        for item in found["items"]
    ]
    cli.show_result(
        found,
        show.table(("tenant", "tier", "suggested", "because"), rows, prose=("because",)),
        *show.more(found),
    )


@command.remote(app, "show", examples="mailcordon tier show acme")
async def show_tier(cli: Cli, tenant: Tenant) -> None:
    """Show a tenant's tier, what is known of the tenant, and the tier that this suggests, with the reason."""
    found = await cli.api.get(path("tenants", tenant, "facts"))
    cli.show_result(found, *_view(found))


@command.remote(
    app,
    "facts",
    examples="""
mailcordon tier facts acme --payment invoice --list-source own-signups
mailcordon tier facts acme --forget payment
""",
)
async def tell_facts(
    cli: Cli,
    tenant: Tenant,
    sign_up_source: Annotated[
        str | None,
        typer.Option(
            "--sign-up-source",
            metavar="LABEL",
            help="How it signed up, such as web or sales. Default: as it is.",
        ),
    ] = None,
    signed_up: Annotated[
        str | None,
        typer.Option("--signed-up", metavar="DATE", help="When, as 2019-05-01. Default: as it is."),
    ] = None,
    list_source: Annotated[
        Literal["own-signups", "customers", "imported", "bought"] | None,
        typer.Option("--list-source", help="Where its lists come from. Default: as it is."),
    ] = None,
    planned: Annotated[
        int | None,
        typer.Option("--planned", min=0, metavar="N", help="Mails a day that it plans. Default: as it is."),
    ] = None,
    payment: Annotated[
        Literal["none", "trial", "card", "invoice"] | None,
        typer.Option("--payment", help="How it pays. Default: as it is."),
    ] = None,
    owner_group: Annotated[
        str | None,
        typer.Option(
            "--owner-group", metavar="LABEL", help="Who looks after it, or owns it. Default: as it is."
        ),
    ] = None,
    forget: Annotated[
        list[str] | None,
        typer.Option("--forget", metavar="FACT", help="Forget this fact, such as payment. Default: none."),
    ] = None,
    because: policy.Why = None,
) -> None:
    """Say what is known of a tenant. It suggests a tier and changes none."""
    told: dict[str, Any] = {}
    for name in forget or ():
        known = name.replace("-", "_")
        if known not in _FACTS:
            raise failures.usage(words.no_fact(name, [each.replace("_", "-") for each in _FACTS]))
        told[known] = None
    given = (sign_up_source, signed_up, list_source, planned, payment, owner_group)
    told |= {name: value for name, value in zip(_FACTS, given, strict=True) if value is not None}
    if not told:
        raise failures.usage(words.no_facts_given())
    found = await cli.api.call("PATCH", path("tenants", tenant, "facts"), body=told | {"because": because})
    cli.show_result(found, *_view(found))


@command.remote(app, "set", examples='mailcordon tier set acme strict --because "its first list bounced"')
async def set_tier(
    cli: Cli,
    tenant: Tenant,
    tier: Annotated[str, typer.Argument(metavar="TIER", help="strict, standard, trusted or one of yours.")],
    because: Because,
    yes: Yes = False,
    dry_run: policy.DryRun = False,
) -> None:
    """Give a tenant another tier: a plan of the policy that changes this alone. Shows it, and asks."""
    made = await cli.api.post(path("tenants", tenant, "tier"), {"tier": tier, "because": because})
    await policy.decide(cli, made, because, yes=yes, dry_run=dry_run)


def _view(found: Document) -> list[RenderableType]:
    facts = show.fields(
        (name.replace("_", " "), when(value) if name == "signed_up_at" else value)
        for name in _FACTS
        if (value := found.get(name)) is not None
    )
    because = "; ".join(strings(found, "suggested_because"))
    suggested = words.tier_suggested(
        plain(found.get("tenant")), plain(found.get("tier")), plain(found.get("suggested_tier")), because
    )
    return [facts, suggested]
