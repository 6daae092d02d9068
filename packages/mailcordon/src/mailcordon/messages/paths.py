"""The path that tenants share and the tenant's own: shares, and mail that keeps its path (docs/paths.md)."""

from mailcordon.messages.catalogue import example


@example(1)
@example(3)
def not_two_paths(lanes: int) -> str:
    """The share of a lane is to be set that has one path."""
    if lanes == 1:
        return (
            "One of these lanes has one path only, so there is nothing to share. Nothing was changed. "
            "See which: mailcordon path list"
        )
    return (
        f"{lanes} of these lanes have one path only, so there is nothing to share. Nothing was changed. "
        "See which: mailcordon path list"
    )
