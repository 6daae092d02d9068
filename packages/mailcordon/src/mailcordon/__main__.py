"""`python -m mailcordon`: binds the command line, `run` and `app`, inside the outermost error boundary.

A role process takes a shorter way, without the command line.
"""

import sys

from mailcordon.core import boundary


def main() -> None:
    match sys.argv[1:]:
        case ["run", role] if not role.startswith("-"):
            sys.exit(boundary.guard(lambda: _run_role(role)))
        case _:
            sys.exit(boundary.guard(_run_command))


def _run_role(role: str) -> int:
    from mailcordon.app import process

    return process.run(role)


def _run_command() -> int:
    from mailcordon.adapters import cli
    from mailcordon.app import command
    from mailcordon.run import commands

    build = cli.build(
        up=commands.up,
        down=commands.down,
        migrate=commands.migrate,
        doctor=commands.doctor,
        run=command.run,
    )
    build(prog_name="mailcordon")
    return 0


if __name__ == "__main__":
    main()
