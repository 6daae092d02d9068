"""`mailcordon tenant`: onboard, list and show the tenants of the platform."""

import asyncio
import time
from collections.abc import Iterable
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from mailcordon.adapters.cli import command, failures, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Cli, Limit, Tenant
from mailcordon.adapters.cli.commands import identity, lane
from mailcordon.adapters.cli.document import Document, child, children, strings
from mailcordon.adapters.cli.text import plain, when
from mailcordon.messages import cli as messages

app = typer.Typer(no_args_is_help=True, help="Tenants: onboard, list and show them.")

_POLL_SECONDS = 0.25


@command.remote(
    app,
    "onboard",
    examples="""
mailcordon tenant onboard acme --type password-reset=mail.acme.example \\
    --type newsletter=news.acme.example
mailcordon tenant onboard acme --type invoice=mail.acme.example  # one more
mailcordon type list                                             # all types
""",
)
async def onboard(
    cli: Cli,
    tenant: Tenant,
    type_: Annotated[
        list[str],
        typer.Option(
            "--type",
            metavar="TYPE=DOMAIN",
            help="A lane: message type and the domain of its From address. Repeat for more lanes.",
        ),
    ],
    dedicated: Annotated[
        bool,
        typer.Option("--dedicated", help="Give the tenant its own configuration sets, not the shared ones."),
    ] = False,
    wait: Annotated[
        float,
        command.duration_option(
            "--wait", minimum=0, help="Watch the set-up of SES for at most this long. Default: 5m."
        ),
    ] = 300.0,
) -> None:
    """Onboard a tenant, or add lanes to one: SES tenant, identities, configuration sets and a key.

    The desired state is stored at once. SES is set up in the background, at the rate that SES allows; this command watches it.
    Running it again changes nothing and completes what was interrupted. The tenant's key is shown once, when it is made.
    """
    body: Document = {"slug": tenant, "types": parse_types(type_)}
    if dedicated:
        body["dedicated"] = True
    made = await cli.api.post(path("tenants"), body)
    # Printed first, so that no later failure can lose it.
    cli.say(*_key_lines(made, tenant))
    try:
        final = {**made, **await _watch(cli, tenant, made, wait), "api_key": made.get("api_key")}
    except failures.Failure as failure:
        failure.partial = made
        raise
    cli.show_result(final, onboarded(final))
    if not _done(final):
        failed = _failed_steps(final)
        step = plain(failed[0].get("detail") or failed[0].get("name")) if failed else ""
        cli.note(messages.not_set_up_yet(tenant=tenant, step=step))
        raise typer.Exit(int(failures.Exit.UNAVAILABLE))


def parse_types(given: list[str]) -> dict[str, str]:
    """`password-reset=mail.acme.example`, several times. Raises Failure."""
    found: dict[str, str] = {}
    for text in given:
        name, separator, domain = text.partition("=")
        if not separator or not name or not domain:
            raise failures.usage(messages.bad_type_option(text=text))
        if name in found and found[name] != domain:
            raise failures.usage(messages.type_given_twice(type=name))
        found[name] = domain
    return found


async def _watch(cli: Cli, tenant: str, made: Document, seconds: float) -> Document:
    """The tenant when its set-up is done, or when the time is over. Prints each step when its state changes."""
    deadline = time.monotonic() + seconds
    said: set[tuple[str, ...]] = set()
    now = made
    while not _done(now) and time.monotonic() < deadline:
        await asyncio.sleep(_POLL_SECONDS)
        now = await cli.api.get(path("tenants", tenant))
        for step in _steps(now):
            words = tuple(plain(step.get(name)) for name in ("kind", "name", "state"))
            if words not in said and words[2] != "pending":
                said.add(words)
                cli.say(Text.assemble("  ", show.styled(words[2]), f"  {words[0]} {words[1]}"))
    return now


def _provisioning(tenant: Document) -> Document:
    return child(tenant, "provisioning")


def _steps(tenant: Document) -> list[Document]:
    return children(_provisioning(tenant), "steps")


def _failed_steps(tenant: Document) -> list[Document]:
    return [step for step in _steps(tenant) if step.get("state") == "failed"]


def _done(tenant: Document) -> bool:
    return bool(_provisioning(tenant).get("done"))


def _key_lines(made: Document, tenant: str) -> Iterable[RenderableType]:
    api_key = child(made, "api_key")
    if api_key.get("key"):
        yield messages.tenant_key(tenant=tenant)
        yield Text(f"  {api_key['key']}", "bold")
    elif api_key.get("prefix"):
        yield messages.tenant_has_key(tenant=tenant, prefix=str(api_key["prefix"]))


def onboarded(tenant: Document) -> RenderableType:
    """The tenant as it is: lanes, the DNS records to publish, and what the lanes share."""
    return Group(*_sections(tenant))


def _sections(tenant: Document) -> Iterable[RenderableType]:
    yield ""
    yield messages.tenant_at_ses(tenant=plain(tenant.get("slug")), key=plain(tenant.get("key")))
    if lanes := children(tenant, "lanes"):
        yield ""
        yield lane.lane_table(lanes, with_tenant=False)
    for domain in children(tenant, "identities"):
        if records := children(domain, "records"):
            yield ""
            yield messages.domain_records(
                domain=plain(domain.get("domain")), status=plain(domain.get("status"))
            )
            yield identity.record_table(records)
    shares = strings(tenant, "shares")
    yield ""
    yield messages.lanes_share() if shares else messages.lanes_share_nothing()
    for sentence in shares:
        yield show.bullet(plain(sentence))


@command.remote(
    app,
    "list",
    examples="mailcordon tenant list\nmailcordon tenant list --json | jq -r '.items[].slug'",
    watchable=True,
)
async def list_tenants(cli: Cli, limit: Limit = 100) -> None:
    """List the tenants."""
    found = await cli.api.items(path("tenants"), limit=limit)
    rows: list[tuple[object, ...]] = [
        (item.get("slug"), item.get("key"), when(item.get("created_at"))) for item in found["items"]
    ]
    cli.show_result(
        found, show.table(("tenant", "ses tenant", "since"), rows, drop=("since",)), *show.more(found)
    )


@command.remote(app, "show", examples="mailcordon tenant show acme", watchable=True)
async def show_tenant(cli: Cli, tenant: Tenant) -> None:
    """Show one tenant: lanes, identities, progress of the set-up of SES, and what its lanes share."""
    found = await cli.api.get(path("tenants", tenant))
    done = _done(found)
    setup = messages.ses_is_set_up() if done else messages.ses_is_being_set_up()
    cli.show_result(found, onboarded(found), "", setup, *([] if done else [_step_table(found)]))


def _step_table(tenant: Document) -> RenderableType:
    return show.table(
        ("state", "kind", "name", "detail"),
        [
            (item.get("state"), item.get("kind"), item.get("name"), item.get("detail"))
            for item in _steps(tenant)
        ],
        drop=("kind",),
        prose=("detail",),
    )
