"""One Chromium for each worker, and the dashboards that it looks at: empty, with hostile names, and amid an incident."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext

from browser import chromium, hostile, serving, signing_in, worlds
from browser.serving import Served
from mailcordon.control.people.roles import Role
from mailcordon_fixtures.systems import System

#: The conftest above has its class, which is no module to import.
Template = Any
Copy = Callable[..., contextlib.AbstractAsyncContextManager[Any]]


@pytest.fixture(scope="session")
def program() -> str:
    found = chromium.found()
    if found is None:
        pytest.skip(chromium.ABSENT)
    return found


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chrome(program: str) -> AsyncIterator[Browser]:
    async with chromium.running(program) as browser:
        yield browser


@pytest.fixture(scope="session")
def incident_system(
    program: str, short_home: Callable[[], contextlib.AbstractContextManager[Path]]
) -> Iterator[System]:
    """A whole system, in which a bought list is held."""
    with short_home() as home, worlds.system(home) as system:
        asyncio.run(worlds.incident_in_progress(system, lambda _: None))
        yield system


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def empty(
    program: str, template: Template, copy_of: Copy, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Served]:
    """A dashboard before the first tenant."""
    async with copy_of(template.database) as database:
        secret, _ = await serving.install(database.owner_dsn)
        async with serving.dashboard(database.role_dsns, secret, tmp_path_factory.mktemp("empty")) as served:
            yield served


@contextlib.asynccontextmanager
async def signed_in(
    browser: Browser, url: str, control: str, *, role: Role = Role.ADMIN, **options: bool
) -> AsyncIterator[BrowserContext]:
    """`control`: URL of the control login."""
    context = await browser.new_context(base_url=url, **options)  # pyright: ignore[reportArgumentType]
    try:
        await signing_in.sign_in(context, url, control, role=role)
        yield context
    finally:
        await context.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def hostile_names(
    program: str, template: Template, copy_of: Copy, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Served]:
    """A dashboard of tenants whose every text is hostile."""
    async with hostile_dashboard(
        template, copy_of, tmp_path_factory.mktemp("hostile"), hostile.WORDS
    ) as served:
        yield served


@contextlib.asynccontextmanager
async def hostile_dashboard(
    template: Template, copy_of: Copy, home: Path, words: Sequence[str]
) -> AsyncIterator[Served]:
    async with copy_of(template.database) as database:
        secret, hash_key = await serving.install(database.owner_dsn)
        await hostile.write(database.owner_dsn, hash_key, words)
        async with serving.dashboard(database.role_dsns, secret, home) as served:
            yield served
