"""Admin calls on access keys, permanent and temporary, and on their policies. Secrets are never returned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from seslocal.admin import fields, messages, policies
from seslocal.admin.fields import Json, Query, Refused
from seslocal.iam.decision import Attached
from seslocal.state.account import Account
from seslocal.wire.access_keys import MOST, Key, is_key_id


def show(account: Account, query: Query, body: Json) -> Json:
    return {
        "check_signatures": account.access.check_signatures,
        "keys": [_shown(account, key) for key in account.access.keys.by_id.values()],
    }


def show_one(account: Account, key_id: str, query: Query, body: Json) -> Json:
    key = account.access.keys.by_id.get(key_id)
    if key is None:
        raise Refused(404, messages.no_such("access key", key_id))
    return _shown(account, key)


def put(account: Account, key_id: str, query: Query, body: Json) -> Json:
    fields.allow_only(body, "secret", "session_token", "expires", "user")
    if not is_key_id(key_id):
        raise Refused(400, messages.bad_key_id())
    secret = fields.text(body, "secret")
    if secret is None:
        raise Refused(400, messages.secret_missing())
    token, expires = fields.text(body, "session_token"), fields.moment(body, "expires")
    if token is not None and not (token.isascii() and token.isprintable()):
        raise Refused(
            400, messages.must_be("session_token", "printable ASCII, because it is sent in a header")
        )
    if expires is not None and token is None:
        raise Refused(400, messages.only_temporary_keys_expire())
    if key_id not in account.access.keys.by_id and len(account.access.keys.by_id) >= MOST:
        raise Refused(400, messages.too_many_keys(MOST))
    key = Key(
        id=key_id, secret=secret, token=token, expires=expires, user=fields.text(body, "user") or key_id
    )
    account.access.keys.put(key)
    return _shown(account, key)


def delete(account: Account, key_id: str, query: Query, body: Json) -> Json:
    if not account.access.keys.delete(key_id):
        raise Refused(404, messages.no_such("access key", key_id))
    account.access.policies.pop(key_id, None)
    return {}


def show_policies(account: Account, key_id: str, query: Query, body: Json) -> Json:
    _known(account, key_id)
    attached = account.access.policies.get(key_id, Attached(()))
    return {**policies.shown({key_id: attached})[key_id], "used": dict(sorted(attached.used.items()))}


def put_policies(account: Account, key_id: str, query: Query, body: Json) -> Json:
    _known(account, key_id)
    account.access.policies[key_id] = policies.read(body)
    return show_policies(account, key_id, query, body)


def delete_policies(account: Account, key_id: str, query: Query, body: Json) -> Json:
    _known(account, key_id)
    account.access.policies.pop(key_id, None)
    return {}


def _known(account: Account, key_id: str) -> None:
    if key_id not in account.access.keys.by_id:
        raise Refused(404, messages.no_such("access key", key_id))


def _shown(account: Account, key: Key) -> Json:
    now = account.clock.now() + account.faults.skew()
    return {
        "key": key.id,
        "user": key.user,
        "temporary": key.token is not None,
        "expires": key.expires,
        "expired": key.expires is not None and key.expires <= now,
    }


ROUTES: Final[tuple[tuple[str, str, Callable[..., Any]], ...]] = (
    ("GET", r"/keys", show),
    ("GET", r"/keys/([^/]+)", show_one),
    ("PUT", r"/keys/([^/]+)", put),
    ("DELETE", r"/keys/([^/]+)", delete),
    ("GET", r"/keys/([^/]+)/policies", show_policies),
    ("PUT", r"/keys/([^/]+)/policies", put_policies),
    ("DELETE", r"/keys/([^/]+)/policies", delete_policies),
)
