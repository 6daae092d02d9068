"""`mailcordon tenant contact`: whom a tenant's holds are told."""

from typing import Annotated, Literal

import typer
from rich.console import RenderableType

from mailcordon.adapters.cli import command, failures, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Cli, Limit, Tenant
from mailcordon.adapters.cli.document import Document, child, children, strings
from mailcordon.adapters.cli.text import plain, when
from mailcordon.messages import alerts as messages
from mailcordon.messages import cli as cli_messages
from mailcordon.messages import notices as words

app = typer.Typer()  # its commands are part of `mailcordon tenant`


@command.remote(
    app,
    "contact",
    examples="""
mailcordon tenant contact acme
mailcordon tenant contact acme --email ops@acme.example --tell holds
mailcordon tenant contact acme --webhook https://acme.example/hooks/mail
mailcordon tenant contact acme --test email
mailcordon tenant contact acme --remove email --because "left"
""",
)
async def contact(
    cli: Cli,
    tenant: Tenant,
    email: Annotated[
        str | None,
        typer.Option("--email", metavar="ADDRESS", help="Tell this address by e-mail. Default: none."),
    ] = None,
    webhook: Annotated[
        str | None, typer.Option("--webhook", metavar="URL", help="Post to this URL, signed. Default: none.")
    ] = None,
    tell: Annotated[
        Literal["holds", "nothing"] | None,
        typer.Option("--tell", help="With an address: what it is told of, holds or nothing. Default: holds."),
    ] = None,
    channel: Annotated[
        str | None,
        typer.Option(
            "--channel",
            metavar="CHANNEL",
            help="The e-mail channel whose lane carries it. Default: the only one.",
        ),
    ] = None,
    remove: Annotated[
        Literal["email", "webhook"] | None,
        typer.Option("--remove", help="Remove this contact. Default: none."),
    ] = None,
    test: Annotated[
        Literal["email", "webhook"] | None,
        typer.Option("--test", help="Send this contact a test message. Default: none."),
    ] = None,
    because: Annotated[
        str | None,
        typer.Option("--because", metavar="TEXT", help="The reason. It is audited. Default: none."),
    ] = None,
) -> None:
    """Show, set, test or remove whom a tenant's holds are told.

    The contact is told within a minute what is held of the tenant's mail, why, and how it is sent again; and once that is over.
    """
    if sum(one is not None for one in (email, webhook, remove, test)) > 1:
        raise failures.usage(cli_messages.one_of(options="--email, --webhook, --test or --remove"))
    if email is None and webhook is None and (tell is not None or channel is not None):
        raise failures.usage(words.address_needed())
    contacts = path("tenants", tenant, "contacts")
    if test is not None:
        found = await cli.api.post(path("tenants", tenant, "contacts", test, "test"), {})
        problem = found.get("problem")
        cli.show_result(found, messages.channel_tried(test, None if problem is None else plain(problem)))
        cli.exit_code = 0 if found.get("delivered") else int(failures.Exit.REFUSED)
    elif remove is not None:
        gone = path("tenants", tenant, "contacts", remove)
        found = await cli.api.call("DELETE", gone, query={"because": because or ""})
        cli.show_result(found, words.contact_removed(tenant, remove))
    elif email is None and webhook is None:
        found = await cli.api.get(contacts)
        none = [words.contacts_none(tenant)]
        cli.show_result(found, *([_contacts(children(found, "items"))] if found["items"] else none))
    else:
        body: Document = {"tell": [] if tell == "nothing" else ["holds"]}
        more = {"email": email, "url": webhook, "channel": channel, "because": because}
        body |= {key: text for key, text in more.items() if text is not None}
        made = await cli.api.call("PUT", contacts, body=body)
        contact, secret = child(made, "contact"), made.get("secret")
        said = words.contact_set(
            tenant,
            plain(contact.get("form")),
            plain(contact.get("target")),
            strings(contact, "tell"),
            None if secret is None else plain(secret),
        )
        cli.show_result(made, said)


@command.remote(app, "notices", examples="mailcordon tenant notices acme", watchable=True)
async def notices(cli: Cli, tenant: Tenant, limit: Limit = 100) -> None:
    """List what a tenant was told of its holds, newest first."""
    found = await cli.api.items(path("tenants", tenant, "notices"), limit=limit)
    rows: list[tuple[object, ...]] = [
        (
            str(item.get("id")),
            item.get("form"),
            ", ".join(words.notice_item(plain(one.get("kind")), plain(one.get("number")), bool(one.get("ended")))
                      for one in children(item, "items")),
            when(item.get("made_at")),
            when(item.get("sent_at")),
            item.get("problem"),
        )
        for item in found["items"]
    ]  # fmt: skip
    table = show.table(("id", "form", "about", "made", "sent", "problem"), rows, prose=("problem",))
    cli.show_result(found, table, *show.more(found))


def _contacts(items: list[Document]) -> RenderableType:
    return show.table(
        ("form", "leads to", "told of", "since", "by", "fails since", "problem"),
        [
            (
                item.get("form"),
                item.get("target"),
                ", ".join(strings(item, "tell")) or "nothing",
                when(item.get("made_at")),
                item.get("made_by"),
                when(item.get("failing_since")),
                item.get("problem"),
            )
            for item in items
        ],
        drop=("by", "since", "fails since"),
        prose=("problem",),
    )
