"""`mailcordon policy backtest`: what a policy would have done to the mail of the last weeks."""

from typing import Annotated

import typer
from rich.console import RenderableType

from mailcordon.adapters.cli import command, document_file, failures, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Cli
from mailcordon.adapters.cli.document import Document, children, strings
from mailcordon.adapters.cli.text import plain, when
from mailcordon.messages import backtests as messages
from mailcordon.messages import cli as cli_messages

app = typer.Typer()
MOST_DECISIONS = 10  #: of a lane that are printed; --json has more
_DEFAULT = 30 * 86_400.0
_MOST = 60 * 86_400.0
_LONGEST_SECONDS = 720.0  #: the server ends a back-test after ten minutes, and reads the counts before


@command.remote(
    app,
    "backtest",
    examples="""
mailcordon policy backtest -f new.yaml
mailcordon policy backtest -f new.yaml --since 7d --tenant acme
""",
)
async def backtest(
    cli: Cli,
    file: Annotated[
        str,
        typer.Option("--file", "-f", metavar="FILE", help="A document of a policy; - is stdin. Required."),
    ],
    since: Annotated[
        float | None,
        command.duration_option(
            "--since", minimum=3600, help="Mail of the last so much time, at most 60d. Default: 30d."
        ),
    ] = None,
    tenant: Annotated[
        str | None,
        typer.Option("--tenant", metavar="TENANT", help="Only lanes of this tenant. Default: all."),
    ] = None,
) -> None:
    """Say what a policy would have done to recorded mail: warned, held, when, at what cost in good mail, beside the rules of
    others. Changes and stores nothing.

    The same code decides as if the policy were in force. When feedback came is known for a day; before, it is taken to come as
    it usually does.
    """
    if since is not None and since > _MOST:
        raise failures.usage(messages.at_most())
    read = document_file.read(file)
    minutes = round((_DEFAULT if since is None else since) / 60)
    body: Document = {"document": read.data, "minutes": minutes, "tenant": tenant}
    try:
        with cli.progress(cli_messages.playing_again()):
            found = await cli.api.post(path("policy", "backtest"), body, timeout=_LONGEST_SECONDS)
    except failures.Failure as failure:
        faults = [
            (field.removeprefix("document."), problem)
            for field, problem in failure.faults
            if field.startswith("document")
        ]
        if not faults:
            raise
        raise document_file.refused(read, faults, failure) from None
    cli.show_result(found, *backtest_views(found))


def backtest_views(found: Document) -> list[RenderableType]:
    views: list[RenderableType] = [plain(found.get("detail"))]
    for item in children(found, "items"):
        views += ["", plain(item.get("detail"))]
        for limit in children(item, "limits"):
            views.append(show.bullet(plain(limit.get("detail"))))
        decisions = children(item, "decisions")
        for one in decisions[:MOST_DECISIONS]:
            views.append(show.bullet(f"{when(one.get('at'))}: {plain(one.get('detail'))}"))
        if len(decisions) > MOST_DECISIONS:
            views.append(show.bullet(messages.more_decisions(len(decisions) - MOST_DECISIONS)))
    if left := int(found.get("left_off") or 0):
        views += ["", messages.more_lanes(left)]
    views += ["", messages.heading_peers()]
    views += [show.bullet(plain(one.get("detail"))) for one in children(found, "peers")]
    views += ["", *(plain(note) for note in strings(found, "notes"))]
    return views
