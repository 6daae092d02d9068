"""What every command that calls the server shares: its options, its output and its clean-up.

`remote` turns an async function whose first argument is a `Cli` into a command. With `--json` exactly one JSON document goes to
stdout, also if the command fails; sentences about what failed go to stderr, always.
"""

import asyncio
import contextlib
import inspect
import os
import sys
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, Concatenate, Literal, ParamSpec, TextIO

import typer
from rich.console import Console, RenderableType
from typer import core

from mailcordon.adapters.cli import client, connection, duration, failures, local_ses, report, show, watch
from mailcordon.adapters.cli.document import Document
from mailcordon.adapters.cli.progress import Bar
from mailcordon.core import text
from mailcordon.messages import cli as messages

P = ParamSpec("P")
Format = Literal["table", "wide", "json"]

AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON document instead of text (same as -o json).")
]
Output = Annotated[
    Format,
    typer.Option(
        "--output",
        "-o",
        help="table: the columns that fit the terminal; wide: all columns; json: one JSON document.",
    ),
]
Url = Annotated[
    str | None,
    typer.Option("--url", metavar="URL", help="Server. Default: MAILCORDON_URL, else the one in cli.json."),
]
Key = Annotated[
    str | None,
    typer.Option("--key", metavar="KEY", help="API key. Default: MAILCORDON_KEY, else the one in cli.json."),
]
Watch = Annotated[
    float | None,
    typer.Option(
        "--watch",
        metavar="[INTERVAL]",
        parser=duration.between(watch.FASTEST, 86400.0),
        help=f"Run again every INTERVAL until Ctrl-C. Default: once; without INTERVAL every {watch.DEFAULT}.",
    ),
]

LIST = "list"  #: the command of a `ListUnlessNamed`


class ListUnlessNamed(core.TyperGroup):
    """A group that lists if it is called without a command, with or without options."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = [LIST, *args]
        return super().parse_args(ctx, args)


# Options that mean the same in every command that has them.
Tenant = Annotated[str, typer.Argument(metavar="TENANT", help="The tenant's slug.")]
OfTenant = Annotated[
    str | None,
    typer.Option(
        "--tenant", metavar="TENANT", help="The tenant's slug. Default: the tenant of the key, if it has one."
    ),
]
Because = Annotated[
    str, typer.Option("--because", metavar="TEXT", help="The reason. It is shown and audited.")
]
OptionalBecause = Annotated[
    str | None, typer.Option("--because", metavar="TEXT", help="The reason. It is audited. Default: none.")
]
Limit = Annotated[int, typer.Option("--limit", metavar="N", min=1, max=100_000, help="Show at most N items.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]
Class = Literal["urgent", "transactional", "marketing"]


def duration_option(name: str, *, minimum: float, help: str) -> Any:
    """An option that takes a duration such as 15m or 7d; its value is in seconds. The help has to name the default."""
    parser = duration.between(minimum)
    return typer.Option(name, metavar="DURATION", parser=parser, help=help, show_default=False)


@dataclass(slots=True)
class Cli:
    """One command while it runs: the connection to the server, and where output goes."""

    connection: connection.Connection
    api: client.Client
    json: bool
    out: Console
    err: Console
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    document: Document | None = None  #: the result, once there is one
    exit_code: int = 0  #: of a command that succeeded with bad news; `--watch` goes on
    bar: Bar | None = None  #: of the work that runs now

    def show_result(self, document: Document, *views: RenderableType) -> None:
        """The command's one result: the document for machines, or the views for people."""
        assert self.document is None, "a command has one result"
        self.document = document
        self.say(*views)

    def say(self, *views: RenderableType) -> None:
        """Text for people on stdout. Not shown with --json."""
        if not self.json:
            self._put(self.out, *views)

    def note(self, view: RenderableType = "") -> None:
        """Text that is not part of the result, such as progress, advice or a question. To stderr."""
        self._put(self.err, view)

    @contextlib.contextmanager
    def progress(self, title: str, *, total: int | None = None) -> Generator[Bar]:
        """A bar on stderr while the block runs, if that is a terminal. What is said meanwhile stands above it."""
        is_shown = self.err.file is sys.stderr and self.err.is_terminal
        with Bar(self.err, title, total=total, is_shown=is_shown) as self.bar:
            yield self.bar
        self.bar = None

    def _put(self, console: Console, *views: RenderableType) -> None:
        was_shown = self.bar is not None and self.bar.pause()
        show.put(console, *views)
        if was_shown and self.bar is not None:
            self.bar.resume()

    def local_ses(self, command: str) -> local_ses.LocalSes:
        """Raises Failure if the system does not send through a local SES."""
        if self.connection.ses_url is None:
            raise failures.Failure(
                failures.Exit.REFUSED,
                messages.needs_local_ses(command=command, url=self.connection.url),
                "no-local-ses",
            )
        return local_ses.LocalSes(self.connection.ses_url)


def epilog(examples: str) -> str | None:
    """Examples under a command's help, each on its own line."""
    lines = ["  " + line for line in examples.strip().splitlines()]
    return "\b\nExamples:\n" + "\n".join(lines) if examples else None


def first_sentence(docstring: str) -> str:
    """What a list of commands shows of a command."""
    return " ".join(docstring.split("\n\n")[0].split()).partition(". ")[0].rstrip(".")


class Command(core.TyperCommand):
    """A command whose usage line names a required argument without braces: `message show [OPTIONS] MESSAGE`."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return [piece.replace("{", "").replace("}", "") for piece in super().collect_usage_pieces(ctx)]


class ServerCommand(Command):
    """A command whose `--watch` may stand without its interval."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, watch.with_interval(args))


def remote(
    app: typer.Typer,
    name: str,
    *,
    examples: str = "",
    watchable: bool = False,
    live: Callable[[dict[str, Any]], bool] | None = None,
) -> Callable[
    [Callable[Concatenate[Cli, P], Awaitable[None]]], Callable[Concatenate[Cli, P], Awaitable[None]]
]:
    """Registers a command that calls the server. Its arguments are the function's own, after the `Cli`. `live`: whether a command
    with these arguments is watched on a terminal without being told."""

    def register(
        act: Callable[Concatenate[Cli, P], Awaitable[None]],
    ) -> Callable[Concatenate[Cli, P], Awaitable[None]]:
        def command(ctx: typer.Context, **given: Any) -> None:
            perform(act, given, title=ctx.command_path, live=live is not None and live(given))

        keyword = inspect.Parameter.KEYWORD_ONLY
        own = list(inspect.signature(act, eval_str=True).parameters.values())[1:]
        shared: list[tuple[str, Any, Any]] = [("watch", None, Watch)] if watchable else []
        shared += [
            ("output", "table", Output),
            ("as_json", False, AsJson),
            ("url", None, Url),
            ("key", None, Key),
        ]
        parameters = [
            inspect.Parameter("ctx", keyword, annotation=typer.Context),
            *(parameter.replace(kind=keyword) for parameter in own),
            *(
                inspect.Parameter(name, keyword, default=value, annotation=kind)
                for name, value, kind in shared
            ),
        ]
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        described = inspect.getdoc(act) or ""
        app.command(
            name,
            cls=ServerCommand,
            help=described,
            short_help=first_sentence(described),
            epilog=epilog(examples),
        )(command)
        return act

    return register


def perform(
    act: Callable[..., Awaitable[None]], given: dict[str, Any], *, title: str, live: bool = False
) -> None:
    """Runs one command against the server that flags, environment or cli.json name, once or with `--watch`."""
    output = given.pop("output")
    as_json, wide = given.pop("as_json") or output == "json", output == "wide"
    url, key, every = given.pop("url"), given.pop("key"), given.pop("watch", None)
    out, err = show.console(sys.stdout, wide=wide), show.console(sys.stderr)
    if live and every is None and out.is_terminal and not as_json:
        every = duration.parse(watch.DEFAULT)

    async def run() -> None:
        home = connection.home(os.environ)
        found = connection.find(url=url, key=key, environment=os.environ, home=home)
        api = client.Client(found.url, found.key)

        async def once(file: TextIO) -> Document:
            # In memory, as if it were the terminal: the same width and colours.
            console = show.console(file, wide=wide, like=out if out.is_terminal else None)
            cli = Cli(connection=found, api=api, json=as_json, out=console, err=console)
            await act(cli, **given)
            return cli.document or {}

        try:
            if every is not None:
                await watch.repeat(once, sys.stdout, every=every, title=title, as_json=as_json)
            await _once(act, given, Cli(connection=found, api=api, json=as_json, out=out, err=err))
        finally:
            await api.close()

    try:
        asyncio.run(run())
    except KeyboardInterrupt:
        if every is None:
            raise failures.from_exception(KeyboardInterrupt()) from None
        sys.stdout.write("\n" if sys.stdout.isatty() else "")  # Ctrl-C is how a watch ends


async def _once(act: Callable[..., Awaitable[None]], given: dict[str, Any], cli: Cli) -> None:
    """The document is printed when everything is over, so that a failure at the end is still the only document."""
    try:
        await act(cli, **given)
    except typer.Exit:
        _print_document(cli)
        raise
    _print_document(cli)
    if cli.exit_code:
        raise typer.Exit(cli.exit_code)


def _print_document(cli: Cli) -> None:
    if cli.json and cli.document is not None:
        report.print_json(cli.document)


def confirm(err: Console, question: str, *, yes: bool) -> None:
    """Returns if the person agrees. Raises Failure if not, or if there is no terminal to ask on."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise failures.usage(messages.cannot_ask())
    err.print(f"{text.harmless(question)} [y/N] ", end="")
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise failures.Failure(failures.Exit.REFUSED, messages.nothing_changed(), "declined")
