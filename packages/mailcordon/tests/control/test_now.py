"""The sentence on top: what is wrong, and that everything else flows only where that is known."""

from typing import Any

from mailcordon.control import now, status
from mailcordon.control.status_facts import Beat, Facts, HeldMail, OpenIncident, OpenLoss, OpenStop
from mailcordon.core.reason import Reason

NOW = 1_795_879_380_000  # 28 Nov 2026 15:23 UTC
MINUTE = 60_000


def incident(id: int = 1, **over: Any) -> OpenIncident:
    values: dict[str, Any] = {
        "id": id,
        "kind": "breaker",
        "severity": "high",
        "tenant": "acme",
        "type": "newsletter",
        "sentence": "x",
        "next": "x",
        "since": NOW - 190_000,
        "mitigated": False,
        "others": True,
        "cause": "lane:12/list:bought",
        "scope": "list",
        "name": "bought",
        "culprit": "list bought of acme/newsletter",
    }
    return OpenIncident(**(values | over))


def lost(**over: Any) -> OpenIncident:
    values: dict[str, Any] = {
        "kind": "feedback-lost",
        "tenant": None,
        "type": None,
        "cause": "set:mc-urgent",
        "scope": "set",
        "name": "mc-urgent",
        "culprit": None,
        "since": NOW - 40_000,
    }
    return incident(2, **(values | over))


def hold(**over: Any) -> HeldMail:
    values: dict[str, Any] = {
        "tenant": "acme",
        "mail": "x",
        "sentence": "x",
        "since": NOW,
        "type": "newsletter",
    }
    return HeldMail(**(values | over))


def stop(**over: Any) -> OpenStop:
    values: dict[str, Any] = {
        "id": 1,
        "scope": "set",
        "name": "mc-urgent",
        "tenant": None,
        "type": None,
        "cause": Reason.ACCOUNT_PAUSED,
        "because": "x",
        "sentence": "SES stopped mc-urgent.",
        "since": NOW,
        "probe_at": None,
        "last_probe": None,
    }
    return OpenStop(**(values | over))


def said(**over: Any) -> str:
    """Of a system whose processes all run."""
    return now.sentence(Facts(now=NOW, **over), [])


def test_it_names_the_incidents_and_says_that_everything_else_flows() -> None:
    found = said(incidents=[incident(mitigated=True), lost()], holds=[hold(part="bought")])
    assert found == (
        "Two incidents: list bought of acme's newsletter is held (3 min ago); feedback of mc-urgent is lost (40 s ago)."
        " Everything else flows."
    )


def test_nothing_is_wrong() -> None:
    assert said() == "Nothing is wrong: all mail flows."
    assert said(observe_only=True) == "Nothing is wrong."


def test_what_people_hold_is_no_incident_and_is_not_said_to_flow() -> None:
    assert said(holds=[hold(), hold(tenant="zen")]) == "All mail flows, except what 2 holds keep."
    # A hold of other mail of the same lane is not the incident's.
    found = said(incidents=[incident()], holds=[hold(part="other")])
    assert found == (
        "One incident: list bought of acme's newsletter has too many bounces or complaints (3 min ago)."
        " Everything else flows, except what one hold keeps."
    )


def test_what_is_slowed_is_named_and_is_not_said_to_be_held() -> None:
    slow = hold(stops=False, mail="newsletter mail of acme")
    assert said(holds=[slow]) == "Newsletter mail of acme is slowed. Everything else flows."
    found = said(
        incidents=[incident(mitigated=True)],
        holds=[hold(part="bought"), slow, hold(tenant="zen", stops=False)],
    )
    assert found == (
        "One incident: list bought of acme's newsletter is held (3 min ago). Newsletter mail of acme and 1 more are slowed."
        " Everything else flows."
    )


def test_an_incident_that_does_no_more_harm_is_not_said_to_be_wrong() -> None:
    assert said(incidents=[incident(mitigated=True)]) == (
        "One incident does no more harm and will close. Everything else flows."
    )


def test_the_worst_are_named_and_the_others_counted() -> None:
    found = said(incidents=[incident(n, name=f"list{n}", cause=f"x{n}") for n in range(1, 13)])
    assert found.startswith("12 incidents: list list1 of acme's newsletter has ")
    assert found.count(";") == 3
    assert "; and 9 more. Everything else flows." in found


def test_a_problem_without_an_incident_is_said_and_one_of_an_incident_is_not_said_twice() -> None:
    loss = OpenLoss(
        signal="bounce", sentence="Bounces of set mc-urgent are lost", cause="unknown", late=False, since=NOW,
        id=1, because="", configuration_set="mc-urgent", provider=None, tenant=None,
    )  # fmt: skip
    beats = [
        Beat(role=role, instance="a", host="h", pid=1, started=NOW - MINUTE, beat=NOW, facts={})
        for role in ("api", "dispatch", "observe", "control")
    ]
    facts = Facts(now=NOW, beats=beats, losses=[loss])
    problems = list(status.problems(facts, "feedback"))
    assert len(problems) == 1
    assert now.sentence(facts, problems) == "Bounces of set mc-urgent are lost. Everything else flows."
    with_incident = Facts(now=NOW, beats=beats, losses=[loss], incidents=[lost()])
    assert now.sentence(with_incident, problems) == (
        "One incident: feedback of mc-urgent is lost (40 s ago). Everything else flows."
    )


def test_where_all_mail_waits_it_does_not_say_that_anything_flows() -> None:
    paused = incident(
        kind="ses-status",
        tenant=None,
        type=None,
        cause="cell:default/account-paused",
        scope="cell",
        name="default",
    )
    assert said(incidents=[paused], stops=[stop(scope="cell", name="default")]) == (
        "One incident: SES refuses mail of the whole account (list bought of acme/newsletter, 3 min ago). No mail leaves."
    )
    silent = status.judge(Facts(now=NOW)).sentence
    assert silent.endswith("No mail leaves."), silent
    idle = incident(
        kind="stuck", tenant=None, type=None, cause="role:dispatch", scope="process", name="dispatch"
    )
    assert said(incidents=[idle]).endswith("dispatch takes no mail (3 min ago). No mail leaves.")
    assert said(stops=[stop()]).endswith("all mail flows."), (
        "its problem is among the problems, if there is one"
    )


def test_what_could_not_be_checked_is_not_said_to_flow() -> None:
    assert said(unread={"stops": "no response in time"}) == (
        "Whether everything else flows is not known: the check of stops could not be made."
    )
    assert said(unread={"domains": "x"}) == "Nothing is wrong: all mail flows.", (
        "they do not tell whether mail flows"
    )
