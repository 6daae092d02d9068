"""`mailcordon rollout`: lanes move from the shared path to their own, share by share."""

from datetime import timedelta
from typing import Annotated

import typer
from rich.console import RenderableType

from mailcordon.adapters.cli import command, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Because, Cli, Limit, OfTenant, Tenant, Yes
from mailcordon.adapters.cli.document import Document, child, children, strings
from mailcordon.adapters.cli.text import NONE, plain, when
from mailcordon.messages import rollouts as words

app = typer.Typer(
    no_args_is_help=True,
    help="Lanes that move from the shared path to their own, share by share, with gates and a way back.",
)
freezes = typer.Typer(no_args_is_help=True, help="Times in which no share grows.")
app.add_typer(freezes, name="freeze")

Number = Annotated[int, typer.Argument(metavar="ROLLOUT", help="Its number, as `rollout list` shows it.")]
Types = Annotated[
    list[str] | None,
    typer.Option(
        "--type", metavar="TYPE", help="A message type to move. Repeatable. Default: all with both paths."
    ),
]
Shares = Annotated[
    str | None,
    typer.Option("--shares", metavar="PERCENTS", help="The shares to go by. Default: 1,5,25,50,100."),
]


@command.remote(
    app,
    "list",
    examples="mailcordon rollout list\nmailcordon rollout list --tenant acme --all",
    watchable=True,
)
async def list_rollouts(
    cli: Cli,
    tenant: OfTenant = None,
    all_: Annotated[
        bool, typer.Option("--all", help="Also those that are over. Default: those that last.")
    ] = False,
    limit: Limit = 200,
) -> None:
    """List rollouts, newest first: the share on the new path, and what the last look said."""
    query = {"tenant": tenant, "open": None if all_ else "true"}
    found = await cli.api.items(path("rollouts"), query, limit=limit)
    rows = [
        (
            item.get("id"),
            item.get("tenant"),
            ", ".join(strings(item, "types")),
            item.get("state"),
            f"{plain(item.get('share'))} %",
            when(item.get("since")),
            item.get("sentence") or NONE,
        )
        for item in children(found, "items")
    ]
    columns = ("rollout", "tenant", "types", "state", "share", "since", "says")
    cli.show_result(
        found, show.table(columns, rows, drop=("since", "types"), prose=("says",)), *show.more(found)
    )


@command.remote(app, "status", examples="mailcordon rollout status 12", watchable=True)
async def status(cli: Cli, rollout: Number) -> None:
    """Show a rollout: its share, each gate with its numbers, the checklist, and what was decided."""
    found = await cli.api.call("GET", path("rollouts", str(rollout)))
    cli.show_result(found, plain(found.get("sentence") or ""), "", *rollout_view(found))


@command.remote(
    app,
    "start",
    examples="mailcordon rollout start acme --type newsletter --dry-run\n"
    'mailcordon rollout start acme --type newsletter --because "its own domain"',
)
async def start(
    cli: Cli,
    tenant: Tenant,
    because: Annotated[
        str | None, typer.Option("--because", metavar="TEXT", help="Why. Default: none, for a dry run only.")
    ] = None,
    type_: Types = None,
    shares: Shares = None,
    pace: Annotated[
        float,
        typer.Option(
            "--pace", metavar="TIMES", help="Times the hours that a share lasts at least. Default: 1."
        ),
    ] = 1.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go where.")] = False,
) -> None:
    """Move lanes to their own path. Nothing moves before the checklist holds; each share waits for its gates."""
    body: dict[str, object] = {"tenant": tenant, "types": type_ or None, "shares": _percents(shares)}
    if dry_run:
        found = await cli.api.call("POST", path("rollouts", "preview"), body=body)
        cli.show_result(found, *preview_view(found))
        return
    body |= {"pace": pace, "because": because or ""}
    found = await cli.api.call("POST", path("rollouts"), body=body)
    cli.show_result(found, words.made(int(found.get("id") or 0)))


@command.remote(
    app,
    "advance",
    examples='mailcordon rollout advance 12 --because "mended the DKIM key"\n'
    'mailcordon rollout advance 12 --override mails --because "a small tenant"',
)
async def advance(
    cli: Cli,
    rollout: Number,
    because: Because,
    override: Annotated[
        list[str] | None,
        typer.Option(
            "--override",
            metavar="KEY",
            help="What need not hold for the next share. Repeatable. Default: none.",
        ),
    ] = None,
    to: Annotated[
        int | None,
        typer.Option(
            "--to",
            metavar="PERCENT",
            help="Refuse if another share comes next, so that it may be repeated. Default: none.",
        ),
    ] = None,
    yes: Yes = False,
) -> None:
    """Let a rollout go on: after a hold, after a way back, or to the next share now."""
    if override:
        command.confirm(cli.err, words.override_question(override), yes=yes)
    body: dict[str, object] = {"because": because, "overrides": override or [], "to": to}
    await _change(cli, rollout, "advance", body)


@command.remote(app, "hold", examples='mailcordon rollout hold 12 --because "wait for monday"')
async def hold(cli: Cli, rollout: Number, because: Because) -> None:
    """Keep a rollout at its share. A breach still goes back."""
    await _change(cli, rollout, "hold", {"because": because})


@command.remote(app, "back", examples='mailcordon rollout back 12 --because "customers report spam folders"')
async def back(cli: Cli, rollout: Number, because: Because) -> None:
    """Take all mail back to the old path, at once: new mail, and mail that waits."""
    await _change(cli, rollout, "back", {"because": because})


@command.remote(
    app, "finish", examples='mailcordon rollout finish 12 --because "four weeks without a breach"'
)
async def finish(cli: Cli, rollout: Number, because: Because, yes: Yes = False) -> None:
    """Make the plan that drops the old path, at 100 percent. Once it is applied there is no way back."""
    command.confirm(cli.err, words.finish_question(), yes=yes)
    await _change(cli, rollout, "finish", {"because": because})


@command.remote(app, "cancel", examples='mailcordon rollout cancel 12 --because "the tenant stays"')
async def cancel(cli: Cli, rollout: Number, because: Because) -> None:
    """Give up a rollout that has no mail on the new path."""
    await _change(cli, rollout, "cancel", {"because": because})


@command.remote(freezes, "list", examples="mailcordon rollout freeze list", watchable=True)
async def list_freezes(cli: Cli) -> None:
    """List the times in which no share grows, if they are not over."""
    found = await cli.api.call("GET", path("rollout-freezes"))
    cli.show_result(found, freeze_table(children(found, "items")))


@command.remote(
    freezes,
    "add",
    examples='mailcordon rollout freeze add --for 4d --because "black friday"\n'
    'mailcordon rollout freeze add --tenant acme --for 12h --because "their sale"',
)
async def add_freeze(
    cli: Cli,
    because: Because,
    seconds: Annotated[
        float, command.duration_option("--for", minimum=60, help="How long, from now on. Default: a day.")
    ] = 86_400.0,
    tenant: OfTenant = None,
) -> None:
    """Let no share grow for a time. A way back is never frozen."""
    until = cli.now + timedelta(seconds=seconds)
    body = {"since": cli.now.isoformat(), "until": until.isoformat(), "tenant": tenant, "because": because}
    found = await cli.api.call("POST", path("rollout-freezes"), body=body)
    cli.show_result(found, freeze_table([found]))


@command.remote(freezes, "end", examples='mailcordon rollout freeze end 3 --because "it is over"')
async def end_freeze(
    cli: Cli,
    freeze: Annotated[
        int, typer.Argument(metavar="FREEZE", help="Its number, as `rollout freeze list` shows it.")
    ],
    because: Because,
) -> None:
    """End a freeze now."""
    found = await cli.api.call("POST", path("rollout-freezes", str(freeze), "end"), body={"because": because})
    cli.show_result(found, freeze_table(children(found, "items")))


async def _change(cli: Cli, rollout: int, what: str, body: dict[str, object]) -> None:
    found = await cli.api.call("POST", path("rollouts", str(rollout), what), body=body)
    cli.show_result(found, plain(found.get("sentence") or ""))


def _percents(text: str | None) -> list[int] | None:
    if text is None:
        return None
    try:
        return [int(each) for each in text.split(",")]
    except ValueError:
        raise typer.BadParameter(words.bad_shares(), param_hint="--shares") from None


def _state(item: Document) -> str:
    holds = item.get("holds")
    return "unknown" if holds is None else "holds" if holds else "missing"


def freeze_table(items: list[Document]) -> RenderableType:
    rows = [
        (
            each.get("id"),
            each.get("tenant") or words.all_tenants(),
            when(each.get("since")),
            when(each.get("until")),
            each.get("because"),
        )
        for each in items
    ]
    return show.table(("freeze", "tenant", "since", "until", "because"), rows, prose=("because",))


def checklist_table(items: list[Document]) -> RenderableType:
    rows = [
        (
            item.get("key"),
            _state(item),
            item.get("said"),
            item.get("command") or NONE,
        )
        for item in items
    ]
    return show.table(("line", "state", "says", "mend it"), rows, drop=("mend it",), prose=("says",))


def rollout_view(item: Document) -> list[RenderableType]:
    gates = [
        (
            gate.get("measure"),
            gate.get("verdict"),
            gate.get("harm"),
            gate.get("back_at"),
            gate.get("sentence"),
        )
        for gate in children(item, "gates")
    ]
    steps = [
        (
            when(step.get("at")),
            step.get("what"),
            f"{plain(step.get('to_share'))} %",
            step.get("by"),
            step.get("sentence"),
        )
        for step in children(item, "steps")
    ]
    return [
        show.fields(
            [
                ("tenant", item.get("tenant")),
                ("types", ", ".join(strings(item, "types"))),
                ("state", item.get("state")),
                ("share", f"{plain(item.get('share'))} %"),
                ("since", when(item.get("since"))),
                ("shares", ", ".join(strings(item, "shares"))),
                ("ways back", item.get("backs")),
                ("rests until", when(item.get("rests_until"))),
                ("plan", item.get("plan")),
                ("because", item.get("because")),
            ]
        ),
        "",
        show.table(
            ("gate", "verdict", "harm", "back at", "says"), gates, drop=("back at", "harm"), prose=("says",)
        ),
        "",
        checklist_table(children(item, "checklist")),
        "",
        show.table(("at", "what", "share", "by", "says"), steps, drop=("by",), prose=("says",)),
    ]


def preview_view(item: Document) -> list[RenderableType]:
    rows: list[tuple[object, ...]] = []
    for lane in children(item, "lanes"):
        daily = sum(
            float(each) for each in child(lane, "mails_a_day").values() if isinstance(each, int | float)
        )
        old, new = child(lane, "old"), child(lane, "new")
        for share in strings(item, "shares"):
            moved = daily * int(share) / 100
            rows.append(
                (
                    lane.get("type"),
                    f"{share} %",
                    f"{moved:,.0f}",
                    new.get("domain"),
                    f"{daily - moved:,.0f}",
                    old.get("domain"),
                )
            )
    columns = ("type", "share", "mails a day", "to", "mails a day ", "stay on")
    return [
        plain(item.get("sentence")),
        "",
        show.table(columns, rows, prose=()),
        "",
        checklist_table(children(item, "checklist")),
    ]
