"""The breaker's loop on the tables: decisions, holds, limits, restarts, people, arming. What it decides is told by the test."""

import dataclasses

import pytest

from mailcordon.adapters.db.breaker_reader import BreakerAlarms, BreakerEditor, BreakerReader
from mailcordon.core.errors import Conflict, NotFound
from mailcordon.core.hold import NewHold
from mailcordon.core.provider import Provider
from mailcordon.core.target import Target
from mailcordon.guard.arming import Wish
from mailcordon.guard.breaker.nouns import (
    Dimension,
    Half,
    Level,
    Phase,
    Slice,
)
from mailcordon.guard.delays import Signal
from mailcordon.observe.view import ReadScope
from mailcordon_fixtures.breaker_watching import LIST, Dies, Watching, decided, held_list


async def test_a_decision_about_a_proved_lane_holds_the_list_alone_and_is_told_to_its_tenant_alone(
    watching: Watching,
) -> None:
    other = await watching.world.lane("zen", "newsletter")
    _, lane = await held_list(watching)
    assert await watching.holds() == [(lane, "bought", True, "breaker", "breaker")]
    assert await watching.rows("select held from lane where id = any (array[" + f"{lane}, {other}])") == [
        (False,),
        (False,),
    ]
    ((mode, seen, done, hold),) = await watching.rows(
        "select mode, seen, done, hold from breaker_decision where ended_at is null"
    )
    assert mode == "enforce"
    assert seen.startswith("acme/newsletter: 31 hard bounces of 420 mails since ")
    assert seen.endswith("96 % of what is too much comes from list bought (30 of 400 mails).")
    assert done.startswith("Held: list bought of acme/newsletter; no mail waits yet. All other mail")
    assert hold is not None
    await is_an_alarm(watching, lane)
    await is_its_tenants_alone(watching, other)


async def is_an_alarm(watching: Watching, lane: int) -> None:
    (alarm,) = await BreakerAlarms(watching.control).read()
    assert (alarm.cause, alarm.severity, alarm.contained) == (f"lane:{lane}/list:bought", "high", True)
    assert alarm.culprit == "list bought of acme/newsletter"
    assert alarm.command == 'mailcordon cancel acme --type newsletter --list bought --because "..."'
    assert "Nobody else's mail is held, and nobody shares its domain or pool." in alarm.next
    assert alarm.since == (watching.now - 5) * 60_000


async def is_its_tenants_alone(watching: Watching, other: int) -> None:
    tenant = await watching.world.connection.fetchval("select id from tenant where slug = 'zen'")
    reads = BreakerReader(watching.control, watching.reader)
    own = ReadScope(tenant=tenant, as_tenant=True)
    assert await reads.decisions(own, is_open=None, before=None, limit=9) == []
    assert [one.lane for one in await reads.lanes(own, type=None, after=0, limit=9)] == [other]
    acme = await watching.world.connection.fetchval("select id from tenant where slug = 'acme'")
    (mine,) = await reads.decisions(
        ReadScope(tenant=acme, as_tenant=True), is_open=True, before=None, limit=9
    )
    assert (mine.name, mine.sharers, mine.document) == ("acme/newsletter", (), {})


async def test_an_unproved_lane_is_in_shadow_which_says_what_it_would_have_held(watching: Watching) -> None:
    loop, lane = await held_list(watching, proved=False)
    assert await watching.holds() == []
    ((mode, done),) = await watching.rows("select mode, done from breaker_decision")
    assert mode == "shadow"
    assert "its attribution is not proved" in done
    assert "would have held list bought of acme/newsletter" in done
    # The proof comes while the decision lasts: it is carried out.
    await watching.prove(lane)
    await loop.advance()
    assert await watching.holds() == [(lane, "bought", True, "breaker", "breaker")]
    ((mode, done),) = await watching.rows("select mode, done from breaker_decision")
    assert (mode, done.partition(":")[0]) == ("enforce", "Held")
    # It is lost again: the lane goes back to shadow, and what is held leaves.
    await watching.world.connection.execute("update proof set proved = false")
    await loop.advance()
    assert await watching.holds() == []


async def test_the_relative_half_holds_nothing_until_the_lane_is_armed(watching: Watching) -> None:
    lane = await watching.world.lane("acme", "newsletter")
    await watching.prove(lane)
    await watching.mail(lane, 500, ago=8 * 1440, delivered=500)
    await watching.mail(lane, 500, ago=3 * 1440, delivered=500)
    loop = watching.start()
    await watching.mail(lane, 420, list="bought", hard_bounced=31)
    watching.decide(lane, half=Half.RELATIVE)
    await loop.advance()
    assert await watching.holds() == []
    (view,) = await BreakerReader(watching.control, watching.reader).lanes(None, type=None, after=0, limit=9)
    editor = BreakerEditor(watching.control)
    with pytest.raises(
        Conflict, match="acme/newsletter cannot be armed yet. Shadow would have held mail 1 time"
    ):
        await editor.wish(1, "acme", "newsletter", Wish.ARMED, actor="ana", because="right")
    assert (str(view.absolute), str(view.relative)) == ("enforce", "shadow")
    await watching.rows("update breaker_decision set at = at - 15 * 86400000::bigint returning id")
    await editor.wish(1, "acme", "newsletter", Wish.ARMED, actor="ana", because="shadow was right")
    await loop.advance()
    assert [row[:3] for row in await watching.holds()] == [(lane, "bought", True)]
    await editor.wish(1, "acme", "newsletter", Wish.DISARMED, actor="ana", because="we move it")
    await loop.advance()
    assert await watching.holds() == []
    assert await watching.rows(
        "select actor, action from audit where action like 'breaker.%' order by id"
    ) == [
        ("ana", "breaker.arm"),
        ("ana", "breaker.disarm"),
    ]


async def test_an_armed_lane_that_loses_its_proof_is_an_incident(watching: Watching) -> None:
    lane = await watching.world.lane("acme", "newsletter")
    await watching.prove(lane)
    await watching.mail(lane, 500, ago=8 * 1440, delivered=500)
    loop = watching.start()
    await loop.advance()
    await BreakerEditor(watching.control).wish(
        1, "acme", "newsletter", Wish.ARMED, actor="ana", because="shadow was right"
    )
    await loop.advance()
    alarms = BreakerAlarms(watching.control)
    assert await alarms.read() == []
    await watching.world.connection.execute("update proof set proved = false, because = 'no bounce came'")
    await loop.advance()
    (alarm,) = await alarms.read()
    assert (alarm.cause, alarm.command) == (f"lane:{lane}/arming", "mailcordon prove acme --type newsletter")
    assert alarm.sentence.startswith("The breaker no longer protects acme/newsletter: it is armed")
    assert "no bounce came" in alarm.sentence
    await watching.prove(lane)
    await loop.advance()
    assert await alarms.read() == []


async def test_a_process_that_dies_loses_no_decision_and_makes_none_twice(watching: Watching) -> None:
    """It dies after the hold was placed and before that is noted: the next one finds the hold."""
    lane = await watching.world.lane("acme", "newsletter")
    await watching.prove(lane)
    loop = watching.start()
    await loop.advance()
    await watching.mail(lane, 420, list="bought", hard_bounced=31)
    watching.decide(lane)
    watching.governor.fails = True
    with pytest.raises(Dies):
        await loop.advance()
    assert await watching.rows("select hold from breaker_decision") == [(None,)]
    watching.governor.fails = False
    await loop.close()
    next_ = watching.start()
    await next_.advance()
    await next_.advance()
    assert await watching.holds() == [(lane, "bought", True, "breaker", "breaker")]
    ((hold,),) = await watching.rows("select hold from breaker_decision")
    assert hold == await watching.world.connection.fetchval("select id from hold")
    (restored,) = watching.engine.restored
    assert (restored.phase, restored.guilty) == (Phase.CORDONED, LIST)
    # It knows the lane's mail from the counters.
    assert sum(delta.sent for delta in watching.engine.replayed) == 420
    assert sum(delta.hard_bounces for delta in [*watching.engine.replayed, *watching.engine.seen]) == 31


async def test_another_process_runs_nothing_while_one_leads(watching: Watching) -> None:
    first, second = watching.start(), watching.start()
    assert await first.advance()
    assert not await second.advance()
    await first.close()
    assert await second.advance()


async def test_counts_are_told_once_whether_read_as_history_or_as_changes(watching: Watching) -> None:
    lane = await watching.world.lane("acme", "newsletter")
    await watching.mail(lane, 100, ago=9)
    loop = watching.start()
    await loop.advance()
    await watching.mail(lane, 50, ago=3, hard_bounced=2)
    await loop.advance()
    await watching.mail(lane, 0, ago=9, hard_bounced=-1)
    await watching.mail(lane, 0, ago=9, hard_bounced=1)
    await loop.advance()
    # The first mail of a lane is a change, and the lane's whole history too.
    new = await watching.world.lane("zen", "newsletter")
    await watching.mail(new, 70, hard_bounced=3)
    await loop.advance()
    told = [*watching.engine.replayed, *watching.engine.seen]
    assert sum(delta.sent for delta in told if delta.lane == lane) == 150
    assert sum(delta.hard_bounces for delta in told if delta.lane == lane) == 2
    assert sum(delta.sent for delta in told if delta.lane == new) == 70
    assert sum(delta.hard_bounces for delta in told if delta.lane == new) == 3


@pytest.mark.parametrize(
    "known", [True, False], ids=["counted before it is read", "counted after it is read"]
)
async def test_bounces_at_one_domain_hold_no_list_and_the_lane_says_so_and_those_at_many_do(
    watching: Watching, known: bool
) -> None:
    dead = await watching.world.lane("acme", "newsletter")
    bought = await watching.world.lane("zen", "newsletter")
    for lane in (dead, bought):
        await watching.prove(lane)
    loop = watching.start(real=True)
    if not known:
        await bounces(watching, dead, 1, 1)
        await bounces(watching, bought, 1, 1)
        await loop.advance()
    await bounces(watching, dead, 40, 1)
    await bounces(watching, bought, 40, 40)
    await loop.advance()
    await loop.advance()
    assert [one[:3] for one in await watching.holds()] == [(bought, "list", True), (bought, None, False)]
    found = {
        one.name: one.sentence
        for one in await BreakerReader(watching.control, watching.reader).lanes(
            None, type=None, after=0, limit=9
        )
    }
    assert (
        f"of the hard bounces of today it leaves out {37 if known else 38}, since" in found["acme/newsletter"]
    )
    assert "leaves out" not in found["zen/newsletter"]


async def bounces(watching: Watching, lane: int, mails: int, domains: int) -> None:
    """So many mails to a list bounce, evenly at so many domains outside the named providers."""
    for number in range(domains):
        count = mails // domains
        await watching.cohorts.add(
            lane,
            list="list",
            provider=Provider.OTHER,
            domain=f"shop{number}.example",
            fold=number == domains - 1,
            sent=count,
            hard_bounced=count,
        )


async def test_a_person_who_lifts_the_hold_is_obeyed_and_the_lane_is_watched(watching: Watching) -> None:
    loop, lane = await held_list(watching)
    ((hold,),) = await watching.rows("select id from hold")
    await watching.governor.lift([hold], tenant=1, actor="ana", because="the list was cleaned")
    await loop.advance()
    await loop.advance()
    assert await watching.holds() == []
    ((by, because),) = await watching.rows("select ended_by, ended_because from breaker_decision")
    assert (by, because) == ("ana", "ana lifted the hold: the list was cleaned")
    assert watching.engine.freed == [(lane, LIST)]
    assert watching.engine.accepted == []


async def test_accepting_a_decision_lifts_its_hold_and_teaches_the_breaker(watching: Watching) -> None:
    loop, lane = await held_list(watching)
    editor = BreakerEditor(watching.control)
    await editor.accept(1, actor="ana", because="they opted in")
    await loop.advance()
    assert await watching.holds() == []
    assert watching.engine.accepted == [lane]
    ((because,),) = await watching.rows("select ended_because from breaker_decision")
    assert because == "ana accepted it as normal: they opted in"
    ((lifted,),) = await watching.rows("select lifted_because from hold")
    assert lifted == because
    with pytest.raises(Conflict, match="Decision 1 is over: ana accepted"):
        await editor.accept(1, actor="ana", because="again")


async def test_a_person_has_a_held_lane_tried_at_once_and_once(watching: Watching) -> None:
    loop, lane = await held_list(watching)
    (standing,) = watching.standings[lane]
    watching.decisions.append(decided(lane, watching.now, Level.CORDON, guilty=()))
    watching.standings[lane] = [standing, dataclasses.replace(standing, guilty=(), since=watching.now - 1)]
    await watching.mail(lane, 1, hard_bounced=1)
    await loop.advance()
    reads, editor = BreakerReader(watching.control, watching.reader), BreakerEditor(watching.control)
    whole, of_list = await reads.decisions(None, is_open=True, before=None, limit=9)
    assert (whole.part, of_list.part) == ("", "list:bought")
    said = await reads.probe(whole)
    assert (said.possible, said.mails) == (True, 400)
    assert said.sentence.startswith("At most 400 mails of acme/newsletter leave")
    with pytest.raises(Conflict, match="known to be bad, so nothing of it is tried"):
        await editor.try_now(of_list.id, actor="ana", because="try")
    with pytest.raises(NotFound):
        await editor.try_now(999, actor="ana", because="try")
    await editor.try_now(whole.id, actor="ana", because="the list is gone")
    await loop.advance()
    await loop.advance()
    assert watching.engine.tried == [(lane, ())]
    assert [row[:3] for row in await watching.holds() if row[1] is None] == [(lane, None, False)]
    ((done,),) = await watching.rows("select done from breaker_decision where part = ''")
    assert "Now: a probe of 60 mails" in done
    with pytest.raises(Conflict, match="is under way already"):
        await editor.try_now(whole.id, actor="ana", because="again")
    assert await watching.rows("select action, because from audit where action = 'breaker.probe'") == [
        ("breaker.probe", "the list is gone")
    ]
    # It was not healthy: what was asked before does not begin another one.
    watching.standings[lane] = [
        dataclasses.replace(standing, guilty=(), since=watching.now + 2, failed_probes=1)
    ]
    watching.decisions.append(decided(lane, watching.now, Level.WARN, signal=Signal.COMPLAINTS))
    await watching.mail(lane, 1, ago=4)
    await loop.advance()
    assert watching.engine.tried == [(lane, ())]
    assert [row[:3] for row in await watching.holds() if row[1] is None] == [(lane, None, True)]
    await loop.close()
    await watching.start().advance()  # sentences change once a minute, and after a restart
    assert watching.engine.tried == []
    ((done,),) = await watching.rows("select done from breaker_decision where part = ''")
    assert "It was tried, and the mail of the probe was not healthy" in done


async def test_a_decision_that_holds_nothing_cannot_be_tried(watching: Watching) -> None:
    await held_list(watching, proved=False)
    with pytest.raises(Conflict, match="Decision 1 holds no mail"):
        await BreakerEditor(watching.control).try_now(1, actor="ana", because="try")
    await watching.rows("update breaker_decision set ended_at = 1, ended_because = 'quiet' returning id")
    with pytest.raises(Conflict, match="Decision 1 is over: quiet"):
        await BreakerEditor(watching.control).try_now(1, actor="ana", because="try")


async def test_a_probe_leaves_slowly_and_no_more_than_its_mails(watching: Watching) -> None:
    loop, lane = await held_list(watching)
    (standing,) = watching.standings[lane]
    whole = dataclasses.replace(standing, guilty=())
    watching.decisions.append(decided(lane, watching.now, Level.CORDON, guilty=()))
    watching.standings[lane] = [whole]
    await watching.mail(lane, 1, hard_bounced=1)
    await loop.advance()
    assert await watching.holds() == [
        (lane, "bought", True, "breaker", "breaker"),
        (lane, None, True, "breaker", "breaker"),
    ]
    watching.standings[lane] = [
        dataclasses.replace(whole, phase=Phase.PROBING, probe_from=watching.now - 2, probe_mails=60)
    ]
    await watching.rows("update breaker_follow set fold = fold returning fold")
    watching.decisions.append(decided(lane, watching.now, Level.WARN, signal=Signal.COMPLAINTS))
    await watching.mail(lane, 1, ago=4)
    await loop.advance()
    ((rate,),) = await watching.rows(
        "select rate from hold where lifted_at is null and lane is not null and not stops"
    )
    assert rate == pytest.approx(60 / 600)
    await watching.mail(lane, 60, ago=1)
    await loop.advance()
    assert [row[:3] for row in await watching.holds() if row[1] is None] == [(lane, None, True)]


async def test_how_late_feedback_came_is_known_after_a_restart(watching: Watching) -> None:
    today = watching.now // 1440
    loop = watching.start()
    await loop.advance()
    curves = watching.engine.curves
    curves.saw(0, Provider.YAHOO, watching.now, watching.now + 7, 3)
    curves.saw(1, Provider.UNKNOWN, watching.now - 120 * 1440, watching.now, 1)
    await loop.advance()
    curves.saw(0, Provider.YAHOO, watching.now, watching.now + 7, 2)
    await loop.advance()
    await loop.close()
    await watching.start().advance()
    ((key, days),) = watching.engine.delays().items()
    assert key == f"0/{int(Provider.YAHOO)}"
    assert {day: sum(counts) for day, counts in days.items()} == {str(today): 5}
    assert days == curves.document()[key]


async def test_part_of_a_lane_is_slowed_by_a_limit_and_a_whole_lane_by_a_hold(watching: Watching) -> None:
    lane = await watching.world.lane("acme", "newsletter")
    await watching.prove(lane)
    loop = watching.start()
    await loop.advance()
    await watching.mail(lane, 6_000, ago=30, campaign="june")
    await loop.advance()
    await watching.mail(lane, 1)
    watching.decide(lane, Level.THROTTLE, guilty=(Slice(Dimension.PROVIDER, "gmail"),), signal=Signal.BLOCKS)
    await loop.advance()
    assert await watching.rows("select owner, scope, lane, provider, per, cap, mode from send_limit") == [
        ("guard", "provider", lane, int(Provider.GMAIL), "minute", 300, "enforce")
    ]
    watching.decide(lane, Level.THROTTLE, guilty=())
    await watching.mail(lane, 1)
    await loop.advance()
    ((rate,),) = await watching.rows("select rate from lane")
    assert rate == pytest.approx(5.0)
    watching.decisions += [
        decided(lane, watching.now, Level.THROTTLE, guilty=(), over=True, why="quiet"),
        decided(
            lane,
            watching.now,
            Level.THROTTLE,
            guilty=(Slice(Dimension.PROVIDER, "gmail"),),
            signal=Signal.BLOCKS,
            over=True,
            why="quiet",
        ),
    ]
    watching.standings.clear()
    await watching.mail(lane, 1)
    await loop.advance()
    assert await watching.rows("select id from send_limit") == []
    assert await watching.rows("select rate from lane") == [(None,)]
    assert await watching.rows("select distinct ended_because from breaker_decision") == [
        ("the rate has been normal for long enough",)
    ]


async def test_a_process_that_dies_before_it_takes_a_limit_back_leaves_none(watching: Watching) -> None:
    lane = await watching.world.lane("acme", "newsletter")
    await watching.prove(lane)
    loop = watching.start()
    await loop.advance()
    await watching.mail(lane, 6_000, ago=30)
    await loop.advance()
    await watching.mail(lane, 1)
    watching.decide(lane, Level.THROTTLE, guilty=(Slice(Dimension.PROVIDER, "gmail"),), signal=Signal.BLOCKS)
    await loop.advance()
    assert await watching.rows("select owner from send_limit") == [("guard",)]
    await loop.close()
    await watching.rows(
        "update breaker_decision set ended_at = now_ms(), ended_by = 'breaker', ended_because = 'x' returning id"
    )
    watching.standings.clear()
    await watching.start().advance()
    assert await watching.rows("select owner from send_limit") == []


async def test_a_hold_of_a_person_contains_what_the_breaker_saw_in_shadow(watching: Watching) -> None:
    _, lane = await held_list(watching, proved=False)
    (alarm,) = await BreakerAlarms(watching.control).read()
    assert not alarm.contained
    tenant = await watching.world.connection.fetchval("select tenant from lane where id = $1", lane)
    for held, contained in (("other", False), ("bought", True)):
        hold = NewHold(
            target=Target(tenant=tenant, lane=lane, list=held), owner="person", because="Ticket 12"
        )
        await watching.governor.place(hold, actor="ops")
        (alarm,) = await BreakerAlarms(watching.control).read()
        assert alarm.contained is contained


async def test_a_lane_of_a_retired_tenant_is_forgotten_with_its_decision(watching: Watching) -> None:
    loop, _ = await held_list(watching)
    await watching.world.connection.execute("update tenant set retired_at = now()")
    await loop.advance()
    await loop.advance()
    assert await watching.rows("select ended_because from breaker_decision") == [("the lane is gone",)]
    assert await watching.rows("select count(*) from breaker_standing") == [(0,)]


async def test_the_account_near_its_line_slows_the_worst_marketing_lane_only(watching: Watching) -> None:
    bad = await watching.world.lane("acme", "newsletter")
    good = await watching.world.lane("zen", "newsletter")
    urgent = await watching.world.lane("zen", "password-reset")
    for lane in (bad, good, urgent):
        await watching.prove(lane)
    await watching.mail(bad, 1_000, ago=90, hard_bounced=120)
    await watching.mail(good, 1_000, ago=90, hard_bounced=5)
    await watching.mail(urgent, 500, ago=90, hard_bounced=40)
    loop = watching.start()
    await loop.advance()
    await loop.advance()
    ((lane, signal, seen),) = await watching.rows("select lane, signal, seen from breaker_decision")
    assert (lane, signal) == (bad, "account")
    assert "brings 79 % of the account's hard bounces above what is accepted" in seen
    assert [(row[0], row[2]) for row in await watching.holds()] == [(bad, False)]
    await watching.mail(good, 20_000, ago=80, hard_bounced=20)
    await loop.advance()
    assert await watching.holds() == []
