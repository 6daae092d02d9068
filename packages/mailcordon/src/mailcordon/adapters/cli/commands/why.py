"""`mailcordon why`: why a mail is in its state, or why an address gets no mail."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from mailcordon.adapters.cli import command, failures, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Cli, OfTenant
from mailcordon.adapters.cli.commands import holds
from mailcordon.adapters.cli.document import Document, child, children
from mailcordon.adapters.cli.text import NONE, clock, pairs, plain, when, words
from mailcordon.messages import bounces, search
from mailcordon.messages import cli as messages

app = typer.Typer()

_IN_QUEUE = frozenset({"queued", "sending", "waiting", "held", "unknown"})
_SES_DOOR = "0100"  #: begins the ids that the SES door answers
_ABOUT_THE_ADDRESS = frozenset({"refused", "bounced", "complained", "suppressed-at-ses"})
_TIMELINE = {"parked": "held"}  #: stored codes that are shown as another word
_RECORDS = ("lane ", "hold ", "stop ", "incident ", "loss ", "domain ")  #: what the API tells whole
_LABEL = 12  #: columns; the labels of a delivery's lines


@command.remote(
    app,
    "why",
    examples="""
mailcordon why msg_0r4tq2v6k7m8n
mailcordon why kim@example.com --tenant acme
mailcordon why lane acme/newsletter
mailcordon why hold 17
mailcordon why incident 3
""",
    watchable=True,
)
async def why(
    cli: Cli,
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT",
            help="A message or delivery id, an address, lane TENANT/TYPE, hold N, stop N, incident N, loss N or domain NAME.",
        ),
    ],
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME", help="Which lane, hold, stop, incident, loss or domain.", show_default=False
        ),
    ] = None,
    tenant: OfTenant = None,
) -> None:
    """Show why a mail is in its state, or an address, lane, domain, hold, stop, incident or loss is as it is.

    From records, in the order of cause: one sentence, the holds or suppressions behind it with their
    evidence, then the timeline.
    """
    what = f"{what} {name}" if name is not None else what
    told = {"of": what, "tenant": tenant}
    if what.startswith(_RECORDS):
        found = await cli.api.get(path("why"), told)
        cli.show_result(found, *story_view(found))
        return
    if "@" in what:
        found = await cli.api.get(path("addresses", what), {"tenant": tenant})
        sentence = (await cli.api.get(path("why"), told)).get("sentence")
        cli.show_result({**found, "sentence": sentence}, *address_view(found, sentence))
        return
    if not what.startswith(("msg_", "dlv_", _SES_DOOR)):
        raise failures.usage(search.not_a_subject(plain(what)))
    message = await cli.api.get(path("messages", what), {"tenant": tenant})
    chosen = [
        item
        for item in children(message, "deliveries")
        if not what.startswith("dlv_") or item.get("id") == what
    ]
    slug = str(message.get("tenant"))
    lane: Document | None = None
    if any(item.get("state") in _IN_QUEUE for item in chosen):
        lane = await _if_allowed(cli, path("tenants", slug, "lanes", str(message.get("type"))))
    addresses: dict[str, Document] = {}
    for item in chosen:
        to = str(item.get("to"))
        if item.get("state") in _ABOUT_THE_ADDRESS and "@" in to:  # else it was erased
            addresses[to] = await _if_allowed(cli, path("addresses", to), {"tenant": slug}) or {}
    sentence = (await cli.api.get(path("why"), {"of": what})).get("sentence")
    document = {
        "sentence": sentence,
        "message": {**message, "deliveries": chosen},
        "lane": lane,
        "addresses": addresses,
    }
    cli.show_result(document, plain(sentence), "", explanation(message, chosen, lane, addresses, cli.now))


def story_view(found: Document) -> list[RenderableType]:
    """The sentence, then the timeline with its dates."""
    views: list[RenderableType] = [plain(found.get("sentence"))]
    if entries := children(found, "timeline"):
        views.append("")
    for entry in entries:
        detail = f": {plain(entry['detail'])}" if entry.get("detail") else ""
        views.append(f"  {when(entry.get('at'))}  {event_of(entry)}{detail}")
    return views


async def _if_allowed(cli: Cli, path_: str, query: Document | None = None) -> Document | None:
    """None if this key may not read it: the mail's own record is shown without this evidence."""
    try:
        return await cli.api.get(path_, query)
    except failures.Failure as failure:
        if failure.exit in (failures.Exit.NOT_ALLOWED, failures.Exit.NOT_FOUND):
            return None
        raise


def explanation(
    message: Document,
    deliveries: list[Document],
    lane: Document | None,
    addresses: dict[str, Document],
    now: datetime | None = None,
) -> RenderableType:
    """State and reason first, then the holds or suppressions behind it, then the timeline."""
    now = now or datetime.now(UTC)
    views: list[RenderableType] = [
        show.fields(
            [
                ("message", message.get("id")),
                ("tenant", message.get("tenant")),
                ("type", message.get("type")),
                ("from", message.get("from")),
                *((name, message[name]) for name in ("campaign", "list") if message.get(name)),
                ("accepted", when(message.get("accepted_at"))),
            ]
        )
    ]
    for item in deliveries:
        address = addresses.get(str(item.get("to"))) or {}
        views += ["", *_one_delivery(item, lane, children(address, "suppressions"), now)]
    return Group(*views)


def _one_delivery(
    item: Document, lane: Document | None, suppressions: list[Document], now: datetime
) -> Iterable[RenderableType]:
    head = Text.assemble((plain(item.get("to")), "bold"), ": ", show.styled(item.get("state")))
    if item.get("since"):
        head.append(f" since {when(item['since'])}")
    yield head
    if item.get("reason") or item.get("detail"):
        yield _labelled("reason", reason_of(item))
    if bounce := child(item, "bounce"):
        yield _labelled("bounce", plain(bounce.get("detail")))
    if lane is not None and item.get("state") in _IN_QUEUE:
        for hold in children(lane, "holds"):
            yield _labelled("hold", holds.hold_sentence(hold, now))
    for row in suppressions:
        yield _labelled("suppression", plain(row.get("detail")))
        for name, value in pairs(child(row, "evidence")):
            yield _labelled("", f"{name}: {value}")
    if item.get("ses_id"):
        # Before SES has accepted it, an attempt is only a claim that may have been given back.
        yield _labelled(
            "at SES",
            messages.at_ses(
                id=plain(item["ses_id"]),
                provider=plain(item.get("provider")),
                attempts=plain(item.get("attempts")),
            ),
        )
    for entry in children(item, "timeline"):
        said = entry.get("detail")
        if reason := entry.get("bounce_reason"):
            said = bounces.of_event(str(reason), str(said or ""))
        detail = f": {plain(said)}" if said else ""
        yield f"  {clock(entry.get('at'))}  {event_of(entry)}{detail}"


def _labelled(label: str, text: str) -> RenderableType:
    return show.labelled(label, text, _LABEL)


def event_of(entry: Document) -> str:
    """What an entry of a timeline records, in words: `outcome unknown`."""
    code = str(entry.get("what") or "")
    return words(_TIMELINE.get(code, code))


def reason_of(delivery: Document) -> str:
    """The recorded reason as one sentence. SES's own codes (`Permanent/General`) are shown with it, ours are not."""
    reason, detail = delivery.get("reason"), delivery.get("detail")
    if not detail:
        return words(reason) if reason else NONE
    if reason and "/" in str(reason):
        return f"{plain(reason)}: {plain(detail)}"
    return plain(detail)


def address_view(found: Document, sentence: str | None) -> list[RenderableType]:
    """The sentence, what stops mail to the address, with evidence, then the newest mails to it."""
    tenant, address = plain(found.get("tenant")), plain(found.get("address"))
    views: list[RenderableType] = [plain(sentence or messages.may_mail(tenant=tenant, address=address))]
    for row in children(found, "suppressions"):
        if row.get("detail") != sentence:
            views.append(plain(row.get("detail")))
        views += [f"  {name}: {value}" for name, value in pairs(child(row, "evidence"))]
    if deliveries := children(found, "deliveries"):
        views += ["", _delivery_table(deliveries)]
    return views


def _delivery_table(deliveries: list[Document]) -> RenderableType:
    return show.table(
        ("at", "message", "type", "state", "why"),
        [
            (when(item.get("at")), item.get("message"), item.get("type"), item.get("state"), reason_of(item))
            for item in deliveries
        ],
        drop=("type", "at"),
        prose=("why",),
    )
