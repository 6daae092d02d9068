"""How the API's documents are shown to a person: the cause first, nothing left out."""

import csv
import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console, Group, RenderableType

from mailcordon.adapters.cli import failures, metrics_csv, show
from mailcordon.adapters.cli.commands import (
    account,
    cordon,
    holds,
    isolation,
    lane,
    metrics,
    plan,
    prove,
    status,
    stops,
    tenant,
    why,
)
from mailcordon.adapters.cli.connection import Connection
from mailcordon.adapters.cli.drill import command as drill
from mailcordon.core.bounce_reason import BounceReason, Follow

NOW = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)
HOLD: dict[str, Any] = {
    "id": 17,
    "tenant": "acme",
    "class": "marketing",
    "stops": True,
    "owner": "person",
    "by": "ops (key 4k2p9x7m)",
    "because": "complaints rise",
    "since": "2026-11-24T13:00:00.000Z",
}
LANE: dict[str, Any] = {
    "tenant": "acme",
    "type": "newsletter",
    "class": "marketing",
    "state": "held",
    "holds": [HOLD],
    "rate": None,
    "backlog": {"deliveries": 1200, "oldest_at": "2026-11-24T13:00:00.000Z"},
    "route": {"domain": "news.acme.example", "configuration_set": "mc-marketing"},
    "shares_with": ["the configuration set mc-marketing with every tenant's marketing"],
}
SUPPRESSION: dict[str, Any] = {
    "scope": "class",
    "target": "marketing",
    "cause": "complaint",
    "since": "2026-11-24T12:00:00.000Z",
    "until": None,
    "ends": "when it is lifted",
    "by": "ses",
    "detail": "acme may not send marketing mail to lee@example.com: complaint on 24 Nov 2026, reported by SES",
    "evidence": {"feedback": "abuse"},
}


def lines(view: RenderableType) -> list[str]:
    out = io.StringIO()
    show.put(show.console(out), view)
    return [line.strip() for line in out.getvalue().splitlines()]


def message(**delivery: object) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "tenant": "acme",
        "type": "newsletter",
        "from": "hello@news.acme.example",
        "accepted_at": "2026-11-24T13:00:00.000Z",
        "deliveries": [{"id": "dlv_1", "to": "lee@example.com", **delivery}],
    }


def explained(document: dict[str, Any], lane: dict[str, Any] | None, addresses: dict[str, Any]) -> list[str]:
    return lines(why.explanation(document, document["deliveries"], lane, addresses, NOW))


def test_why_shows_the_cause_first() -> None:
    held = message(
        state="held",
        since="2026-11-24T13:00:01.000Z",
        reason="held",
        detail="held by person: complaints rise",
        timeline=[{"at": "2026-11-24T13:00:00.000Z", "what": "accepted", "detail": ""}],
    )
    said = explained(held, LANE, {})
    positions = [
        next(n for n, line in enumerate(said) if line.startswith(start))
        for start in ("lee@", "reason", "hold", "13:00:00")
    ]
    assert positions == sorted(positions)
    assert said[positions[2]] == (
        "hold         Held by ops (key 4k2p9x7m) since 13:00 UTC: complaints rise [hold 17: marketing mail of acme]"
    )


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ({}, "all mail of acme"),
        ({"class": "marketing"}, "marketing mail of acme"),
        ({"type": "newsletter", "provider": "gmail"}, "newsletter mail of acme to gmail"),
        ({"campaign": "spring", "list": "old"}, "all mail of acme, campaign spring, list old"),
    ],
)
def test_a_hold_is_named_by_the_mail_that_it_covers(target: dict[str, str], said: str) -> None:
    assert holds.hold_target({"tenant": "acme", **target}) == said


def test_a_timeline_has_words_for_the_stored_codes() -> None:
    timeline = [
        {"at": "2026-11-24T13:00:00.000Z", "what": "parked", "detail": "held by person"},
        {"at": "2026-11-24T13:00:01.000Z", "what": "outcome-unknown", "detail": ""},
    ]
    said = explained(message(state="unknown", timeline=timeline), None, {})
    assert said[-2:] == ["13:00:00.000Z  held: held by person", "13:00:01.000Z  outcome unknown"]


def test_why_shows_the_suppression_behind_a_refusal_with_its_evidence() -> None:
    refused = message(state="refused", reason="suppressed", detail="complaint on 2026-11-24", timeline=[])
    said = explained(refused, None, {"lee@example.com": {"suppressions": [SUPPRESSION]}})
    assert "reason       complaint on 2026-11-24" in said
    assert (
        "suppression  acme may not send marketing mail to lee@example.com: complaint on 24 Nov 2026, reported by SES"
        in said
    )
    assert "feedback: abuse" in said


def test_why_says_what_a_bounce_means_and_who_can_act() -> None:
    text = "554 5.7.1 Message identified as spam"
    timeline = [
        {
            "at": "2026-11-24T13:00:00.000Z",
            "what": "SES: hard-bounce",
            "detail": text,
            "bounce_reason": "content",
        }
    ]
    bounce = {"reason": "content", "detail": BounceReason.CONTENT.sentence(Follow.NOTHING)}
    bounced = message(
        state="bounced", reason="Permanent/General", detail=text, timeline=timeline, bounce=bounce
    )
    said = explained(bounced, None, {})
    assert f"reason       Permanent/General: {text}" in said
    [meant] = [line for line in said if line.startswith("bounce ")]
    assert "the address stays open; whoever writes the mail can change it." in " ".join(said)
    assert said[-1].endswith(f"content: {text}"), meant


def test_an_address_without_suppressions_may_be_mailed() -> None:
    said = lines(
        Group(
            *why.address_view(
                {"address": "kim@example.com", "tenant": "acme", "suppressions": [], "deliveries": []}, None
            )
        )
    )
    assert said == ["acme may mail kim@example.com: no suppression is recorded."]


def test_the_first_sentence_about_an_address_is_said_once() -> None:
    sentence = "acme may not mail kim@example.com: hard bounce on 29 Nov 2026, reported by SES"
    rows = [{"detail": sentence, "evidence": {"text": "550 no such user"}}, {"detail": "and a complaint"}]
    found = {"address": "kim@example.com", "tenant": "acme", "suppressions": rows}
    said = lines(Group(*why.address_view(found, sentence)))
    assert said == [sentence, "text: 550 no such user", "and a complaint"]


def test_a_preview_shows_what_happens_and_what_is_not_affected() -> None:
    preview = {
        "lanes": [
            {
                "type": "newsletter",
                "class": "marketing",
                "state": "open",
                "ready": 3,
                "waiting": 2,
                "sending": 1,
            }
        ],
        "effect": "Holds marketing mail of acme.",
        "untouched": "password-reset of acme; every other tenant.",
    }
    said = lines(cordon.preview_view(preview))
    assert said[1].split() == ["newsletter", "marketing", "open", "3", "2", "1"]
    assert said[-2:] == [
        "Holds marketing mail of acme.",
        "Not affected: password-reset of acme; every other tenant.",
    ]


def test_a_lane_shows_every_hold_and_what_it_shares() -> None:
    said = "\n".join(lines(lane.lane_view(LANE)))
    for text in ("1,200 deliveries", "complaints rise", "news.acme.example", "with every tenant's marketing"):
        assert text in said


def test_onboarding_shows_the_records_to_publish_and_what_is_shared() -> None:
    said = "\n".join(
        lines(
            tenant.onboarded(
                {
                    "slug": "acme",
                    "key": "mc-0123456789",
                    "lanes": [LANE],
                    "identities": [
                        {
                            "domain": "news.acme.example",
                            "status": "pending",
                            "records": [
                                {
                                    "type": "CNAME",
                                    "name": "a._domainkey.news.acme.example",
                                    "value": "a.dkim.example",
                                }
                            ],
                        }
                    ],
                    "shares": ["both lanes share the SES tenant mc-0123456789"],
                }
            )
        )
    )
    for text in ("mc-0123456789", "a._domainkey.news.acme.example", "both lanes share"):
        assert text in said


def rate(value: float | None, **more: Any) -> dict[str, Any]:
    return {"rate": value, "usual": None, "young": False, "standing": "unknown", "left_out": 0.0} | more


def test_rates_are_those_of_the_server_with_their_marks() -> None:
    rates = {
        "bounces": rate(0.0738, usual=0.008, standing="above"),
        "complaints": rate(0.0104, young=True),
        "blocks": rate(None),
    }
    row = {"type": "newsletter", "sent": 420, "delivered": 210, "hard_bounced": 31, "rates": rates}
    shown = lines(metrics.metric_table([row]))[1]
    for said in ("50.00 %", "7.38 %", "0.80 %", "~1.04 %"):
        assert said in shown
    assert "!7.38 %" in lines(metrics.metric_table([row | {"notes": ["lost"]}]))[1]


def test_what_is_above_usual_is_said_before_the_table() -> None:
    above = {"detail": "a is bad.", "rates": {"bounces": rate(0.1, standing="above")}}
    usual = {"detail": "b is fine.", "rates": {"bounces": rate(0.1, standing="like")}}
    assert next(iter(metrics._first([usual, above]))) == "a is bad."
    assert "No rate of these 2 lines" in str(next(iter(metrics._first([usual, usual]))))
    assert next(iter(metrics._first([usual]))) == "b is fine."
    assert list(metrics._first([above] * 5))[3] == "2 more lines are above their usual rate."


@pytest.mark.parametrize("width", [80, 120])
def test_the_tables_of_metrics_fit_a_terminal(width: int) -> None:
    rates = {
        name: rate(0.0738, usual=0.008, low=0.05, high=0.1, fleet=0.01, events=31)
        for name in ("bounces", "complaints", "blocks", "delays")
    }
    flow = {"queued_before": 10, "accepted": 120_000, "sent": 119_000, "queued": 1_000}
    row: dict[str, Any] = {
        "tenant": "acme-industries",
        "type": "newsletter",
        "class": "marketing",
        "rates": rates,
        "sent": 119_000,
        "delivered": 110_000,
        "hard_bounced": 3_100,
        "soft_bounced": 900,
        "opened": 5,
    }
    for table in (
        metrics.metric_table([row | {"flow": flow}]),
        metrics.metric_table([row]),
        metrics.top_table([row | {"points": 0.41}], "bounces"),
    ):
        out = io.StringIO()
        show.put(Console(file=out, width=width), table)
        shown = out.getvalue().splitlines()
        assert max(len(line) for line in shown[:2]) <= width
        for needed in ("newsletter", "7.38 %"):
            assert needed in shown[1]


def test_csv_has_no_formulas_and_its_columns_once() -> None:
    items = [
        {"tenant": "acme", "campaign": text, "sent": 3, "rates": {"bounces": rate(0.5)}, "notes": []}
        for text in ("=cmd|' /C calc'!A0", "+1", "-1", "@x", "\t=1", "\r=1", " =1", 'a "b", c', "spring")
    ]
    read = list(csv.DictReader(io.StringIO(metrics_csv.text(items, head=True), newline="")))
    assert [row["campaign"] for row in read] == [
        *("'=cmd|' /C calc'!A0", "'+1", "'-1", "'@x", "'\t=1", "'\r=1", "' =1", 'a "b", c', "spring")
    ]
    assert (read[0]["sent"], read[0]["bounces_rate"], read[0]["unreliable"]) == ("3", "0.5", "no")
    assert metrics_csv.text(items[:1], head=False).startswith("acme,")


STATUS: dict[str, Any] = {
    "sentence": "Nothing is wrong: all mail flows.",
    "ok": True,
    "at": "2026-11-24T15:00:00.000Z",
    "problems": [],
    "notices": [],
    "checked": ["roles", "stops"],
    "processes": [
        {
            "role": "observe",
            "silent": True,
            "reported_at": "2026-11-24T14:57:00.000Z",
            "host": "mail-1",
            "pid": 7,
            "facts": {"queues": [{"name": "outcome", "received": 4, "last_receive": None}]},
        }
    ],
    "waiting": [],
}


def test_all_is_well_is_said_of_what_was_checked_only() -> None:
    said = lines(Group(*status.status_views(STATUS)))
    assert said[:2] == ["Nothing is wrong: all mail flows.", "All is well. Checked: roles, stops."]
    assert said[-1].split() == [
        "observe",
        "silent",
        "180",
        "s",
        "ago",
        "mail-1",
        "7",
        "outcome:",
        "received",
        "4",
    ]


def test_each_problem_has_its_sentence_and_what_to_do() -> None:
    problem = {"detail": "mc-1 cannot be made", "next": "Wait", "since": "2026-11-24T14:57:00.000Z"}
    said = lines(Group(*status.status_views({**STATUS, "ok": False, "problems": [problem]})))
    assert said[1:5] == ["1 problem:", "", "- mc-1 cannot be made (since 2026-11-24 14:57:00Z)", "Wait"]


def test_mail_that_never_left_counts_against_the_share_that_was_delivered() -> None:
    flow = {"queued_before": 10, "accepted": 90, "sent": 50, "expired": 30, "refused": 5, "queued": 15}
    row = {"type": "newsletter", "sent": 50, "delivered": 50, "flow": flow}
    head, line = lines(metrics.metric_table([row]))
    assert head.split()[:6] == ["TYPE", "ACCEPTED", "QUEUED", "SENT", "NOT", "SENT"]
    assert line.split()[:5] == ["newsletter", "100", "15", "50", "35"]
    assert "50.00 %" in line
    assert "100.00 %" not in line


@pytest.mark.parametrize("ses_url", [None, "https://ewhy.us-east-1.amazonaws.com", "http://10.0.0.8:8005"])
def test_the_drill_refuses_an_ses_that_is_not_local(ses_url: str | None) -> None:
    found = Connection(url="http://127.0.0.1:8025", key="k", ses_url=ses_url, home=Path("/nowhere"))
    with pytest.raises(failures.Failure, match="local SES only") as caught:
        drill.refuse_foreign(found)
    assert caught.value.exit is failures.Exit.REFUSED


def test_the_drill_accepts_a_local_ses() -> None:
    drill.refuse_foreign(
        Connection(
            url="http://127.0.0.1:8025", key="k", ses_url="http://127.0.0.1:8005", home=Path("/nowhere")
        )
    )


def test_an_open_stop_without_words_of_ses_shows_no_empty_quotes():
    shown = " ".join(
        lines(stops.stop_table([{"id": 1, "scope": "cell", "name": "default", "because": "Paused"}]))
    )
    assert "Paused" in shown
    assert "SES:" not in shown
    assert "Ended" not in shown


def test_a_stop_of_a_lane_names_its_tenant_and_type():
    stop = {"id": 5, "scope": "lane", "name": "17", "tenant": "acme", "type": "newsletter", "because": "x"}
    shown = " ".join(lines(stops.stop_table([stop])))
    assert "acme newsletter" in shown
    assert "17" not in shown


def test_what_kept_mail_in_the_window_says_until_when():
    one = {"detail": "Held by ann: x [hold 1]", "until": None}
    assert metrics._kept(one) == "Held by ann: x [hold 1]"
    ended = metrics._kept({**one, "until": "2026-11-28T23:13:13.340Z"})
    assert ended == "Held by ann: x [hold 1], until 2026-11-28 23:13:13Z"


def test_the_account_shows_limits_shares_a_newcomers_wait_and_the_scan() -> None:
    limits = {
        "cell": "default",
        "max_send_rate": 14,
        "max_24h": 50000.0,
        "sent_24h": 7,
        "enforcement": "HEALTHY",
    }
    share = {"work": "bulk", "share": 0.1, "used_last_minute": 6, "waiting": 40000, "tenants": 10000}
    scan = {"resources": 40012, "period": 39600, "longest_period": 260000, "shared_period": 60}
    calls = {
        "per_second": 1.0,
        "per_second_now": 0.5,
        "shares": [share],
        "newcomer": {"calls": 7, "seconds": 24.0},
        "scan": scan,
    }
    said = "\n".join(lines(Group(*account.account_views({"limits": [limits], "calls": calls}))))
    assert "50,000" in said
    assert "now 0.5, because SES refused calls" in said
    assert "40000" in said
    assert "in about 24 s, after 7 calls" in said
    assert "within 11 h, within 3 days while other work" in said
    nobody = "\n".join(lines(Group(*account.account_views({"limits": [], "calls": None}))))
    assert "No control process reports" in nobody


def test_a_large_plan_shows_its_first_steps_and_calls_and_says_where_the_others_are() -> None:
    call = {"seq": 1, "state": "pending", "says": "create identity mail.acme.example", "why": "missing"}
    found = {
        "id": 17,
        "made_by": "ann",
        "steps": [{"says": f"step {n}."} for n in range(60)],
        "steps_left_off": 940,
        "calls": [call] * 60,
        "calls_left_off": 1940,
        "notes": [f"note {n}." for n in range(55)],
        "notes_left_off": 45,
        "tenants": [f"t{n}" for n in range(12)],
        "tenants_left_off": 988,
        "later": 900,
    }
    shown = "\n".join(lines(plan.plan_view(found)))
    assert ("step 49." in shown, "step 50." in shown) == (True, False)
    assert "and 950 more: mailcordon plans steps 17" in shown
    assert "2,000 calls" in shown
    assert "and 1,950 more: mailcordon plans calls 17" in shown
    assert ("note 50." in shown, "and the same of 50 more" in shown) == (False, True)
    assert "t9 and 990 more" in shown
    assert "900 tenants are still to be added" in shown
    every = "\n".join(lines(plan.plan_view(found, most=None)))
    assert "step 59." in every
    assert "and 940 more: mailcordon plans steps 17" in every


def test_a_proof_shows_each_mail_with_its_events_and_then_the_verdict() -> None:
    event = {"kind": "send", "late": False, "seconds": 0.123, "tenant": "acme", "type": "newsletter"}
    event |= {"queue": "q", "topic": "arn:t", "configuration_set": "mc-marketing"}
    mail = {"what": "bounce", "state": "accepted", "events": [event], "missing": ["hard-bounce"]}
    found = {
        "id": 12,
        "tenant": "acme",
        "type": "newsletter",
        "state": "failed",
        "because": "of the bounce mail SES reported no hard bounce within 60 s",
        "mails": [mail, {"what": "success", "state": "accepted", "events": [event | {"late": True}]}],
        "faults": [{"code": "missing", "says": "first"}, {"code": "scope", "says": "and second"}],
    }
    shown = lines(Group(*prove.proof_view(found)))
    assert shown[0] == "acme / newsletter (mc-marketing > arn:t > q)"
    assert "hard-bounce" in shown[2]
    assert any("send (late)" in line for line in shown)
    assert "Not proved: of the bounce mail SES reported no hard bounce within 60 s." in shown
    assert shown[-1] == "- and second"
    running = lines(Group(*prove.proof_view(found | {"state": "running"}, waited=60)))
    assert any("Proof 12 has not ended" in line for line in running)


def test_isolation_shows_the_mistake_and_the_way_out_of_what_is_shared_only() -> None:
    shared = {
        "title": "From domain",
        "state": "shared",
        "value": "acme.example",
        "says": "invoice",
        "mistake": "Convenience.",
        "decision": "identity",
        "command": "mailcordon lane move acme newsletter",
        "ends": None,
    }
    alone = shared | {"title": "SES tenant", "state": "isolated", "says": "nobody", "mistake": None}
    item = {
        "type": "newsletter",
        "proof": "never",
        "proof_says": "never proved",
        "dimensions": [shared, alone],
    }
    shown = lines(Group(*isolation.lane_view("acme", item)))
    assert shown[0] == "acme / newsletter"
    assert any(line.startswith("attribution") and "never proved" in line for line in shown)
    text = "\n".join(shown)
    assert "Convenience." in text
    assert "Decision: identity. To end it: mailcordon lane move acme newsletter" in text
    assert text.count("Decision") == 1
