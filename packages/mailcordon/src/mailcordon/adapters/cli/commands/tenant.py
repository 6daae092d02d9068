"""`mailcordon tenant`: onboard, list, show, change, retire and erase the tenants of the platform."""

import asyncio
import time
from collections.abc import Iterable
from typing import Annotated, Literal

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from mailcordon.adapters.cli import command, failures, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Because, Cli, Limit, Tenant, Yes
from mailcordon.adapters.cli.commands import change, identity, lane
from mailcordon.adapters.cli.document import Document, child, children, strings
from mailcordon.adapters.cli.text import counted, plain, when
from mailcordon.messages import cli as messages
from mailcordon.messages import lifecycle, observing

app = typer.Typer(no_args_is_help=True, help="Tenants: onboard, show, change, retire and erase them.")

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
    with cli.progress(messages.setting_up(tenant=tenant)) as bar:
        while not _done(now) and time.monotonic() < deadline:
            await asyncio.sleep(_POLL_SECONDS)
            now = await cli.api.get(path("tenants", tenant))
            bar.set(sum(1 for step in _steps(now) if step.get("state") == "done"), len(_steps(now)))
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
    if tenant.get("observed"):
        yield observing.tenant_is_observed(tenant=plain(tenant.get("slug")))
        return
    yield messages.tenant_at_ses(tenant=plain(tenant.get("slug")), key=plain(tenant.get("key")))
    if lanes := children(tenant, "lanes"):
        yield ""
        yield lane.lane_table(lanes, with_tenant=False)
    for domain in children(tenant, "identities"):
        records = children(domain, "records")
        if records and not domain.get("retiring_at"):
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
    examples="mailcordon tenant list\nmailcordon tenant list --state held\n"
    "mailcordon tenant list --json | jq -r '.items[].slug'",
    watchable=True,
)
async def list_tenants(
    cli: Cli,
    prefix: Annotated[
        str | None,
        typer.Option("--prefix", metavar="TEXT", help="Only slugs that begin with this. Default: all."),
    ] = None,
    state: Annotated[
        Literal["open", "throttled", "stopped", "held"] | None,
        typer.Option("--state", help="Only tenants whose worst lane is in this state. Default: all."),
    ] = None,
    tier: Annotated[
        str | None, typer.Option("--tier", metavar="NAME", help="Only tenants of this tier. Default: all.")
    ] = None,
    limit: Limit = 100,
) -> None:
    """List the tenants."""
    found = await cli.api.items(
        path("tenants"), {"prefix": prefix, "state": state, "tier": tier}, limit=limit
    )
    rows: list[tuple[object, ...]] = [
        (
            item.get("slug"),
            None if item.get("observed") else item.get("key"),
            _life(item),
            item.get("state"),
            item.get("number_of_lanes"),
            item.get("waiting"),
            when(item.get("created_at")),
        )
        for item in found["items"]
    ]
    cli.show_result(
        found,
        show.table(
            ("tenant", "ses tenant", "state", "mail", "lanes", "waiting", "since"),
            rows,
            drop=("since", "lanes"),
        ),
        *show.more(found),
    )


def _life(tenant: Document) -> str:
    if tenant.get("retired_at"):
        return "retired"
    if tenant.get("observed"):
        return "observed"
    return "retiring" if tenant.get("retiring_at") else "active"


@command.remote(app, "show", examples="mailcordon tenant show acme", watchable=True)
async def show_tenant(cli: Cli, tenant: Tenant) -> None:
    """Show one tenant: lanes, identities, progress of the set-up of SES, and what its lanes share."""
    found = await cli.api.get(path("tenants", tenant))
    done = _done(found)
    differs = children(_provisioning(found), "findings")
    retiring = bool(found.get("retiring_at"))
    being = messages.ses_is_cleared() if retiring else messages.ses_is_being_set_up()
    views: list[RenderableType] = [] if done else [being, _step_table(found)]
    if differs:
        views.append(messages.ses_differs(findings=len(differs), tenant=tenant))
        views += [
            show.bullet(
                messages.ses_difference(
                    finding=plain(each["id"]) if each.get("id") else "", says=plain(each.get("says"))
                )
            )
            for each in differs
        ]
    elif done and not retiring and not found.get("observed"):
        views.append(messages.ses_is_set_up())
    cli.show_result(found, onboarded(found), *_retirement(found), "", *views)


def _retirement(tenant: Document) -> list[RenderableType]:
    """That it is retired, and what its retired lanes wait for."""
    views: list[RenderableType] = []
    slug, since = plain(tenant.get("slug")), tenant.get("retiring_at")
    if since:
        views += [
            "",
            lifecycle.tenant_is_retired(tenant=slug, since=when(since), ended=bool(tenant.get("retired_at"))),
        ]
    if waits := strings(tenant, "retirement"):
        views += ["", lifecycle.retirement_waits(), *(show.bullet(plain(sentence)) for sentence in waits)]
    return views


@command.remote(
    app,
    "topology",
    examples="""
mailcordon tenant topology acme --dedicated --because "volume grows"
mailcordon tenant topology acme --ses-tenants per-class \\
    --because "resets survive a pause of marketing"
""",
)
async def topology(
    cli: Cli,
    tenant: Tenant,
    because: Because,
    dedicated: Annotated[
        bool | None,
        typer.Option(
            "--dedicated/--shared",
            help="Configuration sets of its own, or those shared by class. Default: as they are.",
        ),
    ] = None,
    ses_tenants: Annotated[
        Literal["one", "per-class"] | None,
        typer.Option("--ses-tenants", help="One SES tenant, or one of each class. Default: as it is."),
    ] = None,
    yes: Yes = False,
    dry_run: change.DryRun = False,
) -> None:
    """Change what a tenant has of its own at SES: configuration sets, and SES tenants.

    Mail goes over to the new ones once SES has them. The old ones go when no mail needs them any more.
    """
    if dedicated is None and ses_tenants is None:
        raise failures.usage(messages.one_of(options="--dedicated, --shared or --ses-tenants"))
    await change.run(
        cli,
        tenant,
        "set-topology",
        dedicated=dedicated,
        ses_tenants=ses_tenants,
        because=because,
        yes=yes,
        dry_run=dry_run,
    )


@command.remote(
    app,
    "unsubscribe-host",
    examples="""
mailcordon tenant unsubscribe-host acme links.acme.example \\
    --because "a name of its own"
mailcordon tenant unsubscribe-host acme --shared --because "given up"
""",
)
async def unsubscribe_host(
    cli: Cli,
    tenant: Tenant,
    because: Because,
    host: Annotated[
        str | None,
        typer.Argument(metavar="HOST", help="A host name whose HTTPS leads to the API. Default: none."),
    ] = None,
    shared: Annotated[
        bool, typer.Option("--shared", help="Use the installation's host name again, instead of HOST.")
    ] = False,
) -> None:
    """Give links to unsubscribe in a tenant's mail a host name of its own. It must lead to the API before new mail has it."""
    if shared is (host is not None):
        raise failures.usage(messages.one_of(options="HOST or --shared"))
    body: Document = {"host": host, "because": because}
    found = await cli.api.call("PUT", path("tenants", tenant, "unsubscribe-host"), body=body)
    cli.show_result(found, plain(found.get("detail")))


@command.remote(
    app,
    "retire",
    examples="""
mailcordon tenant retire acme --because "contract ended"
mailcordon tenant retire acme --mail cancel --because "fraud" --yes
""",
)
async def retire(
    cli: Cli,
    tenant: Tenant,
    because: Because,
    mail: change.Mail = "drain",
    yes: Yes = False,
    dry_run: change.DryRun = False,
) -> None:
    """Retire a tenant with its lanes, domains and keys. SES deletes what it has of it once its queues are empty.

    Records, suppressions and the audit trail stay.
    """
    await change.run(cli, tenant, "retire-tenant", mail=mail, because=because, yes=yes, dry_run=dry_run)


@command.remote(app, "unretire", examples='mailcordon tenant unretire acme --because "contract renewed"')
async def unretire(
    cli: Cli, tenant: Tenant, because: Because, yes: Yes = False, dry_run: change.DryRun = False
) -> None:
    """Bring a retired tenant back, with what was retired with it. Its keys stay revoked."""
    await change.run(cli, tenant, "unretire-tenant", because=because, yes=yes, dry_run=dry_run)


@command.remote(
    app,
    "erase",
    examples='mailcordon tenant erase acme --because "asked to, ticket 4711"',
)
async def erase(
    cli: Cli,
    tenant: Tenant,
    because: Because,
    yes: Yes = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would happen, and change nothing.")
    ] = False,
) -> None:
    """Erase the personal data of a retired tenant, for good: addresses, contents, remarks of mailbox providers."""
    preview = await cli.api.post(path("tenants", tenant, "erasure", "preview"), {})
    if not cli.json:
        cli.note(change.sentences(preview))
        cli.note()
    if dry_run:
        cli.show_result({"preview": preview, "done": False})
        cli.note(messages.dry_run())
        return
    command.confirm(cli.err, lifecycle.erase_question(tenant=tenant), yes=yes)
    found = await cli.api.post(path("tenants", tenant, "erasure"), {"because": because})
    cli.show_result(
        {"preview": preview, "done": True, "erasure": found}, lifecycle.erasure_started(tenant=tenant)
    )


@command.remote(app, "erasure", examples="mailcordon tenant erasure acme --watch 5s", watchable=True)
async def erasure(cli: Cli, tenant: Tenant) -> None:
    """Show how far the erasure of a tenant's personal data is."""
    found = await cli.api.get(path("tenants", tenant, "erasure"))
    about = show.fields(
        [
            ("state", found.get("state")),
            ("erased", counted(int(found.get("deliveries") or 0), "delivery")),
            ("asked for", when(found.get("requested_at"))),
            ("by", found.get("requested_by")),
            ("because", found.get("because")),
            ("done", when(found.get("done_at"))),
        ]
    )
    cli.show_result(found, about)


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
