"""What is said of mail that did not pass through Mailcordon, and of an installation that only observes."""

from mailcordon.messages import example, phrases


@example()
def not_mapped() -> str:
    """The result of an event that no rule maps to a tenant, while the installation observes only."""
    return "No rule says whose mail this is: it is counted as unmapped."


@example(recipients=2)
def no_delivery(*, recipients: int) -> str:
    """Why an event of a tenant's observed mail is in quarantine: it is about no recipient of its mail, or its mail is of the
    future."""
    return f"The event is about none of its mail's {recipients} recipients, or names a time that is still to come."


@example(most=1000)
def rules_at_once(*, most: int) -> str:
    """A request names no rule, or too many."""
    return f"must have 1 to {most} rules; send more requests for more"


@example(first=0)
def rule_twice(*, first: int) -> str:
    """A request has two rules for the same value."""
    return f"goes by the same value as rules[{first}]"


@example()
def type_missing() -> str:
    """A rule says nothing of the message type of its mail."""
    return "name a message type, or the tag whose value is the message type (type_tag)"


@example()
def tag_name_wrong() -> str:
    """A rule by tag has no name of the tag, or another one has."""
    return "a rule by tag names the tag, and no other rule does"


@example()
def bad_tag_name() -> str:
    """The name of a tag in a rule cannot be one."""
    return "a tag's name has 1 to 256 letters, digits and _ - : ."


@example(longest=320)
def bad_tag_value(*, longest: int) -> str:
    """The value of a tag in a rule cannot be one."""
    return f"a tag's value has 1 to {longest} characters"


@example()
def bad_set_name() -> str:
    """The name of a configuration set in a rule cannot be one."""
    return "a configuration set's name has 1 to 64 letters, digits, _ and -"


@example(by="tag", value="customer=7", tenant="acme")
def rule_exists(*, by: str, value: str, tenant: str) -> str:
    """A rule for a value that is mapped already, to another tenant or type."""
    return f"{by} {value} is mapped to {tenant} with other terms; unmap it first, or replace it (--replace)"


@example(most=100000)
def too_many_rules(*, most: int) -> str:
    """There would be more rules than an observer keeps."""
    return f"there are {most} rules at most; map by a domain or a tag that covers more mail"


@example(slug="acme")
def tenant_retired(*, slug: str) -> str:
    """A rule names a tenant that is retired."""
    return f"{slug} is retired; choose another name for the tenant whose mail this is"


@example(types=["invoice", "newsletter"])
def unknown_types(*, types: list[str]) -> str:
    """Rules name message types that the catalogue does not have."""
    return f"no message types: {', '.join(types)}; `mailcordon type add` adds one"


@example(id=12)
def no_rule(*, id: int) -> str:
    """There is no rule with this number."""
    return f"there is no rule {id}"


@example(added=1, replaced=0, unchanged=0, new_tenants=["acme"])
@example(added=0, replaced=2, unchanged=10, new_tenants=[])
def mapped(*, added: int, replaced: int, unchanged: int, new_tenants: list[str]) -> str:
    """The result of `mailcordon observe map` and `import`."""
    counts = [f"{phrases.count(added, 'rule')} added"]
    counts += [f"{replaced} replaced"] if replaced else []
    counts += [f"{unchanged} unchanged"] if unchanged else []
    shown = [*new_tenants[:5], f"{len(new_tenants) - 5} more"] if len(new_tenants) > 6 else new_tenants
    made = f". New tenants, observed only: {phrases.listed(shown)}" if new_tenants else ""
    return ", ".join(counts) + made


@example(rule="tag customer=7 -> acme")
def unmapped(*, rule: str) -> str:
    """The result of `mailcordon observe unmap`."""
    return f"Removed: {rule}. What was counted stays; later mail is not mapped by it"


@example()
def nothing_unmapped() -> str:
    """`mailcordon observe unmapped` has nothing to show."""
    return "All mail that was observed is mapped to a tenant."


@example()
def no_rules() -> str:
    """`mailcordon observe list` has nothing to show."""
    return "There are no rules yet. `mailcordon observe map --help` has examples."


@example(line=3, has=5, needs=6)
def csv_columns_wrong(*, line: int, has: int, needs: int) -> str:
    """A line of the file for `mailcordon observe import` has not the columns of the first line."""
    return f"line {line} has {phrases.count(has, 'column')}, and the first line names {needs}"


@example(line=1002)
def import_stopped(*, line: int) -> str:
    """`mailcordon observe import` is refused after a part of the file is stored."""
    return f"What stands before line {line} is stored: correct the file and import it again"


@example(line=3, why="field larger than field limit (131072)")
def csv_unreadable(*, line: int, why: str) -> str:
    """The file for `mailcordon observe import` is not CSV."""
    return f"line {line} cannot be read as CSV: {why}"


@example(["--tag", "--set", "--from", "--identity"])
def give_one_of(options: list[str]) -> str:
    """`mailcordon observe map` without an option that says which mail, or with several."""
    return f"give one of {', '.join(options[:-1])} and {options[-1]}"


@example(given="customer")
def tag_without_value(*, given: str) -> str:
    """`mailcordon observe map --tag` with a tag that has no value."""
    return f"--tag takes NAME=VALUE, not {given}"


@example(columns="by,name,value,tenant,type,type_tag")
def csv_header_wrong(*, columns: str) -> str:
    """The file for `mailcordon observe import` has other columns."""
    return f"The first line must name the columns: {columns}"


@example()
def sends_already() -> str:
    """A process was started with MAILCORDON_OBSERVE_ONLY=yes, and the installation has lanes that send."""
    return (
        "This installation has lanes that send, so it cannot observe only: remove MAILCORDON_OBSERVE_ONLY=yes, or observe with an"
        " installation of its own (another database)"
    )


@example()
def dispatch_refused() -> str:
    """The role `dispatch` was started in an installation that observes only."""
    return "This installation observes only, so nothing is dispatched. MAILCORDON_OBSERVE_ONLY=no makes it one that sends"


@example()
def nothing_is_applied() -> str:
    """A tenant was onboarded, or a plan applied, in an installation that observes only."""
    return (
        "This installation observes only, so nothing is changed at SES. `mailcordon observe map` names a tenant of mail that"
        " others send; start the processes with MAILCORDON_OBSERVE_ONLY=no to send"
    )


@example()
def observes_only() -> str:
    """`status`, of an installation that observes only."""
    return "This installation observes only: it sends nothing and changes nothing at SES"


@example()
def how_to_end() -> str:
    """`status`: how an installation begins to send."""
    return "MAILCORDON_OBSERVE_ONLY=no makes it one that sends"


@example(events=1200, origins=1, identity="mail.acme.example")
@example(events=1200, origins=3, identity="mail.acme.example")
def status_unmapped(*, events: int, origins: int, identity: str) -> str:
    """`status`: mail that no rule names, of today and yesterday."""
    others = "" if origins == 1 else f" and {phrases.count(origins - 1, 'other origin')}"
    return f"{phrases.count(events, 'event')} of mail from {identity or 'an unnamed identity'}{others} are of no known tenant"


@example()
def status_unmapped_next() -> str:
    """`status`: what to do about mail that no rule names."""
    return "`mailcordon observe unmapped` shows it; `mailcordon observe map` says whose it is"


@example(tenant="acme")
def cannot_hold(*, tenant: str) -> str:
    """A cordon of mail that does not pass through us."""
    return f"This mail of {tenant} does not pass through Mailcordon, so nothing here can hold it: stop it where it is sent"


@example(tenant="acme")
def stop_at_source(*, tenant: str) -> str:
    """What to do about a rate that is too high, of mail that does not pass through us."""
    return (
        "The mail does not pass through Mailcordon, so nothing here can hold it."
        f" Stop it where it is sent, and ask {tenant} where the addresses come from."
    )


@example(tenant="acme", type="newsletter")
def show_mail(*, tenant: str, type: str) -> str:
    """The command that shows mail that does not pass through us."""
    return f"mailcordon messages --tenant {tenant} --type {type}"


@example(tenant="acme")
def tenant_is_observed(*, tenant: str) -> str:
    """`tenant show`, of a tenant whose mail does not pass through us."""
    return (
        f"{tenant} is observed only: its mail does not pass through Mailcordon, and nothing of it is at SES."
        f" `mailcordon metrics --tenant {tenant}` counts its mail, `mailcordon tenant onboard {tenant}` lets it send."
    )


@example("newsletter", "acme")
def sent_by_others(type: str, tenant: str) -> str:
    """The first entry of the timeline of a mail that did not pass through us."""
    return f"{type} of {tenant}, sent to SES by another program"
