"""`mailcordon drill`: runs the steps of `steps.py` on the running system, or on a temporary one that it starts and stops.

It refuses every SES except the local one, before anything is changed. It prints text for people or, with `--json`, one document.
The exit code is 0 if every step passed and 6 if one failed.
"""

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Annotated
from urllib.parse import urlsplit

import typer
from rich.console import Console
from rich.text import Text

from mailcordon.adapters.cli import client, command, connection, failures, local_ses, report, show
from mailcordon.adapters.cli.commands import why
from mailcordon.adapters.cli.document import Document, children
from mailcordon.adapters.cli.drill import checks, incident, steps, temporary_system
from mailcordon.adapters.cli.text import plain
from mailcordon.messages import cli as messages
from mailcordon.messages import drill as drill_messages

app = typer.Typer()

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_EXAMPLES = """
mailcordon drill
mailcordon drill --temporary   # on a system that is started for the drill
mailcordon drill --incident    # a bought list, played live
"""


@dataclass(slots=True)
class _Outcome:
    """What is known at the end of a drill."""

    passed: bool = False
    seconds: float = 0.0
    results: list[steps.Result] = field(default_factory=list[steps.Result])
    deliveries: list[Document] = field(default_factory=list[Document])
    incident: Document | None = None  #: figures, with --incident

    def document(self) -> Document:
        found: Document = {
            "ok": self.passed,
            "seconds": round(self.seconds, 3),
            "steps": [
                {
                    "title": one.title,
                    "ok": one.wrong is None,
                    "seconds": round(one.seconds, 3),
                    "seen": one.seen,
                    "wrong": one.wrong,
                }
                for one in self.results
            ],
            "deliveries": self.deliveries,
        }
        return found if self.incident is None else {**found, "incident": self.incident}


@app.command(
    "drill",
    epilog=command.epilog(_EXAMPLES),
    short_help="Play incidents with three tenants on the local SES, and check each step",
)
def drill(
    as_json: command.AsJson = False,
    url: command.Url = None,
    key: command.Key = None,
    always_temporary: Annotated[
        bool, typer.Option("--temporary", help="Start a temporary system even if one is running.")
    ] = False,
    an_incident: Annotated[
        bool,
        typer.Option(
            "--incident",
            help="Instead: play a bought list live, on a temporary system with a world of mailbox providers and people.",
        ),
    ] = False,
    patience: Annotated[
        float,
        command.duration_option(
            "--patience", minimum=0.1, help="How long a step waits for one thing. Default: 10s."
        ),
    ] = checks.PATIENCE,
) -> None:
    """Play incidents with three new tenants: a bounce, a complaint, a cordon, a bought list and events that are cut off.

    With --incident, a bought list is mailed before a world of mailbox providers and people, and the breaker has to hold it.

    Every step is checked against the local SES's ledger and our records. The drill uses the running system, or starts a temporary
    one and stops it at the end. It can be run again at once.
    """
    out, err = show.console(sys.stdout), show.console(sys.stderr)
    try:
        passed = asyncio.run(
            _run(
                out,
                err,
                patience,
                as_json=as_json,
                url=url,
                key=key,
                always_temporary=always_temporary,
                an_incident=an_incident,
            )
        )
    except KeyboardInterrupt:
        raise failures.from_exception(KeyboardInterrupt()) from None
    if not passed:
        raise typer.Exit(int(failures.Exit.DRILL))


async def _run(
    out: Console,
    err: Console,
    patience: float,
    *,
    as_json: bool,
    url: str | None,
    key: str | None,
    always_temporary: bool,
    an_incident: bool,
) -> bool:
    begun = time.monotonic()
    outcome = _Outcome()
    system = (
        # A world that is there is somebody's: none of it is changed, and a running system has none.
        _temporary(err, incident.WORLD)
        if an_incident
        else _system(err, url=url, key=key, always_temporary=always_temporary)
    )
    async with system as (found, temporary):
        assert found.ses_url is not None
        api, ses = client.Client(found.url, found.key), local_ses.LocalSes(found.ses_url)
        try:
            if not as_json:
                show.put(out, drill_messages.drill_runs_on(url=found.url, ses_url=found.ses_url))
            using = checks.Checks(api, ses, patience=patience)

            def add(result: steps.Result) -> None:
                outcome.results.append(result)
                if not as_json:
                    _print_step(out, result)

            if an_incident:
                played = incident.Incident(using)
                outcome.passed = await played.run(add)
                outcome.incident = played.document
            else:
                outcome.passed = await steps.Steps(using).run(add)
            outcome.deliveries = [await _delivery(api, one) for one in using.mails]
        finally:
            await api.close()
            await ses.close()
        if temporary is not None and not outcome.passed:
            temporary.keep = True
        outcome.seconds = time.monotonic() - begun
        if not as_json:
            _print_end(out, outcome, temporary)
    if as_json:
        report.print_json(outcome.document())
    return outcome.passed


@contextlib.asynccontextmanager
async def _system(
    err: Console, *, url: str | None, key: str | None, always_temporary: bool
) -> AsyncGenerator[tuple[connection.Connection, temporary_system.TemporarySystem | None], None]:
    """The running system, or a temporary one. Raises Failure if the system does not send through the local SES."""
    home = connection.home(os.environ)
    named = url or os.environ.get("MAILCORDON_URL")
    if not always_temporary and (named or (home / connection.FILE).exists()):
        found = connection.find(url=url, key=key, environment=os.environ, home=home)
        if await temporary_system.is_healthy(found):
            refuse_foreign(found)
            yield found, None
            return
        if named:
            raise failures.cannot_connect(found.url, messages.not_healthy())
    async with _temporary(err) as started:
        yield started


@contextlib.asynccontextmanager
async def _temporary(
    err: Console, world: Document | None = None
) -> AsyncGenerator[tuple[connection.Connection, temporary_system.TemporarySystem], None]:
    setting = os.environ.get("MAILCORDON_SES", "local")
    if setting != "local":
        raise _foreign(drill_messages.ses_setting_is(value=setting))
    err.print(drill_messages.drill_starts_system())
    async with temporary_system.running(err.print, world=world) as temporary:
        refuse_foreign(temporary.connection)
        yield temporary.connection, temporary


def refuse_foreign(found: connection.Connection) -> None:
    """Raises Failure unless the system is known to send through a local SES on this machine."""
    if found.ses_url is None:
        raise _foreign(drill_messages.ses_not_known_to_be_local(url=found.url))
    if urlsplit(found.ses_url).hostname not in _LOOPBACK:
        raise _foreign(drill_messages.ses_on_another_machine(url=found.ses_url))


def _foreign(why: str) -> failures.Failure:
    return failures.Failure(failures.Exit.REFUSED, drill_messages.drill_needs_local_ses(why=why), "not-local")


def _print_step(out: Console, result: steps.Result) -> None:
    passed, failed = ("✓", "✗") if "utf" in out.encoding.lower() else ("ok  ", "FAIL")
    mark = Text(failed, style="red") if result.wrong else Text(passed, style="green")
    show.put(out, Text.assemble(mark, f" {result.title}", (f"  {result.seconds:.2f} s", "dim")))
    for sentence in filter(None, (result.seen, result.wrong)):
        show.put(out, show.labelled("", plain(sentence), 1))


async def _delivery(api: client.Client, one: checks.Mail) -> Document:
    """One mail of the drill as our records have it at the end."""
    try:
        view = await api.get(client.path("messages", one.id), {"tenant": one.sender.slug})
        delivery = children(view, "deliveries")[0]
        state, reason = delivery.get("state"), why.reason_of(delivery)
    except (failures.Failure, LookupError) as error:
        state, reason = "unreadable", str(error)
    return {
        "id": one.id,
        "tenant": one.sender.slug,
        "type": one.type,
        "to": one.to,
        "state": state,
        "why": reason,
    }


def _print_end(out: Console, outcome: _Outcome, temporary: temporary_system.TemporarySystem | None) -> None:
    rows = [
        # All recipients are in one domain, so the name says enough.
        (item["tenant"], item["type"], item["to"].partition("@")[0], item["state"], item["why"])
        for item in outcome.deliveries
    ]
    if rows:
        show.put(out, "", show.table(("tenant", "type", "to", "state", "why"), rows, prose=("why",)), "")
    seconds = f"{outcome.seconds:.1f}"
    if outcome.passed:
        spent = f"{sum(one.seconds for one in outcome.results):.1f}"
        show.put(
            out,
            drill_messages.drill_passed(
                steps=len(outcome.results), seconds=spent, total=seconds, started=temporary is not None
            ),
        )
        return
    logs = str(temporary.log.parent) if temporary is not None else ""
    show.put(out, drill_messages.drill_failed(seconds=seconds, logs=logs))
