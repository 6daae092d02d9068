"""Which IP a mail leaves from when there is a world, through the wire: it depends on no other mail of the same minute."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from seslocal_fixtures.world import World

DAY = 86400


def set_up(world: World) -> None:
    """Makes a world, a managed pool `m` with an IP, a half warm standard pool `s`, and a set for each."""
    world.domain()
    world.admin("PUT", "/clock", {"at": "2026-01-05T12:00:00Z", "frozen": True})
    world.admin("PUT", "/world", {"seed": 3})
    world.admin("PUT", "/account", {"warm_up": {"start": 20, "full": 100}})
    for pool, mode in (("m", "MANAGED"), ("s", "STANDARD")):
        world.ses.create_dedicated_ip_pool(PoolName=pool, ScalingMode=mode)
        world.admin("POST", "/dedicated-ips", {"pool": pool})
        world.configuration_set(pool, DeliveryOptions={"SendingPoolName": pool})
    world.ses.put_dedicated_ip_warmup_attributes(Ip="198.51.100.2", WarmupPercentage=50)


@pytest.fixture
def ready(world: World) -> World:
    set_up(world)
    return world


def send(world: World, pool: str, number: int) -> str:
    headers = [{"Name": "X-Seslocal-Key", "Value": f"k{number}"}]
    content: Any = {"Subject": {"Data": "Hi"}, "Body": {"Text": {"Data": "t"}}, "Headers": headers}
    return world.send(
        f"news.{number}@gmail.com", tenant=None, configuration_set=pool, Content={"Simple": content}
    )


def left_from(world: World, ids: list[str]) -> list[tuple[str, str]]:
    """Returns IP and pool of each mail, as receiving hosts see them."""
    world.admin("PUT", "/clock", {"advance": 1})
    seen = [world.admin("GET", f"/world/mails/{one}")["recipients"][0]["envelope"] for one in ids]
    return [(one["ip"], one["pool"]) for one in seen]


OWN, SHARED = ("198.51.100.2", "s"), ("192.0.2.25", "ses-shared-pool")


def test_a_warming_ip_sends_its_share_and_each_mail_by_its_own_key(ready: World) -> None:
    first = left_from(ready, [send(ready, "s", number) for number in range(60)])
    assert 15 < first.count(OWN) < 45
    assert set(first) == {OWN, SHARED}
    again = left_from(ready, [send(ready, "s", number) for number in reversed(range(60))])
    assert again == first[::-1]


def test_sixteen_senders_at_once_get_the_same_ips_as_one(ready: World) -> None:
    def work(pair: tuple[str, int]) -> str:
        return send(ready, *pair)

    pairs = [(pool, number) for number in range(40) for pool in ("m", "s")]
    one_by_one = left_from(ready, [work(pair) for pair in pairs])
    before = ready.admin("GET", "/dedicated-ips")
    ready.admin("POST", "/reset")
    set_up(ready)
    with ThreadPoolExecutor(16) as threads:
        together = left_from(ready, list(threads.map(work, pairs)))
    assert together == one_by_one
    assert set(one_by_one) == {OWN, SHARED, ("198.51.100.1", "m")}
    assert ready.admin("GET", "/dedicated-ips") == before


def test_a_managed_pool_warms_up_for_each_provider_and_shows_how_warm_it_is(ready: World) -> None:
    for day in range(3):
        left_from(ready, [send(ready, "m", day * 10 + number) for number in range(10)])
        ready.admin("PUT", "/clock", {"advance": DAY})
    managed, standard = ready.admin("GET", "/dedicated-ips")["ips"]
    assert standard == {"ip": "198.51.100.2", "pool": "s", "percentage": 56}
    assert managed == {
        "ip": "198.51.100.1",
        "pool": "m",
        "providers": {"gmail": {"warm_for": 23.5, "share": 1.0, "wanted_today": 0, "sent_today": 0}},
    }
    assert set(left_from(ready, [send(ready, "m", number) for number in range(5)])) == {("198.51.100.1", "m")}


def test_a_managed_pool_without_ips_gets_one_when_it_has_enough_mail(ready: World) -> None:
    ready.admin("PUT", "/account", {"warm_up": {"first": 10, "first_days": 2}})
    ready.admin("DELETE", "/dedicated-ips/198.51.100.1")
    for day in range(3):
        assert ready.ses.get_dedicated_ips(PoolName="m")["DedicatedIps"] == []
        left_from(ready, [send(ready, "m", day * 10 + number) for number in range(10)])
        ready.admin("PUT", "/clock", {"advance": DAY})
    (found,) = ready.ses.get_dedicated_ips(PoolName="m")["DedicatedIps"]
    assert (found["WarmupStatus"], found["WarmupPercentage"]) == ("NOT_APPLICABLE", -1)
    ready.ses.delete_configuration_set(ConfigurationSetName="m")
    ready.ses.delete_dedicated_ip_pool(PoolName="m")
    assert [ip["Ip"] for ip in ready.ses.get_dedicated_ips()["DedicatedIps"]] == ["198.51.100.2"]
