"""`mailcordon sign-in`, `mailcordon session` and `mailcordon view-link`: who uses the dashboard."""

from typing import Annotated, Literal

import typer

from mailcordon.adapters.cli import command, duration, failures, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Cli, Limit, OptionalBecause, Tenant, Yes
from mailcordon.adapters.cli.document import Document
from mailcordon.adapters.cli.text import plain, when
from mailcordon.messages import cli as messages
from mailcordon.messages import sign_in

sign_in_app = typer.Typer()
sessions = typer.Typer(no_args_is_help=True, help="Sessions of people in the dashboard.")
view_links = typer.Typer(no_args_is_help=True, help="Links with which a tenant's own admins see its mail.")

Role = Literal["viewer", "operator", "admin"]
Prefix = Annotated[str, typer.Argument(metavar="PREFIX", help="The prefix that `list` shows.")]


def _end(text: str) -> str:
    return duration.moment(text)


@command.remote(
    sign_in_app,
    "sign-in",
    examples="""
mailcordon sign-in
mailcordon sign-in --person kim@example.com --role operator
""",
)
async def make_sign_in_link(
    cli: Cli,
    person: Annotated[
        str | None,
        typer.Option(
            "--person",
            metavar="NAME",
            help="Who signs in: the actor, in the audit trail. Default: the holder of your own key.",
        ),
    ] = None,
    role: Annotated[
        Role, typer.Option("--role", metavar="ROLE", help="viewer, operator or admin. Default: admin.")
    ] = "admin",
) -> None:
    """Print a link with which a person signs in to the dashboard. It works once, for 10 minutes.

    It is the first way in, and the way in while the OpenID provider is down. Your key must hold what the role gives.
    """
    body: Document = {"role": role}
    if person is not None:
        body["person"] = person
    made = await cli.api.post(path("sign-in-links"), body)
    cli.show_result(
        made,
        sign_in.link_made(plain(made.get("person")), plain(made.get("role"))),
        f"  {_url(cli, made)}",
        sign_in.how_to_revoke_link(),
    )


@command.remote(sessions, "list", examples="mailcordon session list --person kim@example.com", watchable=True)
async def list_sessions(
    cli: Cli,
    person: Annotated[
        str | None, typer.Option("--person", metavar="NAME", help="Only those of one person. Default: all.")
    ] = None,
    all_: Annotated[
        bool, typer.Option("--all", help="Show those that are over, too. Default: only those that last.")
    ] = False,
    limit: Limit = 200,
) -> None:
    """List who is signed in: since when, in which way, with which role, and when it ends."""
    query = {"person": person, "open": None if all_ else True}
    found = await cli.api.items(path("sessions"), query, limit=limit)
    rows: list[tuple[object, ...]] = [
        (
            item.get("prefix"),
            item.get("person"),
            item.get("role"),
            item.get("way"),
            when(item.get("started_at")),
            when(item.get("seen_at")),
            when(item.get("ended_at") or item.get("ends_at")),
            item.get("ended_by"),
        )
        for item in found["items"]
    ]
    table = show.table(
        ("prefix", "person", "role", "way", "began", "seen", "ends", "ended by"),
        rows,
        drop=("ended by", "way", "began", "seen"),
    )
    cli.show_result(found, table, *show.more(found))


@command.remote(
    sessions,
    "end",
    examples="""
mailcordon session end k7pq2m9d
mailcordon session end --person kim@example.com --because "left the company"
""",
)
async def end_session(
    cli: Cli,
    prefix: Annotated[
        str | None, typer.Argument(metavar="PREFIX", help="The prefix that `session list` shows.")
    ] = None,
    person: Annotated[
        str | None,
        typer.Option(
            "--person", metavar="NAME", help="End all sessions of a person. Default: the one session."
        ),
    ] = None,
    because: OptionalBecause = None,
    yes: Yes = False,
) -> None:
    """End a session at once, or all of a person with their unused links. They can sign in again if they are still let in."""
    if (prefix is None) == (person is None):
        raise failures.usage(messages.one_of(options="PREFIX or --person"))
    command.confirm(cli.err, sign_in.end_question(prefix, person), yes=yes)
    if prefix is not None:
        ended = await cli.api.call("DELETE", path("sessions", prefix), query={"because": because}) or {}
        cli.show_result(ended, sign_in.sessions_ended(1, plain(ended.get("person"))))
        return
    assert person is not None
    query = {"person": person, "because": because}
    found = await cli.api.call("DELETE", path("sessions"), query=query) or {}
    cli.show_result(found, sign_in.sessions_ended(len(found.get("items") or []), person))


@command.remote(sessions, "links", examples="mailcordon session links")
async def list_sign_in_links(cli: Cli, limit: Limit = 100) -> None:
    """List links to sign in, newest first: for whom, by whom, and whether they were used. None works longer than 10 minutes."""
    found = await cli.api.items(path("sign-in-links"), limit=limit)
    rows: list[tuple[object, ...]] = [
        (
            item.get("prefix"),
            item.get("person"),
            item.get("role"),
            when(item.get("made_at")),
            item.get("made_by"),
            when(item.get("expires_at")),
            when(item.get("used_at")),
            when(item.get("revoked_at")),
        )
        for item in found["items"]
    ]
    columns = ("prefix", "person", "role", "made", "by", "ends", "used", "revoked")
    cli.show_result(found, show.table(columns, rows, drop=("by", "made", "ends")), *show.more(found))


@command.remote(sessions, "revoke-link", examples="mailcordon session revoke-link k7pq2m9d")
async def revoke_sign_in_link(
    cli: Cli,
    prefix: Annotated[str, typer.Argument(metavar="PREFIX", help="The prefix that `session links` shows.")],
    yes: Yes = False,
) -> None:
    """Revoke a link to sign in that was not used yet."""
    command.confirm(cli.err, sign_in.revoke_link_question(prefix), yes=yes)
    revoked = await cli.api.call("DELETE", path("sign-in-links", prefix))
    cli.show_result(revoked, sign_in.link_revoked(plain(revoked.get("person"))))


@command.remote(
    view_links,
    "create",
    examples="""
mailcordon view-link create acme --for "Kim Lee, Acme"
mailcordon view-link create acme --for "Kim Lee, Acme" --expires 30d
""",
)
async def create_view_link(
    cli: Cli,
    tenant: Tenant,
    name: Annotated[
        str, typer.Option("--for", metavar="NAME", help="Who gets it; shown in lists and in the audit trail.")
    ],
    expires: Annotated[
        str | None,
        typer.Option(
            "--expires",
            metavar="TIME",
            parser=_end,
            help="When it ends, as in 2027-01-01T00:00:00Z, or 30d from now at most. Default: 7d.",
        ),
    ] = None,
) -> None:
    """Make a link with which a tenant's own admins see its mail in the dashboard. It is shown once.

    Whoever has it can read what concerns this tenant, and nothing else, until it ends.
    """
    body: Document = {"name": name}
    if expires is not None:
        body["expires_at"] = expires
    made = await cli.api.post(path("tenants", tenant, "view-links"), body)
    cli.show_result(
        made,
        sign_in.view_link_made(tenant, plain(when(made.get("expires_at")))),
        f"  {_url(cli, made)}",
        sign_in.how_to_revoke_view_link(tenant, plain(made.get("prefix"))),
    )


@command.remote(view_links, "list", examples="mailcordon view-link list acme")
async def list_view_links(cli: Cli, tenant: Tenant, limit: Limit = 200) -> None:
    """List a tenant's view links: who got them, when they end, and when they were used last."""
    found = await cli.api.items(path("tenants", tenant, "view-links"), {}, limit=limit)
    rows: list[tuple[object, ...]] = [
        (
            item.get("prefix"),
            item.get("name"),
            when(item.get("made_at")),
            item.get("made_by"),
            when(item.get("last_used_at")),
            when(item.get("expires_at")),
            when(item.get("revoked_at")),
        )
        for item in found["items"]
    ]
    table = show.table(
        ("prefix", "for", "made", "by", "used", "ends", "revoked"),
        rows,
        drop=("by", "made", "used"),
    )
    cli.show_result(found, table, *show.more(found))


@command.remote(view_links, "revoke", examples="mailcordon view-link revoke acme k7pq2m9d")
async def revoke_view_link(cli: Cli, tenant: Tenant, prefix: Prefix, yes: Yes = False) -> None:
    """Revoke a view link, at once and for good."""
    command.confirm(cli.err, sign_in.revoke_question(tenant, prefix), yes=yes)
    found = await cli.api.call("DELETE", path("tenants", tenant, "view-links", prefix))
    cli.show_result(found or {}, messages.revoked(prefix=prefix))


def _url(cli: Cli, made: Document) -> str:
    """The server knows the dashboard's address from MAILCORDON_DASHBOARD_URL; on one machine, cli.json has it."""
    if made.get("url"):
        return plain(made.get("url"))
    if cli.connection.dashboard is None:
        cli.note(sign_in.no_dashboard_url())
    return f"{cli.connection.dashboard or ''}{plain(made.get('path'))}"
