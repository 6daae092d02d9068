"""`python -m mailcordon`: builds the command line and hands argv to it; a role process goes its own, shorter way."""

import sys


def main() -> None:
    match sys.argv[1:]:
        case ["run", role] if not role.startswith("-"):
            from mailcordon.app import process

            sys.exit(process.run(role))
        case _:
            from mailcordon.adapters import cli
            from mailcordon.app import command as app_command
            from mailcordon.run import commands

            cli.build(
                up=commands.up,
                down=commands.down,
                migrate=commands.migrate,
                doctor=commands.doctor,
                run=app_command.run,
            )(prog_name="mailcordon")


if __name__ == "__main__":
    main()
