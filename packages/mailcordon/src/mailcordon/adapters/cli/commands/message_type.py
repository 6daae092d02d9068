"""`mailcordon type`: the catalogue of message types."""

from typing import Annotated, Any

import typer
from rich.console import RenderableType

from mailcordon.adapters.cli import command, duration, failures, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Class, Cli
from mailcordon.adapters.cli.document import Document
from mailcordon.adapters.cli.text import plain
from mailcordon.core import priority
from mailcordon.messages import cli as messages

app = typer.Typer(
    no_args_is_help=True, help="The catalogue of message types, with class, criticality and expiry."
)

_EXPIRY = "Drop mail that was not sent within this time."
_GRACE = (
    "How long to wait for the Send event of a call without a clear answer. If a call made that much later has its event, "
    "SES did not accept the first."
)
_RESEND = (
    "What to do if SES did not accept a call that got no clear answer: send the mail again, or give it up."
)
_OF_CLASS = "Default: the class's."
_UNCHANGED = "Default: unchanged."


def _expiry_option(default: str) -> Any:
    return command.duration_option("--expiry", minimum=0.001, help=f"{_EXPIRY} {default}")


def _grace_option(default: str) -> Any:
    return command.duration_option("--grace", minimum=0.001, help=f"{_GRACE} {default}")


def _resend_option(default: str) -> Any:
    return typer.Option("--resend/--give-up", help=f"{_RESEND} {default}")


@command.remote(app, "list", examples="mailcordon type list")
async def list_types(cli: Cli) -> None:
    """List the catalogue of message types."""
    found = await cli.api.items(path("types"))
    cli.show_result(found, type_table(found["items"]))


@command.remote(
    app,
    "add",
    examples="""
mailcordon type add booking --class transactional --criticality 4 \\
    --description "A booking was made"
""",
)
async def add_type(
    cli: Cli,
    name: Annotated[str, typer.Argument(metavar="NAME", help="a-z, 0-9 and -, as in password-reset.")],
    class_: Annotated[Class, typer.Option("--class", help="The priority class of this mail.")],
    description: Annotated[str, typer.Option("--description", metavar="TEXT", help="What this mail is for.")],
    criticality: Annotated[
        int,
        typer.Option(
            "--criticality", metavar="N", min=1, max=5, help="1: nice to have; 5: people are locked out."
        ),
    ],
    expiry: Annotated[float | None, _expiry_option(_OF_CLASS)] = None,
    grace: Annotated[float | None, _grace_option(_OF_CLASS)] = None,
    resend: Annotated[bool | None, _resend_option(_OF_CLASS)] = None,
) -> None:
    """Add a message type. A tenant can send it after it is onboarded for it: a lane is tenant x type."""
    body = {"name": name, "class": class_, "criticality": criticality, "description": description}
    found = await cli.api.post(path("types"), {**body, **_overrides(expiry, grace, resend)})
    cli.show_result(found, type_table([found]))


@command.remote(app, "change", examples="mailcordon type change login-code --expiry 5m")
async def change_type(
    cli: Cli,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The message type.")],
    description: Annotated[
        str | None,
        typer.Option("--description", metavar="TEXT", help="What this mail is for. Default: unchanged."),
    ] = None,
    criticality: Annotated[
        int | None,
        typer.Option(
            "--criticality",
            metavar="N",
            min=1,
            max=5,
            help="1: nice to have; 5: people are locked out. Default: unchanged.",
        ),
    ] = None,
    expiry: Annotated[float | None, _expiry_option(_UNCHANGED)] = None,
    grace: Annotated[float | None, _grace_option(_UNCHANGED)] = None,
    resend: Annotated[bool | None, _resend_option(_UNCHANGED)] = None,
) -> None:
    """Change a message type, for every lane of it. The class cannot change: add another type instead."""
    body = _overrides(expiry, grace, resend)
    body |= {"description": description} if description is not None else {}
    body |= {"criticality": criticality} if criticality is not None else {}
    if not body:
        raise failures.usage(messages.nothing_to_change())
    found = await cli.api.call("PATCH", path("types", name), body=body)
    cli.show_result(found, type_table([found]))


def type_table(items: list[Document]) -> RenderableType:
    return show.table(
        ("type", "class", "criticality", "expires after", "description"),
        [
            (
                item.get("name"),
                item.get("class"),
                item.get("criticality"),
                _expiry(item),
                item.get("description"),
            )
            for item in items
        ],
        drop=("criticality", "description"),
        prose=("description",),
    )


def _expiry(item: Document) -> str:
    """The type's own expiry, or its class's. A class that this version does not have is shown without a time."""
    if item.get("expiry_seconds"):
        return duration.spoken(float(item["expiry_seconds"]))
    try:
        of_class = priority.CLASS_DEFAULTS[priority.parse_class(plain(item.get("class")))].expiry_ms / 1000
    except ValueError:
        return messages.class_default(value="")
    return messages.class_default(value=duration.spoken(of_class))


def _overrides(expiry: float | None, grace: float | None, resend: bool | None) -> dict[str, Any]:
    given = {"expiry_seconds": expiry, "grace_seconds": grace, "resend": resend}
    return {name: value for name, value in given.items() if value is not None}
