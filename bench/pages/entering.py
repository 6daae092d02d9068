"""How benches and tests get into the dashboard: by a link that signs in once, as an admin makes one."""

import re

from mailcordon.adapters.db import engine
from mailcordon.app import people
from mailcordon.core.principal import ADMIN, OPERATE, READ, Principal

PERSON = "kim@example.com"
_CSRF = re.compile(r'name="csrf" value="([^"]+)"')


async def link(control_dsn: str, *, role: str = "admin") -> str:
    """The link's path. `control_dsn`: the address of the database for the control login."""
    maker = Principal(
        key_id=0,
        prefix="looks",
        name="looks",
        holder="looks",
        tenant_id=None,
        tenant_slug=None,
        scopes=frozenset({READ, OPERATE, ADMIN}),
    )
    async with await engine.create_pool(control_dsn, max_size=1) as pool:
        _, token = await people.services(pool, None).sign_in_links.create(maker, person=PERSON, role=role)
    return f"/sign-in/link/{token}"


def csrf(page: str) -> str:
    """The token of the page's form. Raises AssertionError if it has none."""
    found = _CSRF.search(page)
    assert found is not None, f"the page has no form: {page[:300]}"
    return found[1]
