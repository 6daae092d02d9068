"""`mailcordon send`: hand in a mail."""

import asyncio
import base64
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import RenderableType

from mailcordon.adapters.cli import command, failures, show, template_folder
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Cli, OfTenant
from mailcordon.adapters.cli.commands import why
from mailcordon.adapters.cli.document import Document, children
from mailcordon.adapters.cli.text import plain
from mailcordon.messages import cli as messages
from mailcordon.messages import suppressions as files

app = typer.Typer()

#: States that change without anybody's doing, here or at SES.
MOVING = frozenset({"queued", "sending", "waiting", "unknown", "sent", "delayed"})


@command.remote(
    app,
    "send",
    examples="""
mailcordon send --tenant acme --type password-reset \\
    --from no-reply@mail.acme.example --to kim@example.com \\
    --subject "Your new password" --text "Follow this link: ..."
mailcordon send --tenant acme --type newsletter \\
    --from hello@news.acme.example --to kim@example.com --subject "News" \\
    --html "<p>News</p>" --unsubscribe https://acme.example/u/1
mailcordon send --tenant acme --type receipt --from shop@mail.acme.example \\
    --to kim@example.com --template receipt --data order.json
generate-report | mailcordon send ... --text -
mailcordon send --tenant acme --type invoice \\
    --from bills@bills.acme.example --to "Kim <kim@example.com>" \\
    --cc lee@example.com --bcc archive@acme.example \\
    --subject "Your invoice" --text "Attached." --attach invoice.pdf
mailcordon send --tenant acme --type invoice --raw invoice.eml \\
    --send-at 2026-12-01T09:00:00Z --tag order=17
""",
)
async def send(
    cli: Cli,
    type_: Annotated[
        str,
        typer.Option(
            "--type", metavar="TYPE", help="What the mail is for; `mailcordon type list` shows all."
        ),
    ],
    from_: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="ADDRESS",
            help="The From address, in the lane's domain. Default: that of --raw.",
        ),
    ] = None,
    to: Annotated[
        list[str] | None,
        typer.Option(
            "--to",
            metavar="ADDRESS",
            help='A recipient, also as "Name <ADDRESS>". Repeat for more. Default: those of --raw.',
        ),
    ] = None,
    subject: Annotated[
        str | None,
        typer.Option("--subject", metavar="TEXT", help="The subject. Default: the template's."),
    ] = None,
    tenant: OfTenant = None,
    cc: Annotated[
        list[str] | None,
        typer.Option(
            "--cc", metavar="ADDRESS", help="A recipient of a copy. Repeat for more. Default: none."
        ),
    ] = None,
    bcc: Annotated[
        list[str] | None,
        typer.Option(
            "--bcc", metavar="ADDRESS", help="A recipient whom nobody sees. Repeat for more. Default: none."
        ),
    ] = None,
    individually: Annotated[
        bool,
        typer.Option(
            "--individually", help="Each recipient sees only themselves. Default: all see To and Cc."
        ),
    ] = False,
    attach: Annotated[
        list[str] | None,
        typer.Option("--attach", metavar="FILE", help="A file to attach. Repeat for more. Default: none."),
    ] = None,
    text: Annotated[
        str | None,
        typer.Option("--text", metavar="TEXT", help="The text body; - reads stdin. Default: none."),
    ] = None,
    html: Annotated[
        str | None,
        typer.Option("--html", metavar="HTML", help="The HTML body; - reads stdin. Default: none."),
    ] = None,
    template: Annotated[
        str | None,
        typer.Option(
            "--template",
            metavar="NAME",
            help="Makes subject and bodies, maybe with a version: receipt@3. Default: none.",
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            metavar="FILE",
            help="A JSON object with the template's data; - is stdin. Default: none.",
        ),
    ] = None,
    reply_to: Annotated[
        list[str] | None,
        typer.Option(
            "--reply-to",
            metavar="ADDRESS",
            help="Where replies go. Repeat for more. Default: the From address.",
        ),
    ] = None,
    header: Annotated[
        list[str] | None,
        typer.Option(
            "--header", metavar="NAME: VALUE", help="An additional header. Repeat for more. Default: none."
        ),
    ] = None,
    unsubscribe: Annotated[
        list[str] | None,
        typer.Option(
            "--unsubscribe",
            metavar="URL",
            help="https URL of your own for one-click unsubscribe (RFC 8058). Repeat it for each --to, in the same order. "
            "Default: marketing mail gets a link of Mailcordon's.",
        ),
    ] = None,
    raw: Annotated[
        str | None,
        typer.Option(
            "--raw",
            metavar="FILE",
            help="A whole MIME message in place of subject, bodies and files; - reads stdin. Default: none.",
        ),
    ] = None,
    send_at: Annotated[
        str | None,
        typer.Option(
            "--send-at",
            metavar="TIME",
            help="When it leaves: ISO 8601 with the distance from UTC, at most 30 days ahead. Default: now.",
        ),
    ] = None,
    tag: Annotated[
        list[str] | None,
        typer.Option(
            "--tag",
            metavar="KEY=VALUE",
            help="A tag of your own, never sent. Repeat for more. Default: none.",
        ),
    ] = None,
    campaign: Annotated[
        str | None,
        typer.Option("--campaign", metavar="NAME", help="The campaign it belongs to. Default: none."),
    ] = None,
    list_: Annotated[
        str | None,
        typer.Option(
            "--list", metavar="NAME", help="The list or import the recipients are from. Default: none."
        ),
    ] = None,
    idempotency_key: Annotated[
        str | None,
        typer.Option(
            "--idempotency-key",
            metavar="KEY",
            help="Repeating the command with the same key sends nothing twice. Default: none.",
        ),
    ] = None,
    wait: Annotated[
        float,
        command.duration_option(
            "--wait", minimum=0, help="Wait for the outcome for at most this long. Default: 0s."
        ),
    ] = 0.0,
) -> None:
    """Hand in a mail. It is stored durably when the command returns; `mailcordon why ID` shows its outcome."""
    headers = parse_headers(header or [])
    recipients = with_links(to or [], unsubscribe or [], headers)
    body: Document = {
        "tenant": tenant,
        "type": type_,
        "from": from_,
        "to": None if to is None else recipients,
        "cc": cc or None,
        "bcc": bcc or None,
        "individually": individually or None,
        "attachments": [_attachment(file) for file in attach or []] or None,
        "subject": subject,
        "text": _body(text),
        "html": _body(html),
        "template": template,
        "data": None if data is None else template_folder.read_data(data),
        "reply_to": reply_to or None,
        "headers": headers or None,
        "raw": None if raw is None else base64.b64encode(_bytes(raw)).decode(),
        "send_at": send_at,
        "tags": parse_tags(tag or []) or None,
        "campaign": campaign,
        "list": list_,
    }
    body = {name: value for name, value in body.items() if value is not None}
    key = {"Idempotency-Key": idempotency_key} if idempotency_key else None
    accepted = await cli.api.post(path("messages"), body, key)
    final = await _settled(cli, accepted, tenant, wait) if wait else accepted
    cli.show_result(final, delivery_table(final), messages.accepted(id=plain(final.get("id"))))


def parse_headers(given: list[str]) -> dict[str, str]:
    """`Name: value`, several times. Raises Failure."""
    headers: dict[str, str] = {}
    for text in given:
        name, separator, value = text.partition(":")
        if not separator or not name.strip():
            raise failures.usage(messages.bad_header_option(text=text))
        headers[name.strip()] = value.strip()
    return headers


def parse_tags(given: list[str]) -> dict[str, str]:
    """`key=value`, several times. Raises Failure."""
    tags: dict[str, str] = {}
    for text in given:
        key, separator, value = text.partition("=")
        if not separator:
            raise failures.usage(messages.bad_tag_option(text=text))
        tags[key] = value
    return tags


def with_links(to: list[str], links: list[str], headers: dict[str, str]) -> list[Any]:
    """The recipients, each with its unsubscribe link; what they have in common is added to `headers`. Raises Failure."""
    if not links:
        return list(to)
    headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    if len(links) == 1:
        headers["List-Unsubscribe"] = f"<{links[0]}>"
        return list(to)
    if len(links) != len(to):
        raise failures.usage(messages.unsubscribe_for_each(links=len(links), recipients=len(to)))
    return [
        {"address": address, "headers": {"List-Unsubscribe": f"<{link}>"}}
        for address, link in zip(to, links, strict=True)
    ]


def _attachment(file: str) -> dict[str, str]:
    """Raises Failure."""
    return {"filename": Path(file).name, "content": base64.b64encode(_bytes(file)).decode()}


def _bytes(file: str) -> bytes:
    """Of a file, or of stdin for `-`. Raises Failure."""
    if file == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise failures.usage(files.file_unreadable(file, error.strerror or str(error))) from None


def _body(given: str | None) -> str | None:
    return sys.stdin.read() if given == "-" else given


async def _settled(cli: Cli, accepted: Document, tenant: str | None, seconds: float) -> Document:
    """The message when none of its deliveries moves any more, or when the time is over."""
    deadline = time.monotonic() + seconds
    while True:
        message = await cli.api.get(path("messages", str(accepted["id"])), {"tenant": tenant})
        states = {str(delivery.get("state")) for delivery in children(message, "deliveries")}
        if not states & MOVING or time.monotonic() >= deadline:
            return message
        await asyncio.sleep(0.2)


def delivery_table(message: Document) -> RenderableType:
    return show.table(
        ("to", "state", "why"),
        [
            (item.get("to"), item.get("state"), why.reason_of(item))
            for item in children(message, "deliveries")
        ],
        prose=("why",),
    )
