"""Who signs in by SMTP: an access key's id, and the password derived from its secret for a region of this server."""

from __future__ import annotations

import logging
from functools import cache
from hmac import compare_digest
from typing import Final

import botocore.session

from seslocal import messages
from seslocal.state.access import Caller
from seslocal.state.account import ANY_REGION, Account
from seslocal.wire.access_keys import Key, is_key_id
from seslocal.wire.smtp_password import smtp_password

log = logging.getLogger("seslocal")

_MOST_LINES: Final = 200  #: about refused calls, of one account
ANONYMOUS: Final = "anonymous"  #: who sends without signing in, if signatures are not checked


def sign_in(account: Account, user: str, password: str, source_ip: str, host: str) -> Caller | None:
    """Returns who it is, or None if the password is wrong."""
    key = account.access.keys.by_id.get(user)
    if not account.access.check_signatures:
        return Caller(user, account.region, source_ip, host, key.user if key else user)
    if key is not None and key.token is None:  # SES has no SMTP password for temporary credentials
        for region in _regions(account):
            if compare_digest(
                smtp_password(key.secret, region).encode(), password.encode("utf-8", "replace")
            ):
                return Caller(key.id, region, source_ip, host, key.user)
    _log_refusal(account, user, key, password)
    return None


def _regions(account: Account) -> list[str]:
    others = account.settings.other_regions
    named = [account.region, *(region for region in others if region != ANY_REGION)]
    return [*named, *_all_regions()] if ANY_REGION in others else named


@cache
def _all_regions() -> tuple[str, ...]:
    found = botocore.session.Session().get_available_regions("ses")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return tuple(found)


def _log_refusal(account: Account, user: str, key: Key | None, password: str) -> None:
    """Writes one line on the server's log, once for each cause. SES's answer does not say what is wrong."""
    shown = user if is_key_id(user) else ascii(user[:128])
    if key is None:
        line = messages.refused_smtp_user(shown)
    else:
        given = password.encode("utf-8", "replace")
        line = messages.refused_smtp_password(
            shown, account.region, is_secret=compare_digest(key.secret.encode(), given)
        )
    lines = account.access.refusals
    if line not in lines and len(lines) < _MOST_LINES:
        lines.add(line)
        log.warning("%s", line)
