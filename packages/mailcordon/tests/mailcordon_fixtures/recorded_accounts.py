"""Three SES accounts as people have them, made in a local SES by its own operations: small, messy and large.

Each says which dangers were planted: a report must find exactly these. The days are before `TODAY`, so that nothing depends
on when a test runs.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from mailcordon.control.administration import SesError, Whole
from mailcordon.control.assess.reading import WATCHES
from seslocal.clock import Clock
from seslocal.cloudwatch import operations as cloudwatch
from seslocal.errors import ApiError
from seslocal.sesv1 import send_statistics
from seslocal.sesv2.table import IMPLEMENTED
from seslocal.state.access import Caller
from seslocal.state.account import Account
from seslocal.state.settings import Settings
from seslocal.state.suppression import SuppressedDestination
from seslocal.state.vdm_metrics import Series

TODAY = date(2026, 11, 30)  #: a Monday
WORST = date(2026, 11, 9)  #: the Monday of the planted worst weeks
_BOTH = ("BOUNCE", "COMPLAINT")
_OPERATIONS = IMPLEMENTED | send_statistics.OPERATIONS | cloudwatch.OPERATIONS
_CALLER = Caller("test", "us-east-1", "127.0.0.1", "127.0.0.1", "test")

Found = set[tuple[str, str]]  #: danger's code, and what it is about


@dataclass
class Planter:
    """Makes an account, and remembers what is wrong with it."""

    account: Account
    planted: Found = field(default_factory=set[tuple[str, str]])

    def call(self, operation: str, **members: Any) -> Mapping[str, Any]:
        return IMPLEMENTED[operation](self.account, members, _CALLER)

    def danger(self, code: str, *about: str) -> None:
        self.planted |= {(code, each) for each in about or ("",)}

    def vdm(self) -> None:
        self.call("PutAccountVdmAttributes", VdmAttributes={"VdmEnabled": "ENABLED"})

    def set(
        self,
        name: str,
        *,
        events: Sequence[str] = _BOTH,
        enabled: bool = True,
        kind: str = "sns",
        **options: Any,
    ) -> None:
        self.call("CreateConfigurationSet", ConfigurationSetName=name, **options)
        if not events:
            return
        topic = f"arn:aws:sns:{self.account.region}:{self.account.id}:events"
        dimension = {
            "DimensionName": "customer",
            "DimensionValueSource": "MESSAGE_TAG",
            "DefaultDimensionValue": "none",
        }
        target: dict[str, Any] = {
            "sns": {"SnsDestination": {"TopicArn": topic}},
            "cloudwatch": {"CloudWatchDestination": {"DimensionConfigurations": [dimension]}},
        }[kind]
        self.call(
            "CreateConfigurationSetEventDestination",
            ConfigurationSetName=name,
            EventDestinationName="events",
            EventDestination={"Enabled": enabled, "MatchingEventTypes": list(events), **target},
        )

    def identity(
        self,
        name: str,
        *,
        set: str | None = None,
        mail_from: bool = True,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        more: dict[str, Any] = {} if set is None else {"ConfigurationSetName": set}
        if tags:
            more["Tags"] = [{"Key": key, "Value": value} for key, value in tags.items()]
        self.call("CreateEmailIdentity", EmailIdentity=name, **more)
        if mail_from:
            self.call(
                "PutEmailIdentityMailFromAttributes", EmailIdentity=name, MailFromDomain=f"bounce.{name}"
            )

    def tenant(
        self,
        name: str,
        *,
        identities: Iterable[str] = (),
        sets: Iterable[str] = (),
        scope: str | None = "TENANT",
        policy: str = "standard",
    ) -> None:
        more = (
            {}
            if scope is None
            else {"SuppressionAttributes": {"SuppressionScope": scope, "SuppressedReasons": list(_BOTH)}}
        )
        arn = self.call("CreateTenant", TenantName=name, **more)["TenantArn"]
        for resource in (
            *(f"identity/{each}" for each in identities),
            *(f"configuration-set/{each}" for each in sets),
        ):
            self.call(
                "CreateTenantResourceAssociation", TenantName=name, ResourceArn=self.account.arn(resource)
            )
        self.call(
            "UpdateReputationEntityPolicy",
            ReputationEntityType="RESOURCE",
            ReputationEntityReference=arn,
            ReputationEntityPolicy=f"arn:aws:ses:{self.account.region}:aws:reputation-policy/{policy}",
        )

    def mail(
        self,
        day: date,
        sent: int,
        bounced: int = 0,
        complained: int = 0,
        *,
        identity: str = "",
        set: str | None = None,
        tenant: str | None = None,
        isp: str = "UNKNOWN_ISP",
    ) -> None:
        """What VDM counted on a day."""
        series = Series(identity, set, isp, tenant)
        at = datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp()
        metrics = self.account.mail.insights.metrics
        for metric, number in (("SEND", sent), ("PERMANENT_BOUNCE", bounced), ("COMPLAINT", complained)):
            if number:
                metrics.count(metric, series, at)
                metrics._days[int(at // 86400)][(metric, series)] = number  # pyright: ignore[reportPrivateUsage]

    def weeks(self, sent: int, bounced: int = 0, complained: int = 0, *, weeks: int = 4, **of: Any) -> None:
        """Mail of one day in each of the last weeks."""
        for back in range(1, weeks + 1):
            self.mail(TODAY - timedelta(weeks=back) + timedelta(days=2), sent, bounced, complained, **of)

    def suppress(self, entries: int, reason: str = "BOUNCE") -> None:
        for number in range(entries):
            address = f"{reason.lower()}{number}@example.org"
            self.account.suppression.list.put(SuppressedDestination(address, reason, 0.0))


def empty() -> Account:
    return Account(Settings(), Clock())


class Direct:
    """Reads an account without a wire: a large one has ten thousand calls."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self.calls: dict[str, int] = {}

    async def call(self, operation: str, **members: Any) -> Whole:
        self.calls[operation] = self.calls.get(operation, 0) + 1
        try:
            return _OPERATIONS[operation](self._account, members, _CALLER)
        except ApiError as error:
            raise SesError(error.code, error.message) from None

    async def pages(self, operation: str, member: str, **members: Any) -> Sequence[Any]:
        found: list[Any] = []
        more: dict[str, Any] = {}
        while True:
            size = {} if operation in WATCHES else {"PageSize": 100}
            page = await self.call(operation, **size, **members, **more)
            found += page.get(member) or ()
            if not page.get("NextToken"):
                return found
            more = {"NextToken": page["NextToken"]}

    async def suppressed(self) -> Mapping[str, int]:
        found: dict[str, int] = {}
        for entry in self._account.suppression.list.entries.values():
            found[entry.reason] = found.get(entry.reason, 0) + 1
        return found


def small(account: Account) -> Found:
    """A platform of twelve customers that moved to SES tenants halfway: most are apart, three share what they began with."""
    made = Planter(account)
    made.vdm()
    made.set("shared-transactional")
    for number in range(8):
        name, domain = f"cust-{number}", f"mail.customer{number}.example"
        made.set(f"{name}-transactional")
        made.set(f"{name}-newsletter")
        made.identity(domain, set=f"{name}-transactional")
        made.tenant(
            name, identities=[domain], sets=[f"{name}-transactional", f"{name}-newsletter"], scope="TENANT"
        )
        made.weeks(4_000, 20, 1, tenant=name, identity=domain, set=f"{name}-transactional")
    made.identity("mail.platform.example", set="shared-transactional")
    for name in ("old-a", "old-b", "old-c"):
        made.tenant(
            name,
            identities=["mail.platform.example"],
            sets=["shared-transactional"],
            scope=None if name == "old-c" else "TENANT",
        )
        made.weeks(2_000, 10, 0, tenant=name, identity="mail.platform.example", set="shared-transactional")
    made.danger("suppression-shared", "old-c")
    made.danger("identity-shared", "mail.platform.example")
    made.danger("set-shared", "shared-transactional")
    # The one that mailed a bought list: 12 % of 30,000 bounced, and the account was over 5 %.
    made.mail(
        WORST, 30_000, 3_600, 60, tenant="old-b", identity="mail.platform.example", set="shared-transactional"
    )
    made.danger("tenant-endangers", "old-b")
    made.mail(
        WORST,
        900,
        9,
        1,
        tenant="cust-0",
        identity="mail.customer0.example",
        set="cust-0-transactional",
        isp="Yahoo",
    )
    # One looks migrated, with the account's list still.
    made.set("shop-receipts")
    made.identity("mail.shop.example", set="shop-receipts")
    made.tenant("shop", identities=["mail.shop.example"], sets=["shop-receipts"], scope=None)
    made.weeks(3_000, 10, 0, tenant="shop", identity="mail.shop.example", set="shop-receipts")
    made.danger("feels-migrated", "shop")
    made.suppress(40)
    return made.planted


def messy(account: Account) -> Found:
    """What ten years left: everything that can be wrong, once each."""
    made = Planter(account)
    made.vdm()
    account.sending.limits.quota = 50_000
    made.call("PutAccountSuppressionAttributes", SuppressedReasons=["COMPLAINT"])
    made.danger("account-suppression-off")
    # Sets
    made.set("nobody-listens", events=())
    made.danger("set-without-feedback", "nobody-listens")
    made.set("counts-only", kind="cloudwatch")
    made.danger("set-without-feedback", "counts-only")
    made.set("switched-off", enabled=False)
    made.danger("set-without-feedback", "switched-off")
    made.set("half", events=("BOUNCE", "DELIVERY"))
    made.danger("set-without-feedback", "half")
    made.set("no-suppression", SuppressionOptions={"SuppressedReasons": []})
    made.danger("set-suppression-off", "no-suppression")
    made.set(
        "back-to-account",
        SuppressionOptions={"SuppressionScope": "ACCOUNT", "SuppressedReasons": list(_BOTH)},
    )
    made.danger("set-breaks-isolation", "back-to-account")
    made.set("stopped", SendingOptions={"SendingEnabled": False})
    made.danger("set-stopped", "stopped")
    # Pools
    for pool in ("mixed", "bare", "quiet"):
        made.call("CreateDedicatedIpPool", PoolName=pool)
    account.dedicated_ips.auto_warm_up = False
    account.dedicated_ips.lease(1, "mixed", 0.0)
    [quiet] = account.dedicated_ips.lease(1, "quiet", 0.0)
    account.dedicated_ips.auto_warm_up = True
    made.set("brand-marketing", DeliveryOptions={"SendingPoolName": "mixed"})
    made.set("brand-receipts", DeliveryOptions={"SendingPoolName": "mixed"})
    made.danger("pool-mixes-classes", "mixed")
    made.set("bare", DeliveryOptions={"SendingPoolName": "bare"})
    made.danger("pool-empty", "bare")
    made.set("two-extra", DeliveryOptions={"SendingPoolName": "mixed"})
    made.danger("pool-shared", "mixed")
    made.set("quiet-news", DeliveryOptions={"SendingPoolName": "quiet"})
    made.danger("pool-too-quiet", "quiet")
    [cold] = account.dedicated_ips.lease(1, "quiet", account.clock.now())
    made.danger("ip-warming", cold)
    made.call("CreateDedicatedIpPool", PoolName="forgotten")
    [idle] = account.dedicated_ips.lease(1, "forgotten", account.clock.now())
    made.danger("ip-idle", idle)
    assert quiet != cold
    # Identities
    made.set("good")
    own = (
        "unverified.example",
        "unsigned.example",
        "broken-dkim.example",
        "fallen.example",
        "no-mail-from.example",
    )
    for name in own:
        made.identity(name, set="good", mail_from=name != "no-mail-from.example")
    account.identities["unverified.example"].set_status("FAILED", 0.0)
    made.danger("identity-unverified", "unverified.example")
    made.call("PutEmailIdentityDkimAttributes", EmailIdentity="unsigned.example", SigningEnabled=False)
    account.identities["fallen.example"].mail_from_status = "FAILED"
    made.danger("dkim-off", "unsigned.example")
    made.danger("mail-from-fallen-back", "fallen.example")
    made.danger("mail-from-missing", "no-mail-from.example")
    made.identity("setless.example")
    made.danger("identity-without-set", "setless.example")
    made.identity("deaf.example")
    made.call(
        "PutEmailIdentityFeedbackAttributes", EmailIdentity="deaf.example", EmailForwardingEnabled=False
    )
    made.danger("no-feedback", "deaf.example")
    made.identity("billing@brand.example", set="good", mail_from=False)
    made.identity("brand.example", set="good")
    made.danger("address-beside-domain", "billing@brand.example")
    made.call(
        "CreateEmailIdentityPolicy",
        EmailIdentity="brand.example",
        PolicyName="partner",
        Policy=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": {
                    "Sid": "partner",
                    "Effect": "Allow",
                    "Principal": {"AWS": "111122223333"},
                    "Action": "ses:SendEmail",
                    "Resource": account.arn("identity/brand.example"),
                },
            }
        ),
    )
    made.danger("others-may-send", "brand.example")
    made.identity("forgotten.example", set="good")
    made.danger("untenanted-identity", "forgotten.example")
    for name in ("us.group.example", "eu.group.example"):
        made.identity(name, set="good")
    made.danger("organisation-shared", "group.example")
    # Tenants
    made.tenant(
        "one",
        identities=[*own, "setless.example", "us.group.example"],
        sets=["nobody-listens", "half"],
    )
    made.tenant(
        "two",
        identities=["deaf.example", "eu.group.example"],
        sets=["counts-only", "switched-off", "no-suppression", "stopped", "bare", "two-extra"],
    )
    made.tenant(
        "brand",
        identities=["billing@brand.example", "brand.example"],
        sets=["brand-marketing", "brand-receipts", "back-to-account"],
    )
    made.identity("lenient.example", set="good")
    made.tenant("lenient", identities=["lenient.example"], sets=["good"], policy="none")
    made.danger("policy-none", "lenient")
    made.set("paused-set")
    made.identity("paused.example", set="paused-set")
    made.tenant("paused", identities=["paused.example"], sets=["paused-set"])
    made.call(
        "UpdateReputationEntityCustomerManagedStatus",
        ReputationEntityType="RESOURCE",
        ReputationEntityReference=account.tenants["paused"].arn,
        SendingStatus="DISABLED",
    )
    made.danger("tenant-stopped", "paused")
    made.tenant("empty")
    made.danger("tenant-cannot-send", "empty")
    made.identity("flagged.example", set="quiet-news")
    made.tenant("flagged", identities=["flagged.example"], sets=["quiet-news"])
    account.tenants["flagged"].impact = "HIGH"
    made.danger("ses-finding", "flagged")
    made.weeks(700, 2, 0, tenant="flagged", identity="flagged.example", set="quiet-news")
    # One complains little in numbers, and far over SES's limit in rate; the account as a whole stays below its aims.
    made.mail(WORST, 20_000, 40, 80, tenant="brand", identity="brand.example", set="brand-marketing")
    made.danger("tenant-endangers", "brand")
    made.weeks(90_000, 300, 4, tenant="one", identity="unsigned.example", set="half")
    return made.planted


def watched(account: Account) -> Found:
    """Without VDM and without SES tenants: everybody shares a domain and a set, and CloudWatch counts by the tag `customer`."""
    made = Planter(account)
    account.clock.set(at=datetime(TODAY.year, TODAY.month, TODAY.day, 12, tzinfo=UTC).timestamp())
    made.set("main", ReputationOptions={"ReputationMetricsEnabled": True})
    dimensions = [
        {"DimensionName": name, "DimensionValueSource": "MESSAGE_TAG", "DefaultDimensionValue": "none"}
        for name in ("customer", "ses:configuration-set")
    ]
    for name, chosen in (("by-customer", dimensions), ("by-set", dimensions[1:])):
        made.call(
            "CreateConfigurationSetEventDestination",
            ConfigurationSetName="main",
            EventDestinationName=name,
            EventDestination={
                "Enabled": True,
                "MatchingEventTypes": ["SEND", "BOUNCE", "COMPLAINT"],
                "CloudWatchDestination": {"DimensionConfigurations": chosen},
            },
        )
    made.identity("mail.platform.example", set="main")
    of_set = ("ses:configuration-set", "main")
    for customer, sent, bounced, complained in (
        ("acme", 20_000, 2_400, 60),
        ("zen", 4_000, 8, 1),
        ("none", 1_000, 900, 0),
    ):
        at = datetime(WORST.year, WORST.month, WORST.day, 12, tzinfo=UTC).timestamp()
        counts = (("Send", sent), ("Bounce", bounced), ("Complaint", complained))
        for metric, number in ((metric, number) for metric, number in counts if number):
            account.mail.ses_metrics.counts.add((metric, ()), at, number)
            hours = account.events.cloudwatch.hours
            hours.add((metric, (("customer", customer), of_set)), at, number)
            hours.add((metric, (of_set,)), at, number)
    for metric, number in (("Send", 10_000), ("Bounce", 600), ("Complaint", 15)):
        account.mail.ses_metrics.of_sets.add((metric, (of_set,)), account.clock.now() - 7_200, number)
    made.danger("set-bounces", "main")
    made.danger("set-complaints", "main")
    made.danger("tenant-endangers", "acme")
    made.danger("set-shared", "main")
    made.danger("identity-shared", "mail.platform.example")
    made.danger("suppression-shared")
    return made.planted


def large(account: Account, tenants: int = 2_000) -> Found:
    """Two thousand SES tenants, each with an identity and two sets of its own, and a few faults among them."""
    made = Planter(account)
    made.vdm()
    for number in range(tenants):
        name, domain = f"t{number:04}", f"mail.company{number:04}.example"
        made.set(f"{name}-transactional")
        made.set(f"{name}-marketing", events=() if number == 1_111 else _BOTH)
        made.identity(domain, set=f"{name}-transactional")
        made.tenant(
            name,
            identities=[domain],
            sets=[f"{name}-transactional", f"{name}-marketing"],
            scope=None if number == 777 else "TENANT",
            policy="none" if number == 333 else "standard",
        )
        if number % 200 == 0:
            made.weeks(10_000, 30, 1, weeks=2, tenant=name, identity=domain, set=f"{name}-transactional")
    made.danger("set-without-feedback", "t1111-marketing")
    made.danger("feels-migrated", "t0777")
    made.danger("policy-none", "t0333")
    account.identities["mail.company0500.example"].mail_from_status = "FAILED"
    made.danger("mail-from-fallen-back", "mail.company0500.example")
    made.mail(
        WORST,
        50_000,
        6_000,
        0,
        tenant="t1500",
        identity="mail.company1500.example",
        set="t1500-marketing",
    )
    made.danger("tenant-endangers", "t1500")
    return made.planted
