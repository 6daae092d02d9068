"""What every command that speaks to the server shares: `--json`, `--url`, `--key`, one answer, and one way to fail.

`remote` turns an async function whose first argument is a `Cli` into a command. With `--json` exactly one JSON document goes to
stdout, also when the command fails; sentences about what failed go to stderr, always.
"""

import asyncio
import inspect
import json
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, Concatenate, NoReturn, ParamSpec

import typer
from rich.console import Console, RenderableType

from mailcordon.adapters.cli import client, connection, failures, local_ses, show
from mailcordon.adapters.cli.document import Document
from mailcordon.host.home import find_home

P = ParamSpec("P")

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text for people.")]
Url = Annotated[
    str | None, typer.Option("--url", metavar="URL", help="The server (MAILCORDON_URL, else cli.json).")
]
Key = Annotated[
    str | None, typer.Option("--key", metavar="KEY", help="The API key (MAILCORDON_KEY, else cli.json).")
]

# Options that mean the same in every command that has them.
Tenant = Annotated[str, typer.Argument(metavar="TENANT", help="The tenant's slug.")]
OfTenant = Annotated[
    str | None,
    typer.Option("--tenant", metavar="TENANT", help="The tenant's slug; a tenant's own key implies it."),
]
Because = Annotated[
    str, typer.Option("--because", metavar="TEXT", help="Why, for the record: it is shown and audited.")
]
Limit = Annotated[int, typer.Option("--limit", min=1, max=100_000, help="Show at most so many.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@dataclass(slots=True)
class Cli:
    """One command under way: whom it speaks to, and how it answers."""

    connection: connection.Connection
    api: client.Client
    json: bool
    out: Console
    err: Console
    _answered: bool = False

    def answer(self, document: Document, *views: RenderableType) -> None:
        """The command's one answer: the document for machines, or the views for people."""
        if self.json:
            assert not self._answered, "a command prints one JSON document"
            self._answered = True
            print_json(document)
            return
        show.put(self.out, *views)

    def say(self, *views: RenderableType) -> None:
        """Something for people on the way to the answer; machines are not told."""
        if not self.json:
            show.put(self.out, *views)

    def note(self, view: RenderableType = "") -> None:
        """Something that belongs to no answer: progress, advice, a question. To stderr."""
        show.put(self.err, view)

    def local_ses(self, doing: str) -> local_ses.LocalSes:
        """Raises Failure where the system does not send through one."""
        if self.connection.ses_url is None:
            raise failures.Failure(
                failures.Exit.REFUSED,
                f"{doing} needs the local SES, and {self.connection.url} is not known to send through one. "
                "`mailcordon up` starts one; MAILCORDON_SES_ENDPOINT names another.",
                "no-local-ses",
            )
        return local_ses.LocalSes(self.connection.ses_url)


def print_json(document: Document) -> None:
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def fail(failure: failures.Failure, *, as_json: bool, err: Console) -> NoReturn:
    """Says what failed and ends the command with the exit code that means it."""
    if as_json:
        print_json(failure.document())
    unsaid = [fault for fault in failure.faults if fault[1] not in failure.sentence]
    if not unsaid and len(failure.faults) > 1:
        # The sentence only strings them together: a list reads better.
        err.print(f"mailcordon: {len(failure.faults)} fields cannot be accepted:")
        unsaid = failure.faults
    else:
        err.print(f"mailcordon: {show.plain(failure.sentence)}")
    for field, problem in unsaid:
        err.print(f"  {show.plain(field)}: {show.plain(problem)}")
    raise typer.Exit(int(failure.exit))


def epilog(examples: str) -> str | None:
    """Examples under a command's help, each on a line of its own."""
    return (
        "\b\nExamples:\n" + "\n".join("  " + line for line in examples.strip().splitlines())
        if examples
        else None
    )


def remote(
    app: typer.Typer, name: str, *, examples: str = "", hidden: bool = False
) -> Callable[
    [Callable[Concatenate[Cli, P], Awaitable[None]]], Callable[Concatenate[Cli, P], Awaitable[None]]
]:
    """Registers a command that speaks to the server. Its arguments are the function's own, after the `Cli`."""

    def register(
        act: Callable[Concatenate[Cli, P], Awaitable[None]],
    ) -> Callable[Concatenate[Cli, P], Awaitable[None]]:
        def command(*, as_json: bool, url: str | None, key: str | None, **arguments: Any) -> None:
            perform(act, arguments, as_json=as_json, url=url, key=key)

        own = inspect.signature(act, eval_str=True)
        keyword = inspect.Parameter.KEYWORD_ONLY
        parameters = [parameter.replace(kind=keyword) for parameter in list(own.parameters.values())[1:]]
        parameters += [
            inspect.Parameter("as_json", keyword, default=False, annotation=AsJson),
            inspect.Parameter("url", keyword, default=None, annotation=Url),
            inspect.Parameter("key", keyword, default=None, annotation=Key),
        ]
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        app.command(name, help=inspect.getdoc(act), epilog=epilog(examples), hidden=hidden)(command)
        return act

    return register


def perform(
    act: Callable[..., Awaitable[None]],
    arguments: dict[str, Any],
    *,
    as_json: bool,
    url: str | None,
    key: str | None,
) -> None:
    """Runs one command against the server that flags, environment or cli.json name."""
    out, err = show.console(sys.stdout), show.console(sys.stderr)

    async def run() -> None:
        home = find_home(os.environ)
        found = connection.find(url=url, key=key, environment=os.environ, home=home)
        api = client.Client(found.url, found.key)
        try:
            await act(Cli(connection=found, api=api, json=as_json, out=out, err=err), **arguments)
        finally:
            await api.close()

    try:
        asyncio.run(run())
    except failures.Failure as failure:
        fail(failure, as_json=as_json, err=err)


def confirm(err: Console, question: str, *, yes: bool) -> None:
    """Returns when the person agrees. Raises Failure when they do not, or when there is nobody to ask."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise failures.usage(
            "nothing was changed: there is no terminal to ask on; say --yes to do it without asking"
        )
    err.print(f"{question} [y/N] ", end="")
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise failures.Failure(failures.Exit.REFUSED, "nothing was changed", "declined")
