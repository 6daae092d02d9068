"""`python -m mailcordon`: binds the command line, `run` and `app`, inside the outermost error boundary.

A role process takes a shorter way, without the command line.
"""

import gc
import sys
from typing import TYPE_CHECKING

from mailcordon.core import boundary

if TYPE_CHECKING:
    import typer


def main() -> None:
    match sys.argv[1:]:
        case ["run", role] if not role.startswith("-"):
            sys.exit(boundary.guard(lambda: _run_role(role)))
        case ["starter", descriptor, *roles]:  # of `up`; no command for people
            sys.exit(boundary.guard(lambda: _fork_roles(int(descriptor), roles)))
        case _:
            sys.exit(boundary.guard(_run_command))


def command_line() -> "typer.Typer":
    """The whole tree of commands."""
    from mailcordon.adapters.cli import app
    from mailcordon.app import command, mcp
    from mailcordon.run import assess, commands, iam

    return app.build(
        up=commands.up,
        down=commands.down,
        migrate=commands.migrate,
        doctor=commands.doctor,
        assess=(assess.assess, assess.EXAMPLES),
        iam=iam.COMMANDS,
        verify_audit=commands.verify_audit,
        rebuild_metrics=commands.rebuild_metrics,
        run=command.run,
        secrets=commands.secrets,
        mcp=mcp.app,
        restored=commands.restored,
    )


def _run_role(role: str) -> int:
    gc.disable()  # until `process.freeze_heap`: modules that load leave nothing to collect, and each look costs
    _import_structlog_without_rich()
    from mailcordon.app import process

    return process.run(role)


def _fork_roles(descriptor: int, roles: list[str]) -> int:
    gc.disable()
    _import_structlog_without_rich()
    from mailcordon.app import starter

    return starter.run(descriptor, roles)


def _import_structlog_without_rich() -> None:
    """structlog loads rich where it is installed, for tracebacks in colour. A role's log has none."""
    loaded = sys.modules.get("rich")
    sys.modules["rich"] = None  # type: ignore[assignment]
    try:
        import structlog  # noqa: F401  # pyright: ignore[reportUnusedImport]
    finally:
        if loaded is None:
            del sys.modules["rich"]
        else:
            sys.modules["rich"] = loaded


def _run_command() -> int:
    gc.disable()
    from mailcordon.adapters.cli import called

    commands = called.narrowed(command_line(), sys.argv[1:])
    gc.enable()
    commands(prog_name="mailcordon")
    return 0


if __name__ == "__main__":
    main()
