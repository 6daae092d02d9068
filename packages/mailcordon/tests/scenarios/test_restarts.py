"""Restarts and kills of its processes leave every lane of a local system as it was, and what vanishes at SES comes back.

Real processes. The tests share one home and run in their order: each goes on with the system that the one before left.
"""

import asyncio
import json
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from mailcordon.core.delivery import State
from mailcordon_fixtures import systems, traffic
from mailcordon_fixtures.traffic import Traffic

TENANTS = {"acme": ["password-reset", "newsletter"], "zen": ["password-reset"], "old": ["newsletter"]}
LANES = [(slug, type) for slug, types in TENANTS.items() for type in types]
SETTINGS = {"MAILCORDON_VISIBILITY_SECONDS": "3"}  #: unknown outcomes are settled soon
HEALS = 60.0  #: seconds in which what was deleted at SES is back


@dataclass
class Night:
    """One home, and the system that runs in it."""

    home: Path
    stack: ExitStack = field(default_factory=ExitStack)
    system: systems.System | None = None
    mails: int = 0  #: sent on each lane so far

    @property
    def running(self) -> systems.System:
        assert self.system is not None
        return self.system

    def up(self) -> systems.System:
        self.stack = ExitStack()
        self.system = self.stack.enter_context(systems.running(self.home, **SETTINGS))
        return self.system

    def down(self) -> None:
        assert systems.mailcordon(self.home, "down").returncode == 0
        self.stack.close()

    def kill_everything(self) -> None:
        """As the kernel's out-of-memory killer might: the supervisor and each of its processes, without a chance to react."""
        system = self.running
        pids = [pid for name, pid in system.processes.items() if name != "postgres"]
        for pid in (system.process.pid, *pids, system.processes["postgres"]):
            os.kill(pid, signal.SIGKILL)
        system.process.wait(systems.PATIENCE)
        self.stack.close()


async def onboard(night: Night) -> None:
    async with traffic.on(night.running) as mail:
        await mail.onboard(TENANTS)


@pytest.fixture(scope="module")
def night(short_home: Callable[[], AbstractContextManager[Path]]) -> Iterator[Night]:
    with short_home() as home:
        night = Night(home)
        night.up()
        try:
            asyncio.run(onboard(night))
            yield night
        finally:
            night.stack.close()


async def lanes(mail: Traffic) -> list[tuple[Any, ...]]:
    """Each lane with what stops it."""
    rows = await mail.db.fetch(
        "select t.slug, y.name, l.held or l.stopped,"
        " (select count(*) from hold h where h.lifted_at is null and h.tenant = l.tenant)"
        " from lane l join tenant t on t.id = l.tenant join message_type y on y.id = l.type"
        " where t.slug = any ($1::text[]) order by 1, 2",
        list(TENANTS),
    )
    return [tuple(row) for row in rows]


OPEN = sorted((slug, type, False, 0) for slug, type in LANES)


async def check(night: Night) -> None:
    """All lanes are open, one more mail leaves on each, and SES says that it was delivered."""
    async with traffic.on(night.running) as mail:
        await mail.until(mail_is_accepted(mail), "the API accepts mail")
        assert await lanes(mail) == OPEN
        night.mails += 1
        for slug, type in LANES:
            await mail.until(lambda slug=slug, type=type: mail.put(slug, type), f"{slug} {type} is accepted")
        await mail.all_final(*TENANTS, patience=30)
        wanted = night.mails * len(LANES)

        async def delivered() -> bool:
            return wanted == sum(
                [await mail.count("outcome", slug, f"state = {int(State.DELIVERED)}") for slug in TENANTS]
            )

        await mail.until(delivered, "every mail was delivered", 30)
        assert await mail.count_sent(*TENANTS) == wanted  # the ledger has those of before, too
        assert await lanes(mail) == OPEN


def mail_is_accepted(mail: Traffic) -> Callable[[], Any]:
    async def healthy() -> bool:
        return await asyncio.to_thread(mail.system.healthy)

    return healthy


async def test_lanes_are_open_and_mail_leaves(night: Night) -> None:
    await check(night)


async def test_down_and_up_leave_every_lane_as_it_was(night: Night) -> None:
    night.down()
    night.up()
    await check(night)


async def test_the_drill_passes_after_down_and_up(night: Night) -> None:
    done = await asyncio.to_thread(night.running.cli, "drill", "--patience", "60", "--json")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["seslocal", "starter", "control", "observe", "dispatch", "api", "postgres"])
async def test_a_killed_process_leaves_every_lane_as_it_was(night: Night, name: str) -> None:
    pid = night.running.kill(name)
    await asyncio.to_thread(night.running.wait_replaced, name, pid)
    await check(night)


async def test_what_a_failed_start_of_the_local_ses_left_is_not_believed(night: Night) -> None:
    ready = night.running.home / "run" / "seslocal.json"
    with socket.socket() as closed:  # bound, and never listens
        closed.bind(("127.0.0.1", 0))
        ready.write_text(json.dumps({"url": f"http://127.0.0.1:{closed.getsockname()[1]}"}))
        pid = night.running.kill("seslocal")
        await asyncio.to_thread(night.running.wait_replaced, "seslocal", pid)
    said = night.running.said().rpartition("seslocal was killed by signal 9")[2]
    assert "cannot be started" not in said
    await check(night)


async def test_a_kill_of_everything_at_once_leaves_every_lane_as_it_was(night: Night) -> None:
    await asyncio.to_thread(night.kill_everything)
    await asyncio.to_thread(night.up)
    await check(night)


# What vanishes at SES ---------------------------------------------------------------------------------------------------


@pytest.fixture
async def ses(night: Night) -> AsyncIterator[Any]:
    client = boto3.Session("test", "test", region_name="us-east-1").client(
        "sesv2", endpoint_url=night.running.ses_url, config=Config(retries={"total_max_attempts": 1})
    )
    yield client
    client.close()


def as_ses_has_it(ses: Any, keys: dict[str, str]) -> dict[str, Any]:
    """Everything that was provisioned, without times and ids."""
    found: dict[str, Any] = {}
    for name in ses.list_configuration_sets()["ConfigurationSets"]:
        one = ses.get_configuration_set(ConfigurationSetName=name)
        to = ses.get_configuration_set_event_destinations(ConfigurationSetName=name)["EventDestinations"]
        options = {key: one.get(key) for key in ("SuppressionOptions", "DeliveryOptions")}
        found[f"set {name}"] = (
            options,
            sorted((d["Name"], d["Enabled"], *sorted(d["MatchingEventTypes"])) for d in to),
        )
    for identity in ses.list_email_identities()["EmailIdentities"]:
        name = identity["IdentityName"]
        found[f"identity {name}"] = ses.get_email_identity(EmailIdentity=name).get("ConfigurationSetName")
    for slug, key in keys.items():
        try:
            tenant = ses.get_tenant(TenantName=key)["Tenant"]
        except ses.exceptions.NotFoundException:
            continue
        resources = ses.list_tenant_resources(TenantName=key)["TenantResources"]
        entity = ses.get_reputation_entity(
            ReputationEntityType="RESOURCE", ReputationEntityReference=tenant["TenantArn"]
        )["ReputationEntity"]
        found[f"tenant {slug}"] = (
            tenant["SuppressionAttributes"],
            entity["ReputationManagementPolicy"],
            sorted(each["ResourceArn"].split(":", 5)[5] for each in resources),
        )
    return found


def delete_one_of_each_kind(ses: Any, keys: dict[str, str]) -> None:
    account = ses.get_tenant(TenantName=keys["acme"])["Tenant"]["TenantArn"].split(":tenant/")[0]

    def dissociate(slug: str, resource: str) -> None:
        ses.delete_tenant_resource_association(TenantName=keys[slug], ResourceArn=f"{account}:{resource}")

    # A configuration set and an identity; SES deletes nothing that a tenant is associated with.
    for each in ses.list_resource_tenants(ResourceArn=f"{account}:configuration-set/mc-marketing")[
        "ResourceTenants"
    ]:
        ses.delete_tenant_resource_association(TenantName=each["TenantName"], ResourceArn=each["ResourceArn"])
    ses.delete_configuration_set(ConfigurationSetName="mc-marketing")
    dissociate("acme", "identity/newsletter.acme.example")
    ses.delete_email_identity(EmailIdentity="newsletter.acme.example")
    ses.delete_configuration_set_event_destination(
        ConfigurationSetName="mc-urgent", EventDestinationName="outcome"
    )
    ses.put_configuration_set_suppression_options(
        ConfigurationSetName="mc-urgent", SuppressedReasons=["COMPLAINT"]
    )
    dissociate("acme", "identity/password-reset.acme.example")
    ses.put_tenant_suppression_attributes(
        TenantName=keys["acme"], SuppressionScope="ACCOUNT", SuppressedReasons=[]
    )
    ses.update_reputation_entity_policy(
        ReputationEntityType="RESOURCE",
        ReputationEntityReference=ses.get_tenant(TenantName=keys["acme"])["Tenant"]["TenantArn"],
        ReputationEntityPolicy="arn:aws:ses:us-east-1:aws:reputation-policy/none",
    )
    ses.delete_tenant(TenantName=keys["zen"])


async def test_what_is_deleted_or_changed_at_ses_is_back_within_a_minute(night: Night, ses: Any) -> None:
    async with traffic.on(night.running) as mail:
        keys = {row["slug"]: row["key"] for row in await mail.db.fetch("select slug, key from tenant")}
        keys = {slug: key for slug, key in keys.items() if slug in TENANTS}
        # Else the control process repairs the first deletion before the last one is made.
        with traffic.stopped(mail.system, "control"):
            before = await asyncio.to_thread(as_ses_has_it, ses, keys)
            await asyncio.to_thread(delete_one_of_each_kind, ses, keys)
            changed = await asyncio.to_thread(as_ses_has_it, ses, keys)
        assert {name for name in before if changed.get(name) != before[name]} == {
            "set mc-marketing",
            "set mc-urgent",
            "identity newsletter.acme.example",
            "tenant acme",
            "tenant zen",
            "tenant old",
        }

        async def healed() -> bool:
            now = await asyncio.to_thread(as_ses_has_it, ses, keys)
            return now == before

        await mail.until(healed, f"SES has again what it had; it has {changed}", HEALS)

        async def open_again() -> bool:
            return await lanes(mail) == OPEN

        await mail.until(open_again, "the lanes are open", HEALS)
    await check(night)


async def test_kills_of_the_local_ses_under_mail_lose_and_double_nothing(night: Night) -> None:
    async with traffic.on(night.running) as mail:
        await mail.onboard({"busy": ["password-reset", "newsletter"]}, grace_ms=2000)
        filling = asyncio.gather(*(mail.fill("busy", type, 200) for type in ("password-reset", "newsletter")))
        for number in range(2):

            async def some_were_sent(least: int = 60 + 120 * number) -> bool:
                return await mail.count("ledger", "busy") >= least

            await mail.until(some_were_sent, "some mail was sent")
            pid = night.running.kill("seslocal")
            await asyncio.to_thread(night.running.wait_replaced, "seslocal", pid)
        await filling
        await mail.all_final("busy")
        verdict = await mail.judge("busy")
        assert verdict.faults == [], verdict
        assert verdict.states.total() == 400
