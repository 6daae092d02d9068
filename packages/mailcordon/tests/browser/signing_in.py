"""Signs a browser in to a dashboard whose database can be reached. `control`: URL of the control login."""

import json
from pathlib import Path

from playwright.async_api import BrowserContext

from mailcordon.control.people.roles import Role
from mailcordon_fixtures import signing_in


def control_of(home: Path) -> str:
    return json.loads((home / "database.json").read_text())["control"]


async def sign_in(context: BrowserContext, url: str, control: str, *, role: Role = Role.ADMIN) -> None:
    """Leaves a session's cookie in the context. `url`: the dashboard's."""
    token = await signing_in.token(control, role=role)
    await context.add_cookies([{"name": signing_in.COOKIE, "value": token, "url": url}])


async def look_as_tenant(context: BrowserContext, url: str, control: str, tenant: str) -> None:
    """As somebody who has followed a view link of the tenant."""
    token = await signing_in.view_token(control, tenant)
    await context.add_cookies([{"name": signing_in.VIEW_COOKIE, "value": token, "url": url}])
