"""What `lane move`, `tenant retire` and the like share: a plan of one change, shown with what it means, then applied."""

from typing import Annotated, Literal

import typer
from rich.console import Group, RenderableType

from mailcordon.adapters.cli import command, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Cli
from mailcordon.adapters.cli.document import Document, child, children, strings
from mailcordon.adapters.cli.text import counted, plain
from mailcordon.messages import lifecycle, plans

DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show what it would do, and leave the plan for `mailcordon apply`.")
]
Mail = Annotated[
    Literal["drain", "cancel"],
    typer.Option("--mail", help="What becomes of the mail in its queue: it is sent first, or cancelled."),
]


async def run(
    cli: Cli, tenant: str, action: str, *, because: str, yes: bool, dry_run: bool, **fields: object
) -> None:
    """Plans the change, shows what it means, asks, and applies it. Raises Failure."""
    given = {name: value for name, value in fields.items() if value is not None}
    planned = await cli.api.post(
        path("tenants", tenant, "changes"), {"action": action, "because": because, **given}
    )
    await carry_out(cli, planned, because=because, yes=yes, dry_run=dry_run)


async def carry_out(cli: Cli, planned: Document, *, because: str, yes: bool, dry_run: bool) -> None:
    """Shows what a planned change means, asks, and applies it. Raises Failure."""
    number = int(child(planned, "plan")["id"])
    if not cli.json:
        # On stderr with the question, so that stdout has the result alone.
        cli.note(change_view(planned))
        cli.note()
    if dry_run:
        cli.show_result({**planned, "done": False})
        cli.note(plans.how_to_apply(plan=number))
        return
    command.confirm(cli.err, plans.apply_question(plan=number), yes=yes)
    applied = await cli.api.post(path("plans", str(number), "apply"), {"because": because})
    left = sum(call.get("state") in ("pending", "failed") for call in children(applied, "calls"))
    cli.show_result(
        {**planned, "plan": applied, "done": True},
        lifecycle.change_applied(plan=number, calls=counted(left, "call") if left else None),
    )


def change_view(planned: Document) -> RenderableType:
    """A plan of one change: what it does, whom it touches and what stays."""
    return Group(lifecycle.change_heading(plan=int(child(planned, "plan")["id"])), sentences(planned))


def sentences(planned: Document) -> RenderableType:
    """What it does, whom it touches and what stays."""
    views = _bullets(planned, "does")
    for member, heading in (("touches", lifecycle.change_touches()), ("stays", lifecycle.change_keeps())):
        if strings(planned, member):
            views += ["", heading, *_bullets(planned, member)]
    return Group(*views)


def _bullets(planned: Document, member: str) -> list[RenderableType]:
    return [show.bullet(plain(sentence)) for sentence in strings(planned, member)]
