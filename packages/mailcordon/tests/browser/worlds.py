"""What a dashboard is looked at with: a fresh system, three tenants that send, and a bought list that is held."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from mailcordon.adapters.cli import client, local_ses
from mailcordon.adapters.cli.client import path
from mailcordon.adapters.cli.drill import incident
from mailcordon.adapters.cli.drill.checks import NEWS, Checks
from mailcordon.adapters.cli.drill.steps import Result, in_turn
from mailcordon_fixtures import systems
from mailcordon_fixtures.systems import System

SUFFIX = "corp"
TENANTS = tuple(f"{name}-{SUFFIX}" for name in ("acme", "otto", "zen"))  #: the first one buys a list
_SENDING, _INCIDENT = 2, 3  #: steps of the drill until everybody has sent, until the list is held
RECEIPT = "receipt"  #: a template of the first tenant, and one of the platform
SOURCES = {
    "subject": "Receipt for {{ name }}",
    "html": '<p style="color: #063">Dear {{ name }}, thank you.</p>{% include "footer.html" %}',
    "parts": {"footer.html": "<hr><p>Corp, 1 Main Street</p>"},
    "because": "launch",
}
PATIENCE = 60.0  #: seconds for one step

Say = Callable[[str], None]


@contextlib.contextmanager
def system(home: Path) -> Iterator[System]:
    """A system in a world of recipients; a home that has one already goes on with it."""
    fresh = not (home / "database.json").exists()
    settings = {"MAILCORDON_DASHBOARD": "on", "MAILCORDON_DASHBOARD_PORT": "0"}
    if fresh:
        with systems.in_world(home, incident.WORLD, **settings) as running:
            yield running
    else:
        with systems.up(home, **settings) as running:
            yield running


async def tenants_that_send(running: System, say: Say) -> None:
    """Three tenants, each with newsletters and resets that left, some of which bounced, and one that holds its own campaign."""
    async with _checks(running) as checks:
        await _play(checks, _SENDING, say)
        await furnish(checks.api)


async def incident_in_progress(running: System, say: Say) -> None:
    """As `tenants_that_send`; then the first tenant mails a bought list, which the breaker holds."""
    async with _checks(running) as checks:
        await _play(checks, _INCIDENT, say)
        await furnish(checks.api)


async def furnish(api: client.Client) -> None:
    """What people have set up and done, so that no page is empty."""
    acme, otto, zen = TENANTS
    await api.post(
        path("holds"),
        {"tenant": zen, "type": NEWS, "campaign": "spring-sale", "because": "wrong prices in it"},
    )
    await api.post(
        path("suppressions"),
        {"tenant": otto, "address": "kim@example.com", "scope": "tenant", "because": "asked us by phone"},
    )
    key = await api.post(path("keys"), {"tenant": acme, "name": "shop", "scopes": ["send", "read"]})
    await api.call("POST", path("keys", key["prefix"], "access-keys"))
    await api.call("PUT", path("ses-door", "sets", "news"), body={"type": NEWS, "tenant": None})
    for tenant in (acme, None):
        await api.call("PUT", path("templates", RECEIPT), query={"tenant": tenant}, body=SOURCES)
    await api.post(path("tenants", acme, "claims"), {"domain": f"shop.{acme}.example"})


@contextlib.asynccontextmanager
async def _checks(running: System):
    api, ses = client.Client(running.url, running.key), local_ses.LocalSes(running.ses_url)
    try:
        yield Checks(api, ses, suffix=SUFFIX, patience=PATIENCE)
    finally:
        await api.close()
        await ses.close()


async def _play(checks: Checks, steps: int, say: Say) -> None:
    wrong: list[str] = []

    def heard(result: Result) -> None:
        say(f"{result.title} ({result.seconds:.0f} s){f': {result.wrong}' if result.wrong else ''}")
        wrong.extend([result.wrong] if result.wrong else [])

    await in_turn(incident.Incident(checks).steps()[:steps], heard)
    assert not wrong, wrong[0]
