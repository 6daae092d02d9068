"""Links to sign in as people make them: each lets one person in, once."""

from litestar.handlers import HTTPRouteHandler

from mailcordon.adapters.dashboard.pages import actions, forms
from mailcordon.adapters.dashboard.pages.actions import Asked, Given, shell
from mailcordon.adapters.dashboard.pages.forms import Form, Input, ShownOnce
from mailcordon.adapters.dashboard.pages.one_of_a_list import one_of
from mailcordon.adapters.dashboard.pages.settings_tabs import PATH
from mailcordon.adapters.dashboard.rest import Rest
from mailcordon.adapters.dashboard.site import Site
from mailcordon.core.principal import ADMIN
from mailcordon.messages import dashboard_forms as messages

PEOPLE = PATH + "/people"
_ROLES = ("viewer", "operator", "admin")


def routes(site: Site) -> list[HTTPRouteHandler]:
    async def create(rest: Rest, given: Given) -> ShownOnce:
        return await _create(rest, given, site.url or "")

    return [
        *forms.routes(site, PEOPLE + "/new", section="settings", ask=_ask_new, perform=create),
        *actions.routes(
            site,
            PEOPLE + "/links/{prefix:str}/revoke",
            section="settings",
            ask=_ask_revoke,
            perform=_revoke,
            done="removed",
            needs=ADMIN,
        ),
    ]


async def _ask_new(_: Rest, given: Given) -> Form:
    person, role = given.get("person") or "NAME", given.get("role") or _ROLES[0]
    return Form(
        title="Let somebody in",
        back=PEOPLE,
        says=[messages.new_sign_in_link()],
        fields=[
            Input(
                name="person",
                label="Who",
                required=True,
                hint="As the audit trail names them, such as `kim@example.com`.",
            ),
            Input(name="role", label="Role", kind="select", options=[(one, one) for one in _ROLES]),
        ],
        button="Make the link",
        leave="Make none",
        needs_reason=False,
        command=f"mailcordon sign-in --person {shell(person)} --role {shell(role)}",
    )


async def _create(rest: Rest, given: Given, url: str) -> ShownOnce:
    body = {"person": given.get("person"), "role": given.get("role")}
    made = await rest.post("/v1/sign-in-links", body=body)
    return ShownOnce(
        title=f"The link for {made['person']}",
        says=[messages.sign_in_link_made(made["person"], made["role"])],
        secrets=[("Link to sign in", made["url"] or url + made["path"])],
        commands=[f"mailcordon session revoke-link {made['prefix']}"],
        back=PEOPLE,
        back_words="To the people",
    )


async def _ask_revoke(rest: Rest, given: Given) -> Asked:
    one = await one_of(rest, "/v1/sign-in-links", "prefix", given["prefix"])
    return Asked(
        title=f"Revoke the link for {one['person']}",
        back=PEOPLE,
        says=[messages.revokes_sign_in_link(one["person"])],
        needs_reason=False,
        button="Revoke it",
        is_dangerous=True,
        command=f"mailcordon session revoke-link {one['prefix']}",
    )


async def _revoke(rest: Rest, given: Given) -> str:
    await rest.delete("/v1/sign-in-links/{}", given["prefix"])
    return PEOPLE
