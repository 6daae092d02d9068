"""Providers and SES in a rehearsal: harm stays with who shares the sender, fades, and grows with what is bad. Pure."""

from mailcordon.core.provider import Provider
from mailcordon.guard.rehearsal.account import Account, Status
from mailcordon.guard.rehearsal.providers import DAY, SHARED, Providers

NOW = 29_000_000


def _with_list(pool: str) -> Providers:
    found = Providers()
    for provider in (Provider.GMAIL, Provider.MICROSOFT, Provider.OTHER):
        for domain in ("bad.example", "good.example", "apart.example"):
            its = pool if domain != "apart.example" else "apart"
            found.count(provider, domain, its, NOW - DAY, mails=10_000, dead=40, complaints=3)
        found.count(provider, "bad.example", pool, NOW, mails=4_000, dead=900, complaints=40, traps=200)
    return found


def test_harm_is_whose_it_is_and_who_shares_the_pool_has_a_part_of_it() -> None:
    for provider in (Provider.GMAIL, Provider.MICROSOFT, Provider.OTHER):
        found = _with_list("platform")
        bad, good, apart = (
            found.stand(provider, domain, pool, NOW + 1)
            for domain, pool in (
                ("bad.example", "platform"),
                ("good.example", "platform"),
                ("apart.example", "apart"),
            )
        )
        assert bad.spam > good.spam > apart.spam + 0.001, provider
        untouched = Providers()
        untouched.count(provider, "apart.example", "apart", NOW - DAY, mails=10_000, dead=40, complaints=3)
        assert apart == untouched.stand(provider, "apart.example", "apart", NOW + 1), (
            "shares nothing, so nothing changes"
        )


def test_sess_pool_dilutes_and_time_heals() -> None:
    own, shared = _with_list("platform"), _with_list(SHARED)
    at = (Provider.MICROSOFT, "good.example")
    assert own.stand(*at, "platform", NOW + 1).spam > shared.stand(*at, SHARED, NOW + 1).spam
    later = own.stand(Provider.MICROSOFT, "bad.example", "platform", NOW + 30 * DAY)
    assert later.spam < own.stand(Provider.MICROSOFT, "bad.example", "platform", NOW + 1).spam / 2


def test_traps_list_a_sender_where_block_lists_are_asked() -> None:
    found = _with_list("platform")
    assert found.stand(Provider.OTHER, "good.example", "platform", NOW + 1).refused > 0.5
    assert not found.stand(Provider.GMAIL, "good.example", "platform", NOW + 1).listed, "it asks none"
    assert not found.stand(Provider.OTHER, "good.example", "platform", NOW + 10 * DAY).listed
    assert not _with_list(SHARED).stand(Provider.OTHER, "good.example", SHARED, NOW + 1).listed


def test_a_domain_that_nobody_knows_is_doubted_until_it_has_sent() -> None:
    found = Providers(new=frozenset({"new.example"}))
    first = found.stand(Provider.GMAIL, "new.example", "own", NOW).spam
    found.count(Provider.GMAIL, "new.example", "own", NOW, mails=20_000, dead=80)
    assert first > found.stand(Provider.GMAIL, "new.example", "own", NOW + 1).spam > 0.015


def test_ses_reviews_at_five_percent_and_pauses_at_ten_and_a_pause_lasts() -> None:
    account = Account()
    account.count(NOW, 900, 900, 90, 0)
    account.judge(NOW + 10)
    assert account.status is Status.HEALTHY, "too few mails to judge"
    account.count(NOW + 20, 11_100, 11_100, 600, 0)
    account.judge(NOW + 30)
    assert [one.status for one in account.changes] == [Status.REVIEW]
    account.count(NOW + 40, 2_000, 2_000, 1_200, 0)
    account.judge(NOW + 50)
    assert account.status is Status.PAUSED
    account.count(NOW + 60, 500_000, 500_000, 0, 0)
    account.judge(NOW + 70)
    assert account.status is Status.PAUSED
