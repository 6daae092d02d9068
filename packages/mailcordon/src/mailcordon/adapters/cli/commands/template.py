"""`mailcordon template`: store, show, preview and compare templates for mail."""

import difflib
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import RenderableType
from rich.text import Text

from mailcordon.adapters.cli import command, failures, show, template_folder
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Cli, Limit
from mailcordon.adapters.cli.document import Document, child
from mailcordon.adapters.cli.text import plain, when
from mailcordon.messages import templates as words

app = typer.Typer(
    no_args_is_help=True, help="Templates for mail: put, list, versions, show, preview, diff, retire."
)
_SOURCES = ("subject", "text", "html", "mjml")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The template's name.")]
Folder = Annotated[
    Path,
    typer.Argument(
        metavar="FOLDER", help="Has subject.txt and text.txt, html.html or html.mjml; other files are parts."
    ),
]
AnyFolder = Annotated[
    Path | None,
    typer.Argument(
        metavar="FOLDER", help="Take the sources from this folder. Default: those that are stored."
    ),
]
Whose = Annotated[
    str | None,
    typer.Option(
        "--tenant",
        metavar="TENANT",
        help="The tenant's slug. Default: the tenant of the key, if it has one, else the platform.",
    ),
]
Version = Annotated[
    int | None, typer.Option("--version", metavar="N", min=1, help="This version. Default: the newest.")
]
Dialect = Annotated[
    Literal["jinja", "ses"],
    typer.Option("--dialect", help="The template's language: our own, or SES's. Default: jinja."),
]
Because = Annotated[
    str | None, typer.Option("--because", metavar="TEXT", help="The reason. It is audited. Default: none.")
]


@command.remote(
    app,
    "put",
    examples="""
mailcordon template put receipt ./templates/receipt --tenant acme
mailcordon template put receipt ./templates/receipt --because "new footer"
""",
)
async def put(
    cli: Cli,
    name: Name,
    folder: Folder,
    tenant: Whose = None,
    dialect: Dialect = "jinja",
    because: Because = None,
) -> None:
    """Store a version of a template. Versions are never changed; the same sources as the newest are no new version."""
    body = template_folder.read(folder, dialect=dialect)
    if because is not None:
        body["because"] = because
    made = await cli.api.call("PUT", path("templates", name), query={"tenant": tenant}, body=body)
    stored = child(made, "template")
    owner, version = _owner(stored), int(stored["version"])
    said = words.stored(name, version, owner) if made.get("made") else words.unchanged(name, version, owner)
    cli.show_result(made, said)


@command.remote(
    app, "list", examples="mailcordon template list\nmailcordon template list --tenant acme", watchable=True
)
async def list_templates(cli: Cli, tenant: Whose = None, limit: Limit = 100) -> None:
    """List templates: the tenant's own, and those of the platform, which it can use."""
    found = await cli.api.items(path("templates"), {"tenant": tenant}, limit=limit)
    cli.show_result(found, _table(found, ("name", "owner")), *show.more(found))


@command.remote(app, "versions", examples="mailcordon template versions receipt --tenant acme")
async def versions(cli: Cli, name: Name, tenant: Whose = None, limit: Limit = 100) -> None:
    """List a template's versions, newest first."""
    found = await cli.api.items(path("templates", name, "versions"), {"tenant": tenant}, limit=limit)
    cli.show_result(found, _table(found, ("owner",)), *show.more(found))


@command.remote(
    app,
    "show",
    examples="mailcordon template show receipt --tenant acme\nmailcordon template show receipt --version 3",
)
async def show_template(cli: Cli, name: Name, tenant: Whose = None, version: Version = None) -> None:
    """Show a template with its sources."""
    found = await cli.api.get(path("templates", name), {"tenant": tenant, "version": version})
    facts = show.fields(
        [
            ("template", f"{found['name']}@{found['version']}"),
            ("owner", _owner(found) or "the platform"),
            ("newest version", found.get("latest")),
            ("dialect", found.get("dialect")),
            ("stored", when(found.get("made_at"))),
            ("by", found.get("made_by")),
            ("because", found.get("because")),
            ("retired", when(found.get("retired_at"))),
        ]
    )
    cli.show_result(found, facts, *_parts(_sources(found)))


@command.remote(
    app,
    "preview",
    examples="""
mailcordon template preview receipt --tenant acme --data order.json
mailcordon template preview receipt ./templates/receipt --set name=Kim
mailcordon template preview receipt --data - --html receipt.html
""",
)
async def preview(
    cli: Cli,
    name: Name,
    folder: AnyFolder = None,
    tenant: Whose = None,
    version: Version = None,
    data: Annotated[
        str | None,
        typer.Option(
            "--data", metavar="FILE", help="A JSON object with the data; - is stdin. Default: none."
        ),
    ] = None,
    value: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME=VALUE", help="A text of the data. Repeat for more. Default: none."
        ),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write the HTML to this file. Default: to stdout."),
    ] = None,
    dialect: Dialect = "jinja",
) -> None:
    """Render a template with data and send nothing: a version that is stored, or the sources in a folder."""
    body: Document = {"data": {**template_folder.read_data(data), **_values(value or [])}}
    if folder is not None:
        if version is not None:
            raise failures.usage(words.version_or_sources())
        body["sources"] = template_folder.read(folder, dialect=dialect)
    elif version is not None:
        body["version"] = version
    found = await cli.api.call(
        "POST", path("templates", name, "preview"), query={"tenant": tenant}, body=body
    )
    shown = {part: plain(found[part]) for part in ("subject", "text", "html") if found.get(part) is not None}
    if html is not None:
        try:
            html.write_text(plain(found.get("html")), encoding="utf-8")
        except OSError as error:
            raise failures.usage(words.file_unwritable(str(html), error.strerror or str(error))) from None
        shown.pop("html", None)
    cli.show_result(found, *_parts(shown))


@command.remote(
    app,
    "diff",
    examples="""
mailcordon template diff receipt ./templates/receipt --tenant acme
mailcordon template diff receipt --from 3 --to 5
""",
)
async def diff(
    cli: Cli,
    name: Name,
    folder: AnyFolder = None,
    tenant: Whose = None,
    before: Annotated[
        int | None,
        typer.Option("--from", metavar="N", min=1, help="The older version. Default: the one before --to."),
    ] = None,
    after: Annotated[
        int | None, typer.Option("--to", metavar="N", min=1, help="The newer version. Default: the newest.")
    ] = None,
    dialect: Dialect = "jinja",
) -> None:
    """Show what differs between two versions, or between the newest version and a folder."""
    if folder is not None and after is not None:
        raise failures.usage(words.version_or_sources())
    where = path("templates", name)
    if folder is not None:
        new = template_folder.read(folder, dialect=dialect)
        new_name = str(folder)
        old = await cli.api.get(where, {"tenant": tenant, "version": before})
    else:
        new = await cli.api.get(where, {"tenant": tenant, "version": after})
        new_name = f"{name}@{new['version']}"
        if before is None and new["version"] == 1:
            raise failures.usage(words.first_version(name))
        older = before or int(new["version"]) - 1
        old = await cli.api.get(where, {"tenant": tenant, "version": older})
    lines = _diff(_sources(old), _sources(new), f"{name}@{old['version']}", new_name)
    document: Document = {"from": f"{name}@{old['version']}", "to": new_name, "diff": "\n".join(lines)}
    cli.show_result(document, *([_coloured(lines)] if lines else [words.no_difference()]))


@command.remote(
    app, "retire", examples='mailcordon template retire receipt --tenant acme --because "replaced"'
)
async def retire(cli: Cli, name: Name, tenant: Whose = None, because: Because = None) -> None:
    """Retire a template: no message can name it any more. Its versions are kept, and `template put` brings it back."""
    query = {"tenant": tenant, "because": because}
    found = await cli.api.call("DELETE", path("templates", name), query=query)
    cli.show_result(found, words.retired(name, _owner(found)))


def _owner(found: Document) -> str | None:
    owner = found.get("owner")
    return None if owner is None else str(owner)


def _table(found: Document, first: tuple[str, ...]) -> RenderableType:
    names = (*first, "version", "dialect", "bytes", "stored", "by", "because", "retired")
    rows: list[tuple[object, ...]] = []
    for item in found["items"]:
        cells = {
            **item,
            "owner": item.get("owner") or "the platform",
            "stored": when(item.get("made_at")),
            "by": item.get("made_by"),
            "retired": when(item.get("retired_at")),
        }
        rows.append(tuple(cells.get(name) for name in names))
    return show.table(names, rows, drop=("bytes", "by", "because", "dialect"), prose=("because",))


def _sources(found: Document) -> dict[str, str]:
    """By name, as the template has them; the parts last."""
    own = {name: str(found[name]) for name in _SOURCES if found.get(name) is not None}
    return {**own, **{name: str(text) for name, text in child(found, "parts").items()}}


def _parts(parts: dict[str, str]) -> list[RenderableType]:
    views: list[RenderableType] = []
    for name, text in parts.items():
        views += ["", Text(name, style="bold"), Text(plain(text))]
    return views


def _diff(old: dict[str, str], new: dict[str, str], old_name: str, new_name: str) -> list[str]:
    lines: list[str] = []
    for name in sorted({*old, *new}, key=lambda one: (one not in _SOURCES, one)):
        before, after = (one.get(name, "").splitlines() for one in (old, new))
        lines += difflib.unified_diff(before, after, f"{old_name} {name}", f"{new_name} {name}", lineterm="")
    return lines


def _coloured(lines: list[str]) -> Text:
    styles = {"+": "green", "-": "red", "@": "cyan"}
    return Text("\n").join(Text(plain(line), style=styles.get(line[:1], "")) for line in lines)


def _values(pairs: list[str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise failures.usage(words.bad_value(pair))
        values[name] = text
    return values
