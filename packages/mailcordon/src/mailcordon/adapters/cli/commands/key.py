"""`mailcordon key`: API keys."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from mailcordon.adapters.cli import command, connection, duration, failures, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Cli, Limit, OfTenant, Yes
from mailcordon.adapters.cli.commands import ses_door
from mailcordon.adapters.cli.document import Document, child
from mailcordon.adapters.cli.text import plain, when
from mailcordon.messages import cli as messages

app = typer.Typer(no_args_is_help=True, help="API keys, of the platform or of one tenant.")


class KeyScope(StrEnum):
    SEND = "send"
    READ = "read"
    OPERATE = "operate"
    ADMIN = "admin"
    EVENTS = "events"


Prefix = Annotated[str, typer.Argument(metavar="PREFIX", help="The prefix that `key list` shows.")]
_SAME = "Default: unchanged."
_STANDARD = "Default, and 0: the server's limit."


def _end(text: str) -> str:
    """A parser for an option: a time as the API takes it, or `never`."""
    return text if text == "never" else duration.moment(text)


def _name(default: str) -> Any:
    help = f"What the key is for; shown in lists and in the audit trail. {default}"
    return typer.Option("--name", metavar="NAME", help=help)


def _holder(default: str) -> Any:
    help = f"The person or program that uses the key: who acts, in the audit trail. {default}"
    return typer.Option("--holder", metavar="HOLDER", help=help)


def _scope(default: str) -> Any:
    help = f"What the key may do: send, read, operate, admin or events. Repeat for more. {default}"
    return typer.Option("--scope", metavar="SCOPE", help=help)


def _type(default: str) -> Any:
    help = f"A message type that the key may send and cancel. Repeat for more. {default}"
    return typer.Option("--type", metavar="TYPE", help=help)


def _network(default: str) -> Any:
    help = f"Client addresses that the key works from, such as 192.0.2.0/24. Repeat for more. {default}"
    return typer.Option("--network", metavar="RANGE", help=help)


def _expires(default: str) -> Any:
    help = f"When it ends, as in 2027-01-01T00:00:00Z, or 90d from now, or never. {default}"
    return typer.Option("--expires", metavar="TIME", parser=_end, help=help)


def _default_type(default: str) -> Any:
    help = f"The message type of mail whose door names none: SMTP and the SES door. {default}"
    return typer.Option("--type-by-default", metavar="TYPE", help=help)


def _rate(name: str, what: str, default: str) -> Any:
    return typer.Option(f"--{name}-per-second", metavar="RATE", min=0, help=f"{what} {default}")


_MESSAGES, _BYTES, _READS = (
    "Messages that the key may send per second.",
    "Bytes of messages that the key may send per second.",
    "Other requests that the key may make per second.",
)


@command.remote(
    app,
    "create",
    examples="""
mailcordon key create acme                # may send and read, for acme only
mailcordon key create acme --name shop --scope send --type invoice
mailcordon key create acme --name ci --scope read --expires 90d
mailcordon key create acme --ses --type-by-default receipt  # for boto3
mailcordon key create --platform --name ops --holder "Kim Lee" \\
    --scope read --scope operate
""",
)
async def create_key(
    cli: Cli,
    tenant: Annotated[
        str | None, typer.Argument(metavar="TENANT", help="The only tenant that the key is for.")
    ] = None,
    platform: Annotated[bool, typer.Option("--platform", help="Make a key for all tenants instead.")] = False,
    name: Annotated[str | None, _name("Default: cli.")] = None,
    holder: Annotated[str | None, _holder("Default: the holder of your own key.")] = None,
    scope: Annotated[list[KeyScope] | None, _scope("Default for a tenant's key: send, read.")] = None,
    type_: Annotated[list[str] | None, _type("Default: all.")] = None,
    network: Annotated[list[str] | None, _network("Default: any.")] = None,
    expires: Annotated[str | None, _expires("Default: never.")] = None,
    default_type: Annotated[str | None, _default_type("Default: none.")] = None,
    ses: Annotated[
        bool, typer.Option("--ses", help="Make an access key of the SES door, too, for boto3 and other SDKs.")
    ] = False,
    messages_rate: Annotated[float | None, _rate("messages", _MESSAGES, _STANDARD)] = None,
    bytes_rate: Annotated[float | None, _rate("bytes", _BYTES, _STANDARD)] = None,
    reads_rate: Annotated[float | None, _rate("reads", _READS, _STANDARD)] = None,
) -> None:
    """Make a key. It is shown once; only its hash is stored.

    A tenant's key may send and read unless --scope says otherwise. Your own key must hold each scope that the new one gets.
    """
    if (tenant is None) == (not platform):
        raise failures.usage(messages.one_of(options="TENANT or --platform"))
    if platform and not scope:
        raise failures.usage(messages.platform_key_needs_scope())
    body: Document = {"tenant": tenant, "name": name or "cli", "scopes": scope or ["send", "read"]}
    if holder is not None:
        body["holder"] = holder
    if type_:
        body["types"] = type_
    if network:
        body["networks"] = network
    if expires is not None and expires != "never":
        body["expires_at"] = expires
    if default_type is not None:
        body["default_type"] = default_type
    if rates := _rates(messages_rate, bytes_rate, reads_rate):
        body["limits"] = rates
    made = await cli.api.post(path("keys"), body)
    access: Document = {}
    if ses:
        access = await cli.api.call("POST", path("keys", plain(made.get("prefix")), "access-keys"))
    cli.show_result(
        {**made, "access_key": access} if ses else made,
        messages.key_made(owner=tenant or messages.the_platform(), scopes=plain(made.get("scopes"))),
        f"  {plain(made.get('key'))}",
        *(ses_door.minted(access) if ses else []),
        messages.how_to_revoke(prefix=plain(made.get("prefix"))),
    )


@command.remote(app, "list", examples="mailcordon key list --tenant acme")
async def list_keys(cli: Cli, tenant: OfTenant = None, limit: Limit = 200) -> None:
    """List keys by prefix: owner, name, holder, scopes, last use and end. The keys themselves are not stored."""
    found = await cli.api.items(path("keys"), {"tenant": tenant}, limit=limit)
    rows: list[tuple[object, ...]] = [
        (
            item.get("prefix"),
            item.get("tenant") or messages.platform_in_a_table(),
            item.get("name"),
            item.get("holder"),
            item.get("scopes"),
            item.get("types") or messages.every_type_in_a_table(),
            when(item.get("created_at")),
            item.get("created_by"),
            when(item.get("last_used_at")),
            when(item.get("expires_at")),
            when(item.get("revoked_at")),
        )
        for item in found["items"]
    ]
    table = show.table(
        ("prefix", "of", "name", "holder", "may", "types", "made", "by", "used", "ends", "revoked"),
        rows,
        drop=("by", "made", "types", "ends", "revoked", "used", "may", "holder"),
        prose=("may", "types"),
    )
    cli.show_result(found, table, *show.more(found))


@command.remote(
    app,
    "change",
    examples="""
mailcordon key change 4k2p9x7m --scope send --type invoice --type receipt
mailcordon key change 4k2p9x7m --messages-per-second 20
mailcordon key change 4k2p9x7m --all-types --expires never
""",
)
async def change_key(
    cli: Cli,
    prefix: Prefix,
    name: Annotated[str | None, _name(_SAME)] = None,
    holder: Annotated[str | None, _holder(_SAME)] = None,
    scope: Annotated[list[KeyScope] | None, _scope(_SAME)] = None,
    type_: Annotated[list[str] | None, _type(_SAME)] = None,
    all_types: Annotated[
        bool, typer.Option("--all-types", help="It may send every message type again.")
    ] = False,
    network: Annotated[list[str] | None, _network(_SAME)] = None,
    any_network: Annotated[
        bool, typer.Option("--any-network", help="It works from every address again.")
    ] = False,
    expires: Annotated[str | None, _expires(_SAME)] = None,
    default_type: Annotated[str | None, _default_type(_SAME)] = None,
    no_default_type: Annotated[
        bool, typer.Option("--no-type-by-default", help="Mail must name its type again.")
    ] = False,
    messages_rate: Annotated[
        float | None, _rate("messages", _MESSAGES, f"0: the server's limit. {_SAME}")
    ] = None,
    bytes_rate: Annotated[float | None, _rate("bytes", _BYTES, f"0: the server's limit. {_SAME}")] = None,
    reads_rate: Annotated[float | None, _rate("reads", _READS, f"0: the server's limit. {_SAME}")] = None,
) -> None:
    """Change what a key may do, at once. What is not given stays.

    --scope and --type replace those that the key has. To widen a key, your own key must hold all of its scopes.
    """
    if type_ and all_types:
        raise failures.usage(messages.one_of(options="--type or --all-types"))
    body: Document = {}
    if name is not None:
        body["name"] = name
    if holder is not None:
        body["holder"] = holder
    if scope:
        body["scopes"] = scope
    if network and any_network:
        raise failures.usage(messages.one_of(options="--network or --any-network"))
    if network or any_network:
        body["networks"] = network or []
    if type_ or all_types:
        body["types"] = type_ or None
    if expires is not None:
        body["expires_at"] = None if expires == "never" else expires
    if default_type is not None and no_default_type:
        raise failures.usage(messages.one_of(options="--type-by-default or --no-type-by-default"))
    if default_type is not None or no_default_type:
        body["default_type"] = default_type
    if rates := _rates(messages_rate, bytes_rate, reads_rate):
        body["limits"] = rates
    if not body:
        raise failures.usage(messages.no_change_of_a_key())
    changed = await cli.api.call("PATCH", path("keys", prefix), body=body)
    cli.show_result(changed or {}, messages.key_changed(prefix=prefix))


@command.remote(
    app,
    "rotate",
    examples="""
mailcordon key rotate 4k2p9x7m --overlap 24h
mailcordon key rotate 4k2p9x7m --overlap 7d --expires 90d
""",
)
async def rotate_key(
    cli: Cli,
    prefix: Prefix,
    overlap: Annotated[
        float,
        command.duration_option(
            "--overlap", minimum=0, help="How long the old key still works. Default: 24h."
        ),
    ] = 86_400.0,
    expires: Annotated[str | None, _expires("Default: never, if the old key does not end.")] = None,
) -> None:
    """Make a successor with the same name, holder, scopes, types and limits. The old key ends after the overlap.

    The new key is shown once. If it is the command line's own key in cli.json, the file gets the new one. A key that has an end
    needs --expires for its successor.
    """
    body: Document = {"overlap_seconds": overlap}
    if expires is not None:
        body["expires_at"] = None if expires == "never" else expires
    made = await cli.api.post(path("keys", prefix, "rotation"), body)
    # Written first: if the output is lost, the command line still has its key.
    own = connection.replace_key(cli.connection, prefix, plain(made.get("key")))
    cli.show_result(
        made,
        messages.key_rotated(
            old=prefix,
            new=plain(made.get("prefix")),
            ends=plain(when(child(made, "predecessor").get("expires_at"))),
        ),
        f"  {plain(made.get('key'))}",
        *([messages.own_key_replaced(file=str(cli.connection.home / connection.FILE))] if own else []),
    )


def _rates(messages_rate: float | None, bytes_rate: float | None, reads_rate: float | None) -> Document:
    given = {
        "messages_per_second": messages_rate,
        "bytes_per_second": bytes_rate,
        "reads_per_second": reads_rate,
    }
    return {name: rate or None for name, rate in given.items() if rate is not None}


@command.remote(app, "revoke", examples='mailcordon key revoke 4k2p9x7m --because "leaked"')
async def revoke_key(
    cli: Cli,
    prefix: Prefix,
    because: Annotated[
        str | None, typer.Option("--because", metavar="TEXT", help="Why; it is audited. Default: no reason.")
    ] = None,
    yes: Yes = False,
) -> None:
    """Revoke a key, at once and for good."""
    command.confirm(cli.err, messages.revoke_question(prefix=prefix), yes=yes)
    found = await cli.api.call("DELETE", path("keys", prefix), query={"because": because})
    cli.show_result(found or {"prefix": prefix, "revoked": True}, messages.revoked(prefix=prefix))
