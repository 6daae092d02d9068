"""`./dev build --try`: installs built wheels as a stranger would, with pip and a package index, and starts what they bring.

    install_check.py DIRECTORY

In a new environment in a temporary directory: `mailcordon[local]`, `mailcordon-client` and `seslocal` from the wheels of the
directory, everything else from the index. Then `seslocal` must serve by itself, and `mailcordon up` must become ready and send a
mail to its local SES.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
import venv
from collections.abc import Iterator
from pathlib import Path

_PATIENCE = 180  #: seconds until something must be ready; the first start makes a database


class Failed(Exception):
    """What does not work for a stranger, as a sentence."""


def wheel(directory: Path, name: str) -> Path:
    found = sorted(directory.glob(f"{name}-*.whl"))
    if len(found) != 1:
        raise Failed(f"{directory} has {len(found)} wheels of {name}; one is needed")
    return found[0]


def run(*words: str | Path, environment: dict[str, str]) -> str:
    done = subprocess.run(
        [str(word) for word in words], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Failed(
            f"{' '.join(str(word) for word in words)} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        )
    return done.stdout


@contextlib.contextmanager
def started(*words: str | Path, ready: Path, environment: dict[str, str]) -> Iterator[dict[str, object]]:
    """A process, once it has written the JSON of its ready file."""
    process = subprocess.Popen([str(word) for word in words], env=environment, stdout=subprocess.DEVNULL)
    try:
        until = time.monotonic() + _PATIENCE
        while not ready.exists():
            if process.poll() is not None or time.monotonic() > until:
                raise Failed(f"{words[0]} was not ready within {_PATIENCE} s")
            time.sleep(0.2)
        yield json.loads(ready.read_text())
    finally:
        process.terminate()
        process.wait(_PATIENCE)


def check(directory: Path) -> None:
    """Raises Failed."""
    with tempfile.TemporaryDirectory(prefix="mailcordon-try-") as temporary:
        place = Path(temporary)
        clean = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("MAILCORDON_", "PYTHON", "VIRTUAL_ENV"))
        }
        venv.create(place / "venv", with_pip=True)
        programs, home = place / "venv" / "bin", place / "home"
        environment = {**clean, "PATH": f"{programs}:{clean['PATH']}", "MAILCORDON_HOME": str(home)}
        wheels = [
            f"{wheel(directory, 'mailcordon')}[local]",
            wheel(directory, "mailcordon_client"),
            wheel(directory, "seslocal"),
        ]
        run(
            programs / "python",
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            *wheels,
            environment=environment,
        )
        print(run(programs / "mailcordon", "--version", environment=environment).strip())
        ready = place / "seslocal.json"
        alone = (programs / "seslocal", "--port", "0", "--ready-file", ready)
        with started(*alone, ready=ready, environment=environment) as found:
            url = f"{found['url']}/_seslocal/health"
            print(f"seslocal serves: {urllib.request.urlopen(url, timeout=30).status}")  # noqa: S310 (our own server)
        with started(
            programs / "mailcordon", "up", "--port", "0", ready=home / "run.json", environment=environment
        ):
            mailcordon = programs / "mailcordon"
            run(
                mailcordon,
                "tenant",
                "onboard",
                "acme",
                "--type",
                "invoice=mail.acme.example",
                environment=environment,
            )
            sent = (
                "--tenant",
                "acme",
                "--type",
                "invoice",
                "--from",
                "hello@mail.acme.example",
                "--to",
                "kim@example.com",
            )
            run(mailcordon, "send", *sent, "--subject", "Hello", "--text", "Hello.", environment=environment)
            until = time.monotonic() + _PATIENCE
            while "kim@example.com" not in run(mailcordon, "sent", environment=environment):
                if time.monotonic() > until:
                    raise Failed("the mail did not reach the local SES")
            print("mailcordon up takes a mail and sends it")


def main() -> int:
    try:
        check(Path(sys.argv[1]))
    except Failed as why:
        print(f"dev: {why}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
