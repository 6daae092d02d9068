"""Who a connection sends for: the tenant and the message type of its user name, and the API key that is its password."""

import re
from dataclasses import dataclass, field

from mailcordon.control import keys
from mailcordon.control.key_cache import KeyCache
from mailcordon.core.errors import Forbidden, Unauthorised
from mailcordon.core.principal import SEND, Principal
from mailcordon.door.reads import Reads
from mailcordon.messages import smtp

_USER = re.compile(r"([a-z0-9][a-z0-9-]{0,62})(?:\+([a-z0-9][a-z0-9-]{0,62}))?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    tenant: str
    type: str | None  #: the message type of mail that names none
    authorization: str = field(repr=False)  #: the key, as a header Authorization would show it


def user(name: str, password: str) -> User:
    """Raises Unauthorised for a name that is no tenant, or no tenant with a message type, and for a password that is no key."""
    found = _USER.fullmatch(name.strip().lower())
    if found is None:
        raise Unauthorised(smtp.user_without_tenant())
    authorization = f"Bearer {password.strip()}"
    if keys.bearer(authorization) is None:
        raise Unauthorised(smtp.password_is_no_key())
    return User(tenant=found[1], type=found[2], authorization=authorization)


class Keys:
    """Looks up the key of a user, in turn with others."""

    def __init__(self, cache: KeyCache, reads: Reads) -> None:
        self._cache = cache
        self._reads = reads

    def known(self, user: User) -> Principal | None:
        """The key as of the last epoch seen, from memory. None: it must be looked up. Never waits."""
        principal = self._cache.lookup(user.authorization)
        return None if principal is None or principal.networks else principal

    async def principal(self, user: User, client: str) -> Principal:
        """Raises Unauthorised, or Forbidden if the key may not send, for this tenant or from this address."""
        principal = self._cache.lookup(user.authorization)
        if principal is None:
            async with self._reads.of_client(client):
                principal = await self._cache.load(user.authorization)
        try:
            return _checked(principal, user, client)
        except Forbidden:  # a key in memory may be older than a change that widened it
            return _checked(await self.again(user, principal), user, client)

    async def again(self, user: User, principal: Principal) -> Principal:
        """The key as it is now. Raises Unauthorised."""
        async with self._reads.of(principal):
            return await self.authenticate(user)

    async def authenticate(self, user: User) -> Principal:
        return await self._cache.authenticate(user.authorization)


def _checked(principal: Principal, user: User, client: str) -> Principal:
    principal.require_network(client)
    principal.require(SEND)
    principal.tenant_for(user.tenant)
    if user.type is not None:
        principal.require_type(user.type)
    return principal
