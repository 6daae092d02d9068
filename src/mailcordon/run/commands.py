"""The commands that start and mend the system itself: `up`, `down`, `migrate`, `doctor`, and `run` for one role.

All others speak the REST API. These cannot, for they are needed when it does not answer; they read the settings of the
environment, and an option is just a setting said aloud.
"""

import asyncio
import contextlib
import dataclasses
import functools
import os
import signal
import sys
from collections.abc import Callable, Generator
from typing import Annotated, ParamSpec

import typer

from mailcordon import app
from mailcordon import config as configs
from mailcordon.adapters.db import migrate as migrations
from mailcordon.adapters.db.embedded import EmbeddedPostgres
from mailcordon.config import BadConfig, Config
from mailcordon.core.errors import MailcordonError, Refused
from mailcordon.run import doctor as doctors
from mailcordon.run import home as homes
from mailcordon.run import role as roles
from mailcordon.run import welcome
from mailcordon.run.system import DATABASE, System, given_logins, secret_keys

P = ParamSpec("P")

WRONG_SETTINGS = 2
#: Seconds `down` waits beyond what draining may take: the database's last checkpoint.
STOP_PATIENCE = 60.0


def _sentences(command: Callable[P, int]) -> Callable[P, None]:
    """A failure is a sentence on stderr and an exit status, not a traceback."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            status = command(*args, **kwargs)
        except BadConfig as wrong:
            for sentence in wrong.sentences:
                print(f"mailcordon: {sentence}", file=sys.stderr)
            status = WRONG_SETTINGS
        except MailcordonError as failure:
            print(f"mailcordon: {failure}", file=sys.stderr)
            status = 1
        raise typer.Exit(status)

    return run


def _say(line: str) -> None:
    with contextlib.suppress(OSError):  # whoever listened has gone; that is no reason to stop
        print(line, file=sys.stderr, flush=True)


def _show(text: str) -> None:
    with contextlib.suppress(OSError):
        print(text, flush=True)


@_sentences
def up(
    aws: Annotated[
        bool, typer.Option("--aws", help="Send through Amazon SES instead of the local one.")
    ] = False,
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, help="Port of the API; 0 takes a free one.", show_default="8025, if free"
        ),
    ] = None,
    ses_port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, help="Port of the local SES; 0 takes a free one.", show_default="8005, if free"
        ),
    ] = None,
    new_key: Annotated[
        bool, typer.Option("--new-key", help="Revoke the CLI's key and make another.")
    ] = False,
) -> int:
    """Start everything on this machine, say where it is, and stay until Ctrl-C.

    That is: an embedded PostgreSQL (unless MAILCORDON_DATABASE_URL names one), a local SES (unless --aws), and the
    processes api, dispatch, observe and control. Whatever dies is started again. All state is in MAILCORDON_HOME.
    """
    said = {
        "MAILCORDON_SES": "aws" if aws else None,
        "MAILCORDON_API_PORT": None if port is None else str(port),
        "MAILCORDON_SES_PORT": None if ses_port is None else str(ses_port),
    }
    os.environ.update({name: value for name, value in said.items() if value is not None})
    config = configs.read(os.environ)
    with homes.claimed(config.home, "up"):
        return asyncio.run(_up(config, new_key=new_key))


async def _up(config: Config, *, new_key: bool) -> int:
    with _stop_signals() as stop:
        system = System(config, _say, new_key=new_key)
        stopped = asyncio.create_task(stop.wait())
        starting = asyncio.create_task(system.start())
        try:
            _say(f"starting Mailcordon in {config.home}")
            await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if stop.is_set():
                starting.cancel()
                return 0
            _show(welcome.text(await starting, config))
            refused = asyncio.create_task(system.wait_refused())
            await asyncio.wait({refused, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if not stop.is_set():
                raise Refused(refused.result(), code="role-refused")
            refused.cancel()
            return 0
        finally:
            _say("stopping: what was begun is finished first")
            with contextlib.suppress(asyncio.CancelledError):
                if not starting.done():
                    await starting
            await system.stop()
            _say("stopped")


@contextlib.contextmanager
def _stop_signals() -> Generator[asyncio.Event]:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in numbers:
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


@_sentences
def down() -> int:
    """Stop the system that runs in this home: it finishes what it began, then ends."""
    config = configs.read(os.environ)
    pid = homes.stop_holder(config.home, config.drain_seconds + STOP_PATIENCE)
    print(
        f"nothing runs in {config.home}"
        if pid is None
        else f"stopped process {pid}, which ran in {config.home}"
    )
    return 0


@_sentences
def migrate(
    first_key: Annotated[
        bool, typer.Option("--first-key", help="Also make a platform key for the CLI, into cli.json.")
    ] = False,
    new_passwords: Annotated[
        bool,
        typer.Option(
            "--new-passwords", help="Give every database role a new password, for instance to a second home."
        ),
    ] = False,
) -> int:
    """Bring the database to this version's schema, and make the roles that may use it. Safe to run again.

    MAILCORDON_DATABASE_URL names the database, as a user who may make roles (and the database, if it is not there). The
    roles' addresses are written to database.json in the home; MAILCORDON_DATABASE_URL_SEND and its like win over them.
    """
    config = configs.read(os.environ)
    return asyncio.run(_migrate(config, first_key=first_key, new_passwords=new_passwords))


async def _migrate(config: Config, *, first_key: bool, new_passwords: bool) -> int:
    with homes.claimed(config.home, "migrate"):
        postgres = None if config.database_url else EmbeddedPostgres(config.home, say=_say)
        try:
            if postgres is not None:
                await postgres.start()
            made = await migrations.migrate(
                postgres.dsn(DATABASE) if postgres else str(config.database_url),
                home=config.home,
                say=print,
                given=given_logins(os.environ),
                own_cluster=postgres is not None,
                new_passwords=new_passwords,
            )
            settled = dataclasses.replace(config, login_urls=made.dsns, secret_keys=secret_keys(config))
            await app.begin(settled)
            if first_key:
                await _write_first_key(settled)
        finally:
            if postgres is not None:
                await postgres.stop()
    if not made.applied:
        print("the database is up to date")
    return 0


async def _write_first_key(config: Config) -> None:
    file = config.home / homes.CLI
    known = homes.read(file)
    key = await app.platform_key(config, known.get("key"))
    url = known.get("url") or f"http://{config.api_host}:{config.api_port or 8025}"
    homes.write(file, {**known, "url": url, "key": key})
    print(f"the CLI's key is in {file}")


@_sentences
def doctor(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document instead of text for people.")
    ] = False,
) -> int:
    """Say what is well with this system and what is not, and what to do about it. Changes nothing."""
    return asyncio.run(doctors.examine(os.environ, as_json=as_json))


@_sentences
def run(
    role: Annotated[str, typer.Argument(metavar="ROLE", help="api, dispatch, observe or control.")],
) -> int:
    """One role process, as a service manager on a host of its own would start it."""
    if role not in app.ROLES:
        raise BadConfig(f"there is no role {role!r}: {', '.join(app.ROLES)} are those there are.")
    return roles.run(role)
