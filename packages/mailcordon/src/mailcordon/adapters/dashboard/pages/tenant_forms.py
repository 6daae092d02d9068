"""What is made and changed of a tenant's access: whom its holds are told, and the links with which its own admins look."""

from datetime import UTC, datetime, timedelta

from litestar.handlers import HTTPRouteHandler

from mailcordon.adapters.dashboard import formats
from mailcordon.adapters.dashboard.formats import segment
from mailcordon.adapters.dashboard.links import link
from mailcordon.adapters.dashboard.pages import actions, forms
from mailcordon.adapters.dashboard.pages.actions import Asked, Given, because, shell
from mailcordon.adapters.dashboard.pages.forms import Form, Input, ShownOnce, given_only, option
from mailcordon.adapters.dashboard.pages.one_of_a_list import one_of
from mailcordon.adapters.dashboard.rest import Problem, Rest
from mailcordon.adapters.dashboard.site import Site
from mailcordon.core.principal import ADMIN, OPERATE
from mailcordon.messages import dashboard_forms as messages
from mailcordon.messages import settings_pages

_FORMS = {"email": "By e-mail", "webhook": "By webhook"}


def routes(site: Site) -> list[HTTPRouteHandler]:
    of = "/tenants/{slug:str}"
    contact = of + "/contacts/{form:str}"

    async def create_view_link(rest: Rest, given: Given) -> ShownOnce:
        return await _create_view_link(rest, given, site.url or "")

    return [
        *forms.routes(site, of + "/contacts/new", section="tenants", ask=_ask_contact, perform=_set_contact),
        *actions.routes(
            site,
            contact + "/test",
            section="tenants",
            ask=_ask_test,
            perform=_test,
            done="tested",
            needs=OPERATE,
        ),
        *actions.routes(
            site,
            contact + "/remove",
            section="tenants",
            ask=_ask_remove,
            perform=_remove,
            done="removed",
            needs=ADMIN,
        ),
        *forms.routes(
            site, of + "/view-links/new", section="tenants", ask=_ask_view_link, perform=create_view_link
        ),
        *actions.routes(
            site,
            of + "/view-links/{prefix:str}/revoke",
            section="tenants",
            ask=_ask_revoke,
            perform=_revoke,
            done="removed",
            needs=ADMIN,
        ),
    ]


def _access(given: Given) -> str:
    return f"/tenants/{segment(given['slug'])}/access"


def _form(given: Given) -> str:
    return "webhook" if given.get("form") == "webhook" else "email"


async def _ask_contact(rest: Rest, given: Given) -> Form:
    tenant, form = await rest.get("/v1/tenants/{}", given["slug"]), _form(given)
    slug = tenant["slug"]
    new = f"/tenants/{segment(slug)}/contacts/new"
    own = (
        [
            Input(name="email", label="Address", kind="email", required=True),
            Input(
                name="tell",
                label="Told of",
                kind="select",
                options=[("holds", "what is held of its mail"), ("nothing", "nothing: it is only known")],
            ),
            Input(
                name="channel",
                label="Alert channel whose lane carries the mail",
                hint="Not needed if there is one channel by e-mail only.",
                is_rare=True,
            ),
        ]
        if form == "email"
        else [Input(name="url", label="URL", kind="url", required=True, limit=2000, is_secret=True)]
    )
    where = f" --email {shell(given.get('email') or 'ADDRESS')}" if form == "email" else " --webhook URL"
    return Form(
        title=f"Whom holds on mail of {slug} are told",
        back=_access(given),
        ways=[(link(new, form=one), words, one == form) for one, words in _FORMS.items()],
        says=[messages.new_contact(slug, form)],
        fields=[Input(name="form", label="", kind="hidden", value=form), *own],
        button="Set this contact",
        command=f"mailcordon tenant contact {shell(slug)}{where}{option('channel', given.get('channel'))}"
        f"{' --tell nothing' if given.get('tell') == 'nothing' else ''} {because(given)}",
    )


async def _set_contact(rest: Rest, given: Given) -> str | ShownOnce:
    own = ("email", "channel") if _form(given) == "email" else ("url",)
    body = {
        "tell": [] if given.get("tell") == "nothing" else ["holds"],
        "because": given.because,
        **given_only(**{name: given.get(name) for name in own}),
    }
    made = await rest.put("/v1/tenants/{}/contacts", given["slug"], body=body)
    if made["secret"] is None:
        return _access(given)
    return ShownOnce(
        title=f"The contact of {given['slug']}",
        says=[messages.contact_made(given["slug"])],
        secrets=[("Signing secret", made["secret"])],
        commands=[f"mailcordon tenant contact {shell(given['slug'])} --test webhook"],
        back=_access(given),
        back_words=f"To {given['slug']}",
    )


async def _ask_test(_: Rest, given: Given) -> Asked:
    return Asked(
        title=f"Test the contact of {given['slug']} by {given['form']}",
        back=_access(given),
        says=[messages.tests_contact(given["slug"], given["form"])],
        needs_reason=False,
        button="Send a test",
        command=f"mailcordon tenant contact {shell(given['slug'])} --test {shell(given['form'])}",
    )


async def _test(rest: Rest, given: Given) -> str:
    tried = await rest.post("/v1/tenants/{}/contacts/{}/test", given["slug"], given["form"])
    if not tried["delivered"]:
        raise Problem(422, settings_pages.did_not_arrive(tried["problem"] or ""), "not-delivered")
    return _access(given)


async def _ask_remove(_: Rest, given: Given) -> Asked:
    return Asked(
        title=f"Remove the contact of {given['slug']} by {given['form']}",
        back=_access(given),
        says=[messages.removes_contact(given["slug"], given["form"])],
        button="Remove it",
        is_dangerous=True,
        command=f"mailcordon tenant contact {shell(given['slug'])} --remove {shell(given['form'])} {because(given)}",
    )


async def _remove(rest: Rest, given: Given) -> str:
    await rest.delete("/v1/tenants/{}/contacts/{}", given["slug"], given["form"], because=given.because)
    return _access(given)


async def _ask_view_link(rest: Rest, given: Given) -> Form:
    slug = (await rest.get("/v1/tenants/{}", given["slug"]))["slug"]
    name, days = given.get("name") or "NAME", given.get("days") or "7"
    return Form(
        title=f"Make a view link of {slug}",
        back=_access(given),
        says=[messages.new_view_link(slug)],
        fields=[
            Input(name="name", label="Who gets it", required=True, hint="Lists and the audit trail show it."),
            Input(
                name="days",
                label="Ends after so many days",
                kind="number",
                value="7",
                required=True,
                of=["expires_at"],
            ),
        ],
        button="Make the link",
        leave="Make none",
        needs_reason=False,
        command=f"mailcordon view-link create {shell(slug)} --for {shell(name)} --expires {shell(days + 'd')}",
    )


async def _create_view_link(rest: Rest, given: Given, url: str) -> ShownOnce:
    days = forms.whole(given, "days")
    if days is None:
        raise forms.refused("days", messages.not_whole())
    ends = (datetime.now(UTC) + timedelta(days=days)).isoformat(timespec="seconds")
    body = {"name": given.get("name"), "expires_at": ends}
    made = await rest.post("/v1/tenants/{}/view-links", given["slug"], body=body)
    ends = formats.exact(made["expires_at"])
    return ShownOnce(
        title=f"The link of {made['name']}",
        says=[messages.view_link_made(made["name"], given["slug"], ends)],
        secrets=[("View link", made["url"] or url + made["path"])],
        commands=[f"mailcordon view-link revoke {shell(given['slug'])} {made['prefix']}"],
        back=_access(given),
        back_words=f"To {given['slug']}",
    )


async def _ask_revoke(rest: Rest, given: Given) -> Asked:
    slug, prefix = given["slug"], given["prefix"]
    one = await one_of(rest, "/v1/tenants/{}/view-links", "prefix", prefix, slug)
    return Asked(
        title=f"Revoke the view link of {one['name']}",
        back=_access(given),
        says=[messages.revokes_view_link(one["name"], slug)],
        needs_reason=False,
        button="Revoke it for good",
        is_dangerous=True,
        command=f"mailcordon view-link revoke {shell(slug)} {prefix}",
    )


async def _revoke(rest: Rest, given: Given) -> str:
    await rest.delete("/v1/tenants/{}/view-links/{}", given["slug"], given["prefix"])
    return _access(given)
