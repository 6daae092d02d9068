"""The admin call that says how to use the SMTP door: where it is, what a client trusts, and the password of the key `test`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from seslocal.admin import messages
from seslocal.admin.fields import Json, Query, Refused
from seslocal.state.account import Account
from seslocal.wire.smtp_password import smtp_password

_KNOWN: Final = "test"  #: the default key's id, and its secret, which everybody knows


def show(account: Account, query: Query, body: Json) -> Json:
    door = account.access.smtp
    if door is None:
        raise Refused(404, messages.no_smtp())
    key = account.access.keys.by_id.get(_KNOWN)
    is_known = (
        key is not None and key.secret == _KNOWN
    )  # of another secret its password would be a secret too
    return {
        "host": door.host,
        "port": door.port,
        "needs_tls": door.needs_tls,
        "certificate": door.certificate,
        "region": account.region,
        "user": _KNOWN if is_known else None,
        "password": smtp_password(_KNOWN, account.region) if is_known else None,
    }


ROUTES: Final[tuple[tuple[str, str, Callable[..., Any]], ...]] = (("GET", r"/smtp", show),)
