"""Where somebody goes after the sign-in: a page of ours, whatever a link asked for. Pure."""

from mailcordon.adapters.dashboard import links

FIRST = "/"
_LONGEST = 2000  #: characters, as the database's column


def own_path(target: str) -> str:
    """The path and query of a page of ours that is seen by who has signed in. Anything else becomes the first page."""
    if len(target) > _LONGEST or target.startswith(("/sign-in", "/sign-out")):
        return FIRST
    return links.own_path(target, FIRST)
