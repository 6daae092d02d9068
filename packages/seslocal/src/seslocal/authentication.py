"""The caller of a request. Checks the signature against the account's keys, unless checking is off, before an operation
runs. Signatures are compared with real time, because clients sign with it whatever the account's clock shows; the fault
`clock_skew` shifts it. Temporary credentials expire by the account's clock."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Collection
from email.utils import formatdate
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

from seslocal import messages
from seslocal.errors import ApiError
from seslocal.state.access import Caller
from seslocal.state.account import Account
from seslocal.wire import signature
from seslocal.wire.protocol import Request

log = logging.getLogger("seslocal")

_MOST_LINES: Final = 200  #: about refused signatures, of one account
_SAFE: Final = re.compile(r"[\w.+@-]{1,128}")  # a request may name anything, and a log is read in a terminal
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
    region = _signed_region(account, request) if account.settings.other_regions else account.region
    if also is not None and f"/{also}/" in request.headers.get("authorization", ""):
        region = also
    try:
        key = signature.check(
            request, account.access.keys, services, region, world_now(account), explain=explain
        )
    except ApiError as error:
        _log_refusal(account, _CREDENTIAL.search(_claim(request)), error)
        raise
    if key.expires is not None and key.expires <= account.clock.now() + account.faults.skew():
        raise signature.expired()
    return Caller(key.id, region, request.peer, host, key.user)


def world_now(account: Account) -> float:
    """The time that signatures are compared with: real time, plus the fault `clock_skew`."""
    return time.time() + account.faults.skew()


def date_line(account: Account) -> str:
    """The Date header of every response. Some SDKs correct their clock by it."""
    return _date_line(int(world_now(account)))


@lru_cache(4)
def _date_line(second: int) -> str:
    return f"Date: {formatdate(second, usegmt=True)}\r\n"


def _signed_region(account: Account, request: Request) -> str:
    """The region that a request is signed for, if it is one of this server's."""
    found = _CREDENTIAL.search(_claim(request))
    return found[2] if found is not None and account.is_here(found[2]) else account.region


def _claim(request: Request) -> str:
    """The Authorization header, or the query of a presigned request."""
    return request.headers.get("authorization") or unquote(request.query)


def _unchecked(account: Account, request: Request, host: str) -> Caller:
    found = _CREDENTIAL.search(request.headers.get("authorization", ""))
    if found is None:
        return Caller("anonymous", account.region, request.peer, host, "anonymous")
    return Caller(found[1], found[2], request.peer, host, found[1])


def _log_refusal(account: Account, credential: re.Match[str] | None, error: ApiError) -> None:
    """Writes one line on the server's log: why it was refused, and the switch that changes it. The caller is told what SES says,
    which knows no switches. A client repeats a refused call, so each line is written once.

    `credential` matched key and region of the request's credential; None: it has none, or signs for several regions.
    """
    line = _line(account, credential, error)
    lines = account.access.refusals
    if line not in lines and len(lines) < _MOST_LINES:
        lines.add(line)
        log.warning("%s", line)


def _line(account: Account, credential: re.Match[str] | None, error: ApiError) -> str:
    key, region = (_shown(part) for part in credential.groups()) if credential is not None else ("", "")
    if error.code == "MissingAuthenticationTokenException":
        return messages.refused_unsigned()
    if "scoped to a valid region" in error.message and region:
        return messages.refused_region(region, account.region)
    if error.code == "UnrecognizedClientException" and key and key not in account.access.keys.by_id:
        return messages.refused_key(key)
    if error.message.startswith("The request signature we calculated"):
        return messages.refused_secret(key, known=(key == "test"))
    if error.message.startswith(("Signature expired", "Signature not yet current")):
        return messages.refused_time()
    return messages.refused_otherwise(error.message)


def _shown(text: str) -> str:
    return text if _SAFE.fullmatch(text) else ascii(text[:128])
