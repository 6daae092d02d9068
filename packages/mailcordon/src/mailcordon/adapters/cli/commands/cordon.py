"""`mailcordon cordon`, `uncordon` and `cancel`.

Each of the three first shows what it will hold, release or drop, and whom it leaves alone, as the server computed it; then it
asks. In a script nobody can be asked, so there it takes `--yes` or refuses.
"""

from typing import Annotated

import typer
from rich.console import Group, RenderableType

from mailcordon.adapters.cli import command, failures, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Because, Cli, Tenant, Yes
from mailcordon.adapters.cli.commands import holds
from mailcordon.adapters.cli.document import Document, parts

app = typer.Typer()

Type = Annotated[str | None, typer.Option("--type", metavar="TYPE", help="Only this message type: one lane.")]

Class = Annotated[
    str | None,
    typer.Option("--class", metavar="CLASS", help="Only this class: urgent, transactional or marketing."),
]

Provider = Annotated[
    str | None,
    typer.Option("--provider", metavar="NAME", help="Only mail to this mailbox provider, as in gmail."),
]

Campaign = Annotated[
    str | None, typer.Option("--campaign", metavar="NAME", help="Only mail of this campaign.")
]

ListName = Annotated[
    str | None, typer.Option("--list", metavar="NAME", help="Only mail to this list or import.")
]

DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what it would do, and do nothing.")]

_CLASSES = ("urgent", "transactional", "marketing")


@command.remote(
    app,
    "cordon",
    examples="""
mailcordon cordon acme --class marketing --because "complaints rise since 9:00"
mailcordon cordon acme --type newsletter --provider gmail --because "gmail defers" --until 3600
mailcordon cordon acme --campaign spring-sale --because "wrong list" --yes
mailcordon cordon acme --because "account taken over"              # everything of this tenant
""",
)
async def cordon(
    cli: Cli,
    tenant: Tenant,
    because: Because,
    type_: Type = None,
    class_: Class = None,
    provider: Provider = None,
    campaign: Campaign = None,
    list_: ListName = None,
    until: Annotated[
        float | None,
        typer.Option("--until", min=1, metavar="SECONDS", help="Lift it by itself after so long."),
    ] = None,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Stop mail of a tenant, or of a part of it. It is kept until its own expiry and leaves when the hold is lifted.

    To drop mail for good, use `cancel`.
    """
    meant = target(tenant, type_, class_, provider, campaign, list_)
    preview = await _preview(cli, meant, "cordon")
    if dry_run:
        _without_acting(cli, preview)
        return
    command.confirm(cli.err, f"Cordon {holds.hold_target(meant)}?", yes=yes)
    body = {**meant, "because": because, **({"until_seconds": until} if until is not None else {})}
    hold = await cli.api.post(path("holds"), body)
    cli.answer(
        {"preview": preview, "done": True, "hold": hold},
        f"Cordoned: {holds.hold_target(hold)} (hold {hold.get('id')}). Undo it with `{_undo(meant)}`.",
    )


@command.remote(
    app,
    "uncordon",
    examples="""
mailcordon uncordon acme --class marketing --because "list was cleaned"
mailcordon uncordon acme --hold 17 --because "false alarm"
""",
)
async def uncordon(
    cli: Cli,
    tenant: Tenant,
    because: Because,
    type_: Type = None,
    class_: Class = None,
    provider: Provider = None,
    campaign: Campaign = None,
    list_: ListName = None,
    hold: Annotated[
        list[int] | None,
        typer.Option("--hold", metavar="ID", help="Exactly this hold, as `holds list` shows it."),
    ] = None,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Lift holds. Mail leaves when no hold is left on it: lifting one never lifts another."""
    meant = target(tenant, type_, class_, provider, campaign, list_)
    if hold and len(meant) > 1:
        raise failures.usage("say either --hold or what to uncordon, not both")
    preview = await _preview(cli, meant, "uncordon") if not hold else await _chosen(cli, tenant, hold)
    if dry_run:
        _without_acting(cli, preview)
        return
    what = f"hold {', '.join(map(str, hold))}" if hold else holds.hold_target(meant)
    command.confirm(cli.err, f"Uncordon {what}?", yes=yes)
    body = {"tenant": tenant, "ids": hold, "because": because} if hold else {**meant, "because": because}
    lifted = await cli.api.post(path("holds", "lift"), body)
    found, remaining = parts(lifted, "lifted"), parts(lifted, "remaining")
    if not found:
        raise failures.Failure(
            failures.Exit.NOT_FOUND,
            f"nothing was lifted: no open hold of a person is aimed at exactly {holds.hold_target(meant)}. "
            f"`mailcordon holds list --tenant {tenant} --open` shows those there are; `--hold ID` lifts one.",
            "no-such-hold",
            partial={"preview": preview, "done": False, **lifted},
        )
    cli.answer(
        {"preview": preview, "done": True, **lifted},
        f"Lifted {show.counted(len(found), 'hold')}, {show.counted(int(lifted.get('released') or 0), 'delivery')} released.",
        *([holds.hold_table(found)] if found else []),
        *(["", "Still held by:", holds.hold_table(remaining)] if remaining else []),
    )


@command.remote(
    app,
    "cancel",
    examples="""
mailcordon cancel acme --campaign spring-sale --because "sent to the wrong list"
mailcordon message cancel msg_0r4tq2v6k7m8n                # one message only
""",
)
async def cancel(
    cli: Cli,
    tenant: Tenant,
    because: Because,
    type_: Type = None,
    class_: Class = None,
    provider: Provider = None,
    campaign: Campaign = None,
    list_: ListName = None,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Drop mail that has not left, for good. What is on the wire is not called back."""
    meant = target(tenant, type_, class_, provider, campaign, list_)
    preview = await _preview(cli, meant, "cancel")
    if dry_run:
        _without_acting(cli, preview)
        return
    command.confirm(cli.err, f"Drop this mail of {holds.hold_target(meant)} for good?", yes=yes)
    done = await cli.api.post(path("cancellations"), {**meant, "because": because})
    cli.answer(
        {"preview": preview, "done": True, **done},
        f"Cancelled {show.counted(int(done.get('cancelled') or 0), 'delivery')}.",
    )


def target(
    tenant: str,
    type_: str | None,
    class_: str | None,
    provider: str | None,
    campaign: str | None,
    list_: str | None,
) -> Document:
    """What is meant, as the API takes it: the tenant, and what narrows it. Raises Failure."""
    if type_ in _CLASSES:
        raise failures.usage(f"{type_} is a class, not a message type: say --class {type_}")
    given = {"type": type_, "class": class_, "provider": provider, "campaign": campaign, "list": list_}
    return {"tenant": tenant, **{name: value for name, value in given.items() if value is not None}}


def preview_view(preview: Document) -> RenderableType:
    """What it will do and whom it leaves alone, before it is done."""
    lanes: list[Document] = parts(preview, "lanes")
    views: list[RenderableType] = []
    if lanes:
        views += [
            show.table(
                ("type", "class", "state", "ready", "waiting", "on the wire"),
                [
                    (
                        lane.get("type"),
                        lane.get("class"),
                        lane.get("state"),
                        lane.get("ready", 0),
                        lane.get("waiting", 0),
                        lane.get("sending", 0),
                    )
                    for lane in lanes
                ],
            ),
            "",
        ]
    views += [show.plain(preview.get("effect")), f"Left alone: {show.plain(preview.get('untouched'))}"]
    return Group(*views)


async def _preview(cli: Cli, meant: Document, action: str) -> Document:
    preview = await cli.api.post(path("holds", "preview"), {**meant, "action": action})
    if not cli.json:
        # Beside the question, so that the answer alone is on stdout.
        cli.note(preview_view(preview))
        cli.note()
    return preview


def _without_acting(cli: Cli, preview: Document) -> None:
    cli.answer({"preview": preview, "done": False})
    cli.note("nothing was changed: --dry-run")


def _undo(meant: Document) -> str:
    options = "".join(f" --{name} {value}" for name, value in meant.items() if name != "tenant")
    return f'mailcordon uncordon {meant["tenant"]}{options} --because "..."'


async def _chosen(cli: Cli, tenant: str, ids: list[int]) -> Document:
    """The holds that were named, in place of a preview. Raises Failure for one that is not open."""
    open_ = parts(await cli.api.items(path("holds"), {"tenant": tenant, "open": "true"}), "items")
    chosen = [hold for hold in open_ if hold.get("id") in ids]
    missing = set(ids) - {hold.get("id") for hold in chosen}
    if missing:
        raise failures.Failure(
            failures.Exit.NOT_FOUND,
            f"{tenant} has no open hold {', '.join(map(str, sorted(missing)))}: `mailcordon holds list --tenant {tenant}`",
            "no-such-hold",
        )
    if not cli.json:
        cli.note(holds.hold_table(chosen))
    return {"action": "uncordon", "holds": chosen}
