"""The report of `mailcordon assess`: whether to migrate and why now, in which order, how long it takes, and what is not known."""

from collections.abc import Sequence

from mailcordon.messages import phrases
from mailcordon.messages.catalogue import example

_MOST_NAMED = 5


def _who(tenants: Sequence[str]) -> str:
    named = list(tenants[:_MOST_NAMED])
    if (rest := len(tenants) - len(named)) > 0:
        named.append(phrases.count(rest, "more tenant"))
    return phrases.listed(named)


def _time(seconds: float) -> str:
    if seconds < 90:
        return phrases.count(round(seconds), "second")
    minutes = seconds / 60
    return phrases.count(round(minutes), "minute") if minutes < 90 else f"{minutes / 60:.1f} hours"


# Reading ------------------------------------------------------------------------------------------------------------------


@example(calls=310, seconds=290.0, identities=24, sets=30, tenants=12)
@example(calls=310, seconds=0.0, identities=24, sets=30, tenants=12)
def forecast(*, calls: int, seconds: float, identities: int, sets: int, tenants: int) -> str:
    """Before an account is read: how much there is and how long it takes."""
    what = phrases.listed(
        [
            f"{identities:,} {'identity' if identities == 1 else 'identities'}",
            f"{sets:,} configuration {'set' if sets == 1 else 'sets'}",
            f"{tenants:,} SES {'tenant' if tenants == 1 else 'tenants'}",
        ]
    )
    long = f" It takes about {_time(seconds)}." if seconds else ""
    return f"The account has {what}: {calls:,} more calls to SES.{long}"


@example(operation="GetEmailIdentity", done=100, of=2_000)
def progress(*, operation: str, done: int, of: int) -> str:
    """While an account is read."""
    return f"{operation}: {done:,} of {of:,}"


@example(seconds=14_000.0)
def keep_it(*, seconds: float) -> str:
    """A long reading without a file that keeps what was read."""
    return (
        f"Reading this account takes about {_time(seconds)}. Name a file with --keep FILE, so that an interruption loses "
        "nothing: the next run with the same file goes on where this one ended."
    )


@example()
def no_account() -> str:
    """There is no local SES, and --aws was not given."""
    return (
        "There is no account to read. Say --aws to read the one in AWS that your credentials are for, --endpoint URL for a local "
        "SES, or --recording FILE for what an earlier run has kept."
    )


@example(file="account.jsonl", line=3)
def bad_recording(*, file: str, line: int) -> str:
    """A recording cannot be read."""
    return f"{file}, line {line}: this is not a recording of mailcordon assess."


@example(file="account.jsonl", recorded="eu-west-1", region="us-east-1")
def other_region(*, file: str, recorded: str, region: str) -> str:
    """A recording of another region is to be continued."""
    return f"{file} has the account's answers in {recorded}, and you ask for {region}. Name another file with --keep."


@example(line=4, why="a tenant is missing")
def bad_rules(*, line: int, why: str) -> str:
    """A line of the file of --rules."""
    return f"Line {line} of the rules is wrong: {why}. The columns are by,name,value,tenant,type,type_tag (docs/observe-only.md)."


@example(file="events.jsonl", why="No such file or directory")
def file_not_readable(*, file: str, why: str) -> str:
    """A file that was named cannot be read or written."""
    return f"{file}: {why}."


@example(file="events.jsonl")
def no_events(*, file: str) -> str:
    """A file of --events has no event of SES."""
    return f"{file} has no event of SES. It takes JSON lines, or the objects that Firehose writes to S3."


# What is not known --------------------------------------------------------------------------------------------------------

_TELLS = {
    "BatchGetMetricData": "what each tenant, domain and mailbox provider was sent, and what came back",
    "GetAccount": "the account's state, quota and suppression reasons",
    "GetConfigurationSet": "pools, suppression overrides and stops of configuration sets",
    "GetConfigurationSetEventDestinations": "whether bounces and complaints of configuration sets arrive anywhere",
    "GetDedicatedIpPool": "the kind of each IP pool",
    "GetDedicatedIps": "dedicated IPs and their warm-up",
    "GetEmailIdentity": "authentication and settings of identities",
    "GetSendStatistics": "the account's own rates of the last two weeks",
    "GetMetricData": "what CloudWatch has counted, and SES's own rates of account and configuration sets",
    "GetTenant": "which suppression list each SES tenant uses",
    "ListConfigurationSets": "which configuration sets there are",
    "ListDedicatedIpPools": "which IP pools there are",
    "ListEmailIdentities": "which identities there are",
    "ListMetrics": "which tenants, configuration sets and tags CloudWatch counts",
    "ListRecommendations": "what SES itself finds wrong",
    "ListReputationEntities": "reputation policies and findings of SES tenants",
    "ListSuppressedDestinations": "how large the account's suppression list is",
    "ListTenantResources": "which identities and sets belong to which SES tenant",
    "ListTenants": "which SES tenants there are",
}


_OF_CLOUDWATCH = frozenset({"GetMetricData", "ListMetrics"})


@example(operation="ListTenants", why="denied", said="")
@example(operation="GetMetricData", why="denied", said="")
@example(operation="GetTenant", why="failed", said="Internal failure")
@example(operation="BatchGetMetricData", why="off", said="")
@example(operation="GetAccount", why="not-recorded", said="")
def missing(*, operation: str, why: str, said: str) -> str:
    """Something could not be read: what is therefore not known, and what would tell."""
    what = _TELLS.get(operation, operation)
    right = "cloudwatch" if operation in _OF_CLOUDWATCH else "ses"
    match why:
        case "denied":
            return f"Not known: {what}. The role lacks {right}:{operation} (mailcordon iam assess has it)."
        case "off":
            return (
                f"Not known: {what}. Virtual Deliverability Manager is off; it costs extra. Events tell the same: --events FILE, "
                "or mailcordon up --observe-only (docs/observe-only.md)."
            )
        case "not-recorded":
            return f"Not known: {what}. The recording has no answer to {operation}."
        case _:
            whose = "CloudWatch" if right == "cloudwatch" else "SES"
            return f"Not known: {what}. {whose} did not answer {operation}: {said.rstrip('.')}."


@example(tenants=["acme", "zen"])
def not_counted(*, tenants: Sequence[str]) -> str:
    """Nothing says how much these tenants send."""
    return (
        f"Not known: how much mail {_who(tenants)} {'sends' if len(tenants) == 1 else 'send'}, and so whether it endangers "
        "others. Events tell: --events FILE."
    )


@example(mails=1_200, share=0.03)
def unattributed(*, mails: int, share: float) -> str:
    """Events of mail that nothing names a tenant of."""
    return f"Not known: whose {mails:,} mails are ({share * 100:.1f} % of the events). Name their tenants: --rules FILE."


@example(mails=1_200)
@example(mails=1)
def unmapped(*, mails: int) -> str:
    """A running Mailcordon saw mail that no rule maps."""
    what = "1 observed mail is" if mails == 1 else f"{mails:,} observed mails are"
    return f"Not known: whose {what}. Map it: mailcordon observe unmapped says what a rule could go by."


@example(tenants=["acme", "zen"], others=False)
@example(tenants=["acme"], others=True)
def providers_not_known(*, tenants: Sequence[str], others: bool) -> str:
    """Nothing says which mailbox providers these tenants mail. `others`: it is known of other tenants."""
    what = f"Not known: which mailbox providers {_who(tenants)} {'mails' if len(tenants) == 1 else 'mail'}"
    if others:
        return f"{what}: only sources that do not tell providers apart have counted their mail."
    return (
        f"{what}: Virtual Deliverability Manager is off or not readable, and the other sources do not tell providers apart. "
        "A Mailcordon that observes does: --observed."
    )


@example(tenants=12)
def guessed(*, tenants: int) -> str:
    """Tenants that only names of domains or tags speak of."""
    return (
        f"{phrases.sentence(phrases.count(tenants, 'tenant'))[:-1]} {'is a guess' if tenants == 1 else 'are guesses'} from tags, "
        "subdomains or organisational domains: confirm them in the tenants file."
    )


# Verdict ------------------------------------------------------------------------------------------------------------------


@example(answer="migrate-now")
@example(answer="migrate")
@example(answer="repair")
@example(answer="stay")
def verdict(*, answer: str) -> str:
    """Whether to migrate."""
    return {
        "migrate-now": "Migrate now.",
        "migrate": "Migrate, before the first bad week.",
        "repair": "There is nothing to move. Repair what is below.",
        "stay": "Stay as you are.",
    }[answer]


@example(tenants=1)
@example(tenants=0)
def one_tenant(*, tenants: int) -> str:
    """There are not two tenants that could harm each other."""
    return "There is one tenant: nobody else can be harmed." if tenants else "No tenant was found."


@example(tenants=12)
def all_apart(*, tenants: int) -> str:
    """The tenants share nothing but the account."""
    return f"The {tenants:,} tenants share the account and nothing else."


@example(sharing=["acme", "zen"], what=["identity", "set"])
def sharing(*, sharing: Sequence[str], what: Sequence[str]) -> str:
    """Why: what is shared."""
    words = {
        "identity": "a From domain",
        "organisation": "an organisational domain",
        "set": "a configuration set",
        "pool": "an IP pool",
        "suppression": "the suppression list",
        "account": "the account",
    }
    return f"{_who(sharing)} share {phrases.listed([words[each] for each in what])} with others."


@example(tenants=["acme"])
def some_endanger(*, tenants: Sequence[str]) -> str:
    """Why now: somebody is over a limit of SES already."""
    return f"{_who(tenants)} had a week over a limit of SES, on ground that others stand on."


@example(tenants=["acme"])
def some_tipped(*, tenants: Sequence[str]) -> str:
    """Why now: the account was over a limit of SES because of one tenant."""
    return f"The account was over a limit of SES in a week in which it would not have been without {_who(tenants)}."


@example(what="account-under-review", names=[])
@example(what="set-stopped", names=["main"])
def stopped_for_all(*, what: str, names: Sequence[str]) -> str:
    """Why now: something that all use is stopped or near it at present."""
    match what:
        case "account-stopped":
            return "The account is stopped for everybody at present."
        case "account-under-review":
            return "SES reviews the account at present."
        case _:
            return f"Configuration set {phrases.listed(list(names))}, which several tenants share, is stopped at present."


@example(told=True)
@example(told=False)
@example(told=None)
def trigger(*, told: bool | None) -> str:
    """The question that decides: did you ever throttle everybody because of one?"""
    match told:
        case True:
            return "You have throttled everybody because of one tenant: that is the sign to isolate."
        case False:
            return "You have never throttled everybody because of one tenant."
        case None:
            return (
                "Did you ever throttle or stop everybody because of one tenant? That is the sign to isolate, and the account "
                "cannot say: answer with --throttled-everybody or --never-throttled."
            )


# Order and calendar -------------------------------------------------------------------------------------------------------


@example(why="pilot", tenant="zen")
@example(why="endangers", tenant="acme")
@example(why="critical", tenant="shop")
@example(why="rest", tenant="bolt")
def moves_because(*, why: str, tenant: str) -> str:
    """Why a tenant moves at its place in the order."""
    return {
        "pilot": f"{tenant} is healthy and has least to lose: it proves the way.",
        "endangers": f"{tenant} endangers the others: nobody is safe before it has moved.",
        "critical": f"{tenant} has mail that costs money or locks people out when it is missing.",
        "rest": f"{tenant} loses least by waiting.",
    }[why]


@example(driver="domains", number=12, days=7.0)
@example(driver="authentication", number=3, days=2.0)
@example(driver="types", number=4, days=1.0)
@example(driver="suppression", number=40_000, days=0.5)
@example(driver="warm-up", number=250_000, days=19.0)
@example(driver="steps", number=5, days=10.0)
def driver(*, driver: str, number: int, days: float) -> str:
    """What takes time in a migration."""
    what = {
        "domains": f"{number:,} new domains whose owners must publish DNS records",
        "authentication": f"{number:,} domains whose DKIM or MAIL FROM must be mended",
        "types": f"{number:,} message types to confirm with those who send them",
        "suppression": f"{number:,} entries of the suppression list, one call each",
        "warm-up": f"a new domain that will send {number:,} mails a day doubles from a few hundred",
        "steps": f"{number:,} steps of a rollout, two days each at least",
    }[driver]
    return f"{what}: about {days:.1f} days"


@example(number=1, part="prepare", tenants=[])
@example(number=2, part="pilot", tenants=["zen"])
@example(number=3, part="endangers", tenants=["acme"])
@example(number=4, part="critical", tenants=["shop"])
@example(number=5, part="rest", tenants=["bolt"])
@example(number=6, part="finish", tenants=[])
def week(*, number: int, part: str, tenants: Sequence[str]) -> str:
    """A week of the calendar."""
    what = {
        "prepare": "observe, confirm tenants and types, publish DNS records, take the suppression list apart",
        "pilot": f"move {_who(tenants)} in steps of 1, 5, 25, 50 and 100 %",
        "endangers": f"move those who endanger others: {_who(tenants)}",
        "critical": f"move critical mail: {_who(tenants)}",
        "rest": f"move the rest: {_who(tenants)}",
        "warm-up": f"new domains grow to their full volume: {_who(tenants)}",
        "finish": "retire the old path",
    }[part]
    return f"Week {number}: {what}."


@example(weeks=9, most=6)
def too_long(*, weeks: int, most: int) -> str:
    """The calendar does not fit."""
    return (
        f"This does not fit into {most} weeks: about {weeks}. Move those who endanger others and critical mail in the first "
        f"{most}, and the rest after."
    )


# The tenants file ---------------------------------------------------------------------------------------------------------


@example()
def tenants_file() -> str:
    """The head of the tenants file."""
    return (
        "Written by mailcordon assess. Guesses are marked: confirm or change them, then run mailcordon plan -f on this file.\n"
        "A domain that tenants share is replaced by one below it. Better is a domain that belongs to the tenant."
    )


@example(by="tag")
@example(by="sibling")
@example(by="organisation")
def guessed_tenant(*, by: str) -> str:
    """Beside a tenant that is a guess."""
    return {
        "tag": "guess: a tag names it",
        "sibling": "guess: a subdomain is named so",
        "organisation": "guess: an organisational domain is named so",
    }[by]


@example(word="reset", where="subject", critical=True)
@example(word="", where="", critical=False)
@example(word="invoice", where="rule", critical=True)
def guessed_type(*, word: str, where: str, critical: bool) -> str:
    """Beside a message type that is a guess."""
    if where == "rule":
        return "revenue-critical" if critical else ""
    places = {"set": "the configuration set", "from": "the sender", "tag": "a tag", "subject": "subjects"}
    why = f'guess: "{word}" in {places[where]}' if word else "guess: nothing says what it is"
    return f"{why}; revenue-critical" if critical else why


@example(domain="mail.platform.example", others=11)
def shared_domain(*, domain: str, others: int) -> str:
    """Beside a domain that replaces a shared one."""
    return f"instead of {domain}, shared with {phrases.count(others, 'other tenant')}"


@example(domain="platform.example")
def domain_above(*, domain: str) -> str:
    """Beside a domain that replaces one above domains of other tenants."""
    return f"instead of {domain}, which is above domains of other tenants"


@example(file="tenants.yaml")
def file_written(*, file: str) -> str:
    """The tenants file was written."""
    return f"Written to {file}. Edit it, then: mailcordon plan -f {file}"


@example(file="tenants.yaml")
def file_exists(*, file: str) -> str:
    """The tenants file exists, perhaps with somebody's edits."""
    return f"{file} exists already, perhaps with your changes. Name another file with --tenants-file, or move it away."
