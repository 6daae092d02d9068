"""`mailcordon policy`: show, plan, apply and compare policies, and have caps suggested."""

import sys
from importlib import resources
from typing import Annotated, Any

import typer
import yaml
from rich.console import RenderableType

from mailcordon.adapters.cli import command, document_file, failures, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Because, Cli, Limit, Yes
from mailcordon.adapters.cli.commands.plan import MOST_SHOWN
from mailcordon.adapters.cli.document import Document, child, children
from mailcordon.adapters.cli.text import plain, when
from mailcordon.core.errors import Invalid
from mailcordon.guard.policy import check
from mailcordon.guard.policy import document as documents
from mailcordon.messages import cli as messages
from mailcordon.messages import policies as words

app = typer.Typer(
    no_args_is_help=True, help="Policies: what each lane may do and why, planned before it is applied."
)

File = Annotated[
    str, typer.Option("--file", "-f", metavar="FILE", help="A document of a policy; - is stdin. Required.")
]
Plan = Annotated[int, typer.Argument(metavar="PLAN", help="Number of a plan, as `policy list` shows it.")]
Why = Annotated[
    str | None,
    typer.Option("--because", metavar="TEXT", help="The reason. It is shown and audited. Default: none."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Make the plan and show it; apply nothing.")]


@command.remote(
    app,
    "show",
    examples="""
mailcordon policy show acme newsletter  # each value and its origin
mailcordon policy show > policy.yaml    # the document that is in force
""",
)
async def show_policy(
    cli: Cli,
    tenant: Annotated[
        str | None, typer.Argument(metavar="TENANT", help="The tenant's slug. Default: the whole document.")
    ] = None,
    type_: Annotated[
        str | None, typer.Argument(metavar="TYPE", help="Only this message type. Default: all.")
    ] = None,
) -> None:
    """Show what applies to a tenant's lanes and where each value comes from. Without a tenant: the document in force."""
    if tenant is None:
        found = await cli.api.get(path("policy"))
        cli.document = found
        if not cli.json:
            cli.note(_in_force(found))
            sys.stdout.write(yaml_text(child(found, "document")))
        return
    found = await cli.api.get(path("tenants", tenant, "policy"))
    lanes = [one for one in children(found, "lanes") if type_ is None or one.get("type") == type_]
    if not lanes and type_ is not None:
        raise failures.usage(words.no_such_lane(tenant, type_))
    views: list[RenderableType] = []
    for lane in lanes:
        title = words.lane_title(
            f"{tenant}/{plain(lane.get('type'))}", plain(lane.get("tier")), _int(lane, "version")
        )
        rows: list[tuple[object, ...]] = [
            (one.get("path"), one.get("says"), one.get("origin"), one.get("because"))
            for one in children(lane, "values")
            if one.get("path") != "tier"
        ]
        views += [
            *([""] if views else []),
            title,
            show.table(("value", "is", "from", "because"), rows, prose=("because",)),
        ]
    cli.show_result({**found, "lanes": lanes}, *views)


@command.remote(
    app,
    "set",
    examples="""
mailcordon policy set -f policy.yaml --because "acme's list bounced"
mailcordon policy set -f policy.yaml --dry-run
""",
)
async def set_policy(
    cli: Cli, file: File, because: Why = None, yes: Yes = False, dry_run: DryRun = False
) -> None:
    """Plan a policy from a file, show what it would change, ask, and apply it. The file is the whole policy."""
    made = await plan_file(cli, file, because)
    await decide(cli, made, because, yes=yes, dry_run=dry_run)


@command.remote(
    app,
    "diff",
    examples="mailcordon policy diff -f policy.yaml\nmailcordon policy diff --version 3 --to 4",
)
async def diff(
    cli: Cli,
    file: Annotated[
        str | None,
        typer.Option(
            "--file", "-f", metavar="FILE", help="Compare this file with what is in force. Default: none."
        ),
    ] = None,
    version: Annotated[
        int | None,
        typer.Option("--version", min=0, metavar="N", help="From this version; 0: built in. Default: none."),
    ] = None,
    to: Annotated[
        int | None,
        typer.Option("--to", min=0, metavar="N", help="To this version. Default: that in force."),
    ] = None,
) -> None:
    """Show what a file, or another version, changes for which lanes. Stores nothing."""
    if (file is None) == (version is None):
        raise failures.usage(messages.one_of(options="--file FILE or --version N"))
    if file is not None:
        read = _read(file)
        found = await _asked(cli, read, path("policy", "diff"), {"document": read.data})
    else:
        if to is None:
            to = _int(await cli.api.get(path("policy")), "version")
        found = await cli.api.get(path("policy", "diff"), {"version": version, "to": to})
    cli.show_result(found, *(_change_views(found) or [words.nothing_changes()]))


@command.remote(
    app,
    "suggest",
    examples="mailcordon policy suggest acme\nmailcordon policy suggest --document",
)
async def suggest(
    cli: Cli,
    tenant: Annotated[
        str | None, typer.Argument(metavar="TENANT", help="The tenant's slug. Default: every tenant.")
    ] = None,
    document: Annotated[
        bool, typer.Option("--document", help="Print a document with the caps, to be edited and set.")
    ] = False,
) -> None:
    """Suggest caps from what lanes sent in the last weeks and from what is at stake, and say what they would have held."""
    found = await cli.api.get(path("policy", "suggestions"), {"tenant": tenant})
    if document and not cli.json:
        cli.document = found
        sys.stdout.write(yaml_text(child(found, "document")))
        return
    rows: list[tuple[object, ...]] = []
    for item in children(found, "items"):
        lane = f"{plain(item.get('tenant'))}/{plain(item.get('type'))}"
        caps = children(item, "caps")
        rows += [
            (lane, cap.get("path"), f"{_int(cap, 'mails'):,}", cap.get("effect"), cap.get("because"))
            for cap in caps
        ]
        if not caps:
            rows.append((lane, "", "", "", item.get("because")))
    cli.show_result(
        found, show.table(("lane", "cap", "mails", "effect", "because"), rows, prose=("because", "effect"))
    )


@command.remote(app, "list", examples="mailcordon policy list --limit 20")
async def list_plans(cli: Cli, limit: Limit = 50) -> None:
    """List plans and versions of the policy, newest first."""
    found = await cli.api.items(path("policy", "plans"), limit=limit)
    rows: list[tuple[object, ...]] = [
        (
            str(item.get("id")),
            item.get("version"),
            item.get("state"),
            when(item.get("made_at")),
            item.get("made_by"),
            item.get("decided_by"),
            item.get("decided_because") or item.get("because"),
        )
        for item in found["items"]
    ]
    names = ("plan", "version", "state", "made", "made by", "decided by", "because")
    table = show.table(names, rows, drop=("made", "decided by"), prose=("because",))
    cli.show_result(found, table, *show.more(found))


@command.remote(app, "apply", examples='mailcordon policy apply 4 --because "agreed with Ana"')
async def apply(cli: Cli, plan: Plan, because: Why = None, yes: Yes = False) -> None:
    """Apply a plan of the policy. Shows it first, and asks."""
    made = await cli.api.get(path("policy", "plans", str(plan)))
    await decide(cli, made, because, yes=yes, dry_run=False)


@command.remote(app, "reject", examples='mailcordon policy reject 4 --because "too strict"')
async def reject(cli: Cli, plan: Plan, because: Because) -> None:
    """Reject a plan of the policy: it can no longer be applied. Changes nothing else."""
    found = await cli.api.post(path("policy", "plans", str(plan), "reject"), {"because": because})
    cli.show_result(found, words.rejected(plan))


@app.command("schema", epilog=command.epilog("mailcordon policy schema"))
def schema() -> None:
    """Print the JSON Schema of the document of a policy, for editors. Asks no server."""
    sys.stdout.write(resources.files("mailcordon.control").joinpath("policy.schema.json").read_text("utf-8"))


async def plan_file(cli: Cli, file: str, because: str | None) -> Document:
    """A new plan. Raises Failure, with the line of each fault of the file."""
    read = _read(file)
    return await _asked(cli, read, path("policy", "plans"), {"document": read.data, "because": because})


async def decide(cli: Cli, made: Document, because: str | None, *, yes: bool, dry_run: bool) -> None:
    """Shows a plan, asks and applies it."""
    if made.get("id") is None:
        cli.show_result(made, words.nothing_changes())
        return
    id = _int(made, "id")
    views: list[RenderableType] = [words.plan_title(id, _int(made, "base")), *_change_views(made)]
    if dry_run:
        cli.show_result(made, *views, "", words.how_to_apply(id))
        return
    if not cli.json:
        for view in views:  # on stderr with the question, so that stdout has the result alone
            cli.note(view)
        cli.note()
    command.confirm(cli.err, words.apply_question(id), yes=yes)
    done = await cli.api.post(path("policy", "plans", str(id), "apply"), {"because": because})
    lanes = max((_int(one, "number") for one in children(done, "changes")), default=0)
    cli.show_result(done, words.applied(_int(done, "version"), lanes, _int(done, "tenants_left")))


def yaml_text(found: Document) -> str:
    return yaml.safe_dump(found, sort_keys=False, allow_unicode=True, width=120)


def _read(file: str) -> document_file.Read:
    """The file, if it is right in itself. The server says the same, and whether it knows who is named."""
    read = document_file.read(file)
    try:
        check.check(documents.parse(read.data))
    except Invalid as problem:
        faults = [(fault.field, fault.problem) for fault in problem.faults]
        raise document_file.refused(read, faults) from None
    return read


async def _asked(cli: Cli, read: document_file.Read, where: str, body: dict[str, Any]) -> Document:
    try:
        return await cli.api.post(where, body)
    except failures.Failure as failure:
        if not failure.faults:
            raise
        found = [(field.removeprefix("document."), problem) for field, problem in failure.faults]
        raise document_file.refused(read, found, failure) from None


def _change_views(found: Document) -> list[RenderableType]:
    changes = children(found, "changes")
    views: list[RenderableType] = [show.bullet(plain(one.get("says"))) for one in changes[:MOST_SHOWN]]
    left = len(changes) - len(views) + _int(found, "changes_left_off")
    if left:
        views.append(show.bullet(words.changes_hidden(left)))
    if any(one.get("mode") == "shadow" for one in changes):
        views += ["", words.shadow_only()]
    return views


def _in_force(found: Document) -> str:
    by, at = found.get("applied_by"), found.get("applied_at")
    return words.in_force(_int(found, "version"), None if by is None else plain(by), when(at))


def _int(found: Document, name: str) -> int:
    return int(found.get(name) or 0)
