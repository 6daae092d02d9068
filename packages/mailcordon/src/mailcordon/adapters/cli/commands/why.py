"""`mailcordon why`: why a mail is where it is, or why an address gets none."""

from collections.abc import Iterable
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from mailcordon.adapters.cli import command, failures, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Cli, OfTenant
from mailcordon.adapters.cli.commands import holds
from mailcordon.adapters.cli.document import Document, parts

app = typer.Typer()

_IN_QUEUE = frozenset({"queued", "sending", "waiting", "held", "unknown"})

_ABOUT_THE_ADDRESS = frozenset({"refused", "bounced", "complained", "suppressed-at-ses"})


@command.remote(
    app,
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
            yield f"  hold     {holds.hold_words(hold)}"
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


def why_words(delivery: Document) -> str:
    """The recorded reason: its code, then its sentence."""
    return ": ".join(str(delivery[name]) for name in ("reason", "detail") if delivery.get(name)) or "-"


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
