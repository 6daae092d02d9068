"""`./dev conformance doors [CLIENT ...]`: every client against a system of its own, and a table of the results.

A client that cannot be installed is reported and counted as absent; with `--require-all` that is a failure.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

from conformance.server import seslocal
from mailcordon_fixtures import systems
from real_clients import clients, mails, world
from real_clients.running import Ends, differences

_MOST_SHOWN = 20  #: differences of one client
_OWN = "django-tests"


def _system(directory: Path) -> AbstractContextManager[systems.System]:
    directory.chmod(0o711)  # PostgreSQL's user must be able to enter it if this is root
    return systems.running(directory / "home", MAILCORDON_SMTP="on")


def main(argv: list[str]) -> int:
    names = [*(one.name for one in clients.ALL), _OWN]
    parser = argparse.ArgumentParser(prog="./dev conformance doors", description=__doc__)
    parser.add_argument("client", nargs="*", help=f"only these: {', '.join(names)}")
    parser.add_argument("--require-all", action="store_true", help="fail if a client is absent")
    given = parser.parse_args(argv)
    if unknown := set(given.client) - set(names):
        parser.error(f"unknown client: {', '.join(sorted(unknown))}")
    failed, absent = 0, 0
    with (
        tempfile.TemporaryDirectory(prefix="mc-doors-") as directory,
        _system(Path(directory)) as system,
        seslocal() as direct,
        world.sink() as sink,
    ):
        ends = Ends(world.Direct(direct.url), sink, world.tenant_of(system))
        runs: dict[str, tuple[str, Callable[[], list[str]]]] = {
            one.name: (one.title, partial(differences, one, ends, mails.FULL)) for one in clients.ALL
        }
        runs[_OWN] = ("Django's own tests of backends", partial(clients.django_tests, system))
        for name in given.client or names:
            title, run = runs[name]
            try:
                found = run()
            except world.Absence as absence:
                absent += 1
                print(f"{title:40} ABSENT: {absence}", flush=True)
                continue
            except AssertionError as error:
                found = str(error).splitlines()
            failed += bool(found)
            print(f"{title:40} {f'{len(found)} DIFFERENCES' if found else 'as meant'}", flush=True)
            for line in found[-_MOST_SHOWN:]:
                print(f"    {line}")
    if absent:
        print(f"!!! {absent} of {len(given.client or names)} did not run: they are not installed.")
    print(f"doors: {f'{failed} clients are not served as SES serves them' if failed else 'no differences'}")
    return 1 if failed or (absent and given.require_all) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
