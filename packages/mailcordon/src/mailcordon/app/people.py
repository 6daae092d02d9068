"""What lets people in, composed: for the REST API, and for the dashboard with its settings."""

from mailcordon.adapters.db.engine import Pool
from mailcordon.adapters.db.session_store import SessionStore
from mailcordon.adapters.db.sign_in_link_store import SignInLinkStore
from mailcordon.adapters.db.view_link_store import ViewLinkStore
from mailcordon.adapters.http.people import PeopleServices
from mailcordon.config.dashboard import DashboardSettings
from mailcordon.control.people.sessions import Sessions
from mailcordon.control.people.sign_in_links import SignInLinks
from mailcordon.control.people.view_links import ViewLinks


def services(control: Pool, settings: DashboardSettings | None) -> PeopleServices:
    """`control`: a pool of the control login. `settings`: None without a dashboard; nobody can sign in then, but links can be
    listed and revoked."""
    settings = settings or DashboardSettings()
    roles = None if settings.oidc is None else settings.oidc.roles
    return PeopleServices(
        sessions=Sessions(SessionStore(control), lifetimes=settings.lifetimes, roles=roles),
        sign_in_links=SignInLinks(SignInLinkStore(control)),
        view_links=ViewLinks(ViewLinkStore(control)),
        dashboard_url=settings.url,
    )
