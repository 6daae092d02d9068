"""The path that tenants share and the tenant's own: shares, and mail that keeps its path (docs/paths.md)."""

from collections.abc import Sequence

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


@example("acme", "newsletter", "platform")
def adds_path(slug: str, type: str, path: str) -> str:
    """A step of a plan: a lane gets the path that tenants share beside its own."""
    return f"let {type} of {slug} use the shared path {path} beside its own"


@example("acme", "newsletter", "platform")
def drops_path(slug: str, type: str, path: str) -> str:
    """A step of a plan: a lane keeps its own path only."""
    return f"take the shared path {path} from {type} of {slug}, so that all of its mail takes its own"


@example("old-way", ["platform"])
@example("old-way", [])
def no_shared_path(name: str, known: Sequence[str]) -> str:
    """A plan or a document names a shared path that does not exist."""
    if not known:
        return f"there is no shared path {name}, and no other. Make one: mailcordon path add-shared {name} DOMAIN SES_TENANT"
    return f"there is no shared path {name}; there is: {', '.join(known)}"


@example("acme", "newsletter", "platform")
def has_two_paths(slug: str, type: str, path: str) -> str:
    """A lane with two paths is to move to another domain or to get another shared path."""
    return (
        f"{type} of {slug} has the shared path {path} beside its own, and its mail may be from the domain of either. "
        f"Take that path from it first: mailcordon path drop {slug} {type}"
    )


@example("acme", "newsletter", 75)
def still_shared(slug: str, type: str, share: int) -> str:
    """The shared path of a lane is to be dropped while mail takes it."""
    return (
        f"{share} % of the recipients of {type} of {slug} still take the shared path. Nothing was changed. Move them first: "
        f"mailcordon path share {slug} {type} 100"
    )


@example("acme", "newsletter")
def still_waiting(slug: str, type: str) -> str:
    """The shared path of a lane is to be dropped while mail waits for it."""
    return (
        f"Mail of {type} of {slug} still waits on the shared path, or has no clear outcome there. Nothing was changed. "
        f"Let it leave, or move what was never sent: mailcordon path move {slug} {type} isolated"
    )
