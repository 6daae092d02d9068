"""CloudWatch's counts as the source of an assessment, beside the others, and which source counts."""

from collections.abc import Callable
from datetime import timedelta
from functools import cache
from typing import Any

import pytest

from mailcordon.adapters.dns.public_suffixes import PublicSuffixes
from mailcordon.control.assess import cloudwatch, report
from mailcordon.control.assess.account import (
    Account,
    ConfigurationSet,
    Count,
    Destination,
    Identity,
    Reputation,
    SesTenant,
    State,
    Watched,
)
from mailcordon.control.assess.observed import Lane, Observed
from mailcordon.control.assess.owners import By, Rules
from mailcordon.control.assess.tenants import Counted
from mailcordon_fixtures import recorded_accounts as recorded

Registrable = Callable[[str], str | None]
MONDAY, DAY = recorded.WORST, recorded.WORST + timedelta(days=2)


@pytest.fixture(scope="module")
def registrable() -> Registrable:
    return cache(PublicSuffixes().registrable)


def metric(name: str, **dimensions: str) -> dict[str, Any]:
    return {
        "MetricName": name,
        "Dimensions": [
            {"Name": each.replace("__", ":").replace("_", "-"), "Value": value}
            for each, value in dimensions.items()
        ],
    }


def read(numbers: dict[tuple[str, tuple[tuple[str, str], ...]], float], **defaults: set[str]) -> Watched:
    """What CloudWatch's answers of one day say. `numbers` by name and dimensions."""
    metrics = [cloudwatch.Metric(name, tuple(sorted(dimensions))) for name, dimensions in numbers]
    results = [
        {"Id": f"m{place}", "Timestamps": [f"{DAY.isoformat()}T00:00:00+00:00"], "Values": [value]}
        for place, value in enumerate(numbers.values())
    ]
    return cloudwatch.watched(metrics, results, defaults)


SET = ("ses:configuration-set", "main")


def test_only_what_tells_something_is_asked_for() -> None:
    listed = [
        metric("Send", ses__configuration_set="main"),
        metric("Send", customer="7", stream="news"),
        metric("Send", plan="gold"),
        metric("Open", customer="7"),
        metric("Sends", TenantId="tn-1", TenantName="acme"),
        metric("Reputation.BounceRate", ses__configuration_set="main"),
    ]
    own = len(cloudwatch.wanted(None))
    found = cloudwatch.wanted(listed)[own:]
    assert [(each.name, len(each.dimensions)) for each in found] == [
        ("Send", 1),
        ("Reputation.BounceRate", 1),
        ("Send", 2),
        ("Sends", 2),
    ]
    assert len(cloudwatch.wanted(listed, ["plan"])) == own + 5


def test_a_call_asks_for_as_many_series_as_cloudwatch_answers() -> None:
    metrics = cloudwatch.wanted([metric("Send", customer=f"c{number}") for number in range(1_200)])
    calls = cloudwatch.batches(metrics, recorded.TODAY, 8)
    sizes = [len(each["MetricDataQueries"]) for each in calls]
    assert sizes == [500, 500, 204, 2]  # the account's own four, and its two rates apart
    ids = [query["Id"] for each in calls for query in each["MetricDataQueries"]]
    assert len(set(ids)) == len(metrics)
    assert calls[0]["EndTime"] - calls[0]["StartTime"] == 8 * 7 * 86_400


def test_a_mail_that_two_destinations_count_is_counted_once() -> None:
    found = read(
        {
            ("Send", (SET,)): 100,
            ("Send", (SET, ("customer", "7"))): 60,
            ("Send", (SET, ("customer", "8"))): 40,
            ("Bounce", (SET, ("customer", "7"))): 6,
            ("Send", (SET, ("customer", "none"))): 5,
        },
        customer={"none"},
    )
    assert found.of_set["main"] == {DAY: Count(105, 6)}
    assert found.of_tag == {
        ("customer", "7"): {DAY: Count(60, 6)},
        ("customer", "8"): {DAY: Count(40)},
    }


def test_without_send_events_what_was_delivered_or_bounced_was_sent() -> None:
    found = read({("Delivery", (SET,)): 90, ("Bounce", (SET,)): 10, ("Complaint", (SET,)): 1})
    assert found.of_set["main"] == {DAY: Count(100, 10, 1)}


def test_rates_are_those_of_the_last_day_that_has_one() -> None:
    metrics = [
        cloudwatch.Metric("Reputation.BounceRate", ()),
        cloudwatch.Metric("Reputation.BounceRate", (SET,)),
    ]
    results = [
        {"Id": "m0", "Timestamps": ["a", "b"], "Values": [0.01, 0.02]},
        {"Id": "m1", "Timestamps": [], "Values": []},
    ]
    found = cloudwatch.watched(metrics, results, {})
    assert found.rates == {"": Reputation(bounces=0.02)}


def account(**more: Any) -> Account:
    counts = Destination(
        name="c", enabled=True, events=frozenset(["SEND"]), kind="CloudWatch", defaults={"customer": "none"}
    )
    sns = Destination(name="e", enabled=True, events=frozenset(["BOUNCE", "COMPLAINT"]), kind="SNS")
    return Account(
        region="eu-west-1",
        on=recorded.TODAY,
        state=State(),
        identities=[Identity(name="mail.platform.example", configuration_set="main", mail_from="b.example")],
        sets=[ConfigurationSet(name="main", destinations=(sns, counts))],
        **more,
    )


def test_a_tag_that_one_set_counts_says_who_uses_the_set_and_its_domain(registrable: Registrable) -> None:
    of_tag = {
        ("customer", "7"): {DAY: Count(20_000, 2_000)},
        ("customer", "zen"): {DAY: Count(3_000, 3)},
        ("plan", "gold"): {DAY: Count(9_000)},
    }
    rules = Rules(tags={("customer", "7"): "acme"})
    found = report.assess(account(watched=Watched(of_tag=of_tag)), registrable=registrable, rules=rules)
    acme, zen = found.tenants
    assert (acme.slug, acme.by, acme.counted, acme.endangers) == (
        "acme",
        By.RULE,
        Counted.CLOUDWATCH_TAG,
        True,
    )
    assert (zen.slug, zen.by, zen.sets, zen.sent) == ("zen", By.TAG, ("main",), 3_000)
    codes = {(each.code, each.about) for each in found.dangers}
    assert {("identity-shared", "mail.platform.example"), ("tenant-endangers", "acme")} <= codes


async def test_the_counts_of_cloudwatch_find_what_was_planted_and_name_their_source(
    registrable: Registrable,
) -> None:
    made = recorded.empty()
    planted = recorded.watched(made)
    from mailcordon.control.assess.reading import Reading

    reading = Reading(recorded.Direct(made), "eu-west-1", recorded.TODAY)
    found = report.assess(await reading.read(await reading.lists()), registrable=registrable)
    assert {(each.code, each.about) for each in found.dangers} == planted
    acme, zen = found.tenants
    assert (acme.counted, acme.sent, zen.sent) == (Counted.CLOUDWATCH_TAG, 20_000, 4_000)
    assert acme.harm is not None
    assert acme.harm.others_sent == 5_000  # zen's, and mail without a tag, which is nobody's
    document = found.document()
    assert document["reputation"]["main"] == {"bounces": 0.06, "complaints": 0.0015}
    assert document["tenants"][0]["figures"] == {
        "cloudwatch-tag": {"sent": 20_000, "bounced": 2_400, "complained": 60}
    }
    assert any("which mailbox providers acme and zen mail" in each for each in found.unknown)


def test_the_surest_source_counts_and_the_others_are_shown_beside_it(registrable: Registrable) -> None:
    apart = account(
        tenants=[
            SesTenant(name="acme", scope="TENANT", identities=("mail.platform.example",), sets=("main",))
        ],
        of_tenant={"acme": {DAY: Count(1_000, 10)}},
        of_provider={("TENANT_NAME", "acme"): {"Gmail": Count(900, 9), "Yahoo": Count(100, 1)}},
        watched=Watched(of_tenant={"acme": {DAY: Count(1_100, 12)}}),
    )
    seen_by = Observed(
        lanes={Lane(tenant="acme", type="newsletter"): {MONDAY: Count(2_000, 30)}},
        by_provider={"acme": {"gmail": Count(1_500)}},
    )
    [acme] = report.assess(apart, registrable=registrable, seen_by=seen_by).tenants
    assert acme.counted is Counted.SES_TENANT
    assert [(name.value, count.sent) for name, count in acme.figures] == [
        ("ses-tenant", 1_000),
        ("cloudwatch", 1_100),
        ("observed", 2_000),
    ]
    assert acme.differing == ((Counted.SES_TENANT, 1_000), (Counted.OBSERVED, 2_000))
    assert (acme.providers_by, acme.providers["Gmail"].sent) == (Counted.SES_TENANT, 900)
    assert [(lane.type, lane.guess.where, lane.weekly) for lane in acme.lanes] == [
        ("newsletter", "rule", 2_000)
    ]


def test_what_was_observed_counts_where_ses_does_not(registrable: Registrable) -> None:
    seen_by = Observed(
        rules=Rules(tags={("customer", "7"): "acme"}),
        lanes={
            Lane(tenant="acme", type="invoice"): {MONDAY: Count(20_000, 1_900)},
            Lane(tenant="zen", type="newsletter"): {MONDAY: Count(5_000, 5)},
        },
        by_provider={"acme": {"gmail": Count(15_000, 900), "yahoo": Count(5_000, 1_000)}},
        unmapped=12,
    )
    found = report.assess(account(), registrable=registrable, seen_by=seen_by)
    acme, zen = found.tenants
    assert (acme.by, acme.counted, acme.endangers, acme.critical) == (
        By.RULE,
        Counted.OBSERVED,
        True,
        ("invoice",),
    )
    assert (acme.providers_by, acme.providers["yahoo"].bounced) == (Counted.OBSERVED, 1_000)
    assert {share.what.value for share in zen.shares} >= {"identity", "suppression"}
    said = "\n".join(found.unknown)
    assert "whose 12 observed mails are" in said
    assert "which mailbox providers zen mails: only sources that do not tell" in said
    assert "invoice: acme.mail.platform.example" in found.tenants_file


def test_ses_own_rates_are_dangers_where_counts_show_none(registrable: Registrable) -> None:
    rates = {"": Reputation(bounces=0.055, complaints=0.0004), "main": Reputation(bounces=0.06)}
    for of_set, codes in (
        ({}, {"account-bounces", "set-bounces"}),
        (
            {"main": {recorded.TODAY - timedelta(days=2): Count(20)}},
            {"account-bounces"},
        ),  # one of 20 is chance
    ):
        watched = Watched(rates=rates, of_set=of_set)
        found = report.assess(account(watched=watched), registrable=registrable)
        assert {each.code for each in found.dangers} == codes
