"""The command line: one tree of commands over the REST API, for people at night and for scripts.

Everything but `up`, `down`, `migrate`, `doctor` and `run` speaks to a running server with the same rights and the same audit as
any other client. Those five start and mend the server itself; the composition root hands them in, so that this package needs no
other adapter.
"""

from collections.abc import Callable
from typing import Any

import typer

from mailcordon.adapters.cli import command
from mailcordon.adapters.cli.commands import (
    audit,
    cordon,
    holds,
    identity,
    key,
    lane,
    mailbox,
    message,
    message_type,
    metrics,
    quarantine,
    send,
    sent,
    suppression,
    tenant,
    why,
)
from mailcordon.adapters.cli.drill import command as drill

Command = Callable[..., Any]  #: its signature and docstring are the command's options and help

_EPILOG = """\b
Where to begin:
  mailcordon up                      start everything on this machine
  mailcordon drill                   watch one tenant's bounce stay one tenant's
  mailcordon tenant onboard --help   bring in a tenant
  mailcordon why MESSAGE             why a mail is where it is

\b
Exit codes: 0 done; 1 refused or failed; 2 wrong command line; 3 not found; 4 not allowed; 5 not available now; 6 drill failed.
"""


_UP = """
mailcordon up                          # everything, with the local SES
mailcordon up --port 0 --ses-port 0    # beside another copy, in another MAILCORDON_HOME
"""

#: In the order of the help.
GROUPS = {
    "tenant": tenant.app,
    "lane": lane.app,
    "identity": identity.app,
    "type": message_type.app,
    "message": message.app,
    "holds": holds.app,
    "suppression": suppression.app,
    "quarantine": quarantine.app,
    "mailbox": mailbox.app,
    "key": key.app,
}
SINGLE_COMMANDS = (send.app, why.app, sent.app, cordon.app, metrics.app, audit.app)


def build(*, up: Command, down: Command, migrate: Command, doctor: Command, run: Command) -> typer.Typer:
    """The whole command line. Each of the five is registered as it is: its own signature gives its options."""
    app = typer.Typer(
        name="mailcordon",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
        help="The one governed way out for the e-mail of many tenants through Amazon SES.",
        epilog=_EPILOG,
    )
    app.command("up", epilog=command.epilog(_UP))(up)
    app.command("down", epilog=command.epilog("mailcordon down"))(down)
    app.add_typer(drill.app)
    for name, group in GROUPS.items():
        app.add_typer(group, name=name)
    for single in SINGLE_COMMANDS:
        app.add_typer(single)
    app.command("migrate", epilog=command.epilog("mailcordon migrate"))(migrate)
    app.command("doctor", epilog=command.epilog("mailcordon doctor"))(doctor)
    app.command("run", hidden=True)(run)
    return app
