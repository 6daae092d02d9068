"""What `mailcordon doctor --aws` says of AWS, of the database's settings and of the way to this installation (docs/aws.md)."""

from collections.abc import Sequence

from mailcordon.messages import example, phrases


@example(
    what="the account",
    why="AccessDeniedException: not authorized",
    do="give the role administer what `mailcordon iam administer` prints",
)
def cannot(*, what: str, why: str, do: str) -> str:
    """Something could not be checked, or is not as it must be."""
    return f"Cannot check {what}, because {why.rstrip('.')}. Do: {do}."


@example(seconds=15)
def too_slow(*, seconds: int) -> str:
    """Why something could not be checked: no answer in time."""
    return f"nothing answered within {seconds} s"


@example(profile="mailcordon-send")
@example(profile=None)
def credentials_do(*, profile: str | None) -> str:
    """What to do without credentials."""
    if profile is None:
        return "give this host or container a role, or set AWS_PROFILE; then try again"
    return f"log in to the profile {profile}, or correct it in the AWS configuration of this user; then try again"


@example(
    kind="send",
    profile="mailcordon-send",
    who="arn:aws:sts::123456789012:assumed-role/mailcordon-send-eu-west-1/x",
)
def credentials_ok(*, kind: str, profile: str | None, who: str) -> str:
    """Credentials of one kind of calls were found. `who`: as STS names them."""
    of = "those that AWS's tools find" if profile is None else f"of the profile {profile}"
    return f"Credentials to {kind}: {of}; they are {who}"


@example(kinds=["send", "administer"], who="arn:aws:iam::123456789012:user/kim")
def one_identity(*, kinds: Sequence[str], who: str) -> str:
    """Several kinds of calls are signed by one identity."""
    return (
        f"{phrases.listed([*kinds]).capitalize()} are one identity, {who}: whoever takes one process over has the rights of all. "
        "Do: give each a role (docs/aws.md, Roles)"
    )


@example(region="eu-west-1", name="MAILCORDON_OUTCOME_QUEUE_URL", other="us-east-1")
def other_region(*, region: str, name: str, other: str) -> str:
    """A setting names something in another region."""
    return (
        f"{name} is in {other}, and MAILCORDON_REGION is {region}. "
        "Do: set both to one region; SES, topics and queues must share it"
    )


@example(region="eu-west-1")
def region_ok(*, region: str) -> str:
    """All settings that name a region name this one."""
    return f"Topics and queues of the settings are in {region}"


@example(day=200, second=1)
def sandbox(*, day: int, second: float) -> str:
    """The account is in the sandbox."""
    return (
        f"The account is in SES's sandbox: {day:,} recipients a day, {second:g} a second, only verified ones and the simulator. "
        "Do: request production access (docs/aws.md, Leave the sandbox)"
    )


@example(day=50000, second=14, sent=1200)
def account_ok(*, day: int, second: float, sent: int) -> str:
    """GetAccount says that the account may send."""
    return f"Production access; {second:g} recipients a second, {day:,} a day, of which {sent:,} are used"


@example(day=50000, sent=46000)
def quota_near(*, day: int, sent: int) -> str:
    """More than four fifths of the day's quota are used."""
    return f"{sent:,} of the {day:,} recipients of a day are used. Do: ask AWS for a higher quota before it is used up"


@example(status="PROBATION")
@example(status="SHUTDOWN")
def under_review(*, status: str) -> str:
    """GetAccount's enforcement status is not HEALTHY."""
    return (
        f"SES's enforcement status of the account is {status}. "
        "Do: read SES's mail to the account's contact, and the AWS support case"
    )


@example()
def sending_off() -> str:
    """Sending is switched off for the account."""
    return (
        "Sending is switched off for the account, in this region. "
        "Do: `aws sesv2 put-account-sending-attributes --sending-enabled`, or ask AWS"
    )


@example(kind="outcome", days=4, waiting=12)
def queue_ok(*, kind: str, days: int, waiting: int) -> str:
    """An event queue has the attributes that it needs."""
    return f"The {kind} queue keeps events for {phrases.count(days, 'day')}, has no dead-letter queue, and {waiting:,} in it"


@example(kind="outcome")
def queue_redrives(*, kind: str) -> str:
    """An event queue has a dead-letter queue."""
    return (
        f"The {kind} queue has a dead-letter queue: while the database is away, events would move where nobody reads them. "
        "Do: remove its redrive policy"
    )


@example(kind="outcome", seconds=345600)
def queue_forgets(*, kind: str, seconds: int) -> str:
    """An event queue keeps messages for less than a week."""
    return (
        f"The {kind} queue keeps events for {seconds // 3600:,} h only: after a longer outage they are lost. "
        "Do: set its MessageRetentionPeriod to 1209600 (14 days)"
    )


@example(kind="outcome", subscriptions=1)
def topic_ok(*, kind: str, subscriptions: int) -> str:
    """The topic exists, lets SES publish and has a subscription of the queue."""
    return (
        f"The {kind} topic exists and feeds the {kind} queue ({phrases.count(subscriptions, 'subscription')})"
    )


@example(
    kind="outcome", topic="arn:aws:sns:eu-west-1:123456789012:x", queue="arn:aws:sqs:eu-west-1:123456789012:x"
)
def topic_unsubscribed(*, kind: str, topic: str, queue: str) -> str:
    """The queue is not subscribed to the topic."""
    return (
        f"Nothing of {topic} reaches the {kind} queue: {queue} is not subscribed to it. "
        f"Do: aws sns subscribe --topic-arn {topic} --protocol sqs --notification-endpoint {queue}"
    )


@example(rule="arn:aws:events:eu-west-1:123456789012:rule/mailcordon-management")
def rule_not_read(*, rule: str) -> str:
    """The role to administer may not read EventBridge's rule, as it is printed."""
    name = rule.rpartition("/")[2]
    return (
        "Cannot read EventBridge's rule, because the role to administer may not: no process needs it. "
        f"Do: look with a login that may, by aws events describe-rule --name {name} and list-targets-by-rule --rule {name}; "
        f"or let the role events:DescribeRule and events:ListTargetsByRule on {rule}"
    )


@example()
def no_rule() -> str:
    """No queue of management events is set."""
    return (
        "MAILCORDON_MANAGEMENT_QUEUE_URL is not set, so no rule was asked for: what others change at SES is found by the rolling "
        "check only. Do: see docs/operations.md, SES's management events"
    )


@example(rule="arn:aws:events:eu-west-1:123456789012:rule/mailcordon-management")
def rule_missing(*, rule: str) -> str:
    """The rule of the management queue does not exist."""
    return (
        f"There is no rule {rule}: what others change at SES is found by the rolling check only, hours later. "
        "Do: deploy the stack of docs/aws.md"
    )


@example(rule="mailcordon-management")
def rule_off(*, rule: str) -> str:
    """The rule is disabled."""
    return f"EventBridge's rule {rule} is switched off. Do: aws events enable-rule --name {rule}"


@example(rule="mailcordon-management")
def rule_of_others(*, rule: str) -> str:
    """The rule's pattern takes nothing of SES."""
    return f"EventBridge's rule {rule} takes no events of SES. Do: give it the pattern of the stack of docs/aws.md"


@example(rule="mailcordon-management", queue="arn:aws:sqs:eu-west-1:123456789012:mailcordon-management")
def rule_without_target(*, rule: str, queue: str) -> str:
    """The queue is no target of the rule."""
    return (
        f"EventBridge's rule {rule} does not feed {queue}. "
        f"Do: aws events put-targets --rule {rule} --targets Id=queue,Arn={queue}"
    )


@example(rule="mailcordon-management")
def rule_ok(*, rule: str) -> str:
    """The rule is on, takes SES's events and feeds the queue."""
    return f"EventBridge's rule {rule} is on, takes events of SES, and feeds the management queue"


@example(kind="administer", how="SimulatePrincipalPolicy", actions=41)
@example(kind="administer", how="harmless calls", actions=6)
def iam_ok(*, kind: str, how: str, actions: int) -> str:
    """The role may do what was asked."""
    return f"The role to {kind} may do what was asked, by {how} ({phrases.count(actions, 'action')})"


@example(kind="administer", how="harmless calls", denied=["ses:ListTenants"])
def iam_denied(*, kind: str, how: str, denied: Sequence[str]) -> str:
    """The role may not do what it needs."""
    return f"The role to {kind} may not {phrases.listed([*denied])}, by {how}. Do: give it what `mailcordon iam {kind}` prints"


@example(kind="send", allowed=["ses:SendRawEmail"])
def iam_too_much(*, kind: str, allowed: Sequence[str]) -> str:
    """The role may do what it must not."""
    return (
        f"The role to {kind} may {phrases.listed([*allowed])}, which goes past every limit. "
        f"Do: give it what `mailcordon iam {kind}` prints, and nothing else"
    )


@example()
def send_not_asked() -> str:
    """Whether the role may send was not asked."""
    return (
        "Whether the role to send may send was not asked: iam:SimulatePrincipalPolicy cannot be called, and no call that sends "
        "is harmless. Do: `mailcordon prove TENANT` sends to SES's simulator"
    )


@example(seconds=2)
def clock_ok(*, seconds: int) -> str:
    """This host's clock agrees with AWS's."""
    return f"This host's clock differs by {seconds} s from that of SES's answer"


@example(seconds=301)
def clock_wrong(*, seconds: int) -> str:
    """This host's clock differs from AWS's."""
    return (
        f"This host's clock differs by {seconds} s from that of SES's answer: from 300 s on AWS refuses every call. "
        "Do: let NTP set it (timedatectl set-ntp true)"
    )


@example(server="10.0.0.2")
def dns_ok(*, server: str) -> str:
    """The resolver answered."""
    return f"The resolver {server} answers"


@example()
def dns_do() -> str:
    """What to do about a resolver that does not answer."""
    return "correct /etc/resolv.conf or MAILCORDON_DNS_SERVERS, and let this host send to UDP and TCP port 53"


@example(version="18.4", most=100, used=31)
def database_ok(*, version: str, most: int, used: int) -> str:
    """The server's settings fit."""
    return f"PostgreSQL {version}; {used} of {most} connections are in use"


@example(setting="autovacuum", value="off", wanted="on", why="the queue's tables grow without it")
def database_setting(*, setting: str, value: str, wanted: str, why: str) -> str:
    """A setting of the database server does not fit."""
    return f"{setting} is {value}: {why}. Do: set it to {wanted} and reload or restart PostgreSQL"


@example(most=100, used=92, reserve=40)
def connections_near(*, most: int, used: int, reserve: int) -> str:
    """Too few connections are left."""
    return (
        f"{used} of {most} connections are in use; a process that starts while another drains opens up to {reserve} more. "
        "Do: raise max_connections, or run fewer processes"
    )


@example(missing=["0064-restorations"])
def schema_old(*, missing: Sequence[str]) -> str:
    """The database lacks migrations of this version."""
    return f"The database lacks {phrases.listed([*missing])}. Do: mailcordon migrate, before processes of this version start"


@example(unknown=["0099-later"])
def schema_new(*, unknown: Sequence[str]) -> str:
    """The database is of a newer version."""
    return (
        f"The database has {phrases.listed([*unknown])}, which this version does not know: it is of a newer one. "
        "That is right during an upgrade only"
    )


@example(version="0.2.0", processes=6)
def versions_ok(*, version: str, processes: int) -> str:
    """All processes that report run this version."""
    return f"{processes} of {processes} processes that report run this version, {version}"


@example(version="0.2.0", others=["dispatch on mail-2 (pid 41), unknown"])
def other_versions(*, version: str, others: Sequence[str]) -> str:
    """Processes of another version run."""
    return (
        f"This is {version}, and other versions run: {phrases.listed([*others])}. That is right during an upgrade only. "
        "Do: restart them in the order of docs/upgrades.md"
    )


@example()
def nothing_reports() -> str:
    """No process reports."""
    return "No process reports to the database, so no version was compared. Do: start them, and ask again"


@example(version="0.1.0", newest="0064-restorations")
def schema_ok(*, version: str, newest: str) -> str:
    """The schema is that of this version."""
    return f"Mailcordon {version}; the schema is this version's ({newest})"


@example(url="https://links.platform.example", days=61)
@example(url="https://links.platform.example", days=9)
def tls_ok(*, url: str, days: int) -> str:
    """A certificate is valid."""
    says = f"{url} has a certificate that is valid for {phrases.count(days, 'more day')}"
    return f"{says}. Do: renew it" if days < 14 else says


@example()
def tls_do() -> str:
    """What to do about an address that cannot be reached over TLS."""
    return "let the name lead to the proxy in front of the API, with a certificate that mail clients trust (docs/deploy.md)"


@example(url="https://links.platform.example", status=502)
def not_ours(*, url: str, status: int) -> str:
    """An address does not lead to the API."""
    return f"{url}/v1/health answers {status}: it does not lead to an API that can accept mail. Do: see docs/deploy.md"


@example(name="MAILCORDON_UNSUBSCRIBE_URL")
def no_address(*, name: str) -> str:
    """A URL is not set."""
    return f"{name} is not set, so nothing was asked"
