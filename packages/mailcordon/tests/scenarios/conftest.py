"""The shared system's mail and its command line, for scenarios that leave the system running well."""

import os
from collections.abc import AsyncIterator, Callable

import pytest
from typer.main import get_command

from mailcordon.adapters.cli import app as command_line
from mailcordon_fixtures import systems, traffic
from mailcordon_fixtures.traffic import Traffic

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
async def mail(system: systems.System) -> AsyncIterator[Traffic]:
    async with traffic.on(system) as mail:
        yield mail


def _local() -> None:
    """Not asked for here."""


@pytest.fixture(scope="module")
def main() -> Callable[..., None]:
    app = command_line.build(
        up=_local,
        down=_local,
        migrate=_local,
        doctor=_local,
        assess=(_local, "mailcordon assess"),
        iam=(("queue-policy", _local, "mailcordon iam queue-policy"),),
        verify_audit=_local,
        rebuild_metrics=_local,
        run=_local,
    )
    return get_command(app).main


@pytest.fixture
def run(
    system: systems.System,
    main: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """One command in this process, against the running system, without a terminal."""
    for name in [name for name in os.environ if name.startswith("MAILCORDON_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MAILCORDON_HOME", str(system.home))

    def command(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(list(words), prog_name="mailcordon")
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return command
