"""`mailcordon open`: the dashboard's page of what somebody talks about, as a link or in the browser."""

import webbrowser
from collections.abc import Callable, Mapping
from typing import Annotated
from urllib.parse import quote, urlencode

import typer

from mailcordon.adapters.cli import command, failures
from mailcordon.adapters.cli.command import Cli
from mailcordon.messages import cli as messages

app = typer.Typer()


def _at(*segments: str) -> str:
    return "/" + "/".join(quote(segment, safe="@") for segment in segments)


def _lane(words: list[str]) -> str:
    tenant, type_ = words if len(words) == 2 else words[0].split("/", 1)
    return _at("tenants", tenant, "lanes", type_)


def _numbered(*before: str) -> Callable[[list[str]], str]:
    def page(words: list[str]) -> str:
        if not words[0].isdecimal():
            raise failures.usage(messages.page_needs_number(given=words[0]))
        return _at(*before, words[0])

    return page


#: What may stand after each word: no name, or what the name is called, and the page's path.
_PAGES: Mapping[str, tuple[str, Callable[[list[str]], str]]] = {
    "now": ("", lambda _: _at("now")),
    "tenant": ("TENANT", lambda words: _at("tenants", words[0])),
    "lane": ("TENANT TYPE", _lane),
    "incident": ("NUMBER", _numbered("incidents")),
    "message": ("ID", lambda words: _at("messages", words[0])),
    "messages": ("", lambda _: _at("messages")),
    "to": ("ADDRESS", lambda words: _at("messages") + "?" + urlencode({"to": words[0]})),
    "campaign": ("NAME", lambda words: _at("messages") + "?" + urlencode({"campaign": words[0]})),
    "ses": ("", lambda _: _at("ses")),
    "drift": ("NUMBER", _numbered("ses", "drift")),
    "migration": ("", lambda _: _at("migration")),
    "rollout": ("NUMBER", _numbered("migration", "rollouts")),
    "pools": ("", lambda _: _at("pools")),
    "audit": ("", lambda _: _at("audit")),
    "settings": ("", lambda _: _at("settings")),
}


@command.remote(
    app,
    "open",
    examples="""
mailcordon open
mailcordon open incident 7
mailcordon open tenant acme
mailcordon open lane acme newsletter
mailcordon open message msg_0r4tq2v6k7m8n --browser
""",
)
async def open_page(
    cli: Cli,
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="WHAT",
            help="now, tenant TENANT, lane TENANT TYPE, incident N, message ID, messages, to ADDRESS, campaign NAME, ses, "
            "drift N, migration, rollout N, pools, audit or settings. Default: now.",
            show_default=False,
        ),
    ] = None,
    browser: Annotated[
        bool, typer.Option("--browser", help="Open it in the browser, beside printing it.")
    ] = False,
) -> None:
    """Print the address of the dashboard's page of something. It can be pasted into a chat.

    The dashboard's address is MAILCORDON_DASHBOARD_URL, else the one in cli.json. The server is not asked.
    """
    page = path_of(what or ["now"])
    if cli.connection.dashboard is None:
        raise failures.Failure(
            failures.Exit.UNAVAILABLE, messages.no_dashboard(url=cli.connection.url), "no-dashboard"
        )
    url = cli.connection.dashboard + page
    opened = browser and webbrowser.open(url)
    cli.show_result({"url": url, "opened": opened}, url)
    if browser and not opened:
        cli.note(messages.no_browser())


def path_of(words: list[str]) -> str:
    """The path of a page. Raises Failure."""
    word, *names = words
    if word not in _PAGES:
        raise failures.usage(messages.no_such_page(given=word, pages=list(_PAGES)))
    form, page = _PAGES[word]
    wanted = len(form.split())
    one_word_lane = word == "lane" and len(names) == 1 and "/" in names[0]
    if (len(names) != wanted or not all(names)) and not one_word_lane:
        raise failures.usage(messages.page_needs(page=word, form=form))
    return page(names)
