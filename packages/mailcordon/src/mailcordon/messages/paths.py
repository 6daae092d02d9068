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


@example("platform", ["acme newsletter"], 1)
@example("platform", ["acme newsletter", "zen newsletter"], 40)
def shared_path_in_use(name: str, lanes: Sequence[str], number: int) -> str:
    """A shared path is to be removed that lanes have (409)."""
    more = number - len(lanes)
    listed = ", ".join(lanes) + (f" and {more} more" if more > 0 else "")
    return (
        f"{number} {'lane has' if number == 1 else 'lanes have'} the shared path {name}: {listed}. Nothing was changed. "
        "Take it from them first: mailcordon path drop TENANT TYPE"
    )


@example("platform", "mail.platform.example", "old-tenant")
def removes_shared(name: str, domain: str, ses_tenant: str) -> str:
    """What `path remove` does, before it is asked for and after it is done."""
    return (
        f"No lane has the shared path {name}. Mailcordon forgets it: no lane can get it back, and {domain} may be a tenant's. "
        f"At SES the domain, the tenant {ses_tenant} and what is associated with it stay as they are"
    )


@example("platform")
def remove_question(name: str) -> str:
    """`path remove`, before it acts."""
    return f"Remove the shared path {name}?"


@example("platform")
def removed_shared(name: str) -> str:
    """`path remove`, done."""
    return f"The shared path {name} is removed"


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


@example("newsletter", "platform")
def stays_until_shared(type: str, path: str) -> str:
    """A preview: what a lane that gets the shared path does."""
    return (
        f"{type} gets the path {path} beside its own. Its mail goes on as before until its shares are set. The app may write "
        "From with either domain: mail leaves with the domain of its path."
    )


@example("platform")
def shares_with_all(path: str) -> str:
    """A preview: with whom a lane shares the path that it gets."""
    return f"On {path} it shares domain, SES tenant and addresses with every tenant there: what one does hurts all."


@example("newsletter", "platform")
def no_way_back(type: str, path: str) -> str:
    """A preview: what a lane that loses the shared path loses."""
    return f"{type} keeps its own path only. Its mail cannot go back to {path} in seconds any more."


@example()
def bad_ses_name() -> str:
    """The name of a SES tenant or of an IP pool cannot be one."""
    return "has 1 to 64 letters, digits, - and _, as at SES"


@example("acme", "newsletter")
def no_lane(slug: str, type: str) -> str:
    """A lane that a request names does not exist."""
    return f"{slug} has no lane {type}"


@example("platform", "mail.platform.example")
def shared_path_exists(name: str, domain: str) -> str:
    """A shared path is to be made whose name or domain is in use (409)."""
    return f"The name {name} or the domain {domain} is in use, by a shared path or a tenant. See: mailcordon path show"


@example()
def no_lanes() -> str:
    """`path list` has no lane to show."""
    return "No lanes."


@example()
def no_shared_paths() -> str:
    """`path show` has no shared path to show."""
    return "Tenants share no path. Name the one that they shared before: mailcordon path add-shared NAME DOMAIN SES_TENANT"


@example()
def addresses_of_ses() -> str:
    """In tables: a path without an IP pool of its own."""
    return "SES's"


@example("platform")
def made(name: str) -> str:
    """After `path add-shared`."""
    return f"{name} can be given to lanes: mailcordon path add TENANT TYPE {name}"


@example(1200, 3, "shared")
@example(1, 0, "isolated")
def moved(moved: int, kept: int, to: str) -> str:
    """After `path move`."""
    said = f"{moved:,} waiting {'mail' if moved == 1 else 'mails'} moved to the {to} path."
    if not kept:
        return said
    return f"{said} {kept:,} keep their path: raw mail, and mail whose recipients see each other, is sent as it was accepted."


@example("mail.platform.example", 75)
@example("mail.platform.example", 0)
def shared_beside(domain: str, percent: int) -> str:
    """What a lane shares: it has the shared path beside its own."""
    if percent == 0:
        return f"Has the shared path of {domain} as a way back; none of its recipients take it."
    return (
        f"{percent} % of its recipients take the shared path: the domain {domain}, its SES tenant and its addresses, "
        "with every tenant there. Raw MIME does not follow that share: it takes the path of its From, and keeps it."
    )


@example("shared", raw=True)
@example("isolated", raw=False)
def keeps_path(path: str, *, raw: bool) -> str:
    """The accept's answer and `why`: a message of a lane with two paths that keeps the one it has."""
    since = (
        "raw MIME is sent as it was handed in, so its From decides"
        if raw
        else "its recipients see each other, so it is one mail, on the path of the first"
    )
    return f"It takes {_PATHS[path]} and keeps it, whatever the shares: {since}"


@example("shared")
def takes_path(path: str) -> str:
    """`why` about mail of a lane with two paths."""
    return f"It takes {_PATHS[path]}"


@example("isolated", "SES refuses mail from news.acme.example since 28 Nov 2026 15:23 UTC")
def one_path_stopped(path: str, stop: str) -> str:
    """`lane show`: a stop that one of the lane's two paths has."""
    return f"Only mail on {_PATHS[path]} waits, the other path goes on: {stop}"


_PATHS = {"isolated": "the lane's own path", "shared": "the path that tenants share"}


@example("news.acme.example")
def not_verified(domain: str) -> str:
    """Mail is to take a lane's own path, and SES has not verified its domain (409)."""
    return (
        f"SES has not verified {domain}, so no mail can take that path. Nothing was changed. See what is missing: "
        f"mailcordon identity check {domain}"
    )
