"""Stores templates: who may, within which bounds, and with an entry in the audit trail. A version is never changed."""

from dataclasses import dataclass, field
from typing import Protocol

from mailcordon.core import text
from mailcordon.core.errors import Fault, Forbidden, Invalid, NotFound, parse_field
from mailcordon.core.principal import ADMIN, SEND, Principal
from mailcordon.core.rendering_fault import RenderingFault
from mailcordon.core.template import Rendered, Source, Version, check_data, check_name, check_source
from mailcordon.messages import templates

NO_TEMPLATE = "no-such-template"


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A version without its sources."""

    id: int  #: of the template
    name: str
    owner: str | None  #: slug; None: the platform
    version: int
    latest: int
    dialect: str
    bytes: int
    made_at: int  #: milliseconds since 1970
    made_by: str
    because: str | None
    retired_at: int | None
    retired_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown(Summary):
    source: Source = field(repr=False)
    compiled: str | None = field(repr=False)

    def as_version(self) -> Version:
        """To be rendered."""
        return Version(
            id=self.id, name=self.name, version=self.version, source=self.source, compiled=self.compiled
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Whose templates a request is about."""

    tenant: int | None  #: None: the platform's
    slug: str | None
    as_tenant: bool = False  #: the request comes with the tenant's own key


class TemplateStore(Protocol):
    async def put(
        self,
        owner: Owner,
        name: str,
        source: Source,
        compiled: str | None,
        *,
        actor: str,
        because: str | None,
    ) -> tuple[int, bool]:
        """Returns the version, and whether it is new: the same sources as the newest are no new version. Raises Invalid."""
        ...

    async def retire(self, owner: Owner, name: str, *, actor: str, because: str | None) -> bool: ...

    async def shown(self, owner: Owner, name: str, version: int | None) -> Shown | None:
        """Of the tenant itself, or else of the platform."""
        ...

    async def page(self, owner: Owner, *, after: int, limit: int) -> list[Summary]:
        """The newest version of each, the platform's too."""
        ...

    async def versions(self, owner: Owner, name: str, *, before: int, limit: int) -> list[Summary]: ...


class Renderer(Protocol):
    """Raises RenderingFault, TooMuch and Unavailable."""

    async def compile(self, owner: str, source: Source) -> str | None:
        """The HTML that MJML becomes, None without MJML."""
        ...

    async def render(self, owner: str, version: Version, data: bytes, *, keep: bool = True) -> Rendered: ...


class Templates:
    def __init__(self, store: TemplateStore, renderer: Renderer) -> None:
        self._store = store
        self._renderer = renderer

    async def put(
        self, principal: Principal, owner: Owner, name: str, source: Source, *, because: str | None
    ) -> tuple[Shown, bool]:
        """The version, and whether it is new. Raises Forbidden and Invalid."""
        require_writer(principal, owner)
        parse_field("name", check_name, name)
        compiled = await self._compiled(owner, name, source)
        version, made = await self._store.put(
            owner, name, source, compiled, actor=principal.actor, because=because
        )
        return await self.get(owner, name, version), made

    async def _compiled(self, owner: Owner, name: str, source: Source) -> str | None:
        check_source(source)
        try:
            return await self._renderer.compile(owner.slug or "", source)
        except RenderingFault as fault:
            raise _refused(fault, name) from None

    async def preview(
        self, owner: Owner, name: str, given: int | Source | None, data: bytes
    ) -> tuple[Rendered, str]:
        """What a version, the newest one, or these sources make of `data`, a JSON object; and how they are named.

        Raises Invalid and NotFound."""
        check_data(data)
        if isinstance(given, Source):
            parse_field("name", check_name, name)
            compiled = await self._compiled(owner, name, given)
            version, named = Version(id=0, name=name, version=0, source=given, compiled=compiled), name
        else:
            version = (await self.get(owner, name, given)).as_version()
            named = version.label
        try:
            return await self._renderer.render(owner.slug or "", version, data, keep=version.id > 0), named
        except RenderingFault as fault:
            raise _refused(fault, named) from None

    async def retire(self, principal: Principal, owner: Owner, name: str, *, because: str | None) -> None:
        """Raises Forbidden and NotFound."""
        require_writer(principal, owner)
        if not await self._store.retire(owner, name, actor=principal.actor, because=because):
            raise _unknown(name, None, owner)

    async def get(self, owner: Owner, name: str, version: int | None) -> Shown:
        """Raises NotFound."""
        found = await self._store.shown(owner, name, version)
        if found is None:
            raise _unknown(name, version, owner)
        return found

    async def page(self, owner: Owner, *, after: int, limit: int) -> list[Summary]:
        return await self._store.page(owner, after=after, limit=limit)

    async def versions(self, owner: Owner, name: str, *, before: int, limit: int) -> list[Summary]:
        return await self._store.versions(owner, name, before=before, limit=limit)


def require_writer(principal: Principal, owner: Owner) -> None:
    """Whoever may send all of a tenant's mail, or make a key that may, may change its templates: each decides what its mail says.
    Raises Forbidden."""
    if owner.tenant is None:
        principal.require_platform()
        principal.require(ADMIN)
        return
    if not (ADMIN in principal.scopes and SEND in principal.also_mints):
        principal.require(SEND)
    if principal.types is not None:
        raise Forbidden(templates.key_is_narrow(principal.prefix), code="type-not-allowed")


def bound(field_: str, problem: str) -> Invalid:
    """An owner has as much as one may."""
    return Invalid(Fault(field_, problem, "too-many"))


def _refused(fault: RenderingFault, named: str) -> Invalid:
    field_ = fault.part if fault.part in ("subject", "text", "html", "mjml") else "parts"
    return Invalid(Fault("template" if fault.part is None else field_, fault.sentence(named), "rendering"))


def _unknown(name: str, version: int | None, owner: Owner) -> NotFound:
    shown = text.harmless(name, 64) + ("" if version is None else f"@{version}")
    return NotFound(templates.unknown(shown, owner.slug), code=NO_TEMPLATE)
