"""What people and machines do with accepted mail, by experiment against what is published of real lists."""

from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Literal

import pytest

from seslocal.world.addresses import DOMAINS, Addresses
from seslocal.world.draws import Draws
from seslocal.world.envelope import Envelope
from seslocal.world.people import QUALITIES, People, Person
from seslocal.world.programs import APPLE_PROXY, GOOGLE_PREFETCH, GOOGLE_PROXY, SCANNERS, YAHOO_PROXY
from seslocal.world.providers import PROVIDERS
from seslocal.world.reaction import Reaction
from seslocal.world.reactions import react
from seslocal.world.settings import ListRule, Quality, WorldSettings
from seslocal.world.verdict import Verdict
from seslocal_fixtures.world_senders import plain

MANY = 40_000
NINE = 86_400.0 * 20_000 + 9 * 3600  # nine in the morning of a day, UTC
DRAWS = Draws(1)
PEOPLE = People(
    WorldSettings(
        lists=tuple(ListRule(name=quality.replace("-", ""), quality=quality) for quality in QUALITIES)
    ),
    DRAWS,
)
ADDRESSES = Addresses()
PROVIDER_OF = {domain: provider for provider, domains in DOMAINS.items() for domain in domains}


def provider_of(address: str) -> str:
    return PROVIDER_OF[address.partition("@")[2]]


def mail(recipient: str, key: str = "k", *, bulk: bool = True, one_click: bool = True) -> Envelope:
    return plain(key, recipient, ip="192.0.2.1", bulk=bulk, one_click=one_click)


def mailed(
    quality: Quality,
    kind: Literal["inbox", "spam"] = "inbox",
    *,
    bulk: bool | None = None,
    one_click: bool = True,
    at: float = NINE,
    many: int = MANY,
) -> Iterator[tuple[Person, str, tuple[Reaction, ...]]]:
    """Mails a list, and gives what each of those whose provider accepts mail does."""
    bulk = quality != "transactional" if bulk is None else bulk
    for number in range(many):
        address = ADDRESSES.address(quality.replace("-", ""), number)
        person, provider = PEOPLE.find(address), provider_of(address)
        if person.who not in ("nobody", "moved", "full"):
            envelope = mail(address, f"{number}", bulk=bulk, one_click=bulk and one_click)
            verdict = Verdict(kind=kind, provider=provider)
            yield person, provider, react(envelope, person, verdict, at, DRAWS)


@cache
def mailing() -> list[tuple[Person, str, tuple[Reaction, ...]]]:
    return list(mailed("opted-in", many=20_000))


@cache
def rates(
    quality: Quality,
    kind: Literal["inbox", "spam"] = "inbox",
    *,
    bulk: bool | None = None,
    one_click: bool = True,
) -> dict[str, float]:
    """Each deed by accepted mails, and `soon`: opens within the hour."""
    accepted, found = 0, Counter[str]()
    for _, _, reactions in mailed(quality, kind, bulk=bulk, one_click=one_click):
        accepted += 1
        for reaction in reactions:
            found[reaction.deed] += 1
            if reaction.deed == "open" and reaction.after < 3600:
                found["soon"] += 1
    return {deed: number / accepted for deed, number in found.items()}


@pytest.mark.parametrize(
    ("quality", "deed", "least", "most"),
    [
        ("opted-in", "open", 0.20, 0.40),
        ("opted-in", "click", 0.015, 0.04),
        ("opted-in", "complaint", 0.0001, 0.0005),
        ("opted-in", "unsubscribe", 0.001, 0.003),
        ("opted-in", "delete", 0.10, 0.25),
        ("stale", "open", 0.04, 0.15),
        ("stale", "complaint", 0.001, 0.004),
        ("stale", "unsubscribe", 0.003, 0.01),
        ("bought", "open", 0.02, 0.10),
        ("bought", "click", 0.0005, 0.005),
        ("bought", "complaint", 0.005, 0.03),
        ("bought", "delete", 0.25, 0.60),
        ("transactional", "open", 0.65, 0.85),
        ("transactional", "soon", 0.60, 0.80),
    ],
)
def test_people_do_in_the_inbox_as_those_of_real_lists(
    quality: Quality, deed: str, least: float, most: float
) -> None:
    assert least <= rates(quality)[deed] <= most


def test_who_waits_for_a_mail_hardly_complains() -> None:
    assert rates("transactional").get("complaint", 0) <= 0.0002
    assert "unsubscribe" not in rates("transactional")


def test_a_mailing_to_those_who_wait_for_receipts_is_read_as_a_mailing() -> None:
    found = rates("transactional", bulk=True)
    assert 0.25 <= found["open"] <= 0.55
    assert found["unsubscribe"] > 0.001


@pytest.mark.parametrize("quality", ["opted-in", "stale", "bought"])
def test_the_harder_it_is_to_unsubscribe_the_more_complain(quality: Quality) -> None:
    one_click = rates(quality)
    listed = rates(quality, one_click=False)
    neither = rates(quality, bulk=False)
    assert one_click["complaint"] < listed["complaint"] < neither["complaint"]
    assert "unsubscribe" not in neither
    assert one_click["open"] == neither["open"]


def test_in_the_spam_folder_few_look_and_nobody_complains() -> None:
    for quality in QUALITIES:
        found = rates(quality, "spam")
        assert not {"complaint", "unsubscribe", "delete"} & set(found)
        assert found["open"] < rates(quality)["open"] / (2 if quality == "transactional" else 20)
    # Return Path, 2018: 0.02 % of all mail is marked as not spam while 9 % is in spam folders
    assert 0.001 <= rates("opted-in", "spam")["not_spam"] <= 0.004
    assert rates("bought", "spam").get("not_spam", 0) < 0.0005
    assert rates("transactional", "spam")["not_spam"] > 0.01


def test_whoever_says_not_spam_has_opened_the_mail() -> None:
    for _, _, reactions in mailed("transactional", "spam", many=5_000):
        deeds = [one.deed for one in reactions]
        if "not_spam" in deeds:
            assert deeds.index("open") < deeds.index("not_spam")


def test_programs_fetch_nothing_in_a_spam_folder() -> None:
    opened = {
        one.agent
        for _, _, reactions in mailed("opted-in", "spam", many=10_000)
        for one in reactions
        if one.deed == "machine_open"
    }
    assert opened == set(SCANNERS)


@pytest.mark.parametrize("who", ["abandoned", "recycled_trap", "pristine_trap", "nobody"])
def test_where_nobody_reads_nothing_is_done_but_by_scanners(
    who: Literal["abandoned", "recycled_trap", "pristine_trap", "nobody"],
) -> None:
    person = Person(who, "bought", "")
    for number in range(300):
        for provider in PROVIDERS:
            envelope = mail(f"a{number}@corp{number % 40:02d}.example", f"{number}")
            done = react(envelope, person, Verdict(kind="inbox", provider=provider), NINE, DRAWS)
            assert {one.deed for one in done} <= {"machine_open", "machine_click"}
            assert not done or provider in ("gateways", "small")


def test_mail_that_nobody_gets_has_no_reactions() -> None:
    for number in range(200):
        envelope = mail(f"a{number}@corp{number % 40:02d}.example", f"{number}")
        for verdict in (
            Verdict(kind="refuse", provider="gateways", code=550),
            Verdict(kind="defer", provider="gateways", code=421),
            Verdict(kind="inbox", provider="gateways", returned=60.0),
            Verdict(kind="spam", provider="gateways", returned=60.0),
        ):
            assert react(envelope, Person("active", "transactional", ""), verdict, NINE, DRAWS) == ()


def test_the_same_mail_has_the_same_reactions_in_any_order() -> None:
    done = [reactions for _, _, reactions in mailed("transactional", many=300)]
    again = {
        number: react(
            mail(address, f"{number}", bulk=False, one_click=False),
            PEOPLE.find(address),
            Verdict(kind="inbox", provider=provider_of(address)),
            NINE,
            DRAWS,
        )
        for number in reversed(range(300))
        for address in [ADDRESSES.address("transactional", number)]
    }
    kept = [again[number] for number in range(300)]
    gone = ("nobody", "moved", "full")
    alive = [
        number
        for number in range(300)
        if PEOPLE.find(ADDRESSES.address("transactional", number)).who not in gone
    ]
    assert [kept[number] for number in alive] == done
    assert sum(map(bool, done)) > 200


def test_another_mail_to_the_same_person_is_another_chance() -> None:
    person, verdict = Person("active", "opted-in", ""), Verdict(kind="inbox", provider="gmx")
    opens = [
        any(one.deed == "open" for one in react(mail("ada@gmx.de", f"{key}"), person, verdict, NINE, DRAWS))
        for key in range(500)
    ]
    assert 100 < sum(opens) < 300


def test_the_keen_open_more_and_complain_less() -> None:
    verdict = Verdict(kind="inbox", provider="gmx")

    def count(keen: float, deed: str) -> int:
        person = Person("bought", "bought", "", keen=keen)
        return sum(
            one.deed == deed
            for key in range(10_000)
            for one in react(mail("ada@gmx.de", f"{key}"), person, verdict, NINE, DRAWS)
        )

    assert count(0.95, "open") > 3 * count(0.05, "open")
    assert count(0.05, "complaint") > 2 * count(0.95, "complaint")


def test_reactions_come_in_the_order_of_time_and_after_the_mail() -> None:
    for quality in QUALITIES:
        for _, _, reactions in mailed(quality, many=3_000):
            times = [one.after for one in reactions]
            assert times == sorted(times)
            assert all(0 < one <= 31 * 86_400 for one in times)


def test_opens_come_as_fast_as_published() -> None:
    """A third within the hour and about half within six hours (i-emailer, MailerMailer, Inntopia), nearly all within a week. A
    mail in the morning is a little faster, since the night is far."""
    opens = sorted(one.after for _, _, reactions in mailing() for one in reactions if one.deed == "open")
    within = {hours: sum(one < hours * 3600 for one in opens) / len(opens) for hours in (1, 6, 24, 72, 168)}
    assert 0.20 <= within[1] <= 0.42
    assert 0.45 <= within[6] <= 0.72
    assert 0.70 <= within[24] <= 0.88
    assert 0.85 <= within[72] <= 0.96
    assert 0.93 <= within[168] <= 0.98


def test_people_sleep_but_who_waits_for_a_mail_is_awake() -> None:
    def soon(quality: Quality, at: float) -> int:
        return sum(
            one.deed == "open" and one.after < 3600
            for _, _, reactions in mailed(quality, at=at, many=4_000)
            for one in reactions
        )

    night = NINE - 6 * 3600
    assert soon("opted-in", NINE) > 2 * soon("opted-in", night) > 0
    assert soon("transactional", NINE) == soon("transactional", night)


def test_apples_proxy_opens_before_people_do_and_then_hides_them() -> None:
    machine, hidden, seen = 0, 0, 0
    for _, provider, reactions in mailing():
        proxied, opened = False, False
        for one in reactions:
            if one.deed == "machine_open" and one.agent == APPLE_PROXY:
                assert not opened  # what the person has fetched is not fetched again
                machine += 1
                proxied = True
            opened = opened or one.deed == "open"
            if one.deed == "open" and proxied:
                assert one.agent == one.address == ""
                hidden += 1
            if one.deed == "open" and one.agent == APPLE_PROXY:
                seen += 1
            if provider == "apple" and one.deed == "machine_open":
                assert one.agent == APPLE_PROXY
    # Bird, 2021: 30 to 40 % of recipients; not all mail is fetched, and not where nobody uses the mailbox
    assert 0.18 <= machine / 20_000 <= 0.35
    assert hidden > 200
    assert seen > 200


def test_about_half_of_all_opens_that_tracking_sees_are_apples() -> None:
    """Litmus, July 2022: Apple's privacy protection is in 52.7 % of opens."""
    agents = Counter(
        one.agent
        for _, _, reactions in mailing()
        for one in reactions
        if one.deed in ("open", "machine_open") and one.agent
    )
    assert 0.40 <= agents[APPLE_PROXY] / agents.total() <= 0.65


def test_each_provider_is_seen_by_its_own_agents() -> None:
    opens: dict[str, Counter[str]] = {provider: Counter() for provider in PROVIDERS}
    clicks = Counter[str]()
    for _, provider, reactions in mailed("transactional", many=6_000):
        for one in reactions:
            if one.deed in ("open", "machine_open"):
                opens[provider][one.agent] += 1
            elif one.deed == "click":
                clicks[one.agent] += 1
            if not one.agent:
                assert one.address == ""
            else:
                assert one.address.startswith("203.0.113." if _proxied(one) else "198.51.100.")
    assert set(opens["gmail"]) == {"", APPLE_PROXY, GOOGLE_PROXY, GOOGLE_PREFETCH}
    # SparkPost, 2022: 1 to 6 % of opens at Gmail are its own prefetching
    assert 0.005 <= opens["gmail"][GOOGLE_PREFETCH] / opens["gmail"].total() <= 0.06
    assert set(opens["yahoo"]) == {"", APPLE_PROXY, YAHOO_PROXY}
    assert any("Outlook" in agent for agent in opens["gateways"])
    assert all("Mozilla/5.0 (" in agent and "Proxy" not in agent for agent in clicks)


def test_who_leaves_the_pictures_off_is_not_seen() -> None:
    """Litmus, 2014: a fifth of the opens in programs that block pictures fetch none."""
    unseen = seen = 0
    for number in range(2_000):
        # whoever is neither in Apple Mail nor in a browser
        person = Person("active", "transactional", "", program=0.2 + 0.65 * number / 2_000)
        envelope = mail("ada@corp01.example", f"{number}", bulk=False, one_click=False)
        for one in react(envelope, person, Verdict(kind="inbox", provider="gateways"), NINE, DRAWS):
            if one.deed == "open":
                assert one.agent == "" or "Outlook" in one.agent
                unseen += not one.agent
                seen += bool(one.agent)
    assert 0.15 <= unseen / (unseen + seen) <= 0.27


def test_googles_proxy_fetches_again_when_the_person_opens() -> None:
    person, verdict = (
        Person("active", "transactional", "", program=0.9),
        Verdict(kind="inbox", provider="gmail"),
    )
    twice = 0
    for number in range(3_000):
        done = react(mail("ada@gmail.com", f"{number}", bulk=False), person, verdict, NINE, DRAWS)
        agents = [one.agent for one in done if one.deed in ("open", "machine_open")]
        assert agents in ([], [GOOGLE_PROXY], [GOOGLE_PREFETCH], [GOOGLE_PREFETCH, GOOGLE_PROXY])
        twice += len(agents) == 2
    assert twice > 5


def _proxied(one: Reaction) -> bool:
    return one.deed.startswith("machine") or (
        one.deed == "open" and one.agent in (APPLE_PROXY, GOOGLE_PROXY, YAHOO_PROXY)
    )


def test_gateways_click_faster_than_people_and_more() -> None:
    """Omeda, 2023: about 65 % of all clicks are of machines."""
    people, machines, fast = 0, 0, 0
    for _, provider, reactions in mailing():
        for one in reactions:
            people += one.deed == "click"
            if one.deed == "machine_click":
                assert provider in ("gateways", "small")
                machines += 1
                fast += one.after < 10
    assert 0.45 <= machines / (machines + people) <= 0.80
    assert fast / machines > 0.6


def scanned(seed: int) -> dict[str, set[str]]:
    """The agents of the scanners before each of 40 domains, with mail that nobody reads."""
    person, verdict = Person("pristine_trap", "bought", ""), Verdict(kind="inbox", provider="gateways")
    return {
        f"corp{domain:02d}": {
            one.agent
            for number in range(60)
            for one in react(
                mail(f"a{number}@corp{domain:02d}.example", f"{number}"), person, verdict, NINE, Draws(seed)
            )
        }
        for domain in range(40)
    }


def test_a_domain_always_scans_or_never() -> None:
    found = scanned(1)
    assert all(len(agents) <= 1 for agents in found.values())
    assert 14 <= sum(map(bool, found.values())) <= 34


def test_which_domains_scan_follows_from_the_seed() -> None:
    # written down: it must be the same in the next process too
    assert [name for name, agents in scanned(1).items() if not agents][:6] == [
        "corp01",
        "corp02",
        "corp13",
        "corp15",
        "corp16",
        "corp20",
    ]
    assert scanned(2) != scanned(1)


def test_complaints_are_reported_by_those_who_report_and_never_by_gmail() -> None:
    reported: dict[str, list[float | None]] = {}
    for _, provider, reactions in mailed("bought"):
        for one in reactions:
            if one.deed == "complaint":
                later = None if one.reported is None else one.reported - one.after
                reported.setdefault(provider, []).append(later)
            else:
                assert one.reported is None
    assert set(reported) == set(PROVIDERS)
    for name, provider in PROVIDERS.items():
        known = [later for later in reported[name] if later is not None]
        assert len(known) == (len(reported[name]) if provider.complaints else 0)
        assert all(0 < later < 7 * 86_400 for later in known)
        assert len(set(known)) == len(known)
    assert reported["microsoft"]
    assert reported["yahoo"]
    assert set(reported["gmail"]) == {None}
