"""Commands of the data plane: send a mail, follow it, call it back, and ask why it is where it is."""

import asyncio
import sys
import time
from collections.abc import Iterable
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from mailcordon.adapters.cli import command, failures, show, tenants
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Cli, OfTenant
from mailcordon.adapters.cli.document import Document, part, parts

top = typer.Typer()
messages = typer.Typer(no_args_is_help=True, help="What was handed in, by its id.")

#: In the queue or on the wire: something will still happen to it by itself, here or at SES.
MOVING = frozenset({"queued", "sending", "waiting", "unknown", "sent", "delayed"})
_IN_QUEUE = frozenset({"queued", "sending", "waiting", "held", "unknown"})
_ABOUT_THE_ADDRESS = frozenset({"refused", "bounced", "complained", "suppressed-at-ses"})


@command.remote(
    top,
    "send",
    examples="""
mailcordon send --tenant acme --type password-reset --from no-reply@mail.acme.example \\
    --to kim@example.com --subject "Your new password" --text "Follow this link: ..."
mailcordon send --tenant acme --type newsletter --from hello@news.acme.example --to kim@example.com \\
    --subject "News" --html "<p>News</p>" --unsubscribe https://acme.example/u/1 --campaign spring
generate-report | mailcordon send ... --text -
""",
)
async def send(
    cli: Cli,
    type_: Annotated[
        str, typer.Option("--type", metavar="TYPE", help="What the mail is for (`mailcordon type list`).")
    ],
    from_: Annotated[
        str, typer.Option("--from", metavar="ADDRESS", help="The sender; its domain is the lane's.")
    ],
    to: Annotated[
        list[str],
        typer.Option("--to", metavar="ADDRESS", help="A recipient; again for more, each on its own."),
    ],
    subject: Annotated[str, typer.Option("--subject", metavar="TEXT", help="The subject.")],
    tenant: OfTenant = None,
    text: Annotated[
        str | None, typer.Option("--text", metavar="TEXT", help="The text body; - reads it from stdin.")
    ] = None,
    html: Annotated[
        str | None, typer.Option("--html", metavar="HTML", help="The HTML body; - reads it from stdin.")
    ] = None,
    reply_to: Annotated[
        list[str] | None, typer.Option("--reply-to", metavar="ADDRESS", help="Where answers go.")
    ] = None,
    header: Annotated[
        list[str] | None, typer.Option("--header", metavar="NAME: VALUE", help="One more header.")
    ] = None,
    unsubscribe: Annotated[
        str | None,
        typer.Option(
            "--unsubscribe",
            metavar="URL",
            help="https URL for one-click unsubscribe (RFC 8058); marketing needs it.",
        ),
    ] = None,
    campaign: Annotated[
        str | None, typer.Option("--campaign", metavar="NAME", help="The mailing it belongs to.")
    ] = None,
    list_: Annotated[
        str | None, typer.Option("--list", metavar="NAME", help="The list its recipients came from.")
    ] = None,
    idempotency_key: Annotated[
        str | None,
        typer.Option("--idempotency-key", metavar="KEY", help="Saying the same again sends nothing twice."),
    ] = None,
    wait: Annotated[
        float,
        typer.Option(
            "--wait", min=0, metavar="SECONDS", help="Watch what becomes of it for at most so long."
        ),
    ] = 0.0,
) -> None:
    """Hand in a mail. It is durable when this returns; what became of it is asked with `mailcordon why ID`."""
    headers = parse_headers(header or [])
    if unsubscribe is not None:
        headers |= {
            "List-Unsubscribe": f"<{unsubscribe}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        }
    body: Document = {
        "tenant": tenant,
        "type": type_,
        "from": from_,
        "to": to,
        "subject": subject,
        "text": _body(text),
        "html": _body(html),
        "reply_to": reply_to or None,
        "headers": headers or None,
        "campaign": campaign,
        "list": list_,
    }
    body = {name: value for name, value in body.items() if value is not None}
    key = {"Idempotency-Key": idempotency_key} if idempotency_key else None
    accepted = await cli.api.post(path("messages"), body, key)
    final = await _settled(cli, accepted, tenant, wait) if wait else accepted
    cli.answer(
        final,
        delivery_table(final),
        f"Accepted as {final.get('id')}. Ask on with `mailcordon why {final.get('id')}`.",
    )


def parse_headers(given: list[str]) -> dict[str, str]:
    """`Name: value`, several times. Raises Failure."""
    headers: dict[str, str] = {}
    for text in given:
        name, separator, value = text.partition(":")
        if not separator or not name.strip():
            raise failures.usage(f"--header {text!r}: say NAME: VALUE")
        headers[name.strip()] = value.strip()
    return headers


def _body(given: str | None) -> str | None:
    return sys.stdin.read() if given == "-" else given


async def _settled(cli: Cli, accepted: Document, tenant: str | None, seconds: float) -> Document:
    """The message once nothing about it moves any more, or as it is when time is over."""
    deadline = time.monotonic() + seconds
    while True:
        message = await cli.api.get(path("messages", str(accepted["id"])), {"tenant": tenant})
        states = {str(delivery.get("state")) for delivery in parts(message, "deliveries")}
        if not states & MOVING or time.monotonic() >= deadline:
            return message
        await asyncio.sleep(0.2)


def delivery_table(message: Document) -> RenderableType:
    return show.table(
        ("to", "state", "why"),
        [(item.get("to"), item.get("state"), why_words(item)) for item in parts(message, "deliveries")],
    )


def why_words(delivery: Document) -> str:
    """The recorded reason: its code, then its sentence."""
    return ": ".join(str(delivery[name]) for name in ("reason", "detail") if delivery.get(name)) or "-"


@command.remote(
    top,
    "why",
    examples="""
mailcordon why msg_0r4tq2v6k7m8n
mailcordon why kim@example.com --tenant acme
""",
)
async def why(
    cli: Cli,
    what: Annotated[
        str,
        typer.Argument(
            metavar="MESSAGE_OR_ADDRESS", help="A message or delivery id, or a recipient's address."
        ),
    ],
    tenant: OfTenant = None,
) -> None:
    """Why a mail is where it is, or why an address gets none: from records, in the order of cause."""
    if "@" in what:
        found = await cli.api.get(path("addresses", what), {"tenant": tenant})
        cli.answer(found, address_view(found))
        return
    if not what.startswith(("msg_", "dlv_")):
        raise failures.usage(
            f"{what} is neither a message id (msg_...), nor a delivery id (dlv_...), nor an address"
        )
    message = await cli.api.get(path("messages", what), {"tenant": tenant})
    chosen = [
        item for item in parts(message, "deliveries") if what.startswith("msg_") or item.get("id") == what
    ]
    whose = str(message.get("tenant"))
    lane: Document | None = None
    if any(item.get("state") in _IN_QUEUE for item in chosen):
        lane = await _if_allowed(cli, path("tenants", whose, "lanes", str(message.get("type"))))
    addresses: dict[str, Document] = {}
    for item in chosen:
        if item.get("state") in _ABOUT_THE_ADDRESS:
            to = str(item.get("to"))
            addresses[to] = await _if_allowed(cli, path("addresses", to), {"tenant": whose}) or {}
    document = {"message": {**message, "deliveries": chosen}, "lane": lane, "addresses": addresses}
    cli.answer(document, explanation(message, chosen, lane, addresses))


async def _if_allowed(cli: Cli, path_: str, query: Document | None = None) -> Document | None:
    """Evidence that this key may not read is left out; the mail's own record still answers."""
    try:
        return await cli.api.get(path_, query)
    except failures.Failure as failure:
        if failure.exit in (failures.Exit.NOT_ALLOWED, failures.Exit.NOT_FOUND):
            return None
        raise


def explanation(
    message: Document, deliveries: list[Document], lane: Document | None, addresses: dict[str, Document]
) -> RenderableType:
    """State and reason first, then the holds or suppressions behind it, then what happened when."""
    views: list[RenderableType] = [
        show.fields(
            [
                ("message", message.get("id")),
                ("tenant", message.get("tenant")),
                ("type", message.get("type")),
                ("from", message.get("from")),
                *((name, message[name]) for name in ("campaign", "list") if message.get(name)),
                ("accepted", show.when(message.get("accepted_at"))),
            ]
        )
    ]
    for item in deliveries:
        views += ["", *_one_delivery(item, lane, addresses.get(str(item.get("to"))))]
    return Group(*views)


def _one_delivery(
    item: Document, lane: Document | None, address: Document | None
) -> Iterable[RenderableType]:
    head = Text.assemble((show.plain(item.get("to")), "bold"), ": ", show.styled(item.get("state")))
    if item.get("since"):
        head.append(f" since {show.when(item['since'])}")
    yield head
    if item.get("reason") or item.get("detail"):
        yield f"  because  {show.plain(why_words(item))}"
    if lane is not None and item.get("state") in _IN_QUEUE:
        for hold in parts(lane, "holds"):
            yield f"  hold     {hold_words(hold)}"
    for row in parts(address or {}, "suppressions"):
        yield f"  list     {suppression_words(row)}"
        if row.get("evidence"):
            yield f"           evidence: {show.plain(row['evidence'])}"
    if item.get("ses_id"):
        # Before SES has it, an attempt is only a claim that may have been handed back.
        facts = ("provider", "attempts")
        yield f"  at SES   {item['ses_id']}{''.join(f', {name} {show.plain(item.get(name))}' for name in facts)}"
    for entry in parts(item, "timeline"):
        detail = f": {show.plain(entry['detail'])}" if entry.get("detail") else ""
        yield f"  {show.clock(entry.get('at'))}  {show.plain(entry.get('what'))}{detail}"


def hold_words(hold: Document) -> str:
    until = f" until {show.when(hold['until'])}" if hold.get("until") else ""
    verb = "held" if hold.get("stops", True) else "slowed"
    return (
        f"{tenants.hold_target(hold)} {verb} by {show.plain(hold.get('owner'))} ({show.plain(hold.get('by'))}) since "
        f"{show.when(hold.get('since'))}{until}: {show.plain(hold.get('because'))} [hold {hold.get('id')}]"
    )


def suppression_words(row: Document) -> str:
    scope = " ".join(show.plain(row[name]) for name in ("target", "class", "type") if row.get(name))
    until = f" until {show.when(row['until'])}" if row.get("until") else ""
    return (
        f"not mailed for {show.plain(row.get('scope'))}{' ' + scope if scope else ''}: {show.plain(row.get('cause'))} on "
        f"{show.when(row.get('since'))}{until}, by {show.plain(row.get('by'))}"
    )


def address_view(found: Document) -> RenderableType:
    """Who may not mail the address, with evidence, then the newest mails to it."""
    whose, address = show.plain(found.get("tenant")), show.plain(found.get("address"))
    views: list[RenderableType] = []
    rows: list[Document] = parts(found, "suppressions")
    if not rows:
        views.append(f"{whose} may mail {address}: nothing is recorded against it.")
    for row in rows:
        views.append(suppression_words(row))
        if row.get("evidence"):
            views.append(f"  evidence: {show.plain(row['evidence'])}")
    deliveries: list[Document] = parts(found, "deliveries")
    if deliveries:
        views += [
            "",
            show.table(
                ("at", "message", "type", "state", "why"),
                [
                    (
                        show.when(item.get("at")),
                        item.get("message"),
                        item.get("type"),
                        item.get("state"),
                        why_words(item),
                    )
                    for item in deliveries
                ],
            ),
        ]
    return Group(*views)


MessageId = Annotated[str, typer.Argument(metavar="MESSAGE", help="The id that `send` gave: msg_...")]


@command.remote(messages, "show", examples="mailcordon message show msg_0r4tq2v6k7m8n --json")
async def show_message(cli: Cli, message: MessageId, tenant: OfTenant = None) -> None:
    """Show a message and its deliveries with their timelines. `why` adds the holds and suppressions behind them."""
    found = await cli.api.get(path("messages", message), {"tenant": tenant})
    cli.answer(found, explanation(found, parts(found, "deliveries"), None, {}))


@command.remote(messages, "cancel", examples="mailcordon message cancel msg_0r4tq2v6k7m8n")
async def cancel_message(cli: Cli, message: MessageId, tenant: OfTenant = None) -> None:
    """Cancel what has not left yet of one message. What is on the wire is not called back."""
    found = await cli.api.call("DELETE", path("messages", message), query={"tenant": tenant})
    gone, left = len(found.get("cancelled") or []), int(found.get("left") or 0)
    rest = f" Not cancelled, since gone already or on the wire: {left}." if left else ""
    cli.answer(found, f"Cancelled {show.counted(gone, 'delivery')} of {message}.{rest}")


@command.remote(top, "sent", examples="mailcordon sent --limit 5\nmailcordon sent --to kim@example.com")
async def sent(
    cli: Cli,
    to: Annotated[
        str | None, typer.Option("--to", metavar="ADDRESS", help="Only mail to this address.")
    ] = None,
    tenant_key: Annotated[
        str | None, typer.Option("--ses-tenant", metavar="KEY", help="Only mail of this SES tenant (mc-...).")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="Show at most so many.")] = 20,
) -> None:
    """Show what the local SES really accepted, newest first: its ledger, not our records."""
    ses = cli.local_ses("`mailcordon sent`")
    try:
        found = await ses.sent(recipient=to, tenant=tenant_key, limit=limit)
    finally:
        await ses.close()
    cli.answer(found, sent_table(found))


def sent_table(found: Document) -> RenderableType:
    return show.table(
        ("at", "ses tenant", "configuration set", "from", "to", "subject", "fate"),
        [
            (
                show.epoch(item.get("at")),
                item.get("tenant"),
                item.get("configuration_set"),
                item.get("from"),
                item.get("recipients"),
                item.get("subject"),
                [fate.get("fate") for fate in part(item, "fates").values()],
            )
            for item in parts(found, "sent")
        ],
    )
