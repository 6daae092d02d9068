"""What follows from what was found: whose things are, harm with confidence, the verdict, the order, the calendar."""

import dataclasses
from collections.abc import Callable
from datetime import date, timedelta
from functools import cache

import pytest

from mailcordon.adapters.dns.public_suffixes import PublicSuffixes
from mailcordon.control.assess import harm, message_types, owners, report, schedule
from mailcordon.control.assess.account import (
    Account,
    ConfigurationSet,
    Count,
    Destination,
    Identity,
    SesTenant,
    State,
)
from mailcordon.control.assess.dangers import Severity
from mailcordon.control.assess.harm import Kind
from mailcordon.control.assess.owners import By
from mailcordon.control.assess.reading import Reading
from mailcordon.control.assess.verdict import Answer
from mailcordon.messages.dangers import REMEDIES
from mailcordon_fixtures import recorded_accounts as recorded

Registrable = Callable[[str], str | None]
MONDAY = recorded.WORST


@pytest.fixture(scope="module")
def registrable() -> Registrable:
    return cache(PublicSuffixes().registrable)


def made(*identities: Identity, sets: tuple[ConfigurationSet, ...] = (), **more: object) -> Account:
    return Account(
        region="eu-west-1",
        on=recorded.TODAY,
        state=State(),
        identities=identities,
        sets=sets,
        **more,  # type: ignore[arg-type]
    )


def fine(name: str) -> ConfigurationSet:
    told = Destination(name="e", enabled=True, events=frozenset(["BOUNCE", "COMPLAINT"]), kind="SNS")
    return ConfigurationSet(name=name, destinations=(told,))


def identity(name: str, configuration_set: str | None = "main", **tags: str) -> Identity:
    return Identity(name=name, configuration_set=configuration_set, mail_from=f"b.{name}", tags=tags)


# Whose ---------------------------------------------------------------------------------------------------------------------


def test_whose_an_identity_is(registrable: Registrable) -> None:
    found = owners.of(
        made(
            identity("mail.acme.example"),
            identity("mail.zen.example", tenant="Zen Corp."),
            *(identity(f"{name}.apps.platform.example") for name in ("bolt", "shop", "kite", "news")),
            identity("apps.platform.example"),
            sets=(fine("acme-marketing"), fine("main"), fine("elsewhere")),
        ),
        registrable,
    )
    assert {name: dict(owned) for name, owned in found.of_identity.items()} == {
        "mail.acme.example": {"acme": By.ORGANISATION},
        "mail.zen.example": {"zen-corp": By.TAG},
        "bolt.apps.platform.example": {"bolt": By.SIBLING},
        "shop.apps.platform.example": {"shop": By.SIBLING},
        "kite.apps.platform.example": {"kite": By.SIBLING},
        "news.apps.platform.example": {"platform": By.ORGANISATION},
    }
    assert found.of_set["acme-marketing"] == {"acme": By.ORGANISATION}
    assert "elsewhere" not in found.of_set
    assert set(found.of_set["main"]) == {"acme", "zen-corp", "bolt", "shop", "kite", "platform"}


def test_beside_ses_tenants_nothing_is_guessed(registrable: Registrable) -> None:
    account = made(identity("mail.acme.example"), tenants=[SesTenant(name="Zen", scope="TENANT")])
    found = owners.of(account, registrable)
    assert found.tenants == ["zen"]


@pytest.mark.parametrize(
    ("texts", "type"),
    [
        ([("set", "acme-ResetMail")], "password-reset"),
        ([("subject", "Your … code is #")], "login-code"),
        ([("subject", "Your discount code")], "announcement"),
        ([("tag", "invoice"), ("subject", "newsletter")], "invoice"),
        ([("set", "prod-config-set")], None),
        ([("from", "news offers")], "announcement"),
        ([("from", "news")], "newsletter"),
        ([("set", "tx"), ("from", "news")], "notification"),
    ],
)
def test_types_are_guessed_by_words(texts: list[tuple[str, str]], type: str | None) -> None:
    found = message_types.guess(texts)
    assert (None if found is None else found.type) == type


# Harm ----------------------------------------------------------------------------------------------------------------------


def test_small_numbers_accuse_nobody() -> None:
    """Two bounces of 20 are 10 %, and so would 5 % be now and then."""
    for sent, bounced, endangers in (
        (20, 2, False),
        (13, 1, False),
        (200, 20, True),
        (10_000, 520, False),
        (10_000, 560, True),
    ):
        found = harm.worst("acme", {MONDAY: Count(sent, bounced)}, {MONDAY: Count(sent, bounced)})
        assert found is not None
        assert harm.endangers(found) is endangers, (sent, bounced)
    assert harm.worst("acme", {MONDAY: Count(100)}, {}) is None


def test_one_sided_wilson_is_what_tables_have() -> None:
    assert harm.at_least(5, 100) == pytest.approx(0.0246, abs=0.0005)
    assert harm.at_least(0, 100) == 0


def test_the_worst_week_is_the_one_nearest_to_a_limit_of_ses() -> None:
    days = {MONDAY: Count(1_000, 80), MONDAY + timedelta(weeks=1): Count(100_000, 300, 900)}
    found = harm.worst("acme", days, days)
    assert found is not None
    assert (found.monday, found.kind) == (MONDAY + timedelta(weeks=1), Kind.COMPLAINTS)


def test_who_tipped_the_account() -> None:
    everybody = {MONDAY: Count(100_000, 5_600)}
    found = harm.worst("acme", {MONDAY: Count(10_000, 4_900)}, everybody)
    assert found is not None
    assert (found.tipped, found.others_sent) == ("review", 90_000)
    assert found.without_it == pytest.approx(700 / 90_000)
    pause = harm.worst("acme", {MONDAY: Count(10_000, 9_900)}, {MONDAY: Count(90_000, 10_000)})
    assert pause is not None
    assert pause.tipped == "pause"


# Dangers of the account ----------------------------------------------------------------------------------------------------

LATELY = recorded.TODAY - timedelta(days=3)
ACCOUNTS: list[tuple[State, Count, set[str]]] = [
    (State(), Count(100_000, 1_000, 20), set()),
    (State(sending=False), Count(), {"account-stopped"}),
    (State(enforcement="SHUTDOWN"), Count(), {"account-stopped"}),
    (State(enforcement="PROBATION"), Count(), {"account-under-review"}),
    (State(production=False), Count(), {"sandbox"}),
    (State(max_24h=1_000, sent_24h=800), Count(), {"quota-nearly-used"}),
    (State(max_24h=1_000, sent_24h=799), Count(), set()),
    (State(max_24h=-1, sent_24h=800), Count(), set()),
    (State(reasons=frozenset(["BOUNCE"])), Count(), {"account-suppression-off"}),
    (State(), Count(100_000, 2_200), {"account-bounces"}),
    (State(), Count(100, 4), set()),
    (State(), Count(100_000, 0, 70), {"account-complaints"}),
]


def test_what_the_account_itself_says(registrable: Registrable) -> None:
    for state, count, codes in ACCOUNTS:
        account = dataclasses.replace(apart("acme", "zen"), state=state, days={LATELY: count})
        found = report.assess(account, registrable=registrable)
        assert {each.code for each in found.dangers} == codes, state


def test_rates_over_a_limit_of_ses_are_urgent_and_old_ones_are_forgotten(registrable: Registrable) -> None:
    for day, severities in ((LATELY, [Severity.NOW]), (LATELY - timedelta(days=14), [])):
        account = dataclasses.replace(apart("acme"), days={day: Count(100_000, 6_000)})
        found = report.assess(account, registrable=registrable)
        assert [each.severity for each in found.dangers] == severities


async def test_every_danger_that_there_is_is_planted_somewhere() -> None:
    planted = {code for _, _, codes in ACCOUNTS for code in codes}
    for made_by in (recorded.small, recorded.messy, recorded.watched):
        planted |= {code for code, _ in made_by(recorded.empty())}
    assert planted | {"mixed-stream"} == set(REMEDIES)  # a mixed stream shows in events only: test_events.py


# Verdict -------------------------------------------------------------------------------------------------------------------


def apart(*names: str, days: dict[str, dict[date, Count]] | None = None) -> Account:
    """SES tenants that share the account only."""
    return made(
        *(identity(f"mail.{name}.example", name) for name in names),
        sets=tuple(fine(name) for name in names),
        tenants=[
            SesTenant(
                name=name,
                scope="TENANT",
                policy="standard",
                identities=(f"mail.{name}.example",),
                sets=(name,),
            )
            for name in names
        ],
        of_tenant=days or {},
    )


def together(*names: str) -> Account:
    return made(
        identity("mail.platform.example"),
        sets=(fine("main"),),
        tenants=[
            SesTenant(
                name=name,
                scope="TENANT",
                policy="standard",
                identities=("mail.platform.example",),
                sets=("main",),
            )
            for name in names
        ],
    )


@pytest.mark.parametrize(
    ("account", "throttled", "answer"),
    [
        (apart("acme"), None, Answer.STAY),
        (apart("acme", "zen"), None, Answer.STAY),
        (apart("acme", "zen"), True, Answer.STAY),
        (together("acme", "zen"), None, Answer.MIGRATE),
        (together("acme", "zen"), False, Answer.MIGRATE),
        (together("acme", "zen"), True, Answer.MIGRATE_NOW),
        (made(Identity(name="mail.acme.example", forwarding=False, mail_from="b")), None, Answer.REPAIR),
    ],
)
def test_the_verdict(
    account: Account, throttled: bool | None, answer: Answer, registrable: Registrable
) -> None:
    found = report.assess(account, registrable=registrable, throttled=throttled)
    assert found.verdict.answer is answer


def test_a_bad_tenant_that_shares_nothing_is_no_reason_to_move_the_others(registrable: Registrable) -> None:
    account = apart("acme", "zen", days={"acme": {MONDAY: Count(1_000, 200)}, "zen": {MONDAY: Count(9_000)}})
    found = report.assess(account, registrable=registrable)
    assert found.verdict.answer is Answer.REPAIR
    assert [each.code for each in found.dangers] == ["tenant-endangers"]


# Order and calendar --------------------------------------------------------------------------------------------------------


async def test_a_healthy_pilot_moves_first_and_then_who_endangers_others(registrable: Registrable) -> None:
    account = recorded.empty()
    recorded.small(account)
    reading = Reading(recorded.Direct(account), "eu-west-1", recorded.TODAY)
    found = report.assess(await reading.read(await reading.lists()), registrable=registrable).schedule
    # Each of the other eight shares the account only.
    assert [(each.tenant, each.why) for each in found.moves] == [
        ("old-a", "pilot"),
        ("old-b", "endangers"),
        ("shop", "critical"),
        ("old-c", "rest"),
    ]
    assert 2 <= found.weeks <= 6
    assert [each.number for each in found.calendar] == list(range(1, found.weeks + 1))
    assert found.calendar[0].part == "prepare"


def test_a_large_sender_on_a_new_domain_needs_weeks_to_warm_up() -> None:
    assert schedule.warm_up_days(200) == 0
    assert schedule.warm_up_days(200 * 2**8) == 20


def test_more_than_six_weeks_are_said(registrable: Registrable) -> None:
    account = together(*(f"t{number}" for number in range(130)))
    found = report.assess(account, registrable=registrable)
    assert found.schedule.weeks > 6
    assert found.schedule.too_long is not None
    assert found.schedule.drivers[0].name == "domains"


# The tenants file ----------------------------------------------------------------------------------------------------------


def test_a_shared_domain_is_replaced_by_one_for_each(registrable: Registrable) -> None:
    found = report.assess(together("acme", "zen"), registrable=registrable)
    assert "notification: acme.mail.platform.example" in found.tenants_file
    assert "instead of mail.platform.example, shared with 1 other tenant" in found.tenants_file
