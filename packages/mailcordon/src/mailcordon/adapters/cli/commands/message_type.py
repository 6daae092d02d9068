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

Expiry = Annotated[
    float | None,
    command.duration_option(
        "--expiry", minimum=0.001, help="Drop mail that was not sent within this time. Default: the class's."
    ),
]
Grace = Annotated[
    float | None,
    command.duration_option(
        "--grace",
        minimum=0.001,
        help="A later call's Send event proves that a call's own is absent after this time. Default: the class's.",
    ),
]
Resend = Annotated[
    bool | None,
    typer.Option(
        "--resend/--give-up",
        help="After a call whose outcome is unknown and proved absent: send again, or give up. "
        "Default: the class's.",
    ),
]


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
    expiry: Expiry = None,
    grace: Grace = None,
    resend: Resend = None,
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
    expiry: Expiry = None,
    grace: Grace = None,
    resend: Resend = None,
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
