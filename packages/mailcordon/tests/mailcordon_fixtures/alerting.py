"""Channels, contacts and the loop of alerts on a test's own database, with receivers on this machine. Time is passed in."""

import ipaddress
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.alert_store import PostgresAlerts
from mailcordon.adapters.db.contact_store import PostgresContacts
from mailcordon.adapters.db.key_store import KeyStore
from mailcordon.adapters.db.secrets import make_secret_key
from mailcordon.adapters.web import standard_webhooks
from mailcordon.adapters.web.courier import WebCourier
from mailcordon.adapters.web.post import Poster
from mailcordon.app.alerts import LaneKeys
from mailcordon.control.keys import Keys
from mailcordon.core.principal import SCOPES, Principal
from mailcordon.observe.alerts.channels import Channels, NewChannel
from mailcordon.observe.alerts.loop import Alerts

LOOPBACK = [ipaddress.ip_network("127.0.0.0/8")]
ANN = Principal(
    key_id=1,
    prefix="k7pq2m9d",
    name="ann",
    holder="ann",
    tenant_id=None,
    tenant_slug=None,
    scopes=frozenset(SCOPES),
)


@dataclass
class AlertWorld:
    owner: engine.Connection
    pool: engine.Pool
    alerts: PostgresAlerts
    contacts: PostgresContacts
    channels: Channels
    loop: Alerts
    secret_key: str

    async def incident(self, cause: str = "set:mc-urgent", **values: Any) -> int:
        row = {
            "kind": "drift",
            "severity": "high",
            "scope": "set",
            "name": "mc-urgent",
            "sentence": "Destination outcome of set mc-urgent is disabled at SES",
            "next": "Enable it",
            "command": "mailcordon drift show 7",
            **values,
        }
        names = ", ".join(row)
        marks = ", ".join(f"${n}" for n in range(2, len(row) + 2))
        return await self.owner.fetchval(
            f"insert into incident (cause, since, opened_at, seen_at, cause_seen_at, {names})"
            f" values ($1, now_ms() - 240000, now_ms(), now_ms(), now_ms(), {marks}) returning id",
            cause,
            *row.values(),
        )

    async def change(self, incident: int, what: str) -> None:
        await self.owner.execute(f"update incident set {what} where id = $1", incident)

    async def close(self, incident: int) -> None:
        await self.change(
            incident, "closed_at = now_ms(), closed_by = 'mailcordon', closed_because = 'quiet'"
        )

    async def add(self, name: str = "night", form: str = "webhook", **more: Any) -> str | None:
        return await self.channels.add(NewChannel(name=name, form=form, **more), ANN, because=None)

    async def rounds(self, *, after_ms: int = 0) -> int:
        """Rounds until nothing is due. `after_ms`: so much later."""
        self.alerts.clock_ms += after_ms
        self.contacts.clock_ms += after_ms
        tried = 0
        while done := await self.loop.round():
            tried += done
        return tried

    async def notices(self, *, after_ms: int = 10_000) -> int:
        self.alerts.clock_ms += after_ms
        self.contacts.clock_ms += after_ms
        return await self.loop.notice_round()

    async def timeline(self, incident: int) -> list[tuple[str, str]]:
        rows = await self.owner.fetch(
            "select what, text from incident_entry where incident = $1 order by id", incident
        )
        return [(row["what"], row["text"]) for row in rows]


@pytest.fixture
async def told(database: Any) -> AsyncIterator[AlertWorld]:
    owner = await engine.connect(database.dsn("owner"))
    pool = await engine.create_pool(database.dsn("control"))
    secret_key = make_secret_key()
    alerts, contacts = PostgresAlerts(pool, [secret_key]), PostgresContacts(pool, [secret_key])
    poster = Poster(LOOPBACK, seconds=20)
    courier = WebCourier(poster, installation="test", api_url=None)
    channels = Channels(
        alerts,
        contacts,
        courier,
        LaneKeys(Keys(KeyStore(pool))),
        check_url=poster.check,
        new_secret=standard_webhooks.new_secret,
        is_secret=standard_webhooks.is_secret,
        has_api=True,
    )
    loop = Alerts(alerts, contacts, courier, alerts.now, _always)
    yield AlertWorld(owner, pool, alerts, contacts, channels, loop, secret_key)
    await pool.close()
    await owner.close()


async def _always() -> bool:
    return True
