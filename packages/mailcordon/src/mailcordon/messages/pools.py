"""IP pools (docs/ip-pools.md): what a plan says of them, why a choice is refused, and what is wrong with a pool."""

from mailcordon.messages.catalogue import example

_SHARED = "ses-shared-pool"


@example("acme", "marketing", "bulk")
@example("acme", "marketing", "ses-shared-pool")
def sets_pool(slug: str, class_: str, pool: str) -> str:
    """A step of a plan: the mail of a class leaves from other IP addresses."""
    if pool == _SHARED:
        return f"let the {class_} mail of {slug} leave from SES's shared addresses again"
    return f"let the {class_} mail of {slug} leave from the IP pool {pool}"


@example("ann")
def by_plan(actor: str) -> str:
    """Why a tenant's mail is in a pool or has left it, if the plan says no reason."""
    return f"{actor} applied a plan"


# Why a step is refused -----------------------------------------------------------------------------------------------------


@example()
def bad_choice() -> str:
    """A step names no class and pool (422)."""
    return f"must be a class and an IP pool, such as `marketing bulk`, or `marketing {_SHARED}` to leave the pool"


@example("bulk")
def no_pool(name: str) -> str:
    """A step, a command or an address names an IP pool that does not exist."""
    return f"There is no IP pool {name}. `mailcordon pool list` has them; `mailcordon pool create` makes one."


@example("bulk", "transactional", marketing=True)
@example("receipts", "marketing", marketing=False)
def other_mail(name: str, class_: str, *, marketing: bool) -> str:
    """Marketing mail is to share a pool with other mail, or the other way round (409)."""
    of = "marketing mail" if marketing else "urgent and transactional mail"
    return (
        f"The IP pool {name} is for {of}. A complaint about a newsletter must not cost a receipt its place in the inbox, so"
        f" {class_} mail needs another pool: `mailcordon pool create`."
    )


@example("acme")
def needs_own_sets(slug: str) -> str:
    """A tenant that uses the shared configuration sets is to join a pool (409)."""
    return (
        f"SES chooses the pool by configuration set, and {slug} uses the sets that all tenants share. Give it sets of its own"
        f" first, in the same plan or before it: `mailcordon tenant topology {slug} --dedicated --because TEXT`."
    )


@example("acme", "marketing")
def no_such_mail(slug: str, class_: str) -> str:
    """A tenant without a lane of a class is to join a pool with that class (422)."""
    return f"{slug} has no lane of the class {class_}"


@example("acme", ["bulk"])
def in_pools(slug: str, pools: list[str]) -> str:
    """A tenant that is in IP pools is to use the shared configuration sets (409)."""
    return (
        f"Mail of {slug} leaves from {', '.join(pools)}, and the sets that all tenants share have no pool. Take it out first:"
        f" `mailcordon pool remove {pools[0]} {slug} --because TEXT`."
    )
