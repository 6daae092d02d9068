"""The settings of a local SES, and the switches for disputed behaviour."""

from __future__ import annotations

from dataclasses import dataclass, field

from seslocal.iam.decision import Attached
from seslocal.wire.params import Params
from seslocal.wire.protocol import Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of a local SES; fixed while it runs."""

    region: str = "us-east-1"  #: in the ARNs that it makes
    other_regions: tuple[
        str, ...
    ] = ()  #: that calls may be signed for and ARNs may be in; `any`: every region
    account_id: str = "123456789012"
    rate: float = 1000.0  #: recipients per second (MaxSendRate)
    quota: float = 10_000_000.0  #: recipients per rolling 24 hours; -1: no limit
    event_delay: float = 0.005  #: seconds between accepting a mail and its Send, and between later events
    ledger: int = 100_000  #: mails the ledger keeps
    ledger_bytes: int = 64 * 1024 * 1024  #: bytes of content the ledger keeps
    seed: int | None = None  #: of all ids; None: random
    queue_most: int = 200_000  #: messages a queue holds; beyond that the oldest are dropped
    sandbox: bool = False  #: without production access: little mail, to verified recipients only
    management_rate: float = 0.0  #: calls a second of operations that do not send; 0: no limit
    management_together: bool = False  #: that limit is one for all operations, not one for each
    home: str | None = None  #: directory in place of S3; None: an empty temporary one
    strict: bool = False  #: identities verify only when their records are published
    dns_port: int | None = None  #: UDP and TCP port of its DNS server; 0: a free one; None: no DNS
    smtp_port: int | None = None  #: TCP port of its SMTP door; 0: a free one; None: no SMTP
    smtp_without_tls: bool = False  #: SMTP takes passwords and mail without STARTTLS too
    sns_url: str | None = None  #: base of the URLs in SNS messages; None: as AWS writes it
    keys: tuple[tuple[str, str], ...] = (("test", "test"),)  #: access keys with their secrets
    policies: tuple[tuple[str, Attached], ...] = ()  #: by access key
    check_signatures: bool = True  #: off: unsigned calls are allowed
    names: tuple[str, ...] = ()  #: Host names that are allowed, beside loopback names and its own address
    token: str | None = None  #: for the admin API and the page; None: none on loopback, else a generated one
    limits: Limits = field(
        default_factory=Limits
    )  #: of connections, and of the time in which a request arrives
    state: str | None = None  #: directory that keeps the state; None: it is in memory only
    scenario: tuple[Params, ...] = ()  #: steps from the start and after each reset


OLD_PAUSE_ERRORS = ("MessageRejected", "AccountSendingPausedException")
PAUSE_ERRORS = ("SendingPausedException", "MessageRejected", "AccountSuspendedException")


@dataclass(slots=True)
class Behaviour:
    """Choices where the facts about SES are disputed or missing. docs/behaviour.md describes each."""

    verify_at_once: bool = True  #: a new identity is verified, as a developer expects
    tenant_needs_configuration_set: bool = True  #: a tenant's mail without any set is refused
    association_twice_is_error: bool = True  #: AlreadyExistsException, as the model says
    tenant_tag_on_every_event: bool = False  #: ses:tenant-name on all events, not only bounces and complaints
    default_policy: str = "standard"  #: reputation policy of a new tenant
    pause_error: str = "SendingPausedException"  #: code of refused mail while SES has paused the account
    old_pause_error: str = (
        "MessageRejected"  #: code of SES v1 for mail of a paused account; SMTP's words follow it
    )
    refuse_bare_names: bool = True  #: a display name beyond ASCII that is not encoded is refused
    refuse_long_words: bool = False  #: an encoded word of more than 75 characters is refused
    refuse_long_lines: bool = True  #: raw mail with a line of more than 998 octets is refused
    ooto_bounces: bool = False  #: ooto@ of the mailbox simulator is also reported as a transient bounce
    merge_template_data: bool = True  #: a bulk entry overrides the default data name by name, not as a whole
    merge_topic_preferences: bool = True  #: UpdateContact keeps the preferences it does not name
    inline_plain_names: bool = True  #: a template in a call allows only names of letters and digits
    global_list: bool = True  #: addresses that hard bounced are on the global list for days
    global_list_for_tenants: bool = False  #: it applies even if bounces are checked against a tenant's list
    sign_in_queues: bool = False  #: SNS messages in queues are signed too, which is slow
    old_signature_codes: bool = False  #: SES v2 uses the Query protocol's codes for signature errors
    old_denials: bool = False  #: sends that a policy denies are refused in SES's older words
    explain_signatures: bool = False  #: a signature error contains what should have been signed
    world_unsubscribes: bool = False  #: readers in the world use a mail's one-click URL, on this machine only
    world_unsubscribes_anywhere: bool = False  #: and on any other
