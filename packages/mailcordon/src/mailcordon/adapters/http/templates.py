"""Templates over HTTP. A tenant's key has its own templates and sees those of the platform, which it can use."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
from litestar import delete, get, post, put
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter

from mailcordon.adapters.http import shapes
from mailcordon.adapters.http.auth import AnyRequest, principal_of
from mailcordon.adapters.http.shapes import After, Limit, Time
from mailcordon.control import lookup
from mailcordon.control.templates import Owner, Shown, Summary, Templates
from mailcordon.control.views import Reads
from mailcordon.core.errors import Fault, Invalid
from mailcordon.core.principal import READ, Principal
from mailcordon.core.template import JINJA, MOST_VERSIONS, Source
from mailcordon.messages import templates as words

Whose = Annotated[
    str | None,
    QueryParameter(
        description="The tenant's slug. Without it: with a tenant's key its own, with a platform key the platform's."
    ),
]
AnyVersion = Annotated[
    int | None, QueryParameter(ge=1, le=MOST_VERSIONS, description="The version. Without it: the newest.")
]
Because = Annotated[str | None, QueryParameter(description="The reason. It is audited.")]


class TemplateSources(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`mjml` takes the place of `html`. A text that is not given is derived from the HTML."""

    subject: str
    text: str | None = None
    html: str | None = None
    mjml: str | None = None
    parts: dict[str, str] = {}  #: that the others include: footer.html escapes, footer.txt does not
    dialect: Literal["jinja", "ses"] = JINJA

    def source(self) -> Source:
        return Source(
            dialect=self.dialect,
            subject=self.subject,
            text=self.text,
            html=self.html,
            mjml=self.mjml,
            parts=self.parts,
        )


class TemplateBody(TemplateSources, kw_only=True, forbid_unknown_fields=True):
    because: str | None = None


class PreviewBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`sources` are previewed without being stored, in place of a version."""

    data: dict[str, Any] = {}
    version: int | None = None
    sources: TemplateSources | None = None


class TemplateItem(msgspec.Struct, kw_only=True):
    id: int
    name: str
    owner: str | None  #: null: the platform's
    version: int
    latest: int
    dialect: str
    bytes: int
    made_at: Time
    made_by: str
    because: str | None
    retired_at: Time | None
    retired_by: str | None


class TemplateList(msgspec.Struct):
    items: list[TemplateItem]
    next: str | None


class TemplateView(TemplateItem, kw_only=True):
    subject: str
    text: str | None
    html: str | None
    mjml: str | None
    parts: dict[str, str]


class TemplateStored(msgspec.Struct):
    template: TemplateView
    made: bool  #: false: the newest version had these sources already


class TemplateRetired(msgspec.Struct):
    name: str
    owner: str | None


class TemplatePreview(msgspec.Struct):
    template: str  #: the version, as a message names it
    subject: str
    text: str | None
    html: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateServices:
    reads: Reads
    templates: Templates


def routes(services: TemplateServices) -> list[HTTPRouteHandler]:
    reads, templates = services.reads, services.templates

    async def owner_of(principal: Principal, tenant: str | None) -> Owner:
        """Raises NotFound for a tenant that the principal does not see."""
        if principal.tenant_id is not None:
            if tenant is not None and not principal.sees(tenant):
                raise lookup.no_tenant(tenant)
            return Owner(tenant=principal.tenant_id, slug=principal.tenant_slug, as_tenant=True)
        if tenant is None:
            return Owner(tenant=None, slug=None)
        return Owner(tenant=await lookup.tenant_id(reads, tenant), slug=tenant)

    async def read_by(request: AnyRequest, tenant: str | None) -> Owner:
        principal = principal_of(request)
        principal.require(READ)
        return await owner_of(principal, tenant)

    @get("/v1/templates", summary="List templates, the platform's too", tags=["send"])
    async def list_templates(
        request: AnyRequest, tenant: Whose = None, after: After = None, limit: Limit = 100
    ) -> TemplateList:
        owner = await read_by(request, tenant)
        found = await templates.page(owner, after=shapes.id32(after), limit=limit)
        return TemplateList([_item(one) for one in found], shapes.next_of([one.id for one in found], limit))

    @get("/v1/templates/{name:str}", summary="Show a template with its sources", tags=["send"])
    async def get_template(
        request: AnyRequest, name: FromPath[str], tenant: Whose = None, version: AnyVersion = None
    ) -> TemplateView:
        return _view(await templates.get(await read_by(request, tenant), name, version))

    @get(
        "/v1/templates/{name:str}/versions", summary="List a template's versions, newest first", tags=["send"]
    )
    async def list_versions(
        request: AnyRequest,
        name: FromPath[str],
        tenant: Whose = None,
        after: After = None,
        limit: Limit = 100,
    ) -> TemplateList:
        owner = await read_by(request, tenant)
        before = MOST_VERSIONS + 1 if after is None else shapes.id32(after)
        found = await templates.versions(owner, name, before=before, limit=limit)
        return TemplateList(
            [_item(one) for one in found], shapes.next_of([one.version for one in found], limit)
        )

    @put("/v1/templates/{name:str}", summary="Store a version of a template", tags=["send"])
    async def put_template(
        request: AnyRequest, name: FromPath[str], data: JSONBody[TemplateBody], tenant: Whose = None
    ) -> TemplateStored:
        principal = principal_of(request)
        because = None if data.because is None else shapes.reason(data.because)
        owner = await owner_of(principal, tenant)
        found, made = await templates.put(principal, owner, name, data.source(), because=because)
        return TemplateStored(_view(found), made)

    @delete(
        "/v1/templates/{name:str}",
        status_code=200,
        summary="Retire a template: no message can name it any more",
        tags=["send"],
    )
    async def retire_template(
        request: AnyRequest, name: FromPath[str], tenant: Whose = None, because: Because = None
    ) -> TemplateRetired:
        principal = principal_of(request)
        reason = None if because is None else shapes.reason(because)
        owner = await owner_of(principal, tenant)
        await templates.retire(principal, owner, name, because=reason)
        return TemplateRetired(name, owner.slug)

    @post(
        "/v1/templates/{name:str}/preview",
        status_code=200,
        summary="Render a template with data, and send nothing",
        tags=["send"],
    )
    async def preview_template(
        request: AnyRequest, name: FromPath[str], data: JSONBody[PreviewBody], tenant: Whose = None
    ) -> TemplatePreview:
        owner = await read_by(request, tenant)
        if data.sources is not None and data.version is not None:
            raise Invalid(Fault("version", words.version_or_sources()))
        given = data.version if data.sources is None else data.sources.source()
        found, named = await templates.preview(owner, name, given, msgspec.json.encode(data.data))
        return TemplatePreview(named, found.subject, found.text, found.html)

    return [list_templates, get_template, list_versions, put_template, retire_template, preview_template]


def _item(found: Summary) -> TemplateItem:
    return TemplateItem(**_members(found))


def _members(found: Summary) -> dict[str, Any]:
    return {
        "id": found.id,
        "name": found.name,
        "owner": found.owner,
        "version": found.version,
        "latest": found.latest,
        "dialect": found.dialect,
        "bytes": found.bytes,
        "made_at": shapes.iso_ms(found.made_at),
        "made_by": found.made_by,
        "because": found.because,
        "retired_at": shapes.iso_ms_or_none(found.retired_at),
        "retired_by": found.retired_by,
    }


def _view(found: Shown) -> TemplateView:
    source = found.source
    return TemplateView(
        **_members(found),
        subject=source.subject,
        text=source.text,
        html=source.html,
        mjml=source.mjml,
        parts=dict(source.parts),
    )
