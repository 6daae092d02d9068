"""`mailcordon drill`: plays the story of `steps.py` on the running system, or on one of its own that it starts and stops.

It refuses every SES but the local one, before anything is changed. Its output is for people and, with `--json`, one document;
its exit code is 0 when every step saw what it must, 6 when one did not.
"""

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncGenerator
from typing import Annotated
from urllib.parse import urlsplit

import typer
from rich.console import Console
from rich.text import Text

from mailcordon.adapters.cli import client, command, connection, failures, local_ses, show
from mailcordon.adapters.cli.commands import why
from mailcordon.adapters.cli.document import Document
from mailcordon.adapters.cli.drill import checks, steps, temporary_system
from mailcordon.host.home import find_home

app = typer.Typer()

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@app.command(
    "drill",
    epilog=command.epilog("mailcordon drill\nmailcordon drill --own       # leave a running system alone"),
)
def drill(
    as_json: command.AsJson = False,
    url: command.Url = None,
    key: command.Key = None,
    alone: Annotated[
        bool, typer.Option("--own", help="Start a system of its own even where one is running.")
    ] = False,
    patience: Annotated[
        float, typer.Option("--patience", min=0.1, metavar="SECONDS", help="How long one thing may take.")
    ] = checks.PATIENCE,
) -> None:
    """Tell the story: two tenants, a bounce, a complaint, a cordon.

    Every step is checked against the local SES's ledger and our records. It uses the running system, or starts one of its own
    and stops it after; it can be run again at once.
    """
    out, err = show.console(sys.stdout), show.console(sys.stderr)
    try:
        well = asyncio.run(_play(out, err, patience, as_json=as_json, url=url, key=key, alone=alone))
    except failures.Failure as failure:
        command.fail(failure, as_json=as_json, err=err)
    if not well:
        raise typer.Exit(int(failures.Exit.DRILL))


async def _play(
    out: Console,
    err: Console,
    patience: float,
    *,
    as_json: bool,
    url: str | None,
    key: str | None,
    alone: bool,
) -> bool:
    begun = time.monotonic()
    async with _system(err, url=url, key=key, alone=alone) as (found, mine):
        assert found.ses_url is not None
        api, ses = client.Client(found.url, found.key), local_ses.LocalSes(found.ses_url)
        try:
            if not as_json:
                show.put(out, f"Mailcordon at {found.url}, local SES at {found.ses_url}")
            scene = checks.Stage(api, ses, patience=patience)
            told: list[steps.Told] = []

            def hear(one: steps.Told) -> None:
                told.append(one)
                if not as_json:
                    _say(out, one)

            well = await steps.Story(scene).tell(hear)
            if not well and mine is not None:
                mine.keep = True
            deliveries = [await _became(api, one) for one in scene.mails]
        finally:
            await api.close()
            await ses.close()
        seconds = time.monotonic() - begun
        if as_json:
            command.print_json(_document(told, deliveries, seconds, well))
        else:
            _conclude(out, told, deliveries, seconds, mine)
    return well


@contextlib.asynccontextmanager
async def _system(
    err: Console, *, url: str | None, key: str | None, alone: bool
) -> AsyncGenerator[tuple[connection.Connection, temporary_system.Own | None], None]:
    """The running system, or one of our own. Raises Failure for a system that does not send through the local SES."""
    home = find_home(os.environ)
    named = url or os.environ.get("MAILCORDON_URL")
    if not alone and (named or (home / connection.FILE).exists()):
        found = connection.find(url=url, key=key, environment=os.environ, home=home)
        if await temporary_system.answers(found):
            refuse_foreign(found)
            yield found, None
            return
        if named:
            raise failures.cannot_connect(found.url, "no healthy answer")
    if os.environ.get("MAILCORDON_SES", "local") != "local":
        raise _foreign(f"MAILCORDON_SES is {os.environ['MAILCORDON_SES']}")
    err.print(
        "drill: nothing is running here; starting a system of the drill's own, in a temporary directory"
    )
    async with temporary_system.system(err.print) as mine:
        refuse_foreign(mine.connection)
        yield mine.connection, mine


def refuse_foreign(found: connection.Connection) -> None:
    """Raises Failure unless the system is known to send through a local SES on this machine."""
    if found.ses_url is None:
        raise _foreign(f"{found.url} is not known to send through a local SES")
    if urlsplit(found.ses_url).hostname not in _LOOPBACK:
        raise _foreign(f"{found.ses_url} is not on this machine")


def _foreign(why: str) -> failures.Failure:
    return failures.Failure(
        failures.Exit.REFUSED,
        f"the drill plays on the local SES only, and {why}. Nothing was sent or changed. `mailcordon drill --own` starts a "
        "system of its own with a local SES.",
        "not-local",
    )


def _say(out: Console, told: steps.Told) -> None:
    well, ill = ("✓", "✗") if "utf" in out.encoding.lower() else ("ok  ", "FAIL")
    mark = Text(ill, style="red") if told.wrong else Text(well, style="green")
    show.put(out, Text.assemble(mark, f" {told.title}", (f"  {told.seconds:.2f} s", "dim")))
    for sentence in filter(None, (told.seen, told.wrong)):
        show.put(out, f"    {show.plain(sentence)}")


async def _became(api: client.Client, one: checks.Mail) -> Document:
    """What our records say about one mail of the story, at its end."""
    try:
        view = await api.get(client.path("messages", one.id), {"tenant": one.sender.slug})
        delivery = view["deliveries"][0]
        state, reason = delivery.get("state"), why.why_words(delivery)
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


def _document(told: list[steps.Told], deliveries: list[Document], seconds: float, well: bool) -> Document:
    steps = [
        {
            "title": one.title,
            "ok": one.wrong is None,
            "seconds": round(one.seconds, 3),
            "seen": one.seen,
            "wrong": one.wrong,
        }
        for one in told
    ]
    return {"ok": well, "seconds": round(seconds, 3), "steps": steps, "deliveries": deliveries}


def _conclude(
    out: Console,
    told: list[steps.Told],
    deliveries: list[Document],
    seconds: float,
    mine: temporary_system.Own | None,
) -> None:
    columns = ("tenant", "type", "to", "state", "why")
    show.put(out, "", show.table(columns, [[item[name] for name in columns] for item in deliveries]), "")
    if told[-1].wrong is None:
        steps = sum(one.seconds for one in told)
        rest = ", the rest for starting the system" if mine is not None else ""
        show.put(out, f"All {len(told)} steps saw what they must: {steps:.1f} s of {seconds:.1f} s{rest}.")
        return
    kept = f" The logs of the drill's own system are kept in {mine.log.parent}." if mine is not None else ""
    show.put(out, f"The drill FAILED after {seconds:.1f} s: the last step above says where.{kept}")
