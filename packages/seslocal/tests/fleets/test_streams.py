"""What is due in an hour."""

from __future__ import annotations

from msgspec.structs import replace

from seslocal.fleets import streams, tenants
from seslocal.fleets.scenario import Scenario
from seslocal.fleets.streams import Due, Stream
from seslocal.world.draws import Draws
from seslocal_fixtures.fleets import BOUGHT, scenario

DRAWS = Draws(5)


def streams_of(name: str, of: Scenario) -> dict[str, Stream]:
    sender = next(one for one in tenants.senders(of, DRAWS) if one.name == name)
    return {stream.name: stream for stream in streams.streams(sender, of, DRAWS)}


def all_due(stream: Stream, hours: int) -> list[Due]:
    return [mail for hour in range(hours) for mail in streams.due(stream, hour, DRAWS)]


def test_a_campaign_goes_once_to_each_address_of_its_list_within_its_time() -> None:
    found = streams_of("shops-001", scenario(campaigns_a_week="7", campaign_lasts='"3h"'))
    campaigns = [stream for stream in found.values() if stream.bulk]
    assert campaigns
    for stream in campaigns:
        mails = all_due(stream, 72)
        assert [mail.person for mail in mails] == list(range(stream.people))
        assert len({mail.key for mail in mails}) == stream.people == 150
        assert stream.start <= mails[0].at <= mails[-1].at < stream.end == stream.start + 3 * 3_600


def test_each_hour_has_its_own_mails() -> None:
    stream = streams_of("shops-001", scenario())["shops-001/users"]
    for hour in range(48):
        assert all(hour * 3_600 <= mail.at < (hour + 1) * 3_600 for mail in streams.due(stream, hour, DRAWS))
    mails = all_due(stream, 48)
    assert 200 < len(mails) < 420
    assert all(0 <= mail.person < stream.people for mail in mails)
    assert len({mail.key for mail in mails}) == len(mails)


def test_a_scenario_that_begins_on_a_saturday_begins_with_a_weekend() -> None:
    saturday = scenario(customers="10.0")
    assert streams_of("shops-001", saturday)["shops-001/users"].weekday == 0
    saturday = replace(saturday, start=saturday.start.replace(day=7))
    assert streams_of("shops-001", saturday)["shops-001/users"].weekday == 5


def test_an_incident_leaves_the_mails_of_its_tenant_as_they_were() -> None:
    before, after = streams_of("shops-002", scenario()), streams_of("shops-002", scenario(BOUGHT))
    assert set(after) - set(before) == {"shops-002/bought_list-0"}
    for name in before:
        assert all_due(before[name], 48) == all_due(after[name], 48)
    added = after["shops-002/bought_list-0"]
    assert [mail.person for mail in all_due(added, 48)] == list(range(600))
    assert (added.incident, added.bulk, added.mails, added.lists) == (
        True,
        True,
        600,
        (("shops-002-bought", 1.0),),
    )


def test_lists_are_interleaved_by_their_shares_and_no_address_is_used_twice() -> None:
    found = streams_of("shops-001", scenario(campaigns_a_week="7", lists="{ stale = 0.1, bought = 0.02 }"))
    stream = next(stream for stream in found.values() if stream.bulk)
    addresses = [streams.address_number(stream, person) for person in range(1_000)]
    assert len(set(addresses)) == 1_000
    names = [name for name, _ in addresses]
    assert names.count("shops-001-bought") == 20
    assert 95 <= names.count("shops-001-stale") <= 100
    assert 5 <= names[:100].count("shops-001-stale") <= 15
