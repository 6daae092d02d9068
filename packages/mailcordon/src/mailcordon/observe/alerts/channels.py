"""Channels and tenants' contacts as people set them: what is accepted, and what is stored of it.

A URL can be a secret itself (Slack's is), and so are keys: all of it is stored encrypted, and only a host or an address is shown.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypedDict, Unpack
from urllib.parse import urlsplit

from mailcordon.core import address as addresses
from mailcordon.core import names
from mailcordon.core.errors import Conflict, Fault, Invalid, NotFound, Refused, parse_field
from mailcordon.core.incident import SEVERITIES, Kind, Severity
from mailcordon.core.principal import Principal
from mailcordon.messages import alerts as messages
from mailcordon.messages import api
from mailcordon.messages import notices as words
from mailcordon.observe.alerts import trouble
from mailcordon.observe.alerts.nouns import FORMS, Channel, Contact, ContactForm, Form, LaneState
from mailcordon.observe.alerts.ports import Courier, NotDelivered

PAGERDUTY_URL = "https://events.pagerduty.com/v2/enqueue"
TELL = ("holds",)
_MARKETING = 2  #: the class; its mail needs a List-Unsubscribe
MOST_CHANNELS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class NewChannel:
    """A channel to be made. `url`: of webhook and Slack, and of PagerDuty if it is not its usual one. `key`: PagerDuty's routing
    key, or the signing secret of a webhook, which is made up if it is missing."""

    name: str
    form: str
    url: str | None = None
    key: str | None = None
    to: str | None = None
    tenant: str | None = None  #: e-mail: the lane's
    type: str | None = None
    sender: str | None = None
    least: str = "low"
    kinds: Sequence[str] = ()
    tenants: Sequence[str] = ()


class ChannelChanges(TypedDict, total=False):
    """What of a channel can be changed: fields of NewChannel that its form takes. What is left out stays."""

    url: str | None  #: None: PagerDuty's usual one
    key: str
    to: str
    tenant: str
    type: str
    sender: str
    least: str
    kinds: Sequence[str]
    tenants: Sequence[str]


#: What of a channel's secret says where it leads. Where only the rest changes, the receiver is the same.
_RECEIVER: Mapping[Form, tuple[str, ...]] = {
    "webhook": ("url",),
    "slack": ("url",),
    "pagerduty": ("url", "key"),
    "email": ("to",),
}


@dataclass(frozen=True, slots=True)
class Lane:
    id: int
    tenant: int
    class_: int
    domain: str


class ChannelStore(Protocol):
    async def channels(self, name: str | None = None, *, with_secrets: bool = False) -> list[Channel]: ...

    async def lane(self, tenant: str, type: str) -> Lane | None: ...

    async def lane_state(self, lane: int) -> LaneState: ...

    async def works(self, channel: Channel) -> None:
        """A test message arrived: it does not fail any more, and what waits for it is sent at once."""
        ...

    async def tenants(self, slugs: Sequence[str]) -> dict[str, int]: ...

    async def add(
        self,
        new: NewChannel,
        *,
        form: Form,
        target: str,
        secret: dict[str, str],
        lane: Lane | None,
        key_prefix: str | None,
        kinds: Sequence[Kind],
        tenants: Sequence[int],
        actor: str,
        because: str | None,
    ) -> None:
        """Raises Conflict if the name is taken."""
        ...

    async def change(
        self,
        before: Channel,
        after: Channel,
        *,
        lane: Lane | None,
        key_prefix: str | None,
        moved: bool,
        actor: str,
        because: str | None,
    ) -> str | None:
        """`lane`, `key_prefix`: of e-mail that another lane carries from now on; None: as it is. `moved`: to another receiver,
        who is told anew. Returns the prefix of the API key that it had, if it has another one now. Raises Conflict if the
        channel is not as `before` any more."""
        ...

    async def remove(self, name: str, *, actor: str, because: str) -> str | None:
        """The prefix of its API key; empty if it has none; None: no such channel. Raises Conflict if contacts use it."""
        ...

    async def now(self) -> int: ...


class ContactStore(Protocol):
    async def put(
        self,
        tenant: int,
        slug: str,
        form: ContactForm,
        *,
        target: str,
        secret: dict[str, str],
        channel: int | None,
        tell: Sequence[str],
        actor: str,
        because: str | None,
    ) -> None: ...

    async def contact(self, tenant: int, form: str) -> Contact | None: ...


class LaneKeys(Protocol):
    """API keys that submit mail of one lane."""

    async def mint(self, principal: Principal, tenant: str, type: str, name: str) -> tuple[str, str]:
        """Prefix and text. Raises Forbidden if the principal may not give it."""
        ...

    async def revoke(self, prefix: str, *, actor: str) -> None: ...


class Channels:
    """`check_url` raises ValueError. `has_api`: whether e-mail can be submitted from here."""

    def __init__(
        self,
        store: ChannelStore,
        contacts: ContactStore,
        courier: Courier,
        keys: LaneKeys,
        *,
        check_url: Callable[[str], None],
        new_secret: Callable[[], str],
        is_secret: Callable[[str], bool],
        has_api: bool,
    ) -> None:
        self._store = store
        self._contacts = contacts
        self._courier = courier
        self._keys = keys
        self._check_url = check_url
        self._new_secret = new_secret
        self._is_secret = is_secret
        self._has_api = has_api

    async def all(self) -> list[Channel]:
        return await self._store.channels()

    async def get(self, name: str, *, with_secret: bool = False) -> Channel:
        """Raises NotFound."""
        found = await self._store.channels(name, with_secrets=with_secret) if names.is_slug(name) else []
        if not found:
            raise NotFound(messages.no_channel(ascii(name[:64])[1:-1]), code="no-such-channel")
        return found[0]

    async def add(self, new: NewChannel, principal: Principal, *, because: str | None) -> str | None:
        """Returns the signing secret that was made up for a webhook. Raises Invalid, Forbidden, NotFound or Conflict."""
        form = _form(new.form)
        parse_field("name", names.slug, new.name)
        if new.least not in SEVERITIES:
            raise Invalid(Fault("least", api.not_one_of(list(SEVERITIES))))
        kinds = [_kind(one) for one in new.kinds]
        tenants = await self._tenants(new.tenants)
        self._only(new, form)
        known = await self._store.channels()
        if any(one.name == new.name for one in known):
            raise Conflict(messages.channel_exists(new.name), code="channel-exists")
        if len(known) >= MOST_CHANNELS:
            raise Conflict(messages.too_many_channels(MOST_CHANNELS), code="too-many-channels")
        made: str | None = None
        lane: Lane | None = None
        prefix: str | None = None
        if form == "email":
            target, secret, lane = await self._email(new)
            prefix, secret["key"] = await self._mint(new, principal)
        else:
            target, secret, made = self._posted(new, form)
        try:
            await self._store.add(
                new,
                form=form,
                target=target,
                secret=secret,
                lane=lane,
                key_prefix=prefix,
                kinds=kinds,
                tenants=tenants,
                actor=principal.actor,
                because=because,
            )
        except Refused:
            if prefix is not None:
                await self._keys.revoke(prefix, actor=principal.actor)
            raise
        return made

    async def change(
        self, name: str, principal: Principal, *, because: str | None, **changes: Unpack[ChannelChanges]
    ) -> None:
        """Another receiver is told of every open incident, as a new channel is. A change to what it is already changes nothing.
        Raises Invalid, Forbidden, NotFound or Conflict."""
        before = await self.get(name, with_secret=True)
        form, old = before.form, _as_added(before)
        new = replace(old, **changes)
        if new.least not in SEVERITIES:
            raise Invalid(Fault("least", api.not_one_of(list(SEVERITIES))))
        self._only(new, form)
        after = replace(before, least=severity(new.least), sender=new.sender)
        if "kinds" in changes:
            after = replace(after, kinds=frozenset(_kind(one) for one in new.kinds))
        if "tenants" in changes:
            after = replace(after, tenants=frozenset(await self._tenants(new.tenants)))
        lane: Lane | None = None
        if form != "email":
            if (new.url, new.key) != (old.url, old.key):
                target, secret, _ = self._posted(new, form)
                after = replace(after, target=target, secret=secret)
        elif (new.to, new.tenant, new.type, new.sender) != (old.to, old.tenant, old.type, old.sender):
            target, secret, lane = await self._email(new)
            after = replace(
                after,
                target=target,
                secret={**before.secret, **secret},
                lane=lane.id,
                lane_name=f"{new.tenant}/{new.type}",
            )
        if after == before:
            return
        moved = any(before.secret.get(one) != after.secret.get(one) for one in _RECEIVER[form])
        prefix: str | None = None
        if lane is not None and lane.id != before.lane:
            prefix, key = await self._mint(new, principal)
            after = replace(after, secret={**after.secret, "key": key})
        try:
            unused = await self._store.change(
                before,
                after,
                lane=lane,
                key_prefix=prefix,
                moved=moved,
                actor=principal.actor,
                because=because,
            )
        except Refused:
            if prefix is not None:
                await self._keys.revoke(prefix, actor=principal.actor)
            raise
        if unused is not None:
            await self._keys.revoke(unused, actor=principal.actor)

    async def remove(self, name: str, *, actor: str, because: str) -> None:
        """Raises NotFound, or Conflict if contacts of tenants use its lane."""
        await self.get(name)
        prefix = await self._store.remove(name, actor=actor, because=because)
        if prefix:
            await self._keys.revoke(prefix, actor=actor)

    async def try_out(self, name: str) -> str | None:
        """Sends a test message. Returns why it did not arrive; e-mail arrives when a lane that sends accepts it."""
        channel = await self.get(name, with_secret=True)
        problem = await self._lane_problem(channel)
        if problem is None:
            problem = await _tried(self._courier.try_out(channel, await self._store.now()))
        if problem is None:
            await self._store.works(channel)
        return problem

    async def set_contact(
        self,
        tenant: int,
        slug: str,
        *,
        email: str | None,
        url: str | None,
        channel: str | None,
        tell: Sequence[str],
        actor: str,
        because: str | None,
    ) -> str | None:
        """Returns the signing secret of a webhook. Raises Invalid, NotFound or Conflict."""
        if (email is None) == (url is None):
            raise Invalid(Fault("email", messages.one_address()))
        if not set(tell) <= set(TELL):
            raise Invalid(Fault("tell", api.not_one_of(list(TELL))))
        tell = sorted(set(tell))
        if url is not None:
            if channel is not None:
                raise Invalid(Fault("channel", messages.only_for("email")))
            parse_field("url", self._checked, url)
            signing = self._new_secret()
            await self._contacts.put(
                tenant,
                slug,
                "webhook",
                target=host_of(url),
                secret={"url": url, "signing": signing},
                channel=None,
                tell=tell,
                actor=actor,
                because=because,
            )
            return signing
        to = str(parse_field("email", addresses.parse, email or "", code="bad-address"))
        carrier = await self._carrier(channel)
        await self._contacts.put(
            tenant,
            slug,
            "email",
            target=to,
            secret={"to": to},
            channel=carrier.id,
            tell=tell,
            actor=actor,
            because=because,
        )
        return None

    async def try_contact(self, tenant: int, slug: str, form: ContactForm) -> str | None:
        """Sends a test message. Returns why it did not arrive. Raises NotFound."""
        contact = await self._contacts.contact(tenant, form)
        if contact is None:
            raise NotFound(words.no_contact(slug, form), code="no-such-contact")
        problem = None if contact.channel is None else await self._lane_problem(contact.channel)
        return problem or await _tried(self._courier.greet(contact, await self._store.now()))

    async def _lane_problem(self, channel: Channel) -> str | None:
        """Why an e-mail channel's lane cannot send: it would accept the mail, and keep it."""
        return None if channel.lane is None else trouble.of_lane(await self._store.lane_state(channel.lane))

    async def _carrier(self, name: str | None) -> Channel:
        """The e-mail channel whose lane carries a contact's mail: the named one, or the only one."""
        if name is not None:
            found = await self.get(name)
            if found.form != "email":
                raise Invalid(Fault("channel", messages.no_email_channel(name)))
            return found
        carriers = [one for one in await self._store.channels() if one.form == "email"]
        if not carriers:
            raise Conflict(messages.email_channel_missing(), code="no-email-channel")
        if len(carriers) > 1:
            raise Invalid(Fault("channel", messages.which_email_channel([one.name for one in carriers])))
        return carriers[0]

    async def _mint(self, new: NewChannel, principal: Principal) -> tuple[str, str]:
        return await self._keys.mint(principal, new.tenant or "", new.type or "", messages.key_name(new.name))

    async def _tenants(self, slugs: Sequence[str]) -> list[int]:
        known = await self._store.tenants([one for one in slugs if names.is_slug(one)])
        for number, slug in enumerate(slugs):
            if slug not in known:
                raise Invalid(Fault(f"tenants[{number}]", api.no_tenant(ascii(slug[:64])[1:-1])))
        return sorted(set(known.values()))

    def _only(self, new: NewChannel, form: Form) -> None:
        """Raises Invalid for a field that this form has not, or has to have."""
        takes = {
            "webhook": {"url": True, "key": False},
            "slack": {"url": True},
            "pagerduty": {"key": True, "url": False},
            "email": {"to": True, "tenant": True, "type": True, "sender": True},
        }[form]
        faults: list[Fault] = []
        for field in ("url", "key", "to", "tenant", "type", "sender"):
            given = getattr(new, field) is not None
            shown = "from" if field == "sender" else field
            if given and field not in takes:
                faults.append(Fault(shown, messages.not_of_form(form)))
            elif takes.get(field) and not given:
                faults.append(Fault(shown, messages.needed_for(form), "missing"))
        if faults:
            raise Invalid(*faults)

    def _posted(self, new: NewChannel, form: Form) -> tuple[str, dict[str, str], str | None]:
        url = PAGERDUTY_URL if new.url is None else new.url
        parse_field("url", self._checked, url)
        if form == "slack":
            return host_of(url), {"url": url}, None
        if form == "pagerduty":
            return host_of(url), {"url": url, "key": parse_field("key", _routing_key, new.key or "")}, None
        if new.key is not None and not self._is_secret(new.key):
            raise Invalid(Fault("key", messages.bad_signing_secret()))
        made = self._new_secret() if new.key is None else None
        return host_of(url), {"url": url, "signing": new.key or made or ""}, made

    async def _email(self, new: NewChannel) -> tuple[str, dict[str, str], Lane]:
        if not self._has_api:
            raise Conflict(messages.no_api_url(), code="no-api-url")
        to = str(parse_field("to", addresses.parse, new.to or "", code="bad-address"))
        sender = parse_field("from", addresses.parse, new.sender or "", code="bad-address")
        lane = await self._store.lane(new.tenant or "", new.type or "")
        if lane is None:
            raise NotFound(
                api.no_lane(ascii((new.tenant or "")[:64])[1:-1], ascii((new.type or "")[:64])[1:-1]),
                code="no-such-lane",
            )
        if lane.class_ == _MARKETING:
            raise Invalid(Fault("type", messages.no_marketing_lane()))
        if str(sender).rpartition("@")[2].lower() != lane.domain:
            raise Invalid(Fault("from", messages.sender_elsewhere(lane.domain)))
        return to, {"to": to}, lane

    def _checked(self, url: str) -> str:
        self._check_url(url)
        return url


def _as_added(channel: Channel) -> NewChannel:
    """What would make a channel like this one, with its secrets; but `kinds` and `tenants`."""
    tenant, _, type = (channel.lane_name or "").partition("/")
    return NewChannel(
        name=channel.name,
        form=channel.form,
        url=channel.secret.get("url"),
        key=channel.secret.get("key" if channel.form == "pagerduty" else "signing"),
        to=channel.secret.get("to"),
        tenant=tenant or None,
        type=type or None,
        sender=channel.sender,
        least=channel.least,
    )


async def _tried(sending: Awaitable[None]) -> str | None:
    try:
        await sending
    except NotDelivered as failed:
        return str(failed)
    return None


def _form(text: str) -> Form:
    for form in FORMS:
        if form == text:
            return form
    raise Invalid(Fault("form", api.not_one_of(list(FORMS))))


def _kind(text: str) -> Kind:
    try:
        return Kind(text)
    except ValueError:
        raise Invalid(Fault("kinds", api.not_one_of([one.value for one in Kind]))) from None


def severity(text: str) -> Severity:
    return next(one for one in SEVERITIES if one == text)


def host_of(url: str) -> str:
    parts = urlsplit(url)
    return parts.netloc.lower()


def _routing_key(text: str) -> str:
    if not 8 <= len(text) <= 64 or not text.isascii() or not text.isalnum():
        raise ValueError(messages.bad_routing_key())
    return text
