"""`mailcordon type`: the catalogue of message types."""

from typing import Annotated, Any

import typer
from rich.console import RenderableType

from mailcordon.adapters.cli import command, failures, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Cli
from mailcordon.adapters.cli.document import Document

app = typer.Typer(no_args_is_help=True, help="The catalogue: what a mail is for, and what it is worth.")

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


@command.remote(app, "list", examples="mailcordon type list")
async def list_types(cli: Cli) -> None:
    """List the catalogue of message types."""
    found = await cli.api.items(path("types"))
    cli.answer(found, type_table(found["items"]))


@command.remote(
    app,
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


@command.remote(app, "change", examples="mailcordon type change login-code --expiry 300")
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


def _worth(expiry: float | None, grace: float | None, resend: bool | None) -> dict[str, Any]:
    given = {"expiry_seconds": expiry, "grace_seconds": grace, "resend": resend}
    return {name: value for name, value in given.items() if value is not None}
