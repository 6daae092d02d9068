"""`mailcordon prove`: shows that the events of each lane's mail come back to it."""

import asyncio
import time
from typing import Annotated, Any

import typer
from rich.console import RenderableType

from mailcordon.adapters.cli import command, duration, failures, show
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.command import Cli
from mailcordon.adapters.cli.document import Document, child, children
from mailcordon.adapters.cli.text import plain, when
from mailcordon.messages import cli as cli_messages
from mailcordon.messages import proofs as messages

app = typer.Typer()
_POLL = 0.5  #: seconds
_PATIENCE = 90.0  #: seconds beyond the time limit: its calls wait for the account's rate, and SES is asked what is wrong


@command.remote(
    app,
    "prove",
    examples="""
mailcordon prove acme
mailcordon prove acme --type newsletter --timeout 2m
mailcordon prove acme --list
mailcordon prove --show 12
""",
)
async def prove(
    cli: Cli,
    tenant: Annotated[str | None, typer.Argument(metavar="TENANT", help="The tenant's slug.")] = None,
    types: Annotated[
        list[str] | None,
        typer.Option("--type", metavar="TYPE", help="A message type; may be repeated. Default: every lane."),
    ] = None,
    reject: Annotated[
        bool,
        typer.Option("--reject", help="Also a mail that SES rejects. It uses the day's quota and is billed."),
    ] = False,
    timeout: Annotated[
        float,
        command.duration_option(
            "--timeout",
            minimum=2.0,
            help="How long an event may take after its mail, up to 10m. Default: 60s.",
        ),
    ] = 60.0,
    list_: Annotated[bool, typer.Option("--list", help="Only show which lanes are proved.")] = False,
    show_: Annotated[
        int | None, typer.Option("--show", metavar="PROOF", help="Only show this proof. Default: none.")
    ] = None,
) -> None:
    """Prove that bounces and complaints of each lane come back to it.

    Sends mails to SES's simulator over each lane's own route. Exit code 1 unless every lane is proved.
    """
    if (tenant is None) == (show_ is None):
        raise failures.usage(cli_messages.one_of(options="TENANT or --show PROOF"))
    if show_ is not None:
        found = await cli.api.get(path("proofs", str(show_)))
        cli.show_result(found, *proof_view(found))
        return
    assert tenant is not None
    if list_:
        await _list(cli, tenant, types)
        return
    await _prove(cli, tenant, types, reject=reject, seconds=timeout)


async def _list(cli: Cli, tenant: str, types: list[str] | None) -> None:
    found = await cli.api.items(path("tenants", tenant, "proofs"), limit=1000)
    items = [item for item in found["items"] if types is None or item.get("type") in types]
    found = {**found, "items": items}
    if not items:
        cli.show_result(found, messages.none_yet())
        return
    rows = [
        (
            item.get("type"),
            item.get("state"),
            when(item.get("proved_at")),
            item.get("proof"),
            item.get("because"),
        )
        for item in items
    ]
    cli.show_result(
        found,
        show.table(
            ("type", "state", "proved", "proof", "because"), rows, drop=("proof",), prose=("because",)
        ),
        *show.more(found),
    )


async def _prove(cli: Cli, tenant: str, types: list[str] | None, *, reject: bool, seconds: float) -> None:
    body: dict[str, Any] = {"reject": reject, "limit_seconds": round(seconds)}
    if types:
        body["types"] = types
    asked = children(await cli.api.post(path("tenants", tenant, "proofs"), body), "items")
    for each in asked:
        if each.get("says"):
            cli.note(plain(each["says"]))
    ids = [int(child(each, "proof")["id"]) for each in asked]
    ended = await _ended(cli, ids, seconds + _PATIENCE)
    result: Document = {
        "tenant": tenant,
        "proved": all(each["state"] == "proved" for each in ended),
        "items": ended,
    }
    views: list[RenderableType] = []
    for each in ended:
        views += [*proof_view(each, waited=seconds + _PATIENCE), ""]
    cli.show_result(result, *views[:-1])
    cli.exit_code = 0 if result["proved"] else failures.Exit.REFUSED


async def _ended(cli: Cli, ids: list[int], patience: float) -> list[Document]:
    """The proofs once they have ended, or as they are when the patience is over."""
    until = time.monotonic() + patience
    found: dict[int, Document] = {}
    with cli.progress(cli_messages.proving(), total=len(ids)) as bar:
        while True:
            for id in ids:
                if found.get(id, {}).get("state", "running") == "running":
                    found[id] = await cli.api.get(path("proofs", str(id)))
            bar.set(sum(1 for id in ids if found[id]["state"] != "running"))
            if all(found[id]["state"] != "running" for id in ids) or time.monotonic() > until:
                return [found[id] for id in ids]
            await asyncio.sleep(_POLL)


def proof_view(found: Document, *, waited: float = 0.0) -> list[RenderableType]:
    mails = children(found, "mails")
    roads = [
        f"{plain(event.get('configuration_set'))} > {plain(event.get('topic') or '')} > {plain(event.get('queue'))}"
        for mail in mails
        for event in children(mail, "events")
    ]
    road = roads[0] if roads else messages.never_came()
    views: list[RenderableType] = [
        messages.heading(plain(found.get("tenant")), plain(found.get("type")), road),
        show.table(
            ("mail", "state", "events", "attributed to", "seconds", "missing"),
            [_mail_row(mail) for mail in mails],
            drop=("state",),
            prose=("events",),
        ),
    ]
    if scope := child(found, "scope"):
        views.append(plain(scope.get("says")))
    if found.get("state") == "running":
        views.append(messages.still_running(int(found["id"]), duration.spoken(waited)))
    else:
        until = found.get("valid_until")
        because = plain(found.get("because"))
        views.append(
            messages.verdict(found.get("state") == "proved", because, when(until) if until else None)
        )
    views += [show.bullet(plain(fault.get("says"))) for fault in children(found, "faults")[1:]]
    return views


def _mail_row(mail: Document) -> tuple[object, ...]:
    events = children(mail, "events")
    whose = dict.fromkeys(f"{plain(event.get('tenant'))} / {plain(event.get('type'))}" for event in events)
    return (
        mail.get("what"),
        mail.get("state"),
        ", ".join(messages.event(plain(event.get("kind")), bool(event.get("late"))) for event in events),
        ", ".join(whose),
        ", ".join(f"{float(event.get('seconds') or 0):.1f}" for event in events),
        ", ".join(map(str, mail.get("missing") or ())),
    )
