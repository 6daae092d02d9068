"""The caller of a request. Checks the signature against the account's keys, unless checking is off, before an operation
runs. Signatures are compared with real time, because clients sign with it whatever the account's clock shows; the fault
`clock_skew` shifts it. Temporary credentials expire by the account's clock."""

from __future__ import annotations

import re
import time
from collections.abc import Collection
from email.utils import formatdate
from functools import lru_cache
from typing import Final

from seslocal.state.access import Caller
from seslocal.state.account import Account
from seslocal.wire import signature
from seslocal.wire.protocol import Request

_CREDENTIAL: Final = re.compile(r"Credential=([^/,\s&]+)/\d+/([^/,\s]+)/")


def caller(
    account: Account, request: Request, services: Collection[str], host: str, *, also: str | None = None
) -> Caller:
    """Raises ApiError if the signature is wrong. `host` is used for requests without a Host header. `also` is a region besides
    the account's for which the request may be signed."""
    host = request.headers.get("host") or host
    if not account.access.check_signatures:
        return _unchecked(account, request, host)
    explain = account.behaviour.explain_signatures
    region = account.region
    if also is not None and f"/{also}/" in request.headers.get("authorization", ""):
        region = also
    key = signature.check(request, account.access.keys, services, region, world_now(account), explain=explain)
    if key.expires is not None and key.expires <= account.clock.now() + account.faults.skew():
        raise signature.expired()
    return Caller(key.id, account.region, request.peer, host, key.user)


def world_now(account: Account) -> float:
    """The time that signatures are compared with: real time, plus the fault `clock_skew`."""
    return time.time() + account.faults.skew()


def date_line(account: Account) -> str:
    """The Date header of every response. Some SDKs correct their clock by it."""
    return _date_line(int(world_now(account)))


@lru_cache(4)
def _date_line(second: int) -> str:
    return f"Date: {formatdate(second, usegmt=True)}\r\n"


def _unchecked(account: Account, request: Request, host: str) -> Caller:
    found = _CREDENTIAL.search(request.headers.get("authorization", ""))
    if found is None:
        return Caller("anonymous", account.region, request.peer, host, "anonymous")
    return Caller(found[1], found[2], request.peer, host, found[1])
