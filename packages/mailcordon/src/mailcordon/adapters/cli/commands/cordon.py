"""`mailcordon cordon`, `uncordon` and `cancel`: stop mail, let it go again, or drop it.

Each first shows what it will hold, release or drop and what stays as it is, as the server computed it; then it asks. Without a
terminal it needs `--yes`.
"""

from typing import Annotated, Literal

import typer
from rich.console import Group, RenderableType

from mailcordon.adapters.cli import command, failures, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Because, Class, Cli, Tenant, Yes
from mailcordon.adapters.cli.commands import holds, stops
from mailcordon.adapters.cli.document import Document, children
from mailcordon.adapters.cli.text import counted, plain
from mailcordon.messages import cli as messages

app = typer.Typer()

Type = Annotated[
    str | None,
    typer.Option("--type", metavar="TYPE", help="Only this message type: one lane. Default: all types."),
]
OfClass = Annotated[
    Class | None, typer.Option("--class", help="Only message types of this class. Default: all classes.")
]
Provider = Annotated[
    str | None,
    typer.Option(
        "--provider",
        metavar="NAME",
        help="Only mail to this mailbox provider, as in gmail. Default: all providers.",
    ),
]
Campaign = Annotated[
    str | None,
    typer.Option("--campaign", metavar="NAME", help="Only mail of this campaign. Default: all mail."),
]
ListName = Annotated[
    str | None,
    typer.Option("--list", metavar="NAME", help="Only mail to this list or import. Default: all mail."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would happen, and change nothing.")]
_CLASSES = ("urgent", "transactional", "marketing")


@command.remote(
    app,
    "cordon",
    examples="""
mailcordon cordon acme --class marketing --because "complaints rising"
mailcordon cordon acme --type newsletter --provider gmail \\
    --because "gmail defers" --until 1h
mailcordon cordon acme --campaign spring-sale --because "wrong list" --yes
mailcordon cordon acme --because "account taken over"    # all mail of acme
""",
)
async def cordon(
    cli: Cli,
    tenant: Tenant,
    because: Because,
    type_: Type = None,
    class_: OfClass = None,
    provider: Provider = None,
    campaign: Campaign = None,
    list_: ListName = None,
    until: Annotated[
        float | None,
        command.duration_option(
            "--until", minimum=1, help="Lift the hold after this time. Default: it stays until it is lifted."
        ),
    ] = None,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Stop mail of a tenant, or part of it. It is kept until its expiry and leaves when the hold is lifted.

    To drop mail, use `cancel`.
    """
    target = targeted(tenant, type_, class_, provider, campaign, list_)
    preview = await _preview(cli, target, "cordon")
    if dry_run:
        _dry_run(cli, preview)
        return
    name = holds.hold_target(target)
    command.confirm(cli.err, messages.cordon_question(mail=name), yes=yes)
    body = {**target, "because": because, **({"until_seconds": until} if until is not None else {})}
    hold = await cli.api.post(path("holds"), body)
    cli.show_result(
        {"preview": preview, "done": True, "hold": hold},
        messages.cordoned(mail=holds.hold_target(hold), hold=plain(hold.get("id")), undo=_undo(target)),
    )


def _undo(target: Document) -> str:
    options = "".join(f" --{name} {value}" for name, value in target.items() if name != "tenant")
    return f'mailcordon uncordon {target["tenant"]}{options} --because "..."'


@command.remote(
    app,
    "uncordon",
    examples="""
mailcordon uncordon acme --class marketing --because "list was cleaned"
mailcordon uncordon acme --hold 17 --because "false alarm"
mailcordon uncordon acme --owner ses --because "SES repaired it"
""",
)
async def uncordon(
    cli: Cli,
    tenant: Tenant,
    because: Because,
    type_: Type = None,
    class_: OfClass = None,
    provider: Provider = None,
    campaign: Campaign = None,
    list_: ListName = None,
    hold: Annotated[
        list[int] | None,
        typer.Option(
            "--hold",
            metavar="ID",
            help="Only this hold, as `holds list` shows it; repeat for more. Default: the holds on exactly "
            "the given mail.",
        ),
    ] = None,
    owner: Annotated[
        Literal["person", "breaker", "policy", "rollout", "ses"],
        typer.Option("--owner", help="Whose holds. `ses` ends the stops that cover the mail."),
    ] = "person",
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Lift holds. Mail leaves when no other hold stops it: lifting one hold never lifts another.

    With `--owner ses` the stops that cover the mail end now, not at their next test. If SES still refuses, they come back.
    """
    target = targeted(tenant, type_, class_, provider, campaign, list_)
    if hold and len(target) > 1:
        raise failures.usage(messages.not_both(one="--hold", other="--type, --class and the like"))
    if hold and owner != "person":
        raise failures.usage(messages.not_both(one="--hold", other="--owner"))
    preview = await _preview(cli, target, "uncordon", owner) if not hold else await _chosen(cli, tenant, hold)
    if dry_run:
        _dry_run(cli, preview)
        return
    command.confirm(cli.err, _uncordon_question(target, hold), yes=yes)
    body = (
        {"tenant": tenant, "ids": hold, "because": because}
        if hold
        else {**target, "because": because, "owner": owner}
    )
    lifted = await cli.api.post(path("holds", "lift"), body)
    found, remaining = children(lifted, "lifted"), children(lifted, "remaining")
    if owner == "ses":
        _show_ended(cli, target, preview, lifted)
        return
    if not found:
        raise failures.Failure(
            failures.Exit.NOT_FOUND,
            messages.nothing_lifted(mail=holds.hold_target(target), tenant=tenant),
            "no-such-hold",
            partial={"preview": preview, "done": False, **lifted},
        )
    released = counted(int(lifted.get("released") or 0), "delivery")
    cli.show_result(
        {"preview": preview, "done": True, **lifted},
        messages.lifted(holds=counted(len(found), "hold"), deliveries=released),
        holds.hold_table(found),
        *(["", messages.still_held(), holds.hold_table(remaining)] if remaining else []),
    )


def _show_ended(cli: Cli, target: Document, preview: Document, lifted: Document) -> None:
    ended, remaining = children(lifted, "ended"), children(lifted, "remaining")
    if not ended:
        raise failures.Failure(
            failures.Exit.NOT_FOUND,
            messages.nothing_ended(mail=holds.hold_target(target), tenant=plain(target["tenant"])),
            "no-such-stop",
            partial={"preview": preview, "done": False, **lifted},
        )
    released = counted(int(lifted.get("released") or 0), "delivery")
    cli.show_result(
        {"preview": preview, "done": True, **lifted},
        messages.ended(stops=counted(len(ended), "stop"), deliveries=released),
        stops.stop_table(ended),
        *(["", messages.still_held(), holds.hold_table(remaining)] if remaining else []),
    )


def _uncordon_question(target: Document, ids: list[int] | None) -> str:
    if ids:
        return messages.lift_question(ids=ids)
    return messages.uncordon_question(mail=holds.hold_target(target))


async def _chosen(cli: Cli, tenant: str, ids: list[int]) -> Document:
    """The named holds, in place of a preview. Raises Failure for one that is not open."""
    open_ = children(await cli.api.items(path("holds"), {"tenant": tenant, "open": "true"}), "items")
    chosen = [hold for hold in open_ if hold.get("id") in ids]
    missing = sorted(set(ids) - {int(hold.get("id") or 0) for hold in chosen})
    if missing:
        raise failures.Failure(
            failures.Exit.NOT_FOUND,
            messages.no_open_hold(tenant=tenant, ids=missing),
            "no-such-hold",
        )
    if not cli.json:
        cli.note(holds.hold_table(chosen))
    return {"action": "uncordon", "holds": chosen}


@command.remote(
    app,
    "cancel",
    examples="""
mailcordon cancel acme --campaign spring-sale --because "wrong list"
mailcordon message cancel msg_0r4tq2v6k7m8n      # one message only
""",
)
async def cancel(
    cli: Cli,
    tenant: Tenant,
    because: Because,
    type_: Type = None,
    class_: OfClass = None,
    provider: Provider = None,
    campaign: Campaign = None,
    list_: ListName = None,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Drop queued mail for good. A call to SES that has begun is not recalled."""
    target = targeted(tenant, type_, class_, provider, campaign, list_)
    preview = await _preview(cli, target, "cancel")
    if dry_run:
        _dry_run(cli, preview)
        return
    command.confirm(cli.err, messages.cancel_question(mail=holds.hold_target(target)), yes=yes)
    done = await cli.api.post(path("cancellations"), {**target, "because": because})
    cancelled = counted(int(done.get("cancelled") or 0), "delivery")
    cli.show_result({"preview": preview, "done": True, **done}, messages.cancelled(deliveries=cancelled))


def targeted(
    tenant: str,
    type_: str | None,
    class_: str | None,
    provider: str | None,
    campaign: str | None,
    list_: str | None,
) -> Document:
    """The targeted mail as the API takes it: the tenant, and what narrows it. Raises Failure."""
    if type_ in _CLASSES:
        raise failures.usage(messages.class_given_as_type(word=type_))
    if type_ is not None and class_ is not None:
        raise failures.usage(messages.not_both(one="--type", other="--class"))
    given = {"type": type_, "class": class_, "provider": provider, "campaign": campaign, "list": list_}
    return {"tenant": tenant, **{name: value for name, value in given.items() if value is not None}}


def preview_view(preview: Document) -> RenderableType:
    """What will happen, and what stays as it is."""
    views: list[RenderableType] = []
    if lanes := children(preview, "lanes"):
        columns = ("type", "class", "state", "ready", "waiting", "being sent")
        names = ("type", "class", "state", "ready", "waiting", "sending")
        rows = [[lane.get(name, 0) for name in names] for lane in lanes]
        views += [show.table(columns, rows, drop=("class",)), ""]
    views += [plain(preview.get("effect")), messages.left_alone(mail=plain(preview.get("untouched")))]
    return Group(*views)


async def _preview(cli: Cli, target: Document, action: str, owner: str = "person") -> Document:
    body = {**target, "action": action, "owner": owner}
    preview = await cli.api.post(path("holds", "preview"), body)
    if not cli.json:
        # On stderr with the question, so that stdout has the result alone.
        cli.note(preview_view(preview))
        cli.note()
    return preview


def _dry_run(cli: Cli, preview: Document) -> None:
    cli.show_result({"preview": preview, "done": False})
    cli.note(messages.dry_run())
