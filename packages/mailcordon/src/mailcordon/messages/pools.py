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


# Making and keeping pools --------------------------------------------------------------------------------------------------


@example()
def bad_name() -> str:
    """A new pool has a name that SES does not take, or one of SES's own (422)."""
    return "must be 1 to 64 letters, digits, `_` and `-`, and not begin with `ses-`"


@example(
    "bulk", tenants=["acme", "zen"], lanes=["acme/newsletter"], paths=[], sets=["mc-1-marketing"], plans=[]
)
@example("bulk", tenants=[], lanes=[], paths=["main"], sets=[], plans=["12"])
def in_use(
    name: str, *, tenants: list[str], lanes: list[str], paths: list[str], sets: list[str], plans: list[str]
) -> str:
    """A pool is to be deleted that something uses (409)."""
    uses = [
        f"{what} {', '.join(names[:5])}{', …' if len(names) > 5 else ''}{then}"
        for what, names, then in (
            ("mail of", tenants, " is in it (`mailcordon pool remove`)"),
            ("routes of", lanes, " name it"),
            ("the shared path", paths, " names it"),
            ("SES has it, or is to have it, on the set", sets, ""),
            ("the open plan", plans, " puts mail into it (`mailcordon plans reject`)"),
        )
        if names
    ]
    return f"The IP pool {name} is used: {'; '.join(uses)}."


@example("receipts", ["198.51.100.1"])
def has_addresses(name: str, addresses: list[str]) -> str:
    """A standard pool is to be deleted that has leased addresses (409)."""
    return (
        f"The IP pool {name} has leased addresses ({', '.join(addresses[:5])}{', …' if len(addresses) > 5 else ''}). Without it,"
        " SES would send mail of every set without a pool from them. Move them to another pool, or give them back to AWS, first."
    )


@example("bulk")
def deleted(name: str) -> str:
    """After a pool was deleted."""
    return f"The IP pool {name} is deleted here, and within a minute at SES."


@example()
def bad_owner() -> str:
    """A pool without an owner (422)."""
    return "must name a person or a team, in at most 200 characters"


@example(1_000_000)
def bad_minimum(most: int) -> str:
    """A pool's minimum volume is out of range (422)."""
    return f"must be from 0 to {most:,} mails a day"


@example(1_000)
def too_long(most: int) -> str:
    """A pool's escalation path is too long (422)."""
    return f"must have at most {most:,} characters"


@example()
def nothing_to_change() -> str:
    """A change of a pool says nothing (422)."""
    return "give an owner, a minimum or an escalation path"


@example("bulk")
def exists(name: str) -> str:
    """A new pool has the name of another one (409)."""
    return f"There is an IP pool {name} already."


@example(50)
def too_many(most: int) -> str:
    """The account has all pools that SES allows (409)."""
    return f"There are {most} IP pools, and SES allows no more in an account and region."


@example("acme", "bulk")
@example("acme", "ses-shared-pool")
def already_there(slug: str, pool: str) -> str:
    """A tenant's mail is to leave from where it leaves already (409)."""
    where = "SES's shared addresses" if pool == _SHARED else f"the IP pool {pool}"
    return f"Mail of {slug} leaves from {where} already."


@example("acme", "bulk")
def not_in_pool(slug: str, pool: str) -> str:
    """A tenant's mail is to be taken out of a pool in which it is not (404)."""
    return f"Mail of {slug} does not leave from the IP pool {pool}. `mailcordon pool show {pool}` has its members."


@example(managed=True, auto_warm_up=True)
@example(managed=False, auto_warm_up=True)
@example(managed=False, auto_warm_up=False)
@example(managed=False, auto_warm_up=None)
def overflow(*, managed: bool, auto_warm_up: bool | None) -> str:
    """Where mail goes that the addresses of a pool do not take yet."""
    if managed:
        return "what its addresses are not warm for leaves from SES's shared ones, by SES itself"
    if auto_warm_up is None:
        return "not known yet: whether SES warms addresses is a setting of the account"
    if auto_warm_up:
        return "while an address warms up, for 45 days, the rest leaves from warm ones of the pool or SES's shared ones"
    return (
        "none: SES's automatic warm-up is off, so all mail leaves from the pool's addresses at once, and the warm-up of the"
        " policy holds back what is too much for one day"
    )


# What is wrong with a pool --------------------------------------------------------------------------------------------------


@example("bulk", "ops")
def has_no_address(name: str, owner: str) -> str:
    """A standard pool with members has no address: its mail leaves from the shared ones."""
    return f"The IP pool {name} (owner: {owner}) has members and no address: their mail leaves from SES's shared addresses."


@example("bulk")
def has_no_address_next(name: str) -> str:
    """What to do about a pool without addresses."""
    return (
        f"Ask AWS support for dedicated IPs and put them into {name}, or take the members out:"
        f" `mailcordon pool remove {name} TENANT --because TEXT`."
    )


@example("bulk", "ops", "gmail", 420, 1_000)
def below_minimum(name: str, owner: str, provider: str, per_day: int, needed: int) -> str:
    """A provider sees too little of a pool to keep its opinion of it."""
    return (
        f"The IP pool {name} (owner: {owner}) sent {per_day:,} mails a day to {provider} in the last week; {needed:,} keep a"
        " reputation there."
    )


@example("bulk", "ops")
def is_silent(name: str, owner: str) -> str:
    """A pool has sent nothing for a week."""
    return f"The IP pool {name} (owner: {owner}) sent nothing in the last week. Its next mail is a burst after a silence."


@example("bulk")
def below_minimum_next(name: str) -> str:
    """What to do about a pool with too little mail."""
    return (
        f"Put more mail of the same kind into it, or go back to the shared addresses:"
        f" `mailcordon pool remove {name} TENANT --because TEXT`. `mailcordon pool show {name}` has the volumes and whom to call."
    )


@example("bulk", "ops", "gmail", 320, 9_000, 0.01)
def is_blocked(name: str, owner: str, provider: str, blocks: int, sent: int, usual: float) -> str:
    """A provider blocks mail from a pool."""
    return (
        f"{provider} blocked {blocks:,} of {sent:,} mails from the IP pool {name} (owner: {owner}) in the last week, surely"
        f" more than {usual:.1%}."
    )


@example("bulk", "ops", "yahoo", 40, 9_000, 0.001)
def has_complaints(name: str, owner: str, provider: str, complaints: int, sent: int, usual: float) -> str:
    """Too many people at a provider call mail from a pool spam."""
    return (
        f"People at {provider} complained about {complaints:,} of {sent:,} mails from the IP pool {name} (owner: {owner}) in"
        f" the last week, surely more than {usual:.1%}."
    )


@example("bulk")
def reputation_next(name: str) -> str:
    """What to do about a pool whose reputation slips."""
    return (
        f"Find who sends it: `mailcordon top --per tenant --by blocks`; every member of {name} pays for it. Cordon that"
        f" lane or take it out. `mailcordon pool show {name}` has whom to call."
    )


# On the command line --------------------------------------------------------------------------------------------------------


@example()
def none_yet() -> str:
    """`mailcordon pool list` without pools."""
    return "There is no IP pool: all mail leaves from SES's shared addresses. `mailcordon advise TENANT` says whether it should."


@example("bulk", "marketing", "ops", managed=True)
@example("receipts", "transactional", "ops", managed=False)
def heading(name: str, mail: str, owner: str, *, managed: bool) -> str:
    """The first line of `mailcordon pool show`."""
    kind = "managed" if managed else "standard"
    return f"IP pool {name}: {kind}, for {mail} mail; owner: {owner}"


@example(1_000)
def needs(minimum: int) -> str:
    """What a pool needs."""
    return f"needs {minimum:,} mails a day to each mailbox provider and address"


@example("what its addresses are not warm for leaves from SES's shared ones, by SES itself")
def overflows(what: str) -> str:
    """Where mail goes that a pool does not take."""
    return f"overflow: {what}"


@example("page mail-oncall")
@example("")
def escalates(path: str) -> str:
    """Whom to call about a pool."""
    return f"escalation: {path or 'nobody is named; set it with `mailcordon pool owner POOL --escalation TEXT --because TEXT`'}"


@example("BadRequestException: Pool limit exceeded")
def ses_refuses(error: str) -> str:
    """SES does not make a pool."""
    return f"SES: {error}"


@example([])
@example(["pool-empty", "pool-below-minimum"])
def wrong(codes: list[str]) -> str:
    """What is wrong with a pool, in a list."""
    return ", ".join(dict.fromkeys(codes)) or "nothing"


@example(at_ses=True)
@example(at_ses=False)
def yes_or_soon(*, at_ses: bool) -> str:
    """Whether SES has a pool on a configuration set."""
    return "yes" if at_ses else "not yet"


@example(60)
@example(None)
def warmth(percentage: int | None) -> str:
    """How warm an address is."""
    return "by SES, per provider" if percentage is None else f"{percentage} %"
