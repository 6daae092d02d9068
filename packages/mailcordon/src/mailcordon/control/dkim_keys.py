"""DKIM keys of ours: made here, shown as a DNS record, and given to SES once the DNS shows them.

SES signs with a key as soon as it has it, and mail that is signed with a key that nobody can look up fails. So a key waits until
the zone's own name servers show its public half. When it is replaced, its record stays published for a week, as mail that was
signed with it is still being checked. The private half is encrypted in the database, given to SES, and shown to nobody.
"""

import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal, Protocol

from mailcordon.control import dns_records
from mailcordon.control.administration import SesError
from mailcordon.control.authentication import dkim_record
from mailcordon.control.authentication.lookup import Answer, Lookup
from mailcordon.core.errors import Conflict, Fault, Invalid
from mailcordon.messages import identities as words

Action = Literal["own", "rotate", "ses"]
State = Literal["waiting", "signing", "replaced", "dropped"]
#: How long a replaced key's record stays listed. SES tries to deliver for 14 hours at most, and receivers check at once.
KEPT = timedelta(days=7)
_SELECTOR = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)  # 1 to 63 characters (ses.md 5.3)
_AT_ONCE = 10  #: keys of one round


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredKey:
    id: int
    tenant: str  #: slug
    domain: str
    selector: str | None  #: None: back to SES's own keys
    public_key: str | None
    state: State
    made_at: datetime
    looked_at: datetime | None = None
    looked: str | None = None
    signing_at: datetime | None = None
    replaced_at: datetime | None = None

    @property
    def keep_until(self) -> date | None:
        """How long the record of a replaced key stays published."""
        return None if self.replaced_at is None else (self.replaced_at + KEPT).date()


class DkimKeyStore(Protocol):
    async def now(self) -> datetime: ...

    async def keys(self, tenant: int | None, domain: str) -> list[StoredKey]:
        """Those that sign, wait or were replaced, the newest first. `tenant`: as a tenant's key reads."""
        ...

    async def add(self, domain: str, selector: str | None, *, actor: str, because: str) -> None:
        """Makes a key, unless the selector is None. Raises Conflict for a selector that the domain had before."""
        ...

    async def drop(self, id: int, *, actor: str, because: str) -> None:
        """Nothing if the key does not wait any more."""
        ...

    async def due(self, limit: int) -> list[StoredKey]: ...

    async def private_key(self, id: int) -> str:
        """Base64 of the PKCS #8 form without armour, as SES takes it (ses.md 5.3)."""
        ...

    async def looked(self, id: int, said: str, *, again_at: datetime) -> None: ...

    async def signs(self, id: int) -> None:
        """SES signs with it from now on; the one before is replaced."""
        ...


class DkimAtSes(Protocol):
    async def put_dkim_key(self, domain: str, *, selector: str, private_key: str) -> None: ...

    async def put_easy_dkim(self, domain: str) -> None: ...


class DkimKeys:
    def __init__(self, store: DkimKeyStore) -> None:
        self._store = store

    async def of(self, tenant: int | None, domain: str) -> Sequence[StoredKey]:
        return await self._store.keys(tenant, domain)

    async def change(
        self, domain: str, action: Action, *, selector: str | None, actor: str, because: str
    ) -> Sequence[StoredKey]:
        """`own`: a key of ours instead of SES's; `rotate`: another one; `ses`: takes back a key that waits, or else SES's own
        again. Raises Invalid or Conflict.
        Nothing changes at SES before the DNS shows the new key."""
        if selector is not None and (action == "ses" or _SELECTOR.fullmatch(selector) is None):
            raise Invalid(Fault("selector", words.bad_selector()))
        found = await self._store.keys(None, domain)
        waiting = next((each for each in found if each.state == "waiting"), None)
        signing = next((each for each in found if each.state == "signing" and each.selector), None)
        if waiting is not None:
            if action == "ses" and waiting.selector is not None:
                await self._store.drop(waiting.id, actor=actor, because=because)
                return await self._store.keys(None, domain)
            raise Conflict(words.dkim_waits(domain, waiting.selector), code="dkim-waits")
        if (action == "own") is (signing is not None):
            raise Conflict(words.dkim_is_so_already(domain, action), code="nothing-to-do")
        made = None if action == "ses" else selector or f"mc{secrets.token_hex(4)}"
        await self._store.add(domain, made, actor=actor, because=because)
        return await self._store.keys(None, domain)


class DkimSigning:
    """The control role's part: gives SES the keys that the DNS shows."""

    def __init__(
        self, store: DkimKeyStore, ses: DkimAtSes, dns: Callable[[], Lookup], *, look_seconds: float = 60.0
    ) -> None:
        self._store = store
        self._ses = ses
        self._dns = dns
        self._look_seconds = look_seconds

    async def advance(self) -> None:
        for key in await self._store.due(_AT_ONCE):
            said = await self._try(key)
            if said is None:
                await self._store.signs(key.id)
                continue
            now = await self._store.now()
            wait = max(self._look_seconds, (now - key.made_at).total_seconds() / 10)
            await self._store.looked(key.id, said, again_at=now + timedelta(seconds=min(wait, 3600.0)))

    async def _try(self, key: StoredKey) -> str | None:
        """Why the key cannot sign yet, in words, or None once SES has it."""
        try:
            if key.selector is None:
                await self._ses.put_easy_dkim(key.domain)
                return None
            record = dns_records.dkim_key(
                key.domain, dns_records.DkimKey(selector=key.selector, public_key=key.public_key or "")
            )
            if (said := judge(await self._dns().find(record.name, "TXT"), key.public_key or "")) is not None:
                return said
            private = await self._store.private_key(key.id)
            await self._ses.put_dkim_key(key.domain, selector=key.selector, private_key=private)
        except SesError as error:
            return words.dkim_refused(str(error))
        return None


def judge(answer: Answer, public_key: str) -> str | None:
    """What is wrong with a key's record in the DNS, or None. Only the zone's own name servers count."""
    if not answer.known:
        return words.claim_not_known(answer.name, answer.detail)
    match answer.records:
        case ():
            return words.dkim_not_published(answer.name)
        case (record,):
            found = dkim_record.parse(record)
            if found.why is not None:  # receivers would not use it, whatever key it has
                return words.dkim_unusable(answer.name, found.why)
            if not dkim_record.same_key(found.key, public_key):
                return words.dkim_differs(answer.name)
            return None if answer.authoritative else words.dkim_not_published(answer.name)
        case _:
            return words.dkim_twice(answer.name)
