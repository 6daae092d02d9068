"""The commands that start and repair the system itself: `up`, `down`, `migrate`, `doctor`, `secrets` and `metrics rebuild`.

All other commands use the REST API; these work when it is down. They read the environment's settings, and an option overrides a
setting. Each imports what it needs when it runs, so that `mailcordon why` does not wait for a database driver.
"""

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer

from mailcordon import config as configs
from mailcordon.adapters.cli import duration
from mailcordon.messages import cli, system
from mailcordon.run import home_lock

#: Seconds that `down` waits beyond the drain: the database's last checkpoint.
STOP_PATIENCE = 60.0


def up(
    aws: Annotated[
        bool, typer.Option("--aws", help="Send through Amazon SES instead of the local one.")
    ] = False,
    port: Annotated[
        int | None,
        typer.Option(
            metavar="PORT",
            min=0,
            max=65535,
            help="Port of the API; 0 takes a free one.",
            show_default="8025 if free, else any",
        ),
    ] = None,
    ses_port: Annotated[
        int | None,
        typer.Option(
            metavar="PORT",
            min=0,
            max=65535,
            help="Port of the local SES; 0 takes a free one.",
            show_default="8005 if free, else any",
        ),
    ] = None,
    world: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="TOML or JSON file: mailbox providers and people behind the local SES (docs/operations.md).",
        ),
    ] = None,
    new_key: Annotated[
        bool,
        typer.Option(
            "--new-key",
            help="Revoke the keys in cli.json, of the command line and of `env`, and create others.",
        ),
    ] = False,
    observe_only: Annotated[
        bool,
        typer.Option(
            "--observe-only",
            help="Send nothing and change nothing at SES: only count mail of others (docs/observe-only.md).",
        ),
    ] = False,
) -> None:
    """Start everything on this machine, print its addresses, and run until Ctrl-C.

    That is an embedded PostgreSQL (unless MAILCORDON_DATABASE_URL is set), a local SES (unless --aws), and the processes
    api, dispatch, observe, control and smtp. A process that ends is started again. All state is in MAILCORDON_HOME.
    """
    options = {
        "MAILCORDON_SES": "aws" if aws else None,
        "MAILCORDON_API_PORT": None if port is None else str(port),
        "MAILCORDON_SES_PORT": None if ses_port is None else str(ses_port),
        "MAILCORDON_SES_WORLD": None if world is None else str(world),
        "MAILCORDON_OBSERVE_ONLY": "yes" if observe_only else None,
    }
    os.environ.update({name: value for name, value in options.items() if value is not None})
    config = configs.read(os.environ)
    with home_lock.claimed(config.home, "up"):
        from mailcordon.run.up import up as run_up

        raise typer.Exit(asyncio.run(run_up(config, new_key=new_key)))


def down() -> None:
    """Stop the system that runs in this home, after it has finished the work in progress."""
    config = configs.read(os.environ)
    pid = home_lock.stop_holder(config.home, config.drain_seconds + STOP_PATIENCE)
    home = str(config.home)
    print(system.nothing_runs(home=home) if pid is None else system.stopped_process(pid=pid, home=home))


def migrate(
    first_key: Annotated[
        bool,
        typer.Option(
            "--first-key", help="Also create the keys of the command line and of `env`, in cli.json."
        ),
    ] = False,
    new_passwords: Annotated[
        bool,
        typer.Option(
            "--new-passwords", help="Give every database role a new password, for example for a second home."
        ),
    ] = False,
) -> None:
    """Bring the database to this version's schema, and create its roles. Safe to run again.

    MAILCORDON_DATABASE_URL must name a user who may create roles (and the database, if it does not exist). The roles'
    addresses are written to database.json in the home; MAILCORDON_DATABASE_URL_SEND and the like override them.
    """
    config = configs.read(os.environ)
    from mailcordon.run.migrate import migrate as run_migrate

    raise typer.Exit(asyncio.run(run_migrate(config, first_key=first_key, new_passwords=new_passwords)))


def doctor(
    aws: Annotated[
        bool,
        typer.Option(
            "--aws",
            help="Ask AWS too: credentials, account, queues, topics, rights, clock, and what leads here (docs/aws.md).",
        ),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document instead of text for people.")
    ] = False,
) -> None:
    """Check settings, home, database and processes, and say what to do about each problem. Changes nothing."""
    from mailcordon.run import doctor as checks

    if aws:
        os.environ["MAILCORDON_SES"] = "aws"
    raise typer.Exit(asyncio.run(checks.doctor(os.environ, as_json=as_json, aws=aws)))


secrets = typer.Typer(
    no_args_is_help=True,
    help="Rotate the keys that encrypt stored secrets, and the key that signs the tags of mail.",
)
_Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do it. Without it, say what would be done.")]


@secrets.command("new-key", epilog="\b\nExamples:\n  mailcordon secrets new-key")
def new_secret_key() -> None:
    """Print a new key for MAILCORDON_SECRET_KEYS. Nothing is stored."""
    from mailcordon.adapters.db.secrets import make_secret_key

    print(make_secret_key())


@secrets.command(
    "rotate", epilog="\b\nExamples:\n  mailcordon secrets rotate\n  mailcordon secrets rotate --mac --yes"
)
def rotate_secrets(
    mac: Annotated[
        bool, typer.Option("--mac", help="Make a new key that signs the tags of mail, instead.")
    ] = False,
    unsubscribe: Annotated[
        bool, typer.Option("--unsubscribe", help="Make a new key for links to unsubscribe, instead.")
    ] = False,
    yes: _Yes = False,
) -> None:
    """Encrypt what is stored with the newest secret key.

    That is the first of MAILCORDON_SECRET_KEYS; afterwards the others are not needed any more. Without --yes, say what would be
    done. With --mac a new key signs the tags of mail; the present one stays accepted until `mailcordon secrets drop-mac`. With
    --unsubscribe a new key makes links to unsubscribe; all older links stay valid. The processes need no restart.
    """
    config = configs.read(os.environ)
    from mailcordon.run import secrets as run_secrets

    if mac and unsubscribe:
        raise typer.BadParameter(cli.not_both(one="--mac", other="--unsubscribe"))
    act = run_secrets.rotate_mac if mac else run_secrets.rotate
    if unsubscribe:
        act = run_secrets.rotate_unsubscribe
    raise typer.Exit(asyncio.run(act(config, yes=yes)))


@secrets.command("drop-mac", epilog="\b\nExamples:\n  mailcordon secrets drop-mac --yes")
def drop_mac(yes: _Yes = False) -> None:
    """Stop accepting the former key of the tags of mail.

    Without --yes, say what would be done. Events of mail that it signed go to quarantine from then on. Most events of a mail
    come within three days.
    """
    config = configs.read(os.environ)
    from mailcordon.run import secrets as run_secrets

    raise typer.Exit(asyncio.run(run_secrets.drop_mac(config, yes=yes)))


def verify_audit(
    checkpoints: Annotated[
        Path | None,
        typer.Option(
            "--checkpoints",
            metavar="FILE",
            help="Checkpoints to compare with. Default: the file of MAILCORDON_AUDIT_CHECKPOINTS; none for an export.",
        ),
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option(
            "--export",
            metavar="FILE",
            help="Check this file of `mailcordon audit export`, without a database. Default: check the database.",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document instead of text for people.")
    ] = False,
) -> None:
    """Check that each row of the audit trail is as it was written, and in its place.

    Names the first row that was changed, removed, added or reordered, and exits with 1. It reads the rows with the database login
    `control` and computes all hashes itself, so it needs no server.
    """
    from mailcordon.run import audit

    if export is not None:
        raise typer.Exit(audit.verify_export(export, checkpoints=checkpoints, as_json=as_json))
    config = configs.read(os.environ)
    raise typer.Exit(asyncio.run(audit.verify(config, checkpoints=checkpoints, as_json=as_json)))


def rebuild_metrics(
    since: Annotated[
        float,
        typer.Option(
            "--since",
            metavar="DURATION",
            parser=duration.between(60),
            help="From the beginning of the day (UTC) so long ago, as far as counts by minute are kept.",
        ),
    ],
    check: Annotated[bool, typer.Option("--check", help="Only compare; change nothing.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document instead of text for people.")
    ] = False,
) -> None:
    """Compute the counts of mail again, from the ledger and SES's events, and correct those that differ.

    With --check it exits with 1 if any differ. It works on the database with the login `control`, while the system runs.
    """
    config = configs.read(os.environ)
    from mailcordon.run import metrics

    raise typer.Exit(asyncio.run(metrics.rebuild(config, since_seconds=since, check=check, as_json=as_json)))


def restored(
    calls: Annotated[
        list[Path] | None,
        typer.Option(
            "--calls",
            metavar="PATH",
            help="A dispatcher's call log: its files, or its home. Repeat it for each host. Default: that of this home.",
        ),
    ] = None,
    send: Annotated[
        list[str] | None,
        typer.Option(
            "--send",
            metavar="CLASS",
            help="Of this class, mail of which nothing says that it was sent leaves. May be repeated. Default: none.",
        ),
    ] = None,
    drop: Annotated[
        list[str] | None,
        typer.Option(
            "--drop",
            metavar="CLASS",
            help="Of this class, mail of which nothing says that it was sent is dropped. May be repeated. Default: none.",
        ),
    ] = None,
    because: Annotated[
        str | None,
        typer.Option(
            "--because",
            metavar="TEXT",
            help="Why, for the audit trail. Default: none; needed to change something.",
        ),
    ] = None,
    begin: Annotated[
        bool,
        typer.Option(
            "--begin", help="Say that this database was restored: all mail stops until it is settled."
        ),
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Settle it. Without it, say what is queued and what is known.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document instead of text for people.")
    ] = False,
) -> None:
    """After a restore from a backup: which queued mail may have been sent since, and what becomes of it.

    Dispatchers find by themselves that their database was restored, and then send nothing. This says what was queued in the
    backup, what of it SES has or was called for, and asks about the rest. What is known to have been sent is never sent again.
    Exits with 1 while something is to be settled (docs/backup.md).
    """
    config = configs.read(os.environ)
    from mailcordon.run import restored as run_restored

    asked = run_restored.Asked(
        begin=begin,
        calls=calls or [],
        send=send or [],
        drop=drop or [],
        because=because,
        yes=yes,
        as_json=as_json,
    )
    raise typer.Exit(asyncio.run(run_restored.restored(config, asked)))
