"""Which IP a mail leaves from in a world: warm-up and cooling of managed and standard pools, as a pure function of mails, times
and chances."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from seslocal.state.dedicated_ips import SHARED, SHARED_IP, SHARED_POOL, DedicatedIps, Outgoing, Pool
from seslocal.state.managed_pools import PoolDemand, Warmth, WarmUpRules, WarmUps, wanted_ips
from seslocal.world.draws import Draws

DAY = 86400
T = 1_767_571_200  # midnight UTC
DRAWS = Draws(5)
RULES = WarmUpRules()


def chances(number: int) -> tuple[float, float]:
    one, two, _, _ = DRAWS.four("test", str(number))
    return one, two


class Sender:
    """Sends to one pool, evenly over the working hours of a day, and counts what leaves from its IPs."""

    def __init__(self, mode: str, ips: int = 0) -> None:
        self.dedicated = DedicatedIps(pools={"p": Pool("p", "", mode, {})})
        self.dedicated.lease(ips, "p", T)
        self.sent = 0

    def day(self, day: int, mails: int, provider: str = "gmail", seconds: float = 8 * 3600) -> int:
        own = 0
        for number in range(mails):
            at = T + day * DAY + 8 * 3600 + seconds * number / mails
            self.sent += 1
            own += self.dedicated.choose("p", provider, chances(self.sent), at).pool == "p"
        return own

    def warm_for(self, provider: str = "gmail") -> float:
        return self.dedicated.warm_ups.by_ip["198.51.100.1", provider].warm_for


def test_a_cold_ip_of_a_managed_pool_is_warm_within_weeks_and_the_rest_spills() -> None:
    sender = Sender("MANAGED", 1)
    own = [sender.day(day, 2000) for day in range(16)]
    assert own[0] < 50  # nothing is known of this sender yet
    assert 150 <= own[1] <= 250
    assert all(own[day] < own[day + 1] * 1.02 for day in range(1, 15))
    assert own[15] == 2000


def test_an_ip_is_warm_for_each_provider_by_itself() -> None:
    sender = Sender("MANAGED", 1)
    for day in range(14):
        sender.day(day, 2000)
    sender.day(14, 500, "microsoft")
    assert (sender.warm_for("gmail") > 2000, sender.warm_for("microsoft")) == (True, RULES.start)


def test_warmth_falls_when_the_mail_becomes_less_and_is_nearly_gone_after_a_month() -> None:
    sender = Sender("MANAGED", 1)
    for day in range(14):
        sender.day(day, 2000)
    sender.day(14, 1)
    warm = sender.warm_for()
    sender.day(21, 1)
    assert sender.warm_for() == pytest.approx(warm / 2)
    sender.day(28, 1)
    assert sender.warm_for() == pytest.approx(warm / 4)
    sender.day(43, 1)
    assert RULES.start < sender.warm_for() < RULES.start * 1.3


def test_warmth_follows_the_volume_down_to_what_is_used() -> None:
    warmth = Warmth(10_000, T)
    warmth.demands.extend([10_000] * 7)
    for day in range(10):
        for number in range(1000):
            warmth.takes(chances(number)[1], T + day * DAY + number * 60, RULES)
    warmth.move(T + 10 * DAY, RULES)
    assert warmth.warm_for == pytest.approx(10_000 * 0.5 ** (10 / 7))
    for day in range(10, 40):
        for number in range(1000):
            warmth.takes(chances(number)[1], T + day * DAY + number * 60, RULES)
    assert 1000 <= warmth.warm_for <= 2600


def test_a_burst_beyond_its_warmth_spills_from_the_next_minute_on() -> None:
    sender = Sender("MANAGED", 1)
    for day in range(14):
        sender.day(day, 2000)
    warm = sender.warm_for()
    own = sender.day(14, 20_000, seconds=600)
    assert warm * 0.9 < own < warm + 2000  # a minute of it is two thousand mails


def test_what_leaves_from_an_ip_depends_on_no_order_within_a_minute() -> None:
    """Sixteen senders at once give the same as one after the other: each mail by itself, and the state in the end."""
    found: list[object] = []
    for order in (0, 1, 2):
        dedicated = DedicatedIps(
            pools={"m": Pool("m", "", "MANAGED", {}), "s": Pool("s", "", "STANDARD", {})}
        )
        dedicated.lease(2, "m", T)
        dedicated.lease(2, "s", T - 20 * DAY)
        dedicated.warm_ups.rules = WarmUpRules(start=40, full=400)  # it spills on every day
        outcomes: dict[int, Outgoing] = {}
        for minute in range(300):
            numbers = list(range(minute * 40, minute * 40 + 40))
            random.Random(order).shuffle(numbers)
            for number in numbers:
                at = T + minute * 1800 + number % 59
                pool, provider = ("m", "s", None)[number % 3], ("gmail", "yahoo")[number % 2]
                outcomes[number] = dedicated.choose(pool, provider, chances(number), at)
        state = {key: one.snapshot() for key, one in dedicated.warm_ups.by_ip.items()}
        found.append((outcomes, state, {ip.ip: ip for ip in dedicated.by_ip.values()}))
    assert found[0] == found[1] == found[2]
    assert len({outgoing.ip for outgoing in found[0][0].values()}) == 5  # pyright: ignore[reportIndexIssue, reportUnknownVariableType, reportUnknownMemberType]


def test_senders_that_share_no_pool_do_not_touch_each_other() -> None:
    alone, together = Sender("MANAGED", 1), Sender("MANAGED", 1)
    together.dedicated.pools["other"] = Pool("other", "", "MANAGED", {})
    together.dedicated.lease(1, "other", T)
    for day in range(5):
        own = alone.day(day, 500)
        for number in range(1000):
            at = T + day * DAY + 8 * 3600 + number * 20
            together.dedicated.choose("other", "gmail", chances(-number), at)
        assert together.day(day, 500) == own
    assert together.warm_for() == alone.warm_for()


# standard pools


def test_an_ip_of_a_standard_pool_carries_its_percentage_and_shared_ips_the_rest() -> None:
    sender = Sender("STANDARD", 1)
    assert sender.day(0, 500) < 15  # 1 %
    assert sender.day(9, 2000) == pytest.approx(400, abs=60)  # 20 %
    assert sender.day(45, 500) == 500


def test_what_a_warming_ip_does_not_carry_leaves_from_the_warm_ones_of_its_pool() -> None:
    sender = Sender("STANDARD", 3)
    for ip, percentage in zip(sender.dedicated.by_ip.values(), (100, 100, 20), strict=True):
        ip.percentage, ip.warms = percentage, False
    sent = Counter(sender.dedicated.choose("p", "gmail", chances(number), T).ip for number in range(3000))
    assert SHARED_IP not in sent
    assert sent["198.51.100.3"] == pytest.approx(200, abs=45)
    assert sent["198.51.100.1"] == pytest.approx(1400, abs=110)


@pytest.mark.parametrize("pool", [SHARED_POOL, None, "empty"])
def test_mail_of_no_ip_leaves_from_the_shared_one(pool: str | None) -> None:
    sender = Sender("STANDARD", 1)
    assert sender.dedicated.choose(pool, "gmail", (0.5, 0.0), T) == SHARED


def test_a_standard_ip_cools_only_if_it_is_switched_on() -> None:
    for cools, percentage in ((False, 100), (True, 0)):
        sender = Sender("STANDARD", 1)
        sender.dedicated.warm_ups.rules = WarmUpRules(cool_standard=cools)
        ip = sender.dedicated.by_ip["198.51.100.1"]
        ip.percentage = 100
        sender.day(0, 300)
        sender.day(20, 299)  # too few to be remembered for
        assert sender.dedicated.percentage(ip, T + 30 * DAY) == 100
        assert sender.dedicated.percentage(ip, T + 30 * DAY + 1) == percentage
        sender.day(31, 1)  # asks for it, so it warms up again
        assert sender.dedicated.percentage(ip, T + 41 * DAY) == (percentage or 21)
        if cools:  # whichever mail of a minute was the first
            sender.dedicated.choose("p", "gmail", (0.5, 0.5), T + 90 * DAY + 17)
            assert ip.since == T + 90 * DAY


# how many IPs a managed pool has


@pytest.mark.parametrize(
    ("demands", "have", "wanted"),
    [
        ([299, 300, 300], 0, 0),
        ([300, 300], 0, 0),
        ([300, 300, 300], 0, 1),
        ([100_000] * 7, 0, 1),
        ([100_000] * 7, 1, 2),
        ([100_000] * 7, 3, 3),
        ([10_000_000] * 7, 10, 10),
        ([300, *[0] * 29], 1, 1),
        ([0] * 30, 1, 0),
        ([299] * 30, 2, 0),
        ([1000] * 30, 5, 4),
    ],
)
def test_a_pool_grows_and_shrinks_with_its_mail(demands: list[int], have: int, wanted: int) -> None:
    assert wanted_ips(demands, have, RULES) == wanted


def test_a_managed_pool_gets_its_first_ip_after_three_days_of_mail_and_gives_it_back_after_a_month() -> None:
    sender = Sender("MANAGED")
    assert [sender.day(day, 400) for day in range(3)] == [0, 0, 0]
    assert sender.dedicated.by_ip == {}
    sender.day(3, 400)
    assert list(sender.dedicated.by_ip) == ["198.51.100.1"]
    assert [key[0] for key in sender.dedicated.warm_ups.by_ip] == ["198.51.100.1"]
    sender.day(40, 1)
    assert (sender.dedicated.by_ip, sender.dedicated.warm_ups.by_ip) == ({}, {})


def test_an_account_without_free_ips_keeps_what_it_has() -> None:
    sender = Sender("MANAGED")
    sender.dedicated.lease(508, "ses-default-dedicated-pool", T)
    for day in range(5):
        assert sender.day(day, 400) == 0
    assert len(sender.dedicated.by_ip) == 508


def test_snapshots_restore_warmth_and_demand() -> None:
    sender = Sender("MANAGED", 1)
    for day in range(5):
        sender.day(day, 500)
    warmth, demand = sender.dedicated.warm_ups.by_ip["198.51.100.1", "gmail"], sender.dedicated.demands["p"]
    copy = Warmth.restored(tuple(warmth.snapshot()))  # pyright: ignore[reportArgumentType]
    assert copy.snapshot() == warmth.snapshot()
    again = PoolDemand.restored(tuple(demand.snapshot()))  # pyright: ignore[reportArgumentType]
    assert again.snapshot() == demand.snapshot()
    for one in (warmth, copy):
        one.move(T + 6 * DAY, RULES)
    assert (copy.warm_for, copy.share) == (warmth.warm_for, warmth.share)


def test_the_table_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seslocal.state.managed_pools.MOST_WARMTHS", 3)
    warm_ups = WarmUps()
    for provider in "abcde":
        warm_ups.takes("198.51.100.1", provider, 0.5, T)
    assert [provider for _, provider in warm_ups.by_ip] == ["c", "d", "e"]
