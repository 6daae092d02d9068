"""Dedicated IPs and their pools (ses.md 7): moving, warming up and reading them. They are leased through the admin API, as they
are from AWS support."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from seslocal.errors import already_exists, bad_request, limit_exceeded, not_found
from seslocal.state.access import Caller
from seslocal.state.account import Account
from seslocal.state.dedicated_ips import DEFAULT_POOL, SHARED_POOL, DedicatedIp, Pool
from seslocal.tagging import tags_in
from seslocal.wire.paging import page
from seslocal.wire.params import Params

MOST_POOLS: Final = 50
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


def create_pool(account: Account, params: Params, caller: Caller) -> Params:
    name: str = params["PoolName"]
    pools = account.dedicated_ips.pools
    if not _NAME.fullmatch(name):
        raise bad_request(
            f"Invalid pool name <{name}>: letters, digits, '_' and '-' are allowed, 1 to 64 of them."
        )
    if account.dedicated_ips.knows(name):
        raise already_exists(f"The pool <{name}> already exists.")
    if len(pools) >= MOST_POOLS:
        raise limit_exceeded(f"The account has {MOST_POOLS} dedicated IP pools, which is its limit.")
    mode: str = params.get("ScalingMode", "STANDARD")
    pools[name] = Pool(name, account.arn(f"dedicated-ip-pool/{name}"), mode, tags_in(params.get("Tags", [])))
    return {}


def get_pool(account: Account, params: Params, caller: Caller) -> Params:
    pool = _pool(account, params["PoolName"])
    return {"DedicatedIpPool": {"PoolName": pool.name, "ScalingMode": pool.mode}}


def list_pools(account: Account, params: Params, caller: Caller) -> Params:
    chosen, more = page("pools", account.dedicated_ips.pools, lambda name: name, params, most=1000)
    return {"DedicatedIpPools": chosen, **more}


def delete_pool(account: Account, params: Params, caller: Caller) -> Params:
    """Its IPs return to the default pool; those of a managed pool return to AWS."""
    pool = _pool(account, params["PoolName"])
    for found in account.configuration_sets.values():
        if found.options.get("DeliveryOptions", {}).get("SendingPoolName") == pool.name:
            raise bad_request(f"Cannot delete pool {pool.name}: configuration set {found.name} uses it.")
    dedicated = account.dedicated_ips
    for ip in [ip for ip in dedicated.by_ip.values() if ip.pool == pool.name]:
        if dedicated.is_managed(pool.name):
            dedicated.release(ip.ip)
        else:
            dedicated.move(ip, DEFAULT_POOL)
    del dedicated.pools[pool.name]
    dedicated.demands.pop(pool.name, None)
    return {}


def put_scaling(account: Account, params: Params, caller: Caller) -> Params:
    pool = _pool(account, params["PoolName"])
    if pool.mode == "MANAGED" and params["ScalingMode"] == "STANDARD":
        raise bad_request("The ScalingMode parameter is invalid.")
    pool.mode = params["ScalingMode"]
    return {}


def put_in_pool(account: Account, params: Params, caller: Caller) -> Params:
    ip = _ip(account, params["Ip"])
    target: str = params["DestinationPoolName"]
    if not account.dedicated_ips.knows(target):
        raise _no_pool(target)
    if account.dedicated_ips.is_managed(target) or account.dedicated_ips.is_managed(ip.pool):
        raise bad_request("Dedicated IPs cannot be moved into or out of a managed pool.")
    account.dedicated_ips.move(ip, target)
    return {}


def put_warm_up(account: Account, params: Params, caller: Caller) -> Params:
    """Warm-up continues over time from this percentage while the account's automatic warm-up is on."""
    percentage: int = params["WarmupPercentage"]
    if not 0 <= percentage <= 100:
        raise bad_request("Warmup Percentage must be between 0 and 100.")
    ip = _ip(account, params["Ip"])
    if account.dedicated_ips.is_managed(ip.pool):
        raise bad_request("SES warms up the dedicated IPs of a managed pool.")
    ip.percentage, ip.since, ip.warms = percentage, account.clock.now(), account.dedicated_ips.auto_warm_up
    return {}


def get_ip(account: Account, params: Params, caller: Caller) -> Params:
    return {"DedicatedIp": _shown(account, _ip(account, params["Ip"]))}


def get_ips(account: Account, params: Params, caller: Caller) -> Params:
    pool: str | None = params.get("PoolName")
    if pool is not None and not account.dedicated_ips.knows(pool):
        raise _no_pool(pool)
    found = [ip for ip in account.dedicated_ips.by_ip.values() if pool in (None, ip.pool)]
    chosen, more = page("ips", found, lambda ip: ip.ip, params, most=1000)
    return {"DedicatedIps": [_shown(account, ip) for ip in chosen], **more}


def put_auto_warm_up(account: Account, params: Params, caller: Caller) -> Params:
    """If off, IPs leased later start fully warm; IPs that are warming continue."""
    account.dedicated_ips.auto_warm_up = params.get("AutoWarmupEnabled", False)
    return {}


def _shown(account: Account, ip: DedicatedIp) -> Params:
    if account.dedicated_ips.is_managed(ip.pool):
        status, percentage = "NOT_APPLICABLE", -1
    else:
        percentage = account.dedicated_ips.percentage(ip, account.clock.now())
        status = "DONE" if percentage == 100 else "IN_PROGRESS"
    return {"Ip": ip.ip, "WarmupStatus": status, "WarmupPercentage": percentage, "PoolName": ip.pool}


def _ip(account: Account, text: str) -> DedicatedIp:
    found = account.dedicated_ips.by_ip.get(text)
    if found is None:
        raise not_found(f"Could not find dedicated IP <{text}> under this account.")
    return found


def _pool(account: Account, name: str) -> Pool:
    if name in (DEFAULT_POOL, SHARED_POOL):
        raise bad_request("Pool name describes either a shared or default dedicated ip pool")
    found = account.dedicated_ips.pools.get(name)
    if found is None:
        raise _no_pool(name)
    return found


def _no_pool(name: str) -> Exception:
    return not_found(f"The requested pool <{name}> does not exist.")


OPERATIONS: Final[dict[str, Callable[[Account, Params, Caller], Params]]] = {
    "CreateDedicatedIpPool": create_pool,
    "GetDedicatedIpPool": get_pool,
    "ListDedicatedIpPools": list_pools,
    "DeleteDedicatedIpPool": delete_pool,
    "PutDedicatedIpPoolScalingAttributes": put_scaling,
    "PutDedicatedIpInPool": put_in_pool,
    "PutDedicatedIpWarmupAttributes": put_warm_up,
    "GetDedicatedIp": get_ip,
    "GetDedicatedIps": get_ips,
    "PutAccountDedicatedIpWarmupAttributes": put_auto_warm_up,
}
