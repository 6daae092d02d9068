"""Where somebody goes after the sign-in: a page of ours, whatever a link asked for. Pure."""

from urllib.parse import urlsplit

FIRST = "/"
_LONGEST = 2000  #: characters, as the database's column


def own_path(target: str) -> str:
    """The path and query of a page of ours. Anything else, such as another site's URL in any disguise, becomes the first page.

    Browsers take a backslash for a slash and ignore control characters, so `/\\evil.example` is another site's URL to them.
    """
    if (
        len(target) > _LONGEST
        or not target.startswith("/")
        or "\\" in target
        or not target.isprintable()
        or target.startswith(("//", "/sign-in", "/sign-out"))
    ):
        return FIRST
    try:
        parts = urlsplit(target)
    except ValueError:
        return FIRST
    return FIRST if parts.scheme or parts.netloc else target
