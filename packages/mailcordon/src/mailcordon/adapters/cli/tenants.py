"""Commands of the control plane about whom we send for: tenants, their lanes and identities, and the catalogue of types."""

import asyncio
import time
from collections.abc import Iterable
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from mailcordon.adapters.cli import command, failures, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Because, Cli, Limit, OfTenant, Tenant
from mailcordon.adapters.cli.document import Document, part, parts, texts

tenants = typer.Typer(no_args_is_help=True, help="Whom we send for: onboard, list, show.")
lanes = typer.Typer(
    no_args_is_help=True, help="Tenant x message type: the unit that limits, holds and suppression apply to."
)
identities = typer.Typer(
    no_args_is_help=True, help="Domains that tenants send from, and the DNS records to publish."
)
types = typer.Typer(no_args_is_help=True, help="The catalogue: what a mail is for, and what it is worth.")

_POLL_SECONDS = 0.25


@command.remote(
    tenants,
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
        yield lane_table(lanes, with_tenant=False)
    for identity in parts(tenant, "identities"):
        if identity.get("records"):
            yield ""
            yield f"{show.plain(identity.get('domain'))} is {show.plain(identity.get('status'))}. Its DNS records:"
            yield record_table(identity["records"])
    shares = texts(tenant, "shares")
    yield ""
    yield "What the lanes still share:" if shares else "The lanes share nothing with each other."
    for sentence in shares:
        yield f"  - {show.plain(sentence)}"


def lane_table(items: list[Document], *, with_tenant: bool = True) -> RenderableType:
    columns = ["type", "class", "state", "from domain", "configuration set", "rate", "waiting", "oldest"]
    rows: list[list[object]] = []
    for lane in items:
        route, backlog = part(lane, "route"), part(lane, "backlog")
        rate = lane.get("rate")
        rows.append(
            [
                lane.get("type"),
                lane.get("class"),
                lane.get("state"),
                route.get("domain"),
                route.get("configuration_set"),
                "no limit" if rate is None else f"{rate:g}/s",
                backlog.get("deliveries", 0),
                show.when(backlog.get("oldest_at")),
            ]
        )
    if with_tenant:
        columns = ["tenant", *columns]
        rows = [[lane.get("tenant"), *row] for lane, row in zip(items, rows, strict=True)]
    return show.table(columns, rows)


def record_table(records: list[Document]) -> RenderableType:
    return show.table(
        ("type", "name", "value"),
        [(item.get("type"), item.get("name"), item.get("value")) for item in records],
    )


@command.remote(
    tenants, "list", examples="mailcordon tenant list\nmailcordon tenant list --json | jq -r '.items[].slug'"
)
async def list_tenants(cli: Cli, limit: Limit = 100) -> None:
    """List the tenants."""
    found = await cli.api.items(path("tenants"), limit=limit)
    rows: list[tuple[object, ...]] = [
        (item.get("slug"), item.get("key"), show.when(item.get("created_at"))) for item in found["items"]
    ]
    cli.answer(found, show.table(("tenant", "key at SES", "since"), rows), *more(found))


@command.remote(tenants, "show", examples="mailcordon tenant show acme")
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


@command.remote(
    lanes, "list", examples="mailcordon lane list --tenant acme\nmailcordon lane list --state held"
)
async def list_lanes(
    cli: Cli,
    tenant: OfTenant = None,
    state: Annotated[
        str | None, typer.Option("--state", metavar="STATE", help="Only open, throttled or held ones.")
    ] = None,
    limit: Limit = 200,
) -> None:
    """List lanes with their state and backlog."""
    found = await cli.api.items(path("lanes"), {"tenant": tenant, "state": state}, limit=limit)
    cli.answer(found, lane_table(found["items"]), *more(found))


@command.remote(lanes, "show", examples="mailcordon lane show acme newsletter")
async def show_lane(
    cli: Cli, tenant: Tenant, type_: Annotated[str, typer.Argument(metavar="TYPE", help="The message type.")]
) -> None:
    """Show one lane: its state and every hold behind it, its route, and what it still shares."""
    cli.answer(found := await cli.api.get(path("tenants", tenant, "lanes", type_)), lane_view(found))


def lane_view(lane: Document) -> RenderableType:
    route, backlog = part(lane, "route"), part(lane, "backlog")
    views: list[RenderableType] = [
        show.fields(
            [
                ("lane", f"{lane.get('tenant')} / {lane.get('type')} ({lane.get('class')})"),
                ("state", lane.get("state")),
                ("rate", "no limit" if lane.get("rate") is None else f"{lane['rate']:g} a second"),
                (
                    "own rate",
                    "no limit" if lane.get("own_rate") is None else f"{lane['own_rate']:g} a second",
                ),
                ("waiting", show.counted(int(backlog.get("deliveries") or 0), "delivery")),
                ("oldest", show.when(backlog.get("oldest_at"))),
                *((name.replace("_", " "), value) for name, value in route.items()),
            ]
        )
    ]
    if holds := lane.get("holds"):
        views += ["", "Holds:", hold_table(holds)]
    if shares := texts(lane, "shares_with"):
        views += ["", "Shares:", *(f"  - {show.plain(sentence)}" for sentence in shares)]
    return Group(*views)


def hold_table(items: list[Document]) -> RenderableType:
    return show.table(
        ("id", "what", "stops", "owner", "by", "since", "until", "lifted", "because"),
        [
            (
                str(hold.get("id")),
                hold_target(hold),
                "stops" if hold.get("stops", True) else f"slows to {hold.get('rate'):g}/s",
                hold.get("owner"),
                hold.get("by"),
                show.when(hold.get("since")),
                show.when(hold.get("until")),
                show.when(hold.get("lifted_at")),
                hold.get("because"),
            )
            for hold in items
        ],
    )


def hold_target(hold: Document) -> str:
    """`acme, class marketing, provider gmail`."""
    names = ("class", "type", "provider", "campaign", "list")
    narrowed = [f"{name} {show.plain(hold[name])}" for name in names if hold.get(name)]
    return ", ".join([show.plain(hold.get("tenant")), *(narrowed or ["everything"])])


@command.remote(
    lanes,
    "limit",
    examples="""
mailcordon lane limit acme newsletter --rate 50 --because "warming up"
mailcordon lane limit acme newsletter --no-limit --because "warm"
""",
)
async def limit_lane(
    cli: Cli,
    tenant: Tenant,
    type_: Annotated[str, typer.Argument(metavar="TYPE", help="The message type.")],
    because: Because,
    rate: Annotated[
        float | None,
        typer.Option("--rate", min=0.001, metavar="N", help="Deliveries a second; to stop it, cordon it."),
    ] = None,
    no_limit: Annotated[bool, typer.Option("--no-limit", help="Take the lane's own limit away.")] = False,
) -> None:
    """Set how fast a lane may send, or take its limit away."""
    if (rate is None) == (not no_limit):
        raise failures.usage("say either --rate N or --no-limit")
    found = await cli.api.call(
        "PATCH", path("tenants", tenant, "lanes", type_), body={"rate": rate, "because": because}
    )
    cli.answer(found, lane_view(found))


@command.remote(identities, "list", examples="mailcordon identity list --tenant acme")
async def list_identities(cli: Cli, tenant: OfTenant = None, limit: Limit = 200) -> None:
    """List domains and how far each is verified."""
    found = await cli.api.items(path("identities"), {"tenant": tenant}, limit=limit)
    rows: list[tuple[object, ...]] = [
        (item.get("tenant"), item.get("domain"), item.get("status"), show.when(item.get("checked_at")))
        for item in found["items"]
    ]
    cli.answer(found, show.table(("tenant", "domain", "status", "checked"), rows), *more(found))


@command.remote(identities, "show", examples="mailcordon identity show mail.acme.example")
async def show_identity(
    cli: Cli, domain: Annotated[str, typer.Argument(metavar="DOMAIN", help="The domain mail is from.")]
) -> None:
    """Show one domain and the DNS records its owner must publish."""
    found = await cli.api.get(path("identities", domain))
    about = show.fields(
        [(name.replace("_", " "), value) for name, value in found.items() if name != "records"]
    )
    cli.answer(found, about, "", "DNS records to publish:", record_table(parts(found, "records")))


@command.remote(types, "list", examples="mailcordon type list")
async def list_types(cli: Cli) -> None:
    """List the catalogue of message types."""
    found = await cli.api.items(path("types"))
    cli.answer(found, type_table(found["items"]))


def type_table(items: list[Document]) -> RenderableType:
    return show.table(
        ("type", "class", "criticality", "worth sending for", "description"),
        [
            (
                item.get("name"),
                item.get("class"),
                item.get("criticality"),
                f"{item['expiry_seconds']:g} s" if item.get("expiry_seconds") else "its class's time",
                item.get("description"),
            )
            for item in items
        ],
    )


Class = Annotated[str, typer.Option("--class", metavar="CLASS", help="urgent, transactional or marketing.")]
Expiry = Annotated[
    float | None,
    typer.Option(
        "--expiry", min=0.001, metavar="SECONDS", help="Worth sending for so long; else as its class."
    ),
]
Grace = Annotated[
    float | None,
    typer.Option(
        "--grace",
        min=0.001,
        metavar="SECONDS",
        help="How much later another Send event proves that one is absent; else as its class.",
    ),
]
Resend = Annotated[
    bool | None,
    typer.Option(
        "--resend/--give-up",
        help="What becomes of a call without an answer and without a Send event; else as its class.",
    ),
]


@command.remote(
    types,
    "add",
    examples='mailcordon type add booking --class transactional --criticality 4 --description "A booking was made"',
)
async def add_type(
    cli: Cli,
    name: Annotated[str, typer.Argument(metavar="NAME", help="a-z, 0-9 and -, as in password-reset.")],
    class_: Class,
    description: Annotated[
        str, typer.Option("--description", metavar="TEXT", help="What such a mail is for.")
    ],
    criticality: Annotated[
        int, typer.Option("--criticality", min=1, max=5, help="1: nice to have; 5: people are locked out.")
    ],
    expiry: Expiry = None,
    grace: Grace = None,
    resend: Resend = None,
) -> None:
    """Add a message type. Lanes are tenant x type, so no tenant sends it before it is onboarded for it."""
    body = {"name": name, "class": class_, "criticality": criticality, "description": description}
    found = await cli.api.post(path("types"), {**body, **_worth(expiry, grace, resend)})
    cli.answer(found, type_table([found]))


@command.remote(types, "change", examples="mailcordon type change login-code --expiry 300")
async def change_type(
    cli: Cli,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The message type.")],
    description: Annotated[
        str | None, typer.Option("--description", metavar="TEXT", help="What such a mail is for.")
    ] = None,
    criticality: Annotated[
        int | None,
        typer.Option("--criticality", min=1, max=5, help="1: nice to have; 5: people are locked out."),
    ] = None,
    expiry: Expiry = None,
    grace: Grace = None,
    resend: Resend = None,
) -> None:
    """Change what mail of a type is worth, for every lane of it. Its class is what it is: add another type instead."""
    body = _worth(expiry, grace, resend)
    body |= {"description": description} if description is not None else {}
    body |= {"criticality": criticality} if criticality is not None else {}
    if not body:
        raise failures.usage("say what to change, for example --expiry 300")
    found = await cli.api.call("PATCH", path("types", name), body=body)
    cli.answer(found, type_table([found]))


def _worth(expiry: float | None, grace: float | None, resend: bool | None) -> dict[str, Any]:
    given = {"expiry_seconds": expiry, "grace_seconds": grace, "resend": resend}
    return {name: value for name, value in given.items() if value is not None}


def more(found: Document) -> list[RenderableType]:
    """A line that says a list goes on, where it does."""
    return ["(there is more: raise --limit)"] if found.get("next") is not None else []
