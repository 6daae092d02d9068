"""When a proof of attribution is proved, what its verdict names when it is not, and how long it counts."""

import dataclasses
from typing import Any

import pytest

from mailcordon.control import proofs, proving
from mailcordon.control.proofs import EventSeen, Fault, Lane, Last, Mail, Proof, Scope
from mailcordon.core import ids
from mailcordon.core.event import Kind
from mailcordon.core.priority import Class
from mailcordon.core.proof import ALWAYS, EXPECTED, What, is_mail, mail_id

NOW = 1_796_000_000_000
DAY = 86_400_000
PARTS: dict[str, Any] = {
    "ses_tenant": "mc-acme",
    "domain": "news.acme.example",
    "configuration_set": "mc-marketing",
    "ip_pool": None,
    "topic": "arn:topic",
    "enabled": True,
    "events": ["BOUNCE"],
}
LANE = Lane(blocked=None, parts=PARTS, dispatcher=True)
SCOPE = Scope(tenant_scope="TENANT", tenant_reasons=("BOUNCE", "COMPLAINT"))


def seen(kind: Kind, **over: Any) -> EventSeen:
    values: dict[str, Any] = {
        "kind": kind,
        "at": NOW,
        "received_at": NOW,
        "ses_id": "s",
        "queue": "q",
        "topic": "arn:topic",
        "configuration_set": "mc-marketing",
        "ses_tenant": "mc-acme",
        "lane": 7,
    }
    return EventSeen(**(values | over))


def mail(what: What, *kinds: Kind, state: str = "accepted", **over: Any) -> Mail:
    sent = (
        {} if state == "asked" else {"called_at": NOW, "ses_tenant": "mc-acme", "domain": "news.acme.example"}
    )
    if sent:
        sent["configuration_set"] = "mc-marketing"
    values: dict[str, Any] = {
        "id": 1,
        "what": what,
        "state": state,
        **sent,
        "events": tuple(map(seen, kinds)),
    }
    return Mail(**(values | over))


def whole(what: What) -> Mail:
    return mail(what, *EXPECTED[what])


def proof(*mails: Mail, scope: Scope | None = SCOPE, class_: Class = Class.MARKETING) -> Proof:
    return Proof(
        id=1,
        tenant=1,
        slug="acme",
        lane=7,
        type="newsletter",
        class_=class_,
        asked_at=NOW,
        asked_by="ann",
        limit_ms=60_000,
        scope=scope,
        mails=mails or tuple(map(whole, ALWAYS)),
    )


def test_a_lane_is_proved_when_every_event_of_every_mail_came_back_to_it_and_the_scope_was_read() -> None:
    verdict = proofs.judge(proof(), LANE, NOW)
    assert verdict is not None
    assert verdict.proved
    assert verdict.counts
    assert "all 7 events" in verdict.because
    assert proofs.judge(proof(scope=None), LANE, NOW) is None
    assert proofs.judge(proof(scope=Scope(problem="AccessDenied")), LANE, NOW) is None


@pytest.mark.parametrize("what", list(What))
def test_a_proof_waits_for_each_event_of_each_mail(what: What) -> None:
    others = [whole(each) for each in What if each is not what]
    for absent in EXPECTED[what]:
        kinds = [kind for kind in EXPECTED[what] if kind is not absent]
        assert proofs.judge(proof(mail(what, *kinds), *others), LANE, NOW) is None


def test_a_proof_ends_at_once_while_its_mail_may_not_leave_and_says_nothing_of_attribution() -> None:
    asked = [mail(what, state="asked") for what in ALWAYS]
    verdict = proofs.judge(proof(*asked), dataclasses.replace(LANE, blocked="held by a person"), NOW)
    assert verdict is not None
    assert (verdict.proved, verdict.counts) == (False, False)
    assert "held by a person" in verdict.because
    verdict = proofs.judge(proof(*asked), dataclasses.replace(LANE, parts=None), NOW)
    assert verdict is not None
    assert not verdict.counts


def test_a_hold_that_comes_after_the_mails_were_sent_ends_nothing() -> None:
    verdict = proofs.judge(proof(), dataclasses.replace(LANE, blocked="held by a person"), NOW)
    assert verdict is not None
    assert verdict.proved


@pytest.mark.parametrize("over", [{"lane": 8}, {"lane": None}, {"problem": "the set mc-zen of zen"}])
def test_an_event_that_is_attributed_to_another_lane_fails_the_proof_and_names_nobody(
    over: dict[str, Any],
) -> None:
    wrong = seen(Kind.HARD_BOUNCE, tenant_name="zen", type_name="invoice", **over)
    bounce = dataclasses.replace(mail(What.BOUNCE, Kind.SEND), events=(seen(Kind.SEND), wrong))
    verdict = proofs.judge(proof(bounce, whole(What.SUCCESS)), LANE, NOW)
    assert verdict is not None
    assert not verdict.proved
    assert verdict.faults[0].code == "misattributed"
    assert "zen" not in str(verdict)


def test_an_event_with_another_message_id_than_ses_returned_proves_nothing() -> None:
    copied = mail(What.BOUNCE, Kind.SEND, Kind.HARD_BOUNCE, ses_id="ours")
    verdict = proofs.judge(proof(whole(What.SUCCESS), copied), LANE, NOW)
    assert verdict is not None
    assert not verdict.proved
    assert "another SES message id" in verdict.because
    same = dataclasses.replace(copied, ses_id="s")
    verdict = proofs.judge(proof(whole(What.SUCCESS), same), LANE, NOW)
    assert verdict is not None
    assert verdict.proved


def test_a_route_that_changed_meanwhile_is_not_proved() -> None:
    moved = dataclasses.replace(LANE, parts={**PARTS, "configuration_set": "mc-acme-marketing"})
    verdict = proofs.judge(proof(), moved, NOW)
    assert verdict is not None
    assert (verdict.proved, verdict.counts) == (False, False)


@pytest.mark.parametrize(
    ("class_", "scope", "word"),
    [
        (Class.MARKETING, {"tenant_scope": "ACCOUNT"}, "account's suppression list"),
        (Class.MARKETING, {"tenant_reasons": ("BOUNCE",)}, "SES suppresses BOUNCE for acme"),
        (Class.MARKETING, {"tenant_exists": False}, "does not exist"),
        (Class.MARKETING, {"set_scope": "ACCOUNT"}, "account suppression list"),
        (Class.MARKETING, {"set_reasons": ("BOUNCE",)}, "suppressed for BOUNCE"),
        (Class.MARKETING, {"set_exists": False}, "does not exist"),
        (Class.URGENT, {}, "the tenant's own reasons"),
        (Class.URGENT, {"set_reasons": ("BOUNCE", "COMPLAINT")}, "BOUNCE and COMPLAINT"),
    ],
)
def test_a_suppression_scope_that_reaches_others_fails_the_proof(
    class_: Class, scope: dict[str, Any], word: str
) -> None:
    verdict = proofs.judge(proof(scope=dataclasses.replace(SCOPE, **scope), class_=class_), LANE, NOW)
    assert verdict is not None
    assert not verdict.proved
    assert word in verdict.because


def test_what_ses_refuses_is_quoted_once_the_other_mails_are_done() -> None:
    refused = mail(What.BOUNCE, state="refused", said="MessageRejected: not verified")
    assert proofs.judge(proof(refused, mail(What.SUCCESS, Kind.SEND)), LANE, NOW) is None
    verdict = proofs.judge(proof(refused, whole(What.SUCCESS)), LANE, NOW)
    assert verdict is not None
    assert "MessageRejected: not verified" in verdict.because


def test_the_time_limit_counts_from_the_last_call() -> None:
    late = mail(What.SUCCESS, called_at=NOW + 30_000)
    assert not proof(late).overdue(NOW + 90_000)
    assert proof(late).overdue(NOW + 90_001)
    assert proof(mail(What.SUCCESS, state="asked")).overdue(NOW + 60_001)


ROAD = [Fault("destination", "destination `outcome` of set mc-marketing is disabled at SES")]


def test_the_dead_part_of_the_way_is_named_before_the_events_that_are_missing() -> None:
    verdict = proofs.dead(proof(*(mail(what) for what in ALWAYS)), LANE, ROAD)
    assert verdict.because == ROAD[0].says
    assert [fault.code for fault in verdict.faults] == ["destination", "missing", "missing", "missing"]
    assert verdict.counts


def test_one_missing_kind_is_named_with_its_mail() -> None:
    verdict = proofs.dead(proof(mail(What.BOUNCE, Kind.SEND), whole(What.SUCCESS)), LANE, [])
    assert verdict.because == "of the bounce mail SES reported no hard bounce within 60 s"


def test_a_mail_without_an_answer_and_without_events_is_named_and_a_mail_with_its_events_needs_no_answer() -> (
    None
):
    for state in ("calling", "unknown"):
        lost = proofs.dead(proof(mail(What.BOUNCE, state=state), whole(What.SUCCESS)), LANE, [])
        assert [fault.code for fault in lost.faults] == ["no-answer"]
        arrived = mail(What.BOUNCE, *EXPECTED[What.BOUNCE], state=state)
        verdict = proofs.judge(proof(arrived, whole(What.SUCCESS)), LANE, NOW)
        assert verdict is not None
        assert verdict.proved


@pytest.mark.parametrize(
    ("dispatcher", "word"), [(False, "no dispatcher is running"), (True, "the account's rate")]
)
def test_mails_that_nobody_sent_say_nothing_of_attribution(dispatcher: bool, word: str) -> None:
    asked = proof(*(mail(what, state="asked") for what in ALWAYS))
    verdict = proofs.dead(asked, dataclasses.replace(LANE, dispatcher=dispatcher), [])
    assert word in verdict.because
    assert not verdict.counts


def test_a_scope_that_was_never_read_fails_the_proof() -> None:
    verdict = proofs.dead(proof(scope=Scope(problem="AccessDenied: no")), LANE, [])
    assert [fault.code for fault in verdict.faults] == ["scope"]
    assert "AccessDenied: no" in verdict.because


# The way of the events ---------------------------------------------------------------------------------------------------


def destination(**over: Any) -> dict[str, Any]:
    events = ["SEND", "DELIVERY", "BOUNCE", "COMPLAINT", "REJECT", "DELIVERY_DELAY", "RENDERING_FAILURE"]
    found = {
        "Name": "outcome",
        "Enabled": True,
        "MatchingEventTypes": events,
        "SnsDestination": {"TopicArn": "arn:topic"},
    }
    return found | over


@pytest.mark.parametrize(
    ("found", "word"),
    [
        (None, "does not exist"),
        ([], "has no destination"),
        ([destination(Name="mine")], "has no destination"),
        ([destination(Enabled=False)], "is disabled at SES"),
        ([destination(SnsDestination={"TopicArn": "arn:other"})], "publishes to arn:other, not to arn:topic"),
        (
            [destination(MatchingEventTypes=["SEND", "DELIVERY"])],
            "does not publish BOUNCE, COMPLAINT, REJECT",
        ),
    ],
)
def test_each_fault_of_the_destination_has_its_sentence(found: Any, word: str) -> None:
    [fault] = proving.set_faults("mc-urgent", found, "arn:topic")
    assert word in fault.says
    assert "mc-urgent" in fault.says


def test_a_destination_as_it_should_be_has_no_fault() -> None:
    assert proving.set_faults("mc-urgent", [destination()], "arn:topic") == []


def test_observers_are_dead_when_none_reports_or_none_receives() -> None:
    stuck = {"queues": [{"name": "q", "live": False, "problem": "AccessDenied"}]}
    live = {"queues": [{"name": "q", "live": True, "problem": None}]}
    assert [fault.says for fault in proving.observer_faults([])] == [
        "no observer is running: nothing reads the event queues"
    ]
    assert "AccessDenied" in proving.observer_faults([stuck])[0].says
    assert proving.observer_faults([stuck, live]) == []


# Fresh or stale ------------------------------------------------------------------------------------------------------------

LAST = Last(id=3, ended_at=NOW, proved=True, because="all", parts=PARTS)


def test_a_proof_counts_for_seven_days_with_the_same_parts() -> None:
    found = proofs.fresh(LAST, PARTS, NOW + 7 * DAY - 1)
    assert (found.state, found.valid_until, found.is_fresh) == ("fresh", NOW + 7 * DAY, True)
    old = proofs.fresh(LAST, PARTS, NOW + 7 * DAY)
    assert (old.state, old.is_fresh) == ("stale", False)
    assert "more than 7 days ago" in old.because
    assert proofs.fresh(LAST, PARTS, NOW + 2 * DAY, days=1).state == "stale"


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("ses_tenant", "mc-acme-marketing", "the SES tenant was mc-acme and is mc-acme-marketing"),
        ("domain", "acme.example", "the From domain was"),
        ("configuration_set", "mc-acme-marketing", "the configuration set was mc-marketing"),
        ("ip_pool", "mine", "the IP pool was none and is mine"),
        ("topic", "arn:other", "the topic of its outcome destination"),
        ("enabled", False, "its outcome destination was enabled and is disabled"),
        ("events", ["BOUNCE", "SEND"], "the events of its outcome destination"),
    ],
)
def test_a_proof_is_stale_once_a_part_has_changed_and_says_which(name: str, value: Any, word: str) -> None:
    found = proofs.fresh(LAST, {**PARTS, name: value}, NOW + 1)
    assert found.state == "stale"
    assert word in found.because


def test_a_failed_proof_and_none_at_all_are_no_proof() -> None:
    failed = proofs.fresh(dataclasses.replace(LAST, proved=False, because="the queue"), PARTS, NOW)
    assert (failed.state, failed.is_fresh) == ("failed", False)
    assert "the queue" in failed.because
    assert proofs.fresh(None, PARTS, NOW).state == "never"


def test_the_id_of_a_proofs_mail_is_that_of_no_delivery_and_unique() -> None:
    made = {mail_id(proof, what, NOW) for proof in range(1, 2_000) for what in What}
    assert len(made) == 1_999 * len(What)
    assert all(is_mail(id) for id in made)
    assert all(ids.ms_of(id) == NOW for id in made)
    assert not any(is_mail(ids.first_of(NOW) + number) for number in range(ids.MAX_RECIPIENTS + 1))
