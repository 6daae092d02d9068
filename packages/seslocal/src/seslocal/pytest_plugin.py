"""The pytest plugin: the fixture `seslocal` is an empty local SES for one test. The server runs in a thread for the whole run
(with xdist, one in each worker) and is reset between tests, which is cheap. Its clock stands still and events follow without a
delay, so that a test sees the consequences of what it did. Override `seslocal_settings` or `seslocal_clock` in a conftest to
change that. Nothing is imported or started before a test uses the fixture."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from seslocal.clock import Clock
    from seslocal.state.settings import Settings
    from seslocal.testing import Server, SesLocal


@pytest.fixture(scope="session")
def seslocal_settings() -> Settings:
    """The server's settings. Override this fixture to change them."""
    from seslocal.state.settings import Settings

    return Settings()


@pytest.fixture(scope="session")
def seslocal_clock() -> Clock:
    """The server's clock, which stands still. Override this fixture with `return seslocal.Clock()` to let it follow real time."""
    from seslocal.clock import Clock

    return Clock(speed=0)


@pytest.fixture(scope="session")
def _seslocal_server(seslocal_settings: Settings, seslocal_clock: Clock) -> Iterator[Server]:  # pyright: ignore[reportUnusedFunction]
    from seslocal.testing import serving

    with serving(seslocal_settings, seslocal_clock) as server:
        yield server


@pytest.fixture
def seslocal(_seslocal_server: Server) -> Iterator[SesLocal]:
    """An empty local SES."""
    _seslocal_server.reset()
    found = _seslocal_server.seslocal
    yield found
    found.close()


@pytest.fixture
def seslocal_aws(seslocal: SesLocal, monkeypatch: pytest.MonkeyPatch) -> SesLocal:
    """The same, and AWS's environment variables lead to it: `boto3.client("sesv2")` without an endpoint calls it."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in seslocal.environment.items():
        monkeypatch.setenv(name, value)
    return seslocal
