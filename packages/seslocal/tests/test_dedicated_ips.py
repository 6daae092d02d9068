"""Dedicated IPs: leasing, pools, warm-up, and which IP a mail is sent from."""

from __future__ import annotations

from typing import Any

import pytest

from seslocal_fixtures.world import World

DAY = 86400


@pytest.fixture
def pooled(world: World) -> World:
    """A pool `bulk` with one fully warm IP."""
    world.ses.create_dedicated_ip_pool(PoolName="bulk")
    world.ses.put_account_dedicated_ip_warmup_attributes(AutoWarmupEnabled=False)
    world.admin("POST", "/dedicated-ips", {"pool": "bulk"})
    return world


def shown(world: World, ip: str = "198.51.100.1") -> tuple[str, int, str]:
    found = world.ses.get_dedicated_ip(Ip=ip)["DedicatedIp"]
    return found["WarmupStatus"], found["WarmupPercentage"], found["PoolName"]


def test_a_new_ip_warms_up_over_45_days(world: World) -> None:
    assert world.admin("POST", "/dedicated-ips")["ips"] == ["198.51.100.1"]
    assert shown(world) == ("IN_PROGRESS", 0, "ses-default-dedicated-pool")
    world.admin("PUT", "/clock", {"advance": 9 * DAY})
    assert shown(world)[:2] == ("IN_PROGRESS", 20)
    world.ses.put_dedicated_ip_warmup_attributes(Ip="198.51.100.1", WarmupPercentage=90)
    world.admin("PUT", "/clock", {"advance": 9 * DAY})
    assert shown(world)[:2] == ("DONE", 100)


def test_without_automatic_warm_up_new_ips_are_warm_and_warming_ips_continue(world: World) -> None:
    world.admin("POST", "/dedicated-ips")
    world.ses.put_account_dedicated_ip_warmup_attributes(AutoWarmupEnabled=False)
    world.admin("POST", "/dedicated-ips")
    world.admin("PUT", "/clock", {"advance": 9 * DAY})
    assert [shown(world, f"198.51.100.{n}")[:2] for n in (1, 2)] == [("IN_PROGRESS", 20), ("DONE", 100)]
    assert world.ses.get_account()["DedicatedIpAutoWarmupEnabled"] is False


def test_a_managed_pool_cannot_be_changed(world: World) -> None:
    world.ses.create_dedicated_ip_pool(PoolName="m", ScalingMode="MANAGED")
    world.ses.create_dedicated_ip_pool(PoolName="s")
    world.admin("POST", "/dedicated-ips", {"pool": "m"})
    assert shown(world) == ("NOT_APPLICABLE", -1, "m")
    for call, more in (
        (world.ses.put_dedicated_ip_in_pool, {"DestinationPoolName": "s"}),
        (world.ses.put_dedicated_ip_warmup_attributes, {"WarmupPercentage": 5}),
    ):
        assert world.refused(call, Ip="198.51.100.1", **more)[:2] == (400, "BadRequestException")
    scaling = world.ses.put_dedicated_ip_pool_scaling_attributes
    assert world.refused(scaling, PoolName="m", ScalingMode="STANDARD")[:2] == (400, "BadRequestException")
    scaling(PoolName="s", ScalingMode="MANAGED")
    assert world.ses.get_dedicated_ip_pool(PoolName="s")["DedicatedIpPool"]["ScalingMode"] == "MANAGED"


def test_pools_are_listed_and_addresses_by_pool(pooled: World) -> None:
    pooled.ses.create_dedicated_ip_pool(PoolName="a", Tags=[{"Key": "k", "Value": "v"}])
    assert pooled.ses.list_dedicated_ip_pools()["DedicatedIpPools"] == ["a", "bulk"]
    pooled.ses.put_dedicated_ip_in_pool(Ip="198.51.100.1", DestinationPoolName="a")
    assert [ip["Ip"] for ip in pooled.ses.get_dedicated_ips(PoolName="a")["DedicatedIps"]] == ["198.51.100.1"]
    assert pooled.ses.get_dedicated_ips(PoolName="bulk")["DedicatedIps"] == []
    tags = pooled.ses.list_tags_for_resource(ResourceArn=pooled.arn("dedicated-ip-pool/a"))["Tags"]
    assert tags == [{"Key": "k", "Value": "v"}]


def test_deleting_a_pool_returns_its_ips_to_the_default_pool(pooled: World) -> None:
    pooled.ses.delete_dedicated_ip_pool(PoolName="bulk")
    assert shown(pooled)[2] == "ses-default-dedicated-pool"
    pooled.admin("DELETE", "/dedicated-ips/198.51.100.1")
    assert pooled.ses.get_dedicated_ips()["DedicatedIps"] == []


def test_a_pool_in_use_by_a_set_cannot_be_deleted(pooled: World) -> None:
    options: Any = {"SendingPoolName": "bulk"}
    pooled.ses.create_configuration_set(ConfigurationSetName="s", DeliveryOptions=options)
    refused = pooled.refused(pooled.ses.delete_dedicated_ip_pool, PoolName="bulk")
    assert refused == (
        400,
        "BadRequestException",
        "Cannot delete pool bulk: configuration set s uses it.",
    )


NO_POOL = (404, "NotFoundException", "The requested pool <no> does not exist.")


@pytest.mark.parametrize(
    ("call", "given", "refusal"),
    [
        (
            "create_dedicated_ip_pool",
            {"PoolName": "bulk"},
            (400, "AlreadyExistsException", "The pool <bulk> already exists."),
        ),
        ("get_dedicated_ip_pool", {"PoolName": "no"}, NO_POOL),
        ("delete_dedicated_ip_pool", {"PoolName": "no"}, NO_POOL),
        ("get_dedicated_ips", {"PoolName": "no"}, NO_POOL),
        (
            "get_dedicated_ip",
            {"Ip": "192.0.2.1"},
            (404, "NotFoundException", "Could not find dedicated IP <192.0.2.1> under this account."),
        ),
        (
            "put_configuration_set_delivery_options",
            {"ConfigurationSetName": "s", "SendingPoolName": "no"},
            (400, "BadRequestException", "SendingPool <no> doesn't exist"),
        ),
        (
            "get_dedicated_ip_pool",
            {"PoolName": "ses-default-dedicated-pool"},
            (400, "BadRequestException", "Pool name describes either a shared or default dedicated ip pool"),
        ),
        (
            "put_dedicated_ip_warmup_attributes",
            {"Ip": "192.0.2.1", "WarmupPercentage": 101},
            (400, "BadRequestException", "Warmup Percentage must be between 0 and 100."),
        ),
    ],
)
def test_missing_resources_are_not_found(
    pooled: World, call: str, given: dict[str, Any], refusal: Any
) -> None:
    pooled.ses.create_configuration_set(ConfigurationSetName="s")
    assert pooled.refused(getattr(pooled.ses, call), **given) == refusal


def outgoing(world: World, count: int) -> list[str]:
    for number in range(count):
        world.send(f"kim{number}@example.com")
    return [event["mail"]["tags"]["ses:outgoing-ip"][0] for event in world.events(count)]


def test_mails_of_a_pool_use_its_ips_in_turn(pooled: World) -> None:
    pooled.ready(events=["DELIVERY"], DeliveryOptions={"SendingPoolName": "bulk"})
    pooled.admin("POST", "/dedicated-ips", {"pool": "bulk"})
    assert sorted(set(outgoing(pooled, 4))) == ["198.51.100.1", "198.51.100.2"]


def test_a_warming_ip_sends_its_share_and_the_shared_ip_the_rest(pooled: World) -> None:
    pooled.ready(events=["DELIVERY"], DeliveryOptions={"SendingPoolName": "bulk"})
    pooled.ses.put_dedicated_ip_warmup_attributes(Ip="198.51.100.1", WarmupPercentage=25)
    ips = outgoing(pooled, 20)
    assert (ips.count("198.51.100.1"), ips.count("192.0.2.25")) == (5, 15)


def test_the_admin_api_leases_only_free_ips(world: World) -> None:
    assert len(world.admin("POST", "/dedicated-ips", {"count": 508})["ips"]) == 508
    assert "Only 0 of" in world.admin("POST", "/dedicated-ips", expect=400)["error"]
    assert (
        "no dedicated IP pool x" in world.admin("POST", "/dedicated-ips", {"pool": "x"}, expect=404)["error"]
    )
    world.admin("DELETE", "/dedicated-ips/192.0.2.9", expect=404)
