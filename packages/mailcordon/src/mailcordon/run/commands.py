"""The commands that start and mend the system itself: `up`, `down`, `migrate`, `doctor`, and `run` for one role.

All others speak the REST API. These cannot, for they are needed when it does not answer; they read the settings of the
environment, and an option is just a setting said aloud. What they need is loaded when they run: `mailcordon why` should not
wait for a database driver.
"""

import asyncio
import functools
import os
import sys
from collections.abc import Callable
from typing import Annotated, ParamSpec

import typer

from mailcordon import config as configs
from mailcordon.config import BadConfig
from mailcordon.core.errors import MailcordonError
from mailcordon.run import home_lock

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
    with home_lock.claimed(config.home, "up"):
        from mailcordon.run import operation

        return asyncio.run(operation.up(config, new_key=new_key))


@_sentences
def down() -> int:
    """Stop the system that runs in this home: it finishes what it began, then ends."""
    config = configs.read(os.environ)
    pid = home_lock.stop_holder(config.home, config.drain_seconds + STOP_PATIENCE)
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
    from mailcordon.run import operation

    return asyncio.run(operation.migrate(config, first_key=first_key, new_passwords=new_passwords))


@_sentences
def doctor(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document instead of text for people.")
    ] = False,
) -> int:
    """Say what is well with this system and what is not, and what to do about it. Changes nothing."""
    from mailcordon.run import doctor as doctors

    return asyncio.run(doctors.examine(os.environ, as_json=as_json))
