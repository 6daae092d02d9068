"""`mailcordon plan`, `apply` and `export`: what would change and why, make it so, and write down how it is.

A plan is made by the server and stored there. `plan` shows it and changes nothing; `apply` shows it, asks, and then follows SES's
set-up. Both take a file of tenants.
"""

import asyncio
import sys
import time
from importlib import resources
from typing import Annotated

import typer
import yaml
from rich.console import Group, RenderableType

from mailcordon.adapters.cli import command, document_file, failures, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Cli, Yes
from mailcordon.adapters.cli.document import Document, child, children, strings
from mailcordon.adapters.cli.progress import Bar
from mailcordon.adapters.cli.text import counted, plain
from mailcordon.control import document
from mailcordon.core.errors import Invalid
from mailcordon.messages import cli as messages
from mailcordon.messages import plans

app = typer.Typer()

_POLL_SECONDS = 0.5
MOST_SHOWN = 50  #: steps, calls and notes of one plan, each

File = Annotated[
    str | None,
    typer.Option(
        "--file",
        "-f",
        metavar="FILE",
        help="A file of tenants, as `export` writes it; - is stdin. Default: no file.",
    ),
]
Prune = Annotated[
    bool,
    typer.Option("--prune", help="Retire what the file does not name. Default: leave it alone."),
]
Because = Annotated[
    str | None,
    typer.Option("--because", metavar="TEXT", help="The reason. It is shown and audited. Default: none."),
]


@command.remote(
    app,
    "plan",
    examples="""
mailcordon plan                   # what differs at SES from what is wanted
mailcordon export > tenants.yaml  # edit it, then:
mailcordon plan -f tenants.yaml
mailcordon plan --schema          # the JSON Schema of the file
""",
)
async def plan(
    cli: Cli,
    file: File = None,
    prune: Prune = False,
    because: Because = None,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON Schema of the file, and make no plan.")
    ] = False,
) -> None:
    """Show what would change, at SES and here, and why. Changes nothing: `apply` does.

    Without a file: what differs at SES from what is wanted. With a file: what makes the tenants as the file says; a tenant that
    the file does not name is left alone.
    """
    if schema:
        sys.stdout.write(schema_text())
        return
    made = await make(cli, file, prune=prune, because=because)
    cli.show_result(made, plan_view(made), *_what_next(made))


@command.remote(
    app,
    "apply",
    examples="""
mailcordon apply 17 --because "Ana asked for it"
mailcordon apply -f tenants.yaml --yes
""",
)
async def apply(
    cli: Cli,
    plan_: Annotated[
        int | None,
        typer.Argument(metavar="PLAN", help="Number of a plan, as `plan` and `plans list` show it."),
    ] = None,
    file: File = None,
    prune: Prune = False,
    because: Because = None,
    yes: Yes = False,
    wait: Annotated[
        float,
        command.duration_option(
            "--wait", minimum=0, help="Watch the calls to SES for at most this long. Default: 5m."
        ),
    ] = 300.0,
) -> None:
    """Apply a plan, or make one from a file and apply it. Shows it first, and asks.

    What is desired changes at once; SES follows at the rate that it allows, and goes on if this command is interrupted. A plan is
    refused if another one was applied since it was made.
    """
    if (plan_ is None) == (file is None):
        raise failures.usage(messages.one_of(options="PLAN or --file FILE"))
    if plan_ is not None and prune:
        raise failures.usage(messages.not_both(one="PLAN", other="--prune"))
    if plan_ is not None:
        made = await cli.api.get(path("plans", str(plan_)))
    else:
        made = await make(cli, file, prune=prune, because=because)
    if made.get("id") is None:
        cli.show_result(made, plan_view(made))
        return
    if not cli.json:
        # On stderr with the question, so that stdout has the result alone.
        cli.note(plan_view(made))
        cli.note()
    command.confirm(cli.err, plans.apply_question(plan=int(made["id"])), yes=yes)
    applied = await cli.api.post(path("plans", str(made["id"]), "apply"), {"because": because})
    final = await watch(cli, applied, wait)
    cli.show_result(final, *outcome(final))
    if failed := [each for each in children(final, "calls") if each.get("state") == "failed"]:
        cli.note(plans.plan_has_failed_calls(plan=int(made["id"]), calls=counted(len(failed), "call")))
        raise typer.Exit(int(failures.Exit.UNAVAILABLE))


@command.remote(
    app,
    "export",
    examples="mailcordon export > tenants.yaml\nmailcordon export acme zen",
)
async def export(
    cli: Cli,
    tenant: Annotated[
        list[str] | None,
        typer.Argument(metavar="TENANT", help="Only these tenants. Default: all."),
    ] = None,
) -> None:
    """Write the tenants as a file that `plan -f` and `apply -f` read. Keys and mail are not in it."""
    found = await cli.api.get(path("document"), {"tenants": ",".join(tenant)} if tenant else None)
    cli.document = found
    if not cli.json:
        sys.stdout.write(yaml_text(found))


def schema_text() -> str:
    """The JSON Schema of the file of tenants."""
    return resources.files("mailcordon.control").joinpath("tenants.schema.json").read_text("utf-8")


def yaml_text(found: Document) -> str:
    return yaml.safe_dump(found, sort_keys=False, allow_unicode=True, width=120)


async def make(cli: Cli, file: str | None, *, prune: bool, because: str | None) -> Document:
    """A new plan. Raises Failure, with the line of each fault of the file."""
    if file is None:
        if prune:
            raise failures.usage(messages.needs_option(option="--prune", other="--file"))
        return await cli.api.post(path("plans"), {"because": because})
    read = document_file.read(file)
    try:
        # The server says the same; here, a file that is wrong in itself is refused without one.
        document.parse(read.data, local=True)
    except Invalid as problem:
        raise document_file.refused(
            read, [(fault.field, fault.problem) for fault in problem.faults]
        ) from None
    try:
        return await cli.api.post(path("plans"), {"document": read.data, "prune": prune, "because": because})
    except failures.Failure as failure:
        if not failure.faults:
            raise
        found = [(field.removeprefix("document."), problem) for field, problem in failure.faults]
        raise document_file.refused(read, found, failure) from None


async def watch(cli: Cli, applied: Document, seconds: float) -> Document:
    """The plan when its calls are made, or when the time is over. Says each call once."""
    with cli.progress(messages.applying_plan(plan=int(applied["id"]))) as bar:
        return await _watched(cli, applied, seconds, bar)


async def _watched(cli: Cli, applied: Document, seconds: float, bar: Bar) -> Document:
    deadline = time.monotonic() + seconds
    now, said = applied, set[int]()
    while True:
        counts = {name: int(count or 0) for name, count in child(now, "counts").items()}
        bar.set(counts.get("done", 0), sum(counts.values()) or None)
        for call in children(now, "calls"):
            number = int(call.get("seq") or 0)
            if number not in said and call.get("state") in ("done", "failed"):
                said.add(number)
                cli.say(show.bullet(call_line(call)))
        if now.get("state") != "applying" or time.monotonic() >= deadline:
            return now
        if any(each.get("state") == "failed" for each in children(now, "calls")) and not any(
            each.get("state") == "pending" and not each.get("waits_for_mail")
            for each in children(now, "calls")
        ):
            return now
        await asyncio.sleep(_POLL_SECONDS)
        now = await cli.api.get(path("plans", str(now["id"])))


def call_line(call: Document) -> str:
    """A call that was made: its words, and SES's where it refused."""
    says = plain(call.get("says"))
    return plans.call_refused(call=says, said=plain(call.get("outcome"))) if call.get("outcome") else says


def plan_view(found: Document, *, most: int | None = MOST_SHOWN) -> RenderableType:
    """Steps, calls and what they touch."""
    if found.get("id") is None:
        return plans.plan_is_empty()
    views: list[RenderableType] = [
        plans.plan_title(
            plan=int(found["id"]), by=plain(found.get("made_by")), because=_text(found.get("because"))
        )
    ]
    number = int(found["id"])
    steps, steps_left = _first(found, "steps", most)
    views += [show.bullet(plain(step.get("says"))) for step in steps]
    if steps_left:
        views.append(show.bullet(plans.steps_hidden(number=steps_left, plan=number)))
    calls, calls_left = _first(found, "calls", most)
    if calls:
        total = counted(len(calls) + calls_left, "call")
        views += ["", plans.plan_calls(calls=total), calls_table(calls)]
        if calls_left:
            views.append(plans.calls_hidden(number=calls_left, plan=number))
    if waiting := sorted({plain(call["waits"]) for call in children(found, "calls") if call.get("waits")}):
        views += ["", plans.plan_waits(), *(show.bullet(reason) for reason in waiting)]
    if notes := strings(found, "notes"):
        views += ["", *(show.bullet(plain(note)) for note in notes[:most])]
        if notes_left := len(notes) - len(notes[:most]) + int(found.get("notes_left_off") or 0):
            views.append(show.bullet(plans.notes_hidden(number=notes_left)))
    more = int(found.get("tenants_left_off") or 0)
    views += ["", plans.plan_touches(tenants=strings(found, "tenants"), more=more)]
    if left := int(found.get("later") or 0):
        views.append(plans.tenants_left(tenants=left))
    if seconds := float(found.get("seconds") or 0):
        views.append(plans.plan_takes(seconds=seconds))
    return Group(*views)


def _first(found: Document, member: str, most: int | None) -> tuple[list[Document], int]:
    """The first steps or calls of a plan, and how many there are beside these."""
    given = children(found, member)
    shown = given[:most]
    return shown, len(given) - len(shown) + int(found.get(f"{member}_left_off") or 0)


def calls_table(calls: list[Document]) -> RenderableType:
    return show.table(
        ("#", "state", "tenant", "call", "why"),
        [
            (
                str(call.get("seq")),
                call.get("state"),
                call.get("tenant"),
                call.get("says"),
                call.get("outcome") or call.get("waits") or call.get("why"),
            )
            for call in calls
        ],
        drop=("tenant", "state"),
        prose=("call", "why"),
    )


def outcome(final: Document) -> list[RenderableType]:
    """How applying went."""
    counts = child(final, "counts")
    done = int(counts.get("done") or 0)
    left = int(counts.get("pending") or 0) + int(counts.get("failed") or 0)
    if left:
        return [plans.plan_goes_on(plan=int(final["id"]), done=done, left=left)]
    return [plans.plan_applied(plan=int(final["id"]), calls=counted(done, "call"))]


def _what_next(made: Document) -> list[RenderableType]:
    return [] if made.get("id") is None else ["", plans.how_to_apply(plan=int(made["id"]))]


def _text(value: object) -> str:
    return plain(value) if value else ""
