"""What lets people in, composed: for the REST API, and for the dashboard with its settings."""

from mailcordon.adapters.db.engine import Pool
from mailcordon.adapters.db.session_store import SessionStore
from mailcordon.adapters.db.sign_in_link_store import SignInLinkStore
from mailcordon.adapters.db.view_link_store import ViewLinkStore
from mailcordon.adapters.http.people import PeopleServices
from mailcordon.control.people.roles import RoleMap
from mailcordon.control.people.sessions import Lifetimes, Sessions
from mailcordon.control.people.sign_in_links import SignInLinks
from mailcordon.control.people.view_links import ViewLinks


def services(
    control: Pool,
    dashboard_url: str | None = None,
    *,
    lifetimes: Lifetimes | None = None,
    roles: RoleMap | None = None,
) -> PeopleServices:
    """`control`: a pool of the control login. `roles`: of the OpenID provider; None without one."""
    return PeopleServices(
        sessions=Sessions(SessionStore(control), lifetimes=lifetimes, roles=roles),
        sign_in_links=SignInLinks(SignInLinkStore(control)),
        view_links=ViewLinks(ViewLinkStore(control)),
        dashboard_url=dashboard_url,
    )
