"""The command line: one tree of commands over the REST API, for people and for scripts.

All commands except `up`, `down`, `migrate`, `doctor`, `assess`, `audit verify`, `secrets`, `iam` and `run` call a running
server, with the same rights and audit as any other client. The composition root passes those in, so that this package needs no
other adapter.
"""

import os
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer
from typer import core

import mailcordon
from mailcordon.adapters.cli import command, failures, report
from mailcordon.adapters.cli.commands import (
    account,
    advise,
    alert,
    audit,
    breaker,
    campaign,
    completion,
    contact,
    cordon,
    dkim,
    domain_claims,
    drift,
    env,
    events,
    feedback,
    holds,
    identity,
    identity_checks,
    identity_records,
    incident,
    isolation,
    key,
    lane,
    limit,
    mailbox,
    message,
    message_type,
    metrics,
    objective,
    observe,
    open_page,
    paths,
    people,
    plan,
    plans,
    policy,
    policy_backtest,
    pool,
    prove,
    provider,
    quarantine,
    rehearse,
    rollout,
    runbook,
    send,
    sent,
    ses_door,
    signal,
    status,
    stops,
    suppression,
    template,
    tenant,
    tier,
    top,
    ungoverned,
    warmup,
    webhook,
    why,
)
from mailcordon.adapters.cli.commands import (
    messages as found_messages,
)
from mailcordon.adapters.cli.drill import command as drill
from mailcordon.messages import cli as messages

Command = Callable[..., Any]  #: its signature and docstring are the command's options and help

WIDTH = 80  #: columns of every help text, on the widest terminal too
_USAGE_ERROR: type[Exception] = typer.BadParameter.__bases__[0]  # typer does not export it by name

#: In the order of the help.
GROUPS = {
    "tenant": tenant.app,
    "lane": lane.app,
    "identity": identity.app,
    "type": message_type.app,
    "policy": policy.app,
    "tier": tier.app,
    "plans": plans.app,
    "message": message.app,
    "template": template.app,
    "campaign": campaign.app,
    "rollout": rollout.app,
    "warmup": warmup.app,
    "pool": pool.app,
    "path": paths.app,
    "holds": holds.app,
    "stops": stops.app,
    "suppression": suppression.app,
    "quarantine": quarantine.app,
    "events": events.app,
    "observe": observe.app,
    "mailbox": mailbox.app,
    "drift": drift.app,
    "incident": incident.app,
    "limit": limit.app,
    "objective": objective.app,
    "breaker": breaker.app,
    "ungoverned": ungoverned.app,
    "signal": signal.app,
    "alert": alert.app,
    "webhook": webhook.app,
    "key": key.app,
    "session": people.sessions,
    "view-link": people.view_links,
    "ses-door": ses_door.app,
}
tenant.app.add_typer(contact.app)
identity.app.add_typer(identity_records.app)
policy.app.add_typer(policy_backtest.app)
identity.app.add_typer(dkim.app)
identity.app.add_typer(domain_claims.app)
identity.app.add_typer(identity_checks.app)
SINGLE_COMMANDS = (
    plan.app,
    prove.app,
    isolation.app,
    advise.app,
    rehearse.app,
    status.app,
    feedback.app,
    account.app,
    send.app,
    why.app,
    found_messages.app,
    sent.app,
    cordon.app,
    metrics.app,
    top.app,
    provider.app,
    people.sign_in_app,
    runbook.app,
    open_page.app,
)

#: The order of the help: what one needs first comes first.
ORDER = (
    *("up", "down", "drill"),
    *("tenant", "lane", "identity", "type"),
    *("plan", "apply", "plans", "export", "drift", "ungoverned", "prove", "isolation", "advise", "rehearse"),
    *("policy", "tier"),
    *("send", "why", "messages", "message", "template", "sent"),
    *("campaign", "warmup", "pool", "rollout", "path"),
    *("cordon", "uncordon", "cancel", "holds", "stops"),
    *(
        "status",
        "open",
        "incident",
        "runbook",
        "breaker",
        "objective",
        "limit",
        "feedback",
        "signal",
        "account",
    ),
    *("metrics", "metrics rebuild", "top", "provider"),
    *("alert", "webhook"),
    *("suppression", "quarantine", "events", "observe", "mailbox"),
    *("key", "ses-door", "audit"),
    *("sign-in", "session", "view-link"),
    *("mcp",),
    *("assess", "doctor", "migrate", "restored", "secrets", "iam", "env", "completion", "run"),
)

_EPILOG = """\b
Start here:
  mailcordon up                      start everything on this machine
  mailcordon drill                   see a bounce stay with one tenant
  mailcordon tenant onboard --help   onboard a tenant
  mailcordon why MESSAGE             why a mail is where it is

\b
Exit codes:
  0    done
  1    refused or failed
  2    wrong command line
  3    not found
  4    not allowed
  5    not available now
  6    a step of the drill failed
  130  interrupted (Ctrl-C)
"""

_UP = """
mailcordon up                          # everything, with the local SES
MAILCORDON_HOME=/srv/second mailcordon up --port 0 --ses-port 0  # one more
"""


_VERIFY_AUDIT = """
mailcordon audit verify
mailcordon audit verify --checkpoints /mnt/kept/audit-checkpoints.jsonl
mailcordon audit verify --export acme.jsonl --checkpoints kept.jsonl
"""


_RESTORED = """
mailcordon restored
mailcordon restored --calls /mnt/mail-1/calls --calls /mnt/mail-2/calls
mailcordon restored --send urgent --because "all logs read" --yes
"""


_REBUILD_METRICS = """
mailcordon metrics rebuild --since 2d --check
mailcordon metrics rebuild --since 14d
"""


class CommandLine(core.TyperGroup):
    """The root of the tree: everything that fails below it is one sentence and an exit code."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """A command of two words stands beside the command of its first word."""
        two = " ".join(args[:2])
        if len(args) > 1 and two in self.commands:
            return two, self.commands[two], args[2:]
        return super().resolve_command(ctx, args)

    def list_commands(self, ctx: Any) -> list[str]:
        return sorted(super().list_commands(ctx), key=ORDER.index)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        words = list(sys.argv[1:] if args is None else args)
        call = super().main
        _open_closed_streams()
        if shell := os.environ.get(completion.VARIABLE):
            typer.echo("\n".join(completion.offers(self, words, shell)))
            sys.exit(0)
        sys.exit(
            report.run(
                lambda: call(words, prog_name, complete_var, standalone_mode=False, **extra),
                as_json=report.wants_json(words),
                translate=_wrong_command_line,
            )
        )


def _open_closed_streams() -> None:
    """Python has no stdout or stderr if its caller closed it (`>&-`): nothing is printed then, and nothing fails."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 (open until the process ends)


def _wrong_command_line(error: BaseException) -> failures.Failure | None:
    """What the parser raises, as our failures."""
    if isinstance(error, typer.Abort):
        return failures.Failure(failures.Exit.REFUSED, messages.nothing_changed(), "declined")
    if not isinstance(error, _USAGE_ERROR):
        return None
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "mailcordon"
    if type(error).__name__ == "NoArgsIsHelpError":
        typer.echo(str(error), err=True)
        return failures.usage(messages.missing_command(command=path))
    said = error.format_message() if isinstance(error, typer.TyperException) else str(error)
    return failures.usage(messages.wrong_command_line(said=said, command=path))


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mailcordon {mailcordon.__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and exit."),
    ] = False,
) -> None:
    """Mailcordon: governed e-mail of many tenants through Amazon SES."""


def build(
    *,
    up: Command,
    down: Command,
    migrate: Command,
    doctor: Command,
    assess: tuple[Command, str],
    iam: Sequence[tuple[str, Command, str]],
    verify_audit: Command,
    rebuild_metrics: Command,
    run: Command,
    secrets: typer.Typer | None = None,
    mcp: typer.Typer | None = None,
    restored: Command | None = None,
) -> typer.Typer:
    """The whole command line. These are registered as they are: their own signatures give their options. `assess`: the
    command and examples; `iam`: name, command and examples."""
    app = typer.Typer(
        name="mailcordon",
        cls=CommandLine,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": WIDTH},
        epilog=_EPILOG,
    )
    app.callback()(_root)
    _add_local(app, "up", up, _UP)
    _add_local(app, "down", down, "mailcordon down")
    app.add_typer(drill.app)
    for name, group in GROUPS.items():
        app.add_typer(group, name=name, short_help=str(group.info.help).rstrip("."))
    for single in SINGLE_COMMANDS:
        app.add_typer(single)
    trail = audit.group()
    _add_local(trail, "verify", verify_audit, _VERIFY_AUDIT)
    app.add_typer(trail, name="audit", short_help=command.first_sentence(str(trail.info.help)))
    _add_local(app, "metrics rebuild", rebuild_metrics, _REBUILD_METRICS)
    _add_local(app, "migrate", migrate, "mailcordon migrate")
    _add_local(app, "doctor", doctor, "mailcordon doctor")
    if restored is not None:
        _add_local(app, "restored", restored, _RESTORED)
    _add_local(app, "assess", *assess)
    if secrets is not None:
        app.add_typer(secrets, name="secrets", short_help=str(secrets.info.help).rstrip("."))
    if mcp is not None:
        app.add_typer(mcp, name="mcp", short_help=str(mcp.info.help).rstrip("."))
    policies = typer.Typer(no_args_is_help=True, help="Policies for AWS: print one that fits the settings.")
    for name, act, examples in iam:
        _add_local(policies, name, act, examples)
    app.add_typer(policies, name="iam", short_help="Policies for AWS: print one that fits the settings")
    app.add_typer(env.app)
    app.add_typer(completion.app)
    _add_local(app, "run", run, "mailcordon run dispatch")
    return app


def _add_local(app: typer.Typer, name: str, act: Command, examples: str) -> None:
    short = command.first_sentence(act.__doc__ or "")
    app.command(name, cls=command.Command, short_help=short, epilog=command.epilog(examples))(act)
