"""The three decisions about a tenant, each by itself, with what they cost; and all tenants by cost and risk. Pure."""

from dataclasses import replace
from datetime import date

import pytest

from mailcordon.control import steps
from mailcordon.control.advice import Advice, Facts, Volume, fleet, prices
from mailcordon.control.advice.advisor import advise
from mailcordon.control.advice.fleet import Counted, Sender, Uses
from mailcordon.control.advice.prices import Prices
from mailcordon.control.platform import Domain, IpPool, Lane, Platform, Tenant
from mailcordon.core.errors import Invalid
from mailcordon.core.priority import Class
from mailcordon.core.provider import Provider
from mailcordon.guard.dedicated import Count, Day

TODAY = 20_000
PRICES = Prices(
    dated=date(2026, 11, 1),
    currency="USD",
    of={
        "month.standard_ip": 25.0,
        "month.managed_pools": 15.0,
        "month.identity": 0.0,
        "month.configuration_set": 0.0,
        "thousand_mails.mail": 0.1,
        "thousand_mails.managed_ips": 0.08,
    },
)
ACME = Tenant(
    slug="acme",
    key="mc-abc",
    domains={name: Domain(name=name) for name in ("acme.example", "news.acme.example")},
    lanes={
        "invoice": Lane(type="invoice", class_=Class.TRANSACTIONAL, domain="acme.example"),
        "newsletter": Lane(type="newsletter", class_=Class.MARKETING, domain="news.acme.example"),
    },
)
BULK = IpPool(name="bulk", managed=False, marketing=True)
HURT = [Day(day, Provider.GMAIL, 4_000, 120) for day in range(TODAY - 42, TODAY)]
FACTS = Facts(
    platform=Platform(
        revision=1,
        tenants={"acme": ACME},
        types={"invoice": Class.TRANSACTIONAL, "newsletter": Class.MARKETING},
    ),
    tenant=ACME,
    today=TODAY,
    days={Class.MARKETING: [Day(day, Provider.GMAIL, 100) for day in range(TODAY - 42, TODAY)]},
    others={Provider.GMAIL: Count(1_000_000, 50_000)},
    own=2_800,
    all=1_000_000,
)


def of(facts: Facts, given: Prices = PRICES) -> dict[str, Advice]:
    return {one.decision: one for one in advise(facts, given)}


def test_a_small_tenant_keeps_everything_and_is_told_why() -> None:
    found = of(FACTS)
    assert list(found) == ["identity", "configuration set", "IP"]
    assert [one.change for one in found.values()] == [False, False, False]
    assert all(not one.steps and one.command is None for one in found.values())
    assert [one.cost.monthly for one in found.values()] == [0.0, 0.0, 0.0]
    assert (
        "Keep the marketing mail of acme on SES's shared addresses: it is a few hundred mails a day"
        in found["IP"].says
    )


def test_marketing_that_shares_a_domain_with_other_mail_moves_and_nothing_else_does() -> None:
    """One decision at a time: the domain alone."""
    lanes = {**ACME.lanes, "newsletter": replace(ACME.lanes["newsletter"], domain="acme.example")}
    found = of(
        replace(
            FACTS, tenant=replace(ACME, lanes=lanes, domains={"acme.example": Domain(name="acme.example")})
        )
    )
    assert [(step.kind, step.type, step.to) for step in found["identity"].steps] == [
        ("move-lane", "newsletter", "news.acme.example")
    ]
    assert found["identity"].cost.days == 30
    assert not found["configuration set"].change
    assert not found["IP"].change


def test_a_domain_below_one_that_tenants_share_needs_a_name_from_a_person() -> None:
    found = of(replace(FACTS, platform=replace(FACTS.platform, shared_parents=frozenset({"acme.example"}))))
    assert found["identity"].change
    assert found["identity"].steps == ()
    assert found["identity"].command == "mailcordon lane move acme invoice --to NEW.DOMAIN --because TEXT"


def test_a_tenant_that_sends_a_tenth_of_the_mail_gets_its_own_sets() -> None:
    found = of(replace(FACTS, own=100_000))
    assert found["configuration set"].steps == (
        steps.set_topology("acme", dedicated=True, ses_tenants="one"),
    )
    assert not of(replace(FACTS, own=99_999))["configuration set"].change
    alone = replace(FACTS, own=1_000_000)
    assert not of(alone)["configuration set"].change, "there is nobody to keep apart from"


def test_mail_that_neighbours_hurt_goes_into_a_fitting_pool_with_sets_of_its_own() -> None:
    with_pool = replace(
        FACTS, platform=replace(FACTS.platform, pools={"bulk": BULK}), days={Class.MARKETING: HURT}
    )
    found = of(with_pool)
    assert found["IP"].steps == (
        steps.set_topology("acme", dedicated=True, ses_tenants="one"),
        steps.set_pool("acme", Class.MARKETING, "bulk"),
    )
    assert (found["IP"].cost.monthly, found["IP"].cost.days) == (25.0, 45)
    assert found["configuration set"].change, "SES chooses the pool by set"


def test_without_a_fitting_pool_a_person_makes_one_first() -> None:
    other = replace(BULK, name="receipts", marketing=False)
    found = of(
        replace(
            FACTS, platform=replace(FACTS.platform, pools={"receipts": other}), days={Class.MARKETING: HURT}
        )
    )["IP"]
    assert found.change
    assert found.steps == ()
    assert (found.command or "").startswith(
        "mailcordon pool create acme-marketing --for marketing --standard"
    )


def pooled(days: list[Day]) -> Advice:
    inside = replace(ACME, dedicated=True, pools={Class.MARKETING: "bulk"})
    platform = replace(FACTS.platform, pools={"bulk": BULK})
    return of(replace(FACTS, platform=platform, tenant=inside, days={Class.MARKETING: days}))["IP"]


def test_what_has_become_small_goes_back_to_the_shared_addresses() -> None:
    found = pooled([Day(day, Provider.GMAIL, 100) for day in range(TODAY - 42, TODAY)])
    assert found.steps == (steps.set_pool("acme", Class.MARKETING, None),)
    assert "Take the marketing mail of acme out of bulk" in found.says
    assert found.cost.monthly == 0.0, "leased addresses cost until they are given back"
    assert not pooled(HURT).change


def test_a_price_that_is_not_known_is_said_and_not_taken_for_nothing() -> None:
    without = Prices(dated=PRICES.dated, currency="USD")
    found = of(
        replace(FACTS, platform=replace(FACTS.platform, pools={"bulk": BULK}), days={Class.MARKETING: HURT}),
        without,
    )
    assert (found["IP"].cost.monthly, found["IP"].cost.unknown) == (None, ("month.standard_ip",))


def test_a_price_that_nobody_looked_up_is_named_where_it_is_used() -> None:
    doubted = replace(PRICES, unchecked=frozenset(["month.standard_ip", "thousand_mails.vdm"]))
    in_pool = replace(
        FACTS, platform=replace(FACTS.platform, pools={"bulk": BULK}), days={Class.MARKETING: HURT}
    )
    found = of(in_pool, doubted)
    assert found["IP"].cost.unchecked == ("month.standard_ip",)
    assert found["identity"].cost.unchecked == ()
    one = uses(1, 0, addresses=1.0)
    assert fleet.weigh([], counted(one), doubted).unchecked == ("month.standard_ip",)
    assert fleet.weigh([], counted(replace(one, addresses=0.0)), doubted).unchecked == ()


def uses(sent: int, bad: int, **more: float) -> Uses:
    given = {"managed_mails": 0, "ses_tenants": 1, "sets": 0, "domains": 1, "addresses": 0.0, **more}
    return Uses(volume=Volume(sent=sent, bad=bad), **given)  # pyright: ignore[reportArgumentType]


def counted(whole: Uses, *, tenants: int = 1, payers: int = 0) -> Counted:
    return Counted(at_ms=0, tenants=tenants, payers=payers, uses=whole)


def test_the_fleet_is_weighed_by_the_harm_that_each_does() -> None:
    found = fleet.weigh(
        [
            Sender(slug="bad", uses=uses(28_000, 990)),
            Sender(slug="good", uses=uses(28_000, 10)),
            Sender(slug="idle", uses=uses(0, 0, addresses=2.0)),
        ],
        counted(uses(56_000, 1_000, addresses=2.0), tenants=3),
        PRICES,
    )
    assert [(line.slug, round(line.risk, 2)) for line in found.lines] == [
        ("bad", 1.98),
        ("good", 0.02),
        ("idle", 0.0),
    ]
    assert [line.monthly for line in found.lines] == [3.0, 3.0, 50.0], "28 days as a month of 30"
    assert [line.per_thousand for line in found.lines] == [0.1, 0.1, None]
    assert found.unknown == ("million.events", "month.ses_tenant")


def test_the_fee_of_managed_pools_is_divided_among_those_that_use_them() -> None:
    one = Sender(slug="one", uses=uses(28_000, 0, managed_mails=28_000))
    whole = uses(84_000, 0, managed_mails=56_000)
    [line] = fleet.weigh([one], counted(whole, tenants=3, payers=2), PRICES).lines
    assert line.monthly == 3.0 + 2.4 + 7.5


def test_the_shipped_prices_are_dated_and_say_what_they_do_not_know() -> None:
    found = prices.shipped()
    assert found.currency == "USD"
    assert found.get("month.standard_ip") == 24.95
    assert found.get("month.ses_tenant") == 0.005
    assert found.get("month.identity") is None
    assert found.not_looked_up(found.of) == (
        "month.managed_pools",
        "thousand_mails.managed_ips",
        "thousand_mails.vdm",
    )
    assert found.mails("mail", 10_000) == 1.0


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("dated = 2026-11-01", {"currency"}),
        ('currency = "USD"', {"dated"}),
        (
            'dated = 2026-11-01\ncurrency = "USD"\n[month]\nstandard_ip = "much"\nips = 1',
            {"month.standard_ip", "month.ips"},
        ),
        ('dated = 2026-11-01\ncurrency = "USD"\n[year]\nx = 1', {"year"}),
        ("dated = ", {"prices.toml"}),
        ('dated = 2026-11-01\ncurrency = "USD"\nunchecked = ["month.standard_ip"]', {"unchecked"}),
        ('dated = 2026-11-01\ncurrency = "USD"\nunchecked = "all"', {"unchecked"}),
    ],
)
def test_a_wrong_price_file_is_refused_by_member(text: str, fields: set[str]) -> None:
    with pytest.raises(Invalid) as refused:
        prices.parse(text)
    assert {fault.field for fault in refused.value.faults} == fields
