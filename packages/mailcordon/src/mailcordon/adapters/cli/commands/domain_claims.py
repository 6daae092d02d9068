"""`mailcordon identity claim` and its like: whose a domain is, transfers, and domains of the platform that tenants share."""

from typing import Annotated

import typer
from rich.console import RenderableType

from mailcordon.adapters.cli import command, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Because, Cli, Limit, OfTenant, Yes
from mailcordon.adapters.cli.commands import change, identity
from mailcordon.adapters.cli.document import Document, child, children
from mailcordon.adapters.cli.text import plain, when
from mailcordon.messages import identities as words

app = typer.Typer()  # its commands are part of `mailcordon identity`

ForTenant = Annotated[str, typer.Option("--tenant", metavar="TENANT", help="The tenant that claims it.")]
To = Annotated[str, typer.Option("--to", metavar="TENANT", help="The tenant that gets it.")]
Why = Annotated[
    str | None,
    typer.Option("--because", metavar="TEXT", help="The reason, which is audited. Default: none."),
]


@command.remote(
    app,
    "claim",
    examples="""
mailcordon identity claim mail.acme.example --tenant acme
""",
)
async def claim_domain(cli: Cli, domain: identity.Domain, tenant: ForTenant, because: Why = None) -> None:
    """Claim a domain for a tenant. If another tenant has it and has not proved it, the TXT record that decides is shown.

    Run it again once the record is published: it is looked for at once.
    """
    body = {"domain": domain, **({} if because is None else {"because": because})}
    found = await cli.api.post(path("tenants", tenant, "claims"), body)
    record = child(found, "record") if found.get("record") else None
    views: list[RenderableType] = [words.claim_state(*_state(found))]
    if record is not None:
        views += ["", words.claim_needs_record(), identity.record_table([record])]
        if found.get("looked"):
            views += ["", plain(found.get("looked"))]
    cli.show_result(found, *views)


@command.remote(app, "claims", examples="mailcordon identity claims --tenant acme", watchable=True)
async def list_claims(
    cli: Cli,
    tenant: OfTenant = None,
    all_: Annotated[bool, typer.Option("--all", help="Those that ended too.")] = False,
    limit: Limit = 200,
) -> None:
    """List claims to domains: who has each, how it was proved, when it lapses."""
    found = await cli.api.items(path("claims"), {"tenant": tenant, "ended": all_ or None}, limit=limit)
    rows: list[tuple[object, ...]] = [
        (item.get("tenant"), item.get("domain"), _word(item), when(item.get("lapses_at")))
        for item in found["items"]
    ]
    cli.show_result(
        found, show.table(("tenant", "domain", "claim", "lapses"), rows, drop=("lapses",)), *show.more(found)
    )


@command.remote(
    app,
    "transfer",
    examples="""
mailcordon identity transfer news.acme.example --to zen --because "sold"
""",
)
async def transfer_domain(
    cli: Cli,
    domain: identity.Domain,
    to: To,
    because: Because,
    yes: Yes = False,
    dry_run: change.DryRun = False,
) -> None:
    """Move a domain to another tenant, once no lane sends from it. Its mail that has not left is cancelled."""
    planned = await cli.api.post(path("identities", domain, "transfer"), {"to": to, "because": because})
    await change.carry_out(cli, planned, because=because, yes=yes, dry_run=dry_run)


@command.remote(
    app,
    "share",
    examples="""
mailcordon identity share platform.example --because "for small tenants"
""",
)
async def share_domain(cli: Cli, domain: identity.Domain, because: Because) -> None:
    """Let tenants send from names below a domain of the platform. They are marked as shared, not isolated."""
    found = await cli.api.call("PUT", path("shared-domains", domain), body={"because": because})
    cli.show_result(found, words.is_shared(domain))


@command.remote(
    app, "unshare", examples='mailcordon identity unshare platform.example --because "no tenant uses it"'
)
async def unshare_domain(cli: Cli, domain: identity.Domain, because: Because) -> None:
    """Make a domain that tenants shared an ordinary one. Refused while several tenants have names below it."""
    found = await cli.api.call("DELETE", path("shared-domains", domain), query={"because": because})
    cli.show_result(found, words.is_not_shared(domain))


@command.remote(app, "shared", examples="mailcordon identity shared", watchable=True)
async def list_shared(cli: Cli) -> None:
    """List the domains of the platform that tenants share."""
    found = await cli.api.get(path("shared-domains"))
    rows: list[tuple[object, ...]] = [
        (
            item.get("domain"),
            item.get("tenants"),
            when(item.get("since")),
            item.get("by"),
            item.get("because"),
        )
        for item in children(found, "items")
    ]
    columns = ("domain", "tenants", "since", "by", "because")
    cli.show_result(found, show.table(columns, rows, drop=("by", "since"), prose=("because",)))


def _state(item: Document) -> tuple[str, str, str, str]:
    return plain(item.get("domain")), plain(item.get("tenant")), _word(item), when(item.get("lapses_at"))


def _word(item: Document) -> str:
    """`proved by ses`, `not proved`, `contends`, `contended` or why it ended."""
    if item.get("ended_at"):
        return f"ended: {plain(item.get('ended_because'))}"
    if not item.get("holds") and not item.get("proof"):
        return "contends"
    return identity.claim_word(item)
