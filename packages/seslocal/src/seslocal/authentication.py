"""Who calls. The front asks here before an operation acts; here the signature is checked against the account's keys, unless
checking is off. Signatures are judged by the world's clock, since clients sign by it whatever an account's clock was set to;
the fault `clock_skew` puts it wrong. When temporary credentials end is a matter of the account's clock."""

from __future__ import annotations

import re
import time
from collections.abc import Collection
from email.utils import formatdate
from functools import lru_cache
from typing import Final

from seslocal.state.account import Account, Caller
from seslocal.wire import signature
from seslocal.wire.protocol import Request

_CREDENTIAL: Final = re.compile(r"Credential=([^/,\s&]+)/\d+/([^/,\s]+)/")


def caller(account: Account, request: Request, services: Collection[str], host: str) -> Caller:
    """Raises ApiError. `host` is for requests that name none."""
    host = request.headers.get("host") or host
    if not account.check_signatures:
        return _unchecked(account, request, host)
    explain = account.behaviour.explain_signatures
    key = signature.check(
        request, account.keys, services, account.region, world_now(account), explain=explain
    )
    if key.expires is not None and key.expires <= account.clock.now() + account.faults.skew():
        raise signature.expired()
    return Caller(key.id, account.region, request.peer, host, key.user)


def world_now(account: Account) -> float:
    """What AWS's clocks show to whoever signs."""
    return time.time() + account.faults.skew()


def date_line(account: Account) -> str:
    """The Date header of every answer, by which some SDKs set their own clock right."""
    return _date_line(int(world_now(account)))


@lru_cache(4)
def _date_line(second: int) -> str:
    return f"Date: {formatdate(second, usegmt=True)}\r\n"


def _unchecked(account: Account, request: Request, host: str) -> Caller:
    found = _CREDENTIAL.search(request.headers.get("authorization", ""))
    if found is None:
        return Caller("anonymous", account.region, request.peer, host, "anonymous")
    return Caller(found[1], found[2], request.peer, host, found[1])
