"""`mailcordon rehearse`: what a planned change would do to the coming week."""

from typing import Annotated

import typer
from rich.console import RenderableType

from mailcordon.adapters.cli import command, document_file, failures, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Cli
from mailcordon.adapters.cli.document import Document, child, children, strings
from mailcordon.adapters.cli.text import plain, when
from mailcordon.messages import cli as cli_messages
from mailcordon.messages import rehearsals as messages

app = typer.Typer()
MOST_STOPS = 20  #: that are printed; --json has more
_LONGEST_SECONDS = 720.0  #: the server ends a rehearsal after ten minutes, and reads the counts before


@command.remote(
    app,
    "rehearse",
    examples="""
mailcordon rehearse -f change.yaml
mailcordon rehearse -f change.yaml --json
""",
)
async def rehearse(
    cli: Cli,
    file: Annotated[
        str,
        typer.Option("--file", "-f", metavar="FILE", help="What is planned; - is stdin. Required."),
    ],
) -> None:
    """Say what a planned rollout, or a tenant that mails a bought list, would do to the coming week: what would be stopped and
    when, who would notice, beside doing nothing, and how far that can be trusted. Changes and stores nothing.

    Last week's counters are played again with the change, by the policy in force. docs/rehearse.md says what the file may have.
    """
    read = document_file.read(file)
    try:
        with cli.progress(cli_messages.playing_again()):
            found = await cli.api.post(path("rehearsals"), {"document": read.data}, timeout=_LONGEST_SECONDS)
    except failures.Failure as failure:
        faults = [
            (field.removeprefix("document").removeprefix("."), problem)
            for field, problem in failure.faults
            if field.startswith("document")
        ]
        if not faults:
            raise
        raise document_file.refused(read, faults, failure) from None
    cli.show_result(found, *rehearsal_views(found))


def rehearsal_views(found: Document) -> list[RenderableType]:
    views: list[RenderableType] = [plain(found.get("detail"))]
    if found.get("kind") == "bought_list":
        views += _list_views(child(found, "bought_list"))
    else:
        views += _move_views(child(found, "rollout"))
    views += ["", messages.heading_stops()]
    stops = children(found, "stops")
    views += [
        show.bullet(f"{when(one.get('at'))}: {plain(one.get('detail'))}") for one in stops[:MOST_STOPS]
    ] or [show.bullet(messages.nothing_stops())]
    more = len(stops) - MOST_STOPS + int(found.get("left_off") or 0)
    if more > 0:
        views.append(show.bullet(messages.more_stops(more)))
    if group := found.get("owner_group"):
        views.append(show.bullet(messages.owner(plain(group))))
    views += ["", messages.heading_trust()]
    views += [show.bullet(plain(note)) for note in strings(child(found, "trust"), "notes")]
    return views


def _list_views(listed: Document) -> list[RenderableType]:
    with_policy, nothing = child(listed, "with_policy"), child(listed, "doing_nothing")
    views: list[RenderableType] = ["", plain(with_policy.get("detail")), plain(nothing.get("detail"))]
    views += ["", messages.heading_others()]
    for one, other in zip(children(with_policy, "others"), children(nothing, "others"), strict=True):
        views += [show.bullet(plain(one.get("detail"))), show.bullet(plain(other.get("detail")))]
    return views


def _move_views(move: Document) -> list[RenderableType]:
    planned, faulty = child(move, "planned"), move.get("faulty")
    views: list[RenderableType] = ["", messages.heading_steps()]
    views += [
        show.bullet(f"{when(one.get('at'))}: {plain(one.get('detail'))}")
        for one in children(planned, "steps")
    ]
    if waits := planned.get("waits"):
        views.append(show.bullet(plain(waits)))
    views += ["", plain(move.get("detail"))]
    if faulty:
        views.append(plain(child(move, "faulty").get("detail")))
    return views
