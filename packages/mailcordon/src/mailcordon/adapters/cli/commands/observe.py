"""`mailcordon observe`: whose mail is that did not pass through Mailcordon, and what no rule names."""

import csv
import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import RenderableType

from mailcordon.adapters.cli import command, failures, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Cli, Limit
from mailcordon.adapters.cli.document import Document, children
from mailcordon.adapters.cli.text import plain, when
from mailcordon.messages import cli as cli_messages
from mailcordon.messages import observing as messages
from mailcordon.messages import suppressions as files

app = typer.Typer(
    no_args_is_help=True,
    help="Mail that did not pass through Mailcordon: whose it is (list, map, unmap, import), and what no rule names (unmapped).",
)

COLUMNS = ("by", "name", "value", "tenant", "type", "type_tag")
_AT_ONCE = 1000  #: rules of one request
_LONGEST_FILE = 32 << 20  #: bytes; 100,000 rules have a few MB

Replace = Annotated[
    bool, typer.Option("--replace", help="Replace rules of the same value that name another tenant or type.")
]


@command.remote(
    app,
    "list",
    examples="mailcordon observe list\nmailcordon observe list --tenant acme",
)
async def list_rules(
    cli: Cli,
    tenant: Annotated[
        str | None, typer.Option("--tenant", metavar="TENANT", help="Only this tenant's. Default: all.")
    ] = None,
    limit: Limit = 100,
) -> None:
    """List the rules that say whose observed mail is.

    The first that fits decides: by a tag, by the configuration set, by the sender's address, by its domain or the nearest
    one above it, by the identity."""
    found = await cli.api.items(path("observed", "rules"), {"tenant": tenant}, limit=limit)
    if not found["items"]:
        cli.show_result(found, messages.no_rules())
        return
    cli.show_result(found, _rules(found["items"]), *show.more(found))


@command.remote(
    app,
    "map",
    examples="""
mailcordon observe map acme --tag customer=7 --type newsletter
mailcordon observe map acme --from acme.example --type-tag kind
mailcordon observe map zen --set zen-marketing --type announcement
""",
)
async def map_mail(
    cli: Cli,
    tenant: Annotated[
        str,
        typer.Argument(
            metavar="TENANT", help="Whose mail it is. A tenant that does not exist is made, observed only."
        ),
    ],
    tag: Annotated[
        str | None,
        typer.Option("--tag", metavar="NAME=VALUE", help="Mail with this tag. Default: not by tag."),
    ] = None,
    set_: Annotated[
        str | None,
        typer.Option("--set", metavar="SET", help="Mail of this configuration set. Default: not by set."),
    ] = None,
    from_: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="DOMAIN",
            help="Mail from this domain or one below it, or from this address. Default: not by sender.",
        ),
    ] = None,
    identity: Annotated[
        str | None,
        typer.Option(
            "--identity", metavar="IDENTITY", help="Mail of this identity of SES. Default: not by identity."
        ),
    ] = None,
    type_: Annotated[
        str | None,
        typer.Option(
            "--type",
            metavar="TYPE",
            help="Message type of all of it, or of mail whose --type-tag names none. Default: what --type-tag names.",
        ),
    ] = None,
    type_tag: Annotated[
        str | None,
        typer.Option(
            "--type-tag",
            metavar="NAME",
            help="The tag whose value is the message type. Default: all of it is of --type.",
        ),
    ] = None,
    replace: Replace = False,
) -> None:
    """Map observed mail to a tenant: give one of --tag, --set, --from and --identity. It counts from now on."""
    given = {"tag": tag, "set": set_, "from": from_, "identity": identity}
    chosen = [(by, value) for by, value in given.items() if value is not None]
    if len(chosen) != 1:
        raise failures.usage(messages.give_one_of(["--tag", "--set", "--from", "--identity"]))
    by, value = chosen[0]
    name, is_tag, rest = value.partition("=") if by == "tag" else (None, "=", value)
    if not is_tag:
        raise failures.usage(messages.tag_without_value(given=value))
    rule = {"by": by, "name": name, "value": rest, "tenant": tenant, "type": type_, "type_tag": type_tag}
    found = await cli.api.post(path("observed", "rules"), {"rules": [_set_ones(rule)], "replace": replace})
    cli.show_result(found, plain(found.get("sentence")), "", _rules(children(found, "rules")))


@command.remote(app, "unmap", examples="mailcordon observe unmap 12")
async def unmap(
    cli: Cli,
    rule: Annotated[int, typer.Argument(metavar="RULE", help="The number that `observe list` shows.")],
) -> None:
    """Remove a rule. What was counted by it stays."""
    found = await cli.api.call("DELETE", path("observed", "rules", str(rule)))
    cli.show_result(found, messages.unmapped(rule=f"{_what(found)} -> {plain(found.get('tenant'))}"))


@command.remote(
    app,
    "import",
    examples="mailcordon observe import tenants.csv\nmailcordon observe import tenants.csv --replace",
)
async def import_rules(
    cli: Cli,
    file: Annotated[
        str,
        typer.Argument(metavar="FILE", help=f"A CSV file with the columns {','.join(COLUMNS)}; - is stdin."),
    ],
    replace: Replace = False,
) -> None:
    """Map observed mail by the rules of a CSV file. Safe to repeat: rules that are there stay as they are.

    `by` is tag, set, from or identity; `name` is the tag's. Each thousand is stored as a whole or not at all."""
    rows = list(_read_rules(file))
    added = replaced = unchanged = 0
    new_tenants: list[str] = []
    with cli.progress(cli_messages.reading_file(file=file), total=len(rows)) as bar:
        for start in range(0, len(rows), _AT_ONCE):
            bar.set(start)
            batch = rows[start : start + _AT_ONCE]
            body = {"rules": [rule for _, rule in batch], "replace": replace}
            try:
                found = await cli.api.post(path("observed", "rules"), body)
            except failures.Failure as failure:
                failure.sentence = _by_line(failure.sentence, [line for line, _ in batch])
                if start:
                    failure.sentence += f". {messages.import_stopped(line=batch[0][0])}"
                raise
            added, replaced = added + int(found["added"]), replaced + int(found["replaced"])
            unchanged += int(found["unchanged"])
            new_tenants += [str(slug) for slug in found["new_tenants"]]
    total: Document = {
        "added": added,
        "replaced": replaced,
        "unchanged": unchanged,
        "new_tenants": sorted(new_tenants),
    }
    cli.show_result(
        total,
        messages.mapped(added=added, replaced=replaced, unchanged=unchanged, new_tenants=sorted(new_tenants)),
    )


@command.remote(
    app,
    "unmapped",
    examples="mailcordon observe unmapped\nmailcordon observe unmapped --days 1 --watch",
    watchable=True,
)
async def list_unmapped(
    cli: Cli,
    days: Annotated[
        int, typer.Option("--days", metavar="N", min=1, max=90, help="Of the last N days, today included.")
    ] = 7,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, max=1000, help="Show at most N origins.")
    ] = 100,
) -> None:
    """Show observed mail that no rule names, the most first, with the tags that a rule could go by."""
    found = await cli.api.get(path("observed", "unmapped"), {"days": str(days), "limit": str(limit)})
    items = children(found, "items")
    if not items:
        cli.show_result(found, messages.nothing_unmapped())
        return
    rows: list[tuple[object, ...]] = [
        (
            item.get("identity"),
            item.get("from_domain"),
            item.get("configuration_set"),
            item.get("mails"),
            item.get("events"),
            when(item.get("last_at")),
            item.get("why"),
            " ".join(map(str, item.get("tags") or ())),
        )
        for item in items
    ]
    table = show.table(
        ("identity", "from", "set", "mails", "events", "last", "why", "tags"),
        rows,
        drop=("events", "why", "last"),
        prose=("tags",),
    )
    cli.show_result(found, table)


def _rules(items: list[Document]) -> RenderableType:
    rows: list[tuple[object, ...]] = [
        (str(item.get("id")), _what(item), item.get("tenant"), item.get("type"), item.get("type_tag"))
        for item in items
    ]
    return show.table(("id", "mail", "tenant", "type", "type tag"), rows)


def _what(item: Document) -> str:
    named = f"{plain(item['name'])}=" if item.get("name") is not None else ""
    return f"{plain(item.get('by'))} {named}{plain(item.get('value'))}"


def _by_line(sentence: str, lines: list[int]) -> str:
    """The API names a rule by its place in the request; a person looks for the line of the file."""
    return re.sub(r"\brules\[(\d+)\]", lambda found: f"line {lines[int(found[1])]}", sentence)


def _read_rules(file: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Rules with the number of their line."""
    try:
        raw = sys.stdin.buffer.read(_LONGEST_FILE + 1) if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise failures.usage(files.file_unreadable(file, error.strerror or str(error))) from None
    if len(raw) > _LONGEST_FILE:
        raise failures.usage(files.file_too_large(_LONGEST_FILE))
    rows = csv.reader(io.StringIO(raw.decode("utf-8-sig", errors="replace")))
    try:
        header = [column.strip() for column in next(rows, list[str]())]
        if not {"by", "value", "tenant"} <= set(header) <= set(COLUMNS):
            raise failures.usage(messages.csv_header_wrong(columns=",".join(COLUMNS)))
        for row in rows:
            if not any(cell.strip() for cell in row):
                continue
            if len(row) != len(header):
                raise failures.usage(
                    messages.csv_columns_wrong(line=rows.line_num, has=len(row), needs=len(header))
                )
            rule = {name: cell.strip() or None for name, cell in zip(header, row, strict=True)}
            yield rows.line_num, _set_ones(rule)
    except csv.Error as error:
        raise failures.usage(messages.csv_unreadable(line=rows.line_num, why=str(error))) from None


def _set_ones(rule: dict[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in rule.items() if value is not None}
