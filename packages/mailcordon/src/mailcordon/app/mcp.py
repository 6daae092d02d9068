"""`mailcordon mcp`: an MCP server for an assistant, and `mailcordon mcp confirm`, by which a person confirms what it proposed.

The server's own key needs the scope `read` alone, unless `--confirm client` lets it carry actions out.
"""

import asyncio
import contextlib
import importlib.util
import os
import sys
from collections.abc import AsyncGenerator, Mapping
from typing import Annotated, Any, Literal

import typer
from typer import core

from mailcordon.adapters.cli import client, command, connection, failures
from mailcordon.adapters.mcp.pending import Pending
from mailcordon.adapters.mcp.ports import Document, Query, Refused
from mailcordon.messages import mcp as messages


class _ServesUnlessNamed(core.TyperGroup):
    """`mailcordon mcp --allow-actions` is short for `mailcordon mcp serve --allow-actions`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = ["serve", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_ServesUnlessNamed,
    help="Serve an assistant over the Model Context Protocol, and confirm what it proposed.",
)

_EXAMPLES = """
mailcordon mcp serve                      # started by the assistant
mailcordon mcp serve --allow-actions
mailcordon mcp serve --allow-actions --confirm client
"""


class _Api:
    """The REST API as the tools need it. Only `change` changes anything."""

    def __init__(self, api: client.Client) -> None:
        self._api = api

    @property
    def url(self) -> str:
        return self._api.url

    async def get(self, path: str, query: Query | None = None) -> Document:
        return await self._ask("GET", path, query=query)

    async def preview(self, body: Mapping[str, Any]) -> Document:
        return await self._ask("POST", client.path("holds", "preview"), body=body)

    async def _ask(self, method: str, path: str, **given: Any) -> Document:
        try:
            return await self._api.call(method, path, **given)
        except failures.Failure as failure:
            faults = "; ".join(f"{field}: {problem}" for field, problem in failure.faults)
            raise Refused(f"{failure.sentence} {faults}".strip(), failure.code) from None


class _ChangingApi(_Api):
    async def change(self, method: str, path: str, body: Mapping[str, Any] | None) -> Document:
        return await self._ask(method, path, body=body)


@contextlib.asynccontextmanager
async def _connected(url: str | None, key: str | None) -> AsyncGenerator[tuple[client.Client, Pending]]:
    home = connection.home(os.environ)
    found = connection.find(url=url, key=key, environment=os.environ, home=home)
    api = client.Client(found.url, found.key)
    try:
        yield api, Pending(home)
    finally:
        await api.close()


@app.command("serve", cls=command.Command, epilog=command.epilog(_EXAMPLES))
def serve(
    allow_actions: Annotated[
        bool,
        typer.Option("--allow-actions", help="Let the assistant propose actions. A person confirms each."),
    ] = False,
    confirm: Annotated[
        Literal["terminal", "client"],
        typer.Option(
            "--confirm",
            help="Where: in a terminal, by `mailcordon mcp confirm`, or in the client's own window if it has forms.",
        ),
    ] = "terminal",
    url: command.Url = None,
    key: command.Key = None,
) -> None:
    """Serve an assistant on stdin and stdout. The same as `mailcordon mcp`.

    Its tools read what the key may read. A key with the scope `read` is enough, unless actions are confirmed in the client.
    """
    if importlib.util.find_spec("mcp") is None:
        raise failures.Failure(failures.Exit.REFUSED, messages.not_installed(), "package-missing")
    from mailcordon.adapters.mcp import server

    if sys.stdin.isatty():
        typer.echo(messages.waits_on_stdin(), err=True)

    async def run() -> None:
        async with _connected(url, key) as (api, pending):
            changes = allow_actions and confirm == "client"
            await server.serve(
                server.Tools(
                    _Api(api), pending if allow_actions else None, _ChangingApi(api) if changes else None
                )
            )

    asyncio.run(run())


@app.command(
    "confirm",
    cls=command.Command,
    epilog=command.epilog("mailcordon mcp confirm\nmailcordon mcp confirm act_k3m9x2pq"),
)
def confirm_action(
    action: Annotated[
        str | None, typer.Argument(metavar="ACTION", help="Only this action.", show_default=False)
    ] = None,
    url: command.Url = None,
    key: command.Key = None,
) -> None:
    """Confirm what an assistant proposed.

    At this terminal, with your own key. Shows what each action does now, as the server computes it, and asks for a code that
    stands nowhere else. Exit code 1 if an action was refused or something else was typed.
    """
    from mailcordon.adapters.mcp import terminal

    async def run() -> bool:
        with terminal.controlling() as person:
            async with _connected(url, key) as (api, pending):
                return await terminal.confirm(person, _ChangingApi(api), pending, action)

    try:
        well = asyncio.run(run())
    except Refused as refused:
        missing = refused.code == "no-such-action"
        code = (
            failures.Exit.NOT_FOUND
            if missing
            else failures.Exit.USAGE
            if refused.code == "no-terminal"
            else failures.Exit.REFUSED
        )
        raise failures.Failure(code, refused.sentence, refused.code) from None
    if not well:
        raise typer.Exit(int(failures.Exit.REFUSED))
