"""The three decisions about how a tenant sends: its domains, its configuration sets and its IP addresses (docs/ip-pools.md)."""

from mailcordon.messages import phrases
from mailcordon.messages.catalogue import example

# Identity ------------------------------------------------------------------------------------------------------------------


@example("acme", ["acme.platform.example"])
def leave_shared_domain(slug: str, domains: list[str]) -> str:
    """The advice to send from a domain of the tenant's own."""
    return f"Let {slug} send from a domain of its own: {phrases.listed(domains)} is below a domain that tenants share."


@example("acme", ["acme.example"])
def split_domain(slug: str, domains: list[str]) -> str:
    """The advice to give marketing a domain of its own."""
    return f"Move the marketing of {slug} to a domain of its own: it shares {phrases.listed(domains)} with other mail."


@example("acme")
def keep_domains(slug: str) -> str:
    """The advice to keep the domains."""
    return f"Keep the domains of {slug}: no other tenant sends from them, and marketing has its own."


@example()
def identity_buys() -> str:
    """What a domain of its own buys."""
    return (
        "Mailbox providers judge a domain. What one kind of mail does to it then costs no other kind, and no other tenant, its"
        " place in the inbox."
    )


@example("acme.example", ["invoice", "newsletter"])
def domain_carries(domain: str, types: list[str]) -> str:
    """What leaves from a domain."""
    return f"{domain} carries {phrases.listed(types)}"


@example()
def identity_mistake() -> str:
    """The common mistake about domains."""
    return "A domain is shared because its DNS records exist already; nobody can take its reputation apart afterwards."


@example()
def identity_rung() -> str:
    """What comes after a domain of its own."""
    return "A domain for each lane that matters by itself."


# Configuration set ---------------------------------------------------------------------------------------------------------


@example("acme")
def keep_own_sets(slug: str) -> str:
    """The advice to keep a tenant's own sets."""
    return f"Keep the configuration sets of {slug}: they are its own."


@example("acme")
def take_own_sets(slug: str) -> str:
    """The advice to give a tenant sets of its own."""
    return f"Give {slug} configuration sets of its own."


@example("acme")
def keep_shared_sets(slug: str) -> str:
    """The advice to keep the shared sets."""
    return (
        f"Keep the shared configuration sets for {slug}: reputation and suppression are kept by SES tenant, so sets of its own"
        " would change neither."
    )


@example("acme", 120_000, 900_000, 28)
@example("acme", 0, 0, 28)
def share_of_mail(slug: str, sent: int, of: int, days: int) -> str:
    """A tenant's part of the mail."""
    share = f"{sent / of:.1%}" if of else "none"
    return f"{slug} sent {sent:,} of {of:,} mails in the last {days} days: {share}"


@example()
def pool_needs_set() -> str:
    """An IP pool needs a set of its own."""
    return "its mail belongs into an IP pool, and SES chooses the pool by configuration set"


@example()
def set_buys() -> str:
    """What sets of its own buy."""
    return (
        "A switch, an IP pool and CloudWatch figures for this tenant alone. No better reputation: that belongs to domain and"
        " address."
    )


@example()
def set_mistake() -> str:
    """The common mistake about sets."""
    return "One set for all mail, filtered afterwards: what cannot be told apart in its events cannot be stopped alone."


@example("acme", per_class=False)
@example("acme", per_class=True)
def set_rung(slug: str, *, per_class: bool) -> str:
    """What comes after sets of its own."""
    if per_class:
        return "An IP pool."
    return f"An SES tenant per class: `mailcordon tenant topology {slug} --ses-tenants per-class --because TEXT`."


# IP ------------------------------------------------------------------------------------------------------------------------


@example("acme", "marketing", "bulk")
def leave_pool(slug: str, kind: str, pool: str) -> str:
    """The advice to go back to the shared addresses."""
    return f"Take the {kind} mail of {slug} out of {pool}, back to SES's shared addresses."


@example("acme", "marketing", "bulk")
def stay_in_pool(slug: str, kind: str, pool: str) -> str:
    """The advice to stay in a pool."""
    return f"Keep the {kind} mail of {slug} in {pool}."


@example("acme", "marketing", "small")
@example("acme", "marketing", "nothing-lost")
def stay_shared(slug: str, kind: str, why: str) -> str:
    """The advice to stay on the shared addresses."""
    return f"Keep the {kind} mail of {slug} on SES's shared addresses: {because_of(why)}."


@example("acme", "marketing", "managed", 0)
@example("acme", "marketing", "standard", 2)
def take_own_ips(slug: str, kind: str, choice: str, ips: int) -> str:
    """The advice to take dedicated addresses."""
    what = "a managed pool" if choice == "managed" else f"a standard pool of {phrases.count(ips, 'address')}"
    return f"Let the {kind} mail of {slug} leave from {what}."


@example("acme")
def no_mail_for_ips(slug: str) -> str:
    """There is no lane to decide about."""
    return f"{slug} has no lanes, so there is nothing to decide."


@example()
def ip_buys() -> str:
    """What dedicated addresses buy."""
    return (
        "The blocks that other senders cause on the shared addresses end. Blocks that the mail causes itself stay, and weigh"
        " more on an address that nobody else warms."
    )


@example()
def ip_mistake() -> str:
    """The common mistake about dedicated addresses."""
    return "Dedicated is taken for better. Below its volume an address is unknown to providers, and an unknown one is distrusted."


@example()
def ip_rung() -> str:
    """What comes after a pool."""
    return "A cell: another account or region, with limits and a reputation of its own at SES."


@example("marketing", 4_200.0, 42, 1.0, 0)
@example("marketing", 40.0, 12, 0.4, 5)
def volume(kind: str, per_day: float, history: int, active: float, silence: int) -> str:
    """Volume and consistency of one kind of mail."""
    said = f"{kind}: {per_day:,.0f} mails a day over {phrases.count(history, 'day')}, with mail on {active:.0%} of them"
    return f"{said}; longest silence {phrases.count(silence, 'day')}" if silence else said


@example("young")
@example("small")
@example("own-blocks")
@example("scattered")
@example("bursts")
@example("silent")
@example("nothing-lost")
@example("neighbours")
@example("kept")
def because_of(why: str) -> str:
    """What speaks for or against dedicated addresses."""
    return {
        "young": "the history is shorter than 4 weeks, and providers need 2 to 6 to form an opinion",
        "small": "it is a few hundred mails a day, and an address needs more to be known",
        "own-blocks": "providers block it more than others' mail from the same addresses, and such blocks go with it",
        "scattered": "most of it goes to providers that would see too little of an address to know it",
        "bursts": "its weeks differ too much, and bursts look like spam",
        "silent": "it is silent for a week and more, and what comes after a silence looks like spam",
        "nothing-lost": "it could carry addresses of its own, and loses nothing without them",
        "neighbours": "other senders on the shared addresses cause blocks that hit it",
        "kept": "it still carries the addresses that it has",
    }[why]


@example("gmail", 0.62, 2_600.0, 1.0, served=True)
@example("yahoo", 0.05, 200.0, 0.0, served=False)
def seat(provider: str, share: float, per_day: float, enough: float, *, served: bool) -> str:
    """What one provider would see of an address."""
    verdict = "would know an address" if served else "would not come to know an address"
    return (
        f"{provider}: {share:.0%} of it, {per_day:,.0f} a day, enough on {enough:.0%} of the days: {verdict}"
    )


@example("marketing", 84.0, 0.0)
@example("marketing", 0.0, 700.0)
def stays_or_goes(kind: str, staying: float, going: float) -> str:
    """What is lost by staying, and by going."""
    return (
        f"{kind}: staying costs {staying:,.0f} mails a day that are blocked because of others; going sends {going:,.0f} a day to"
        " providers that would not know the address"
    )


# Prices --------------------------------------------------------------------------------------------------------------------


@example("Expected '=' after a key")
def prices_unreadable(why: str) -> str:
    """The price file is no TOML."""
    return f"is no TOML: {why}"


@example()
def prices_need_date() -> str:
    """The price file has no date."""
    return "needs the day on which the prices were looked up, such as 2026-11-01"


@example()
def prices_need_currency() -> str:
    """The price file has no currency."""
    return 'needs the currency of all prices, such as "USD"'


@example(["million", "month"])
def price_unknown(known: list[str]) -> str:
    """The price file has a member that nothing reads."""
    return f"is not one of: {', '.join(known)}"


@example()
def price_wrong() -> str:
    """A price is no amount."""
    return "must be an amount from 0 on"


@example("acme", "identity")
def nothing_to_plan(slug: str, decision: str) -> str:
    """An advice that changes nothing is to be planned."""
    return f"The advice about the {decision} of {slug} is to change nothing, so there is nothing to plan."


@example("mailcordon pool create acme-marketing --for marketing --managed --owner WHO --because TEXT")
def person_first(command: str) -> str:
    """An advice is to be planned, and a person has to do something first (409)."""
    return f"A person has to act first: `{command}`. Then ask for the plan again."


# On the command line --------------------------------------------------------------------------------------------------------


@example("acme")
def heading(slug: str) -> str:
    """The first line of `mailcordon advise`."""
    return f"Three decisions about {slug}, each by itself:"


@example("identity", change=True)
@example("IP", change=False)
def decision(name: str, *, change: bool) -> str:
    """The line above one advice."""
    return f"{name}: {'change it' if change else 'keep it'}"


@example("the blocks of others end")
def buys(what: str) -> str:
    """What following an advice buys."""
    return f"buys: {what}"


@example(24.95, "USD", [], [], 6, 45)
@example(15.0, "USD", [], ["month.managed_pools"], 6, 45)
@example(None, "USD", ["month.identity"], [], 1, 0)
@example(0.0, "USD", [], [], 0, 0)
def costs(
    monthly: float | None, currency: str, unknown: list[str], unchecked: list[str], calls: int, days: int
) -> str:
    """What following an advice costs."""
    if monthly is None:
        money = f"an amount that the price file lacks ({', '.join(unknown)})"
    else:
        money = f"{monthly:+,.2f} {currency} a month" if monthly else "nothing a month"
    if monthly is not None and unchecked:
        money += f" (by prices that were not looked up: {', '.join(unchecked)})"
    said = [money, phrases.count(calls, "call") + " to SES"]
    if days:
        said.append(f"{phrases.count(days, 'day')} until it is warm")
    return f"costs: {'; '.join(said)}"


@example("a domain is shared because it is there")
def common_mistake(what: str) -> str:
    """The common mistake about a decision."""
    return f"common mistake: {what}"


@example("a cell")
def rung_after(what: str) -> str:
    """What comes after a decision."""
    return f"after it: {what}"


@example("acme", "identity", None)
@example(
    "acme", "IP", "mailcordon pool create acme-marketing --for marketing --managed --owner WHO --because TEXT"
)
def to_follow(slug: str, decision: str, command: str | None) -> str:
    """How to follow an advice."""
    return f"to follow it: `{command or f'mailcordon advise {slug} --plan {decision} --because TEXT'}`"


@example("2026-11-01", "USD")
def priced(dated: str, currency: str) -> str:
    """Where the prices come from."""
    return f"Prices of {dated}, in {currency}. Yours: a file prices.toml in the server's home; docs/ip-pools.md says what it has."


@example(["thousand_mails.managed_ips"])
def not_looked_up(names: list[str]) -> str:
    """Prices of the fleet's lines that were written from memory."""
    return f"Not looked up, and so perhaps wrong: {', '.join(names)}. Check them in AWS's price list."


@example(["month.ses_tenant"])
def left_out(names: list[str]) -> str:
    """Prices that no line of the fleet has."""
    return f"Not counted, since the price file lacks them: {', '.join(names)}."


@example("2026-11-28 15:23:01Z")
def counted(at: str) -> str:
    """When the figures of the fleet were counted."""
    return f"Counted at {at}, and counted again each hour."


@example()
def not_counted() -> str:
    """The list of the fleet before it was counted for the first time."""
    return "Not counted yet: control counts when it starts, and each hour."


@example()
def nobody_sends() -> str:
    """`mailcordon advise --fleet` without tenants."""
    return "There are no tenants."


@example()
def tenant_or_fleet() -> str:
    """`mailcordon advise` with a tenant and --fleet, or without both."""
    return "give a TENANT, or --fleet for all of them"


@example()
def plan_of_a_tenant() -> str:
    """`mailcordon advise --plan` without a tenant or a reason."""
    return "--plan goes with a TENANT and --because TEXT"
