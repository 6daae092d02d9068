"""`mailcordon tenant`: onboard, list and show the tenants we send for."""

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
from mailcordon.adapters.cli.document import Document, part, parts, texts

app = typer.Typer(no_args_is_help=True, help="Whom we send for: onboard, list, show.")

_POLL_SECONDS = 0.25


@command.remote(
    app,
    "onboard",
    examples="""
mailcordon tenant onboard acme --type password-reset=mail.acme.example --type newsletter=news.acme.example
mailcordon tenant onboard acme --type invoice=mail.acme.example    # adds a lane, changes nothing else
mailcordon type list                                               # which types there are
""",
)
async def onboard(
    cli: Cli,
    tenant: Tenant,
    type_: Annotated[
        list[str],
        typer.Option(
            "--type", metavar="TYPE=DOMAIN", help="A lane: a message type and the domain its mail is from."
        ),
    ],
    dedicated: Annotated[
        bool,
        typer.Option(
            "--dedicated", help="Give the tenant configuration sets of its own instead of the shared ones."
        ),
    ] = False,
    wait: Annotated[
        float,
        typer.Option("--wait", min=0, metavar="SECONDS", help="Watch SES being set up for at most so long."),
    ] = 300.0,
) -> None:
    """Onboard a tenant, or add lanes to one: SES tenant, identities, configuration sets and a key.

    What is wanted is stored at once and SES is set up behind it, at SES's pace; this command watches. Running it again changes
    nothing and completes what was interrupted. The tenant's key is shown once, when it is made.
    """
    body: Document = {"slug": tenant, "types": parse_types(type_)}
    if dedicated:
        body["dedicated"] = True
    made = await cli.api.post(path("tenants"), body)
    # First, so that nothing that happens later can lose it.
    cli.say(*_key_lines(made, tenant))
    try:
        final = {**made, **await _watch(cli, tenant, made, wait), "api_key": made.get("api_key")}
    except failures.Failure as failure:
        failure.partial = made
        raise
    cli.answer(final, onboarded(final))
    failed = _failed_steps(final)
    if not _done(final):
        first = f": {show.plain(failed[0].get('detail') or failed[0].get('name'))}" if failed else ""
        cli.note(
            f"mailcordon: SES is not set up for {tenant} yet{first}. It goes on by itself; "
            f"`mailcordon tenant show {tenant}` says how far it is."
        )
        raise typer.Exit(int(failures.Exit.UNAVAILABLE))


def parse_types(given: list[str]) -> dict[str, str]:
    """`password-reset=mail.acme.example`, several times. Raises Failure."""
    found: dict[str, str] = {}
    for text in given:
        name, separator, domain = text.partition("=")
        if not separator or not name or not domain:
            raise failures.usage(
                f"--type {text}: say TYPE=DOMAIN, as in --type password-reset=mail.acme.example"
            )
        if name in found and found[name] != domain:
            raise failures.usage(f"--type {name} is given twice: a lane has one domain")
        found[name] = domain
    return found


async def _watch(cli: Cli, tenant: str, made: Document, seconds: float) -> Document:
    """The tenant as it is when its set-up is done, or time is over. Says each step when it gets there."""
    deadline = time.monotonic() + seconds
    said: set[tuple[str, ...]] = set()
    now = made
    while not _done(now) and time.monotonic() < deadline:
        await asyncio.sleep(_POLL_SECONDS)
        now = await cli.api.get(path("tenants", tenant))
        for step in _steps(now):
            words = tuple(show.plain(step.get(name)) for name in ("kind", "name", "state"))
            if words not in said and words[2] != "pending":
                said.add(words)
                cli.say(Text.assemble("  ", show.styled(words[2]), f"  {words[0]} {words[1]}"))
    return now


def _provisioning(tenant: Document) -> Document:
    return part(tenant, "provisioning")


def _steps(tenant: Document) -> list[Document]:
    return _provisioning(tenant).get("steps") or []


def _failed_steps(tenant: Document) -> list[Document]:
    return [step for step in _steps(tenant) if step.get("state") == "failed"]


def _done(tenant: Document) -> bool:
    return bool(_provisioning(tenant).get("done"))


def _key_lines(made: Document, tenant: str) -> Iterable[RenderableType]:
    api_key = part(made, "api_key")
    if api_key.get("key"):
        yield Text.assemble(
            f"The key of {tenant}, shown this once and stored only as a hash:\n  ",
            (str(api_key["key"]), "bold"),
        )
    elif api_key.get("prefix"):
        yield f"{tenant} has its key already: {api_key['prefix']}... (a lost one is replaced by `mailcordon key create {tenant}`)"


def onboarded(tenant: Document) -> RenderableType:
    """What there is now: lanes, the DNS records to publish, and what the lanes still share."""
    return Group(*_sections(tenant))


def _sections(tenant: Document) -> Iterable[RenderableType]:
    yield ""
    yield f"{show.plain(tenant.get('slug'))} is {show.plain(tenant.get('key'))} at SES."
    if lanes := tenant.get("lanes"):
        yield ""
        yield lane.lane_table(lanes, with_tenant=False)
    for domain in parts(tenant, "identities"):
        if domain.get("records"):
            yield ""
            yield f"{show.plain(domain.get('domain'))} is {show.plain(domain.get('status'))}. Its DNS records:"
            yield identity.record_table(domain["records"])
    shares = texts(tenant, "shares")
    yield ""
    yield "What the lanes still share:" if shares else "The lanes share nothing with each other."
    for sentence in shares:
        yield f"  - {show.plain(sentence)}"


@command.remote(
    app, "list", examples="mailcordon tenant list\nmailcordon tenant list --json | jq -r '.items[].slug'"
)
async def list_tenants(cli: Cli, limit: Limit = 100) -> None:
    """List the tenants."""
    found = await cli.api.items(path("tenants"), limit=limit)
    rows: list[tuple[object, ...]] = [
        (item.get("slug"), item.get("key"), show.when(item.get("created_at"))) for item in found["items"]
    ]
    cli.answer(found, show.table(("tenant", "key at SES", "since"), rows), *show.more(found))


@command.remote(app, "show", examples="mailcordon tenant show acme")
async def show_tenant(cli: Cli, tenant: Tenant) -> None:
    """Show one tenant: lanes, identities, how far SES is set up, and what its lanes share."""
    found = await cli.api.get(path("tenants", tenant))
    steps = show.table(
        ("state", "what", "name", "detail"),
        [
            (item.get("state"), item.get("kind"), item.get("name"), item.get("detail"))
            for item in _steps(found)
        ],
    )
    setup = "SES is set up." if _done(found) else "SES is being set up:"
    cli.answer(found, onboarded(found), "", setup, *([] if _done(found) else [steps]))
