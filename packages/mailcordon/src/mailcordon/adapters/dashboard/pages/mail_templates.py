"""Templates for mail: the list of a tenant and of the platform, and one template with its versions and sources."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from mailcordon.adapters.dashboard.formats import segment
from mailcordon.adapters.dashboard.links import link
from mailcordon.adapters.dashboard.pages import blocks, settings_tabs, tenant
from mailcordon.adapters.dashboard.pages.actions import shell
from mailcordon.adapters.dashboard.pages.blocks import Button, Cell, Filter, Page, Section
from mailcordon.adapters.dashboard.site import PageRequest, Site, visitor_of
from mailcordon.messages import template_pages as messages

#: Where pages of templates are: a tenant's, and the platform's.
PARENTS = ("/tenants/{slug:str}", settings_tabs.PATH)
SOURCES = ("subject", "text", "html", "mjml")
_KIB = 1024


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose templates a page is about. A tenant's pages have the platform's too, which it can use."""

    slug: str | None  #: None: the platform

    @property
    def section(self) -> str:
        return "settings" if self.slug is None else "tenants"

    @property
    def parent(self) -> str:
        return settings_tabs.PATH if self.slug is None else f"/tenants/{segment(self.slug)}"

    @property
    def list(self) -> str:
        return self.parent + "/templates"

    @property
    def new(self) -> str:
        return self.parent + "/new-template"

    @property
    def option(self) -> str:
        """Of a command."""
        return "" if self.slug is None else f" --tenant {shell(self.slug)}"

    def page(self, name: str) -> str:
        """The path of one template."""
        return f"{self.list}/{segment(name)}"


def whose(path: Mapping[str, Any]) -> Whose:
    """By the parts of a path."""
    return Whose(path.get("slug"))


def routes(site: Site) -> list[HTTPRouteHandler]:
    @get(settings_tabs.PATH + "/templates")
    async def platform(request: PageRequest) -> Response[str]:
        given = request.query_params
        slug = given.get("tenant", "").strip()
        found = await site.rest(request).get(
            "/v1/templates", tenant=slug or None, after=given.get("after"), limit=100
        )
        return blocks.shown(site, request, "settings", _list(found, slug))

    @get("/tenants/{slug:str}/templates")
    async def of_tenant(request: PageRequest, slug: FromPath[str]) -> Response[str]:
        rest, after = site.rest(request), request.query_params.get("after") or None
        about = await tenant.tenant_of(rest, slug)
        found = await rest.get("/v1/templates", tenant=slug, after=after, limit=100)
        own = Whose(slug)
        return tenant.page(
            site,
            request,
            "tenants/templates.html",
            about,
            "templates",
            templates=[{**one, "href": own.page(one["name"])} for one in found["items"]],
            new=own.new,
            are=messages.templates_are(),
            next=found["next"],
            more=link(own.list, after=found["next"]),
        )

    return [platform, of_tenant, *(_one(site, parent) for parent in PARENTS)]


def _one(site: Site, parent: str) -> HTTPRouteHandler:
    @get(parent + "/templates/{name:str}")
    async def show(request: PageRequest) -> Response[str]:
        of, name = whose(request.path_params), str(request.path_params["name"])
        rest, query = site.rest(request), request.query_params
        found = await rest.get("/v1/templates/{}", name, tenant=of.slug, version=query.get("version") or None)
        versions = await rest.get(
            "/v1/templates/{}/versions", name, tenant=of.slug, after=query.get("after") or None, limit=20
        )
        is_platform = visitor_of(request).principal.is_platform
        return blocks.shown(site, request, of.section, _template(of, found, versions, is_platform))

    return show


def _list(found: Any, slug: str) -> Page:
    return settings_tabs.page(
        "templates",
        "Templates",
        filters=[Filter(name="tenant", label="Tenant", value=slug, hint="the platform's alone")],
        buttons=[Button(Whose(slug or None).new, "Make a template…", "admin")],
        sections=[
            Section(
                says=[messages.templates_are()],
                heads=("Template", "Whose", "Version", "Size", "Stored", "Why", "State"),
                rows=[
                    [
                        blocks.code(one["name"], href=Whose(one["owner"]).page(one["name"])),
                        blocks.tenant(one["owner"]) if one["owner"] else blocks.text("the platform's"),
                        blocks.text(one["version"], note=one["dialect"]),
                        blocks.text(_size(one["bytes"])),
                        blocks.ago(one["made_at"], note=one["made_by"]),
                        blocks.text(one["because"]),
                        _state(one),
                    ]
                    for one in found["items"]
                ],
                empty="There is no template.",
                more=link(settings_tabs.PATH + "/templates", tenant=slug, after=found["next"])
                if found["next"]
                else "",
                command="mailcordon template list" + Whose(slug or None).option,
            )
        ],
    )


def _size(bytes_: int) -> str:
    return f"{bytes_ / _KIB:,.1f} KiB" if bytes_ >= _KIB else f"{bytes_} bytes"


def _state(one: Any) -> Cell:
    return blocks.tone("retired", "") if one["retired_at"] else blocks.tone("in use", "good")


def _template(of: Whose, one: Any, versions: Any, is_platform: bool) -> Page:
    name, is_own = one["name"], one["owner"] == of.slug
    page, number = of.page(name), f"?version={one['version']}"
    is_newest = one["version"] == one["latest"]
    store = "Store a version…" if is_own else f"Make one of {of.slug}'s own…"
    buttons = [Button(f"{page}/preview{number}", "Preview…"), Button(f"{page}/store{number}", store, "admin")]
    if is_own and not one["retired_at"]:
        buttons.append(Button(f"{page}/retire", "Retire…", "admin"))
    return Page(
        title=f"Template {name}" if is_newest else f"Template {name}, version {one['version']}",
        crumbs=_crumbs(of, is_platform),
        sentence=messages.retired_template() if one["retired_at"] else "",
        tone="slow",
        buttons=buttons,
        sections=[
            Section(
                says=[messages.platforms_template(of.slug)] if not is_own and of.slug else (),
                facts=[
                    ("Whose", blocks.text(one["owner"] or "the platform's")),
                    (
                        "Version",
                        blocks.text(one["version"] if is_newest else f"{one['version']} of {one['latest']}"),
                    ),
                    ("Language", blocks.text("SES's own" if one["dialect"] == "ses" else "Jinja")),
                    ("Size", blocks.text(_size(one["bytes"]))),
                    ("Stored", blocks.clock(one["made_at"])),
                    ("By", blocks.text(one["made_by"], note=one["because"] or "")),
                    *([("Retired by", blocks.text(one["retired_by"]))] if one["retired_at"] else []),
                ],
            ),
            *(Section(heading=heading, text=text) for heading, text in _sources(one)),
            _versions(of, one, versions),
        ],
    )


def _crumbs(of: Whose, is_platform: bool) -> list[tuple[str, str]]:
    if of.slug is None:
        return [(of.parent, "Settings"), (of.list, "Templates")]
    every = [("/tenants", "Tenants")] if is_platform else []
    return [*every, (of.parent, of.slug), (of.list, "Templates")]


def _sources(one: Any) -> list[tuple[str, str]]:
    headings = {"subject": "Subject", "text": "Text", "html": "HTML", "mjml": "MJML"}
    own = [(headings[name], one[name]) for name in SOURCES if one[name] is not None]
    return [*own, *((f"Part {name}", text) for name, text in one["parts"].items())]


def _versions(of: Whose, one: Any, versions: Any) -> Section:
    page = of.page(one["name"])
    return Section(
        heading="Versions",
        heads=("Version", "Stored", "Size", "Why"),
        rows=[
            [
                blocks.text(f"Version {each['version']}", href=f"{page}?version={each['version']}"),
                blocks.ago(each["made_at"], note=each["made_by"]),
                blocks.text(_size(each["bytes"])),
                blocks.text(each["because"]),
            ]
            for each in versions["items"]
        ],
        more=link(page, version=one["version"], after=versions["next"]) if versions["next"] else "",
        command=f"mailcordon template show {shell(one['name'])}{of.option} --version {one['version']}",
    )
