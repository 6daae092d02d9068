"""`python -m mailcordon`: builds the command line and hands argv to it."""

from mailcordon.adapters import cli
from mailcordon.run import commands


def main() -> None:
    cli.build(
        up=commands.up,
        down=commands.down,
        migrate=commands.migrate,
        doctor=commands.doctor,
        run=commands.run,
    )()


if __name__ == "__main__":
    main()
