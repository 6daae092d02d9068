"""`mailcordon plans`: the plans that were made, who decided on them, and what became of each call."""

from typing import Annotated, Literal

import typer

from mailcordon.adapters.cli import command, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Because, Cli, Limit
from mailcordon.adapters.cli.commands import plan
from mailcordon.adapters.cli.document import child
from mailcordon.adapters.cli.text import plain, when
from mailcordon.messages import plans as messages

app = typer.Typer(no_args_is_help=True, help="Plans: list them, show what became of their calls, reject one.")

Plan = Annotated[int, typer.Argument(metavar="PLAN", help="The plan's number.")]


@command.remote(
    app,
    "list",
    examples="mailcordon plans list --state proposed\nmailcordon plans list --watch",
    watchable=True,
)
async def list_plans(
    cli: Cli,
    state: Annotated[
        Literal["proposed", "applying", "applied", "rejected", "outdated"] | None,
        typer.Option("--state", help="Only plans in this state. Default: all."),
    ] = None,
    limit: Limit = 50,
) -> None:
    """List plans, newest first. One that is proposed by control or by changed settings waits for `apply`."""
    found = await cli.api.items(path("plans"), {"state": state}, limit=limit)
    rows: list[tuple[object, ...]] = [
        (
            str(item.get("id")),
            item.get("state"),
            item.get("source"),
            when(item.get("made_at")),
            item.get("made_by"),
            item.get("decided_by"),
            ", ".join(f"{plain(count)} {plain(name)}" for name, count in child(item, "counts").items()),
            item.get("because"),
        )
        for item in found["items"]
    ]
    table = show.table(
        ("plan", "state", "source", "made", "by", "decided by", "calls", "because"),
        rows,
        drop=("source", "made", "decided by", "because"),
        prose=("because", "calls"),
    )
    cli.show_result(found, table, *show.more(found))


@command.remote(app, "show", examples="mailcordon plans show 17 --watch", watchable=True)
async def show_plan(cli: Cli, plan_: Plan) -> None:
    """Show a plan: its steps, its calls, what waits and why. Of a large plan the first 1,000 steps and 10,000 calls."""
    found = await cli.api.get(path("plans", str(plan_)))
    decided = (
        [messages.plan_decided_by(by=plain(found["decided_by"]), at=when(found.get("decided_at")))]
        if found.get("decided_by")
        else []
    )
    state = messages.plan_state(plan=plan_, state=plain(found.get("state")))
    cli.show_result(found, plan.plan_view(found, most=None), state, *decided)


@command.remote(app, "steps", examples="mailcordon plans steps 17 --limit 500", watchable=True)
async def list_steps(cli: Cli, plan_: Plan, limit: Limit = 50) -> None:
    """List the steps of a plan, in order."""
    found = await cli.api.items(path("plans", str(plan_), "steps"), limit=limit)
    rows: list[tuple[object, ...]] = [(str(item.get("seq")), item.get("says")) for item in found["items"]]
    cli.show_result(found, show.table(("#", "step"), rows, prose=("step",)), *show.more(found))


@command.remote(
    app,
    "calls",
    examples="mailcordon plans calls 17 --limit 500\nmailcordon plans calls 17 --watch",
    watchable=True,
)
async def list_calls(cli: Cli, plan_: Plan, limit: Limit = 50) -> None:
    """List the calls of a plan to SES in order, and what became of each."""
    found = await cli.api.items(path("plans", str(plan_), "calls"), limit=limit)
    cli.show_result(found, plan.calls_table(found["items"]), *show.more(found))


@command.remote(app, "reject", examples='mailcordon plans reject 17 --because "wrong topic"')
async def reject(cli: Cli, plan_: Plan, because: Because) -> None:
    """Reject a plan that waits: it can no longer be applied. Changes nothing else."""
    found = await cli.api.post(path("plans", str(plan_), "reject"), {"because": because})
    cli.show_result(found, messages.plan_rejected(plan=plan_))
