"""One thing of a list that the API gives by pages."""

from typing import Any

from mailcordon.adapters.dashboard.rest import Part, Problem, Rest
from mailcordon.messages import settings_pages as messages


async def one_of(rest: Rest, path: str, field: str, value: str, *parts: Part) -> Any:
    """That whose `field` has the value. Raises Problem if it is not there."""
    after: str | None = None
    while True:
        page = await rest.get(path, *parts, after=after, limit=1000)
        for one in page["items"]:
            if one[field] == value:
                return one
        after = page.get("next")
        if after is None:
            raise Problem(404, messages.nothing_of_that_name(), "not-found")
