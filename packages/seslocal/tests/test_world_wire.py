"""What a world does becomes SES's outcomes, one attempt at a time: answers, retries, late bounces, complaints, opens, clicks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from seslocal.mail.auto_validation import assess
from seslocal.state.mailboxes import Mailbox
from seslocal.state.outbox import HttpDelivery
from seslocal.state.world_state import WorldState
from seslocal.world.play import next_attempt
from seslocal.world.reaction import Reaction
from seslocal.world.reply import Reply
from seslocal.world.settings import WorldSettings
from seslocal_fixtures.scripted_world import ACCEPTED, DEFERRED, REFUSED, START, Scripted

KIM = "kim@gmail.com"
PAUSE = 0.005  # the settings' event_delay
AGENT = "Mozilla/5.0 (X11; Linux x86_64)"
HTML = '<p>Hi <a href="https://acme.example/a">a</a> <a href="https://acme.example/b">b</a></p>'
replace = msgspec.structs.replace


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    scripted = Scripted()
    yield scripted
    await scripted.account.events.outbox.close()


def reasons(scripted: Scripted) -> dict[str, str]:
    return {name: entry.reason for name, entry in scripted.account.suppression.list.entries.items()}


async def test_an_accepted_mail_is_delivered_with_the_words_of_its_host(scripted: Scripted) -> None:
    message_id = scripted.send(KIM)
    scripted.pass_time(10)
    sent, delivered = scripted.events()
    assert (sent["eventType"], delivered["eventType"]) == ("Send", "Delivery")
    assert delivered["mail"]["messageId"] == message_id
    assert delivered["delivery"] == {
        "timestamp": "2026-01-01T00:00:00.255Z",
        "processingTimeMillis": 255,
        "recipients": [KIM],
        "smtpResponse": "250 2.0.0 OK 1767225600 ab12si34cde.56 - gsmtp",
        "reportingMTA": "a2-25.smtp-out.amazonses.com",
        "remoteMtaIp": "198.51.100.26",
    }
    [truth] = scripted.state.truth.find(message_id)
    assert truth.ended == "inbox"
    assert truth.submitted == START + PAUSE


async def test_a_host_may_repeat_the_message_id(scripted: Scripted) -> None:
    scripted.world.answers[KIM] = [replace(ACCEPTED, text="<{message_id}> Queued")]
    message_id = scripted.send(KIM)
    scripted.pass_time(10)
    said = scripted.events()[1]["delivery"]["smtpResponse"]
    assert said == f"250 2.0.0 <{message_id}@email.amazonses.com> Queued"


async def test_the_spam_folder_looks_like_the_inbox(scripted: Scripted) -> None:
    scripted.send(KIM)
    scripted.pass_time(10)
    inbox = scripted.events()[1]
    scripted.world.answers[KIM] = [replace(ACCEPTED, kind="spam")]
    message_id = scripted.send(KIM)
    scripted.pass_time(10)
    spam = scripted.events()[1]
    for event in (inbox, spam):
        del event["mail"], event["delivery"]["timestamp"]
    assert spam == inbox
    assert scripted.state.truth.find(message_id)[0].ended == "spam"


async def test_a_deferred_mail_is_tried_again_until_it_is_accepted(scripted: Scripted) -> None:
    scripted.world.answers[KIM] = [DEFERRED, DEFERRED, ACCEPTED]
    scripted.send(KIM)
    scripted.pass_time(4 * 3600)
    times = [at for at, _, _ in scripted.world.attempts]
    envelope = scripted.world.attempts[0][2]
    first = START + PAUSE
    second = next_attempt(scripted.world, envelope, 1, first)
    assert times == [first, second, next_attempt(scripted.world, envelope, 2, second)]
    events = scripted.events()
    assert [event["eventType"] for event in events] == ["Send", "DeliveryDelay", "DeliveryDelay", "Delivery"]
    said = "Our system has detected an unusual rate of mail.\n421 4.7.28 Try again later."
    assert events[1]["deliveryDelay"] == {
        "timestamp": "2026-01-01T00:00:02.005Z",
        "delayType": "IPFailure",
        "expirationTime": "2026-01-01T14:00:00.000Z",
        "delayedRecipients": [
            {"emailAddress": KIM, "status": "4.7.28", "diagnosticCode": f"smtp; 421-4.7.28 {said}"}
        ],
        "reportingMTA": "dns; a2-25.smtp-out.amazonses.com",
    }


@pytest.mark.parametrize(
    ("options", "seconds", "subtype", "minutes"),
    [
        ({}, 14 * 3600, "General", 840),
        ({"DeliveryOptions": {"MaxDeliverySeconds": 300}}, 300, "CustomTimeoutExceeded", 5),
    ],
)
async def test_ses_gives_up_in_the_end(
    scripted: Scripted, options: dict[str, Any], seconds: float, subtype: str, minutes: int
) -> None:
    scripted.configuration_set("own", **options)
    scripted.world.answers[KIM] = [DEFERRED]
    message_id = scripted.send(KIM, ConfigurationSetName="own")
    scripted.pass_time(seconds)
    assert "Bounce" not in scripted.kinds()
    assert scripted.state.truth.find(message_id)[0].ended == ""
    scripted.pass_time(1)
    [event] = scripted.events()
    bounce = event["bounce"]
    assert (bounce["bounceType"], bounce["bounceSubType"]) == ("Transient", subtype)
    [recipient] = bounce["bouncedRecipients"]
    assert recipient["status"] == "4.4.7"
    said = recipient["diagnosticCode"]
    assert said.startswith(
        f"smtp; 550 4.4.7 Message expired: unable to deliver in {minutes} minutes.<421-4.7.28 Our"
    )
    assert scripted.state.truth.find(message_id)[0].ended == "expired"
    assert all(at <= START + PAUSE + seconds for at, _, _ in scripted.world.attempts)
    assert scripted.account.clock.pending == 0
    assert not reasons(scripted)


async def test_an_address_without_a_mailbox_is_suppressed(scripted: Scripted) -> None:
    scripted.world.answers[KIM] = [REFUSED]
    message_id = scripted.send(KIM)
    scripted.pass_time(10)
    bounce = scripted.events()[1]["bounce"]
    assert (bounce["bounceType"], bounce["bounceSubType"]) == ("Permanent", "General")
    assert bounce["bouncedRecipients"][0]["diagnosticCode"] == (
        "smtp; 550 5.1.1 The email account that you tried to reach does not exist."
    )
    assert bounce["remoteMtaIp"] == "198.51.100.26"
    assert reasons(scripted) == {KIM: "BOUNCE"}
    assert scripted.state.truth.find(message_id)[0].ended == "refused"


async def test_a_mail_that_ses_holds_back_is_in_the_ground_truth_and_makes_no_attempt(
    scripted: Scripted,
) -> None:
    scripted.world.answers[KIM] = [REFUSED]
    scripted.send(KIM)
    scripted.pass_time(10)
    attempts = len(scripted.world.attempts)
    message_id = scripted.send(KIM, "mo@gmail.com")
    scripted.pass_time(10)
    by_recipient = {mail.envelope.recipient: mail for mail in scripted.state.truth.find(message_id)}
    assert by_recipient[KIM].ended == "suppressed"
    assert by_recipient[KIM].why == "OnAccountSuppressionList"
    assert by_recipient["mo@gmail.com"].ended == "inbox"
    assert len(scripted.world.attempts) == attempts + 1


async def test_a_late_bounce_follows_the_delivery(scripted: Scripted) -> None:
    said = Reply(550, "5.1.1", "unknown user")
    scripted.world.answers[KIM] = [replace(ACCEPTED, cause="no_mailbox", returned=600.0, bounce=said)]
    message_id = scripted.send(KIM)
    scripted.pass_time(599)
    assert scripted.kinds() == ["Send", "Delivery"]
    scripted.pass_time(2)
    [event] = scripted.events()
    assert event["bounce"]["bouncedRecipients"][0]["diagnosticCode"] == "smtp; 550 5.1.1 unknown user"
    assert event["bounce"]["reportingMTA"] == "dns; gmail-smtp-in.l.google.com"
    assert event["bounce"]["timestamp"] == "2026-01-01T00:10:00.255Z"
    assert reasons(scripted) == {KIM: "BOUNCE"}
    assert scripted.state.truth.find(message_id)[0].ended == "returned"


async def test_a_complaint_comes_when_the_provider_reports_it(scripted: Scripted) -> None:
    scripted.world.answers[KIM] = [replace(ACCEPTED, provider="yahoo")]
    scripted.world.reactions[KIM] = (Reaction(deed="complaint", after=60.0, reported=86400.0),)
    scripted.send(KIM)
    scripted.pass_time(86399)
    assert scripted.kinds() == ["Send", "Delivery"]
    assert scripted.world.deeds == [(START + PAUSE + ACCEPTED.seconds + 60, KIM, "complaint")]
    assert not reasons(scripted)
    scripted.pass_time(2)
    [event] = scripted.events()
    complaint = event["complaint"]
    assert complaint["userAgent"] == "Yahoo!-Mail-Feedback/2.0"
    assert complaint["complaintFeedbackType"] == "abuse"
    assert complaint["arrivalDate"] == "2026-01-01T00:00:00.255Z"
    assert complaint["timestamp"] == "2026-01-02T00:00:00.255Z"
    assert reasons(scripted) == {KIM: "COMPLAINT"}
    assert sum(cell.complaints_known for cell in scripted.state.truth.tables.cells.values()) == 1


async def test_a_complaint_that_no_provider_reports_is_known_to_the_world_only(scripted: Scripted) -> None:
    scripted.world.reactions[KIM] = (Reaction(deed="complaint", after=60.0),)
    scripted.send(KIM)
    scripted.pass_time(3 * 86400)
    assert scripted.kinds() == ["Send", "Delivery"]
    assert not reasons(scripted)
    [cell] = scripted.state.truth.tables.cells.values()
    assert (cell.complaints, cell.complaints_known) == (1, 0)
    assert [deed for _, _, deed in scripted.world.deeds] == ["complaint"]


READS = (
    Reaction(deed="machine_open", after=1.0, agent="python-requests/2.28.0", address="203.0.113.1"),
    Reaction(deed="open", after=60.0, agent=AGENT, address="203.0.113.9"),
    Reaction(deed="click", after=61.0, agent=AGENT, address="203.0.113.9"),
    Reaction(deed="delete", after=90.0),
)  # fmt: skip


async def test_opens_and_clicks_of_tracked_mail_are_reported_with_their_agents(scripted: Scripted) -> None:
    scripted.world.reactions[KIM] = READS
    scripted.send(KIM, html=HTML)
    scripted.pass_time(100)
    machine, opened, clicked = scripted.events()[2:]
    assert machine["open"] == {
        "ipAddress": "203.0.113.1",
        "timestamp": "2026-01-01T00:00:01.255Z",
        "userAgent": READS[0].agent,
        "isBotEvent": "Likely",
    }
    assert opened["open"]["userAgent"] == AGENT
    assert opened["open"]["isBotEvent"] == "Unlikely"
    assert opened["open"]["timestamp"] == "2026-01-01T00:01:00.255Z"
    assert clicked["click"]["link"] in ("https://acme.example/a", "https://acme.example/b")
    assert [deed for _, _, deed in scripted.world.deeds] == ["machine_open", "open", "click", "delete"]


async def test_what_follows_an_acceptance_comes_after_it_each_at_its_own_time(scripted: Scripted) -> None:
    scripted.world.answers[KIM] = [replace(ACCEPTED, seconds=4.6)]
    scanner = Reaction(deed="machine_click", after=1.0, agent=AGENT, address="203.0.113.9")
    scripted.world.reactions[KIM] = (scanner, replace(scanner, after=1.25))
    scripted.send(KIM, html=HTML)
    scripted.pass_time(100)
    _, delivered, *clicks = scripted.events()
    assert delivered["delivery"]["timestamp"] == "2026-01-01T00:00:04.605Z"
    assert [one["click"]["timestamp"] for one in clicks] == [
        "2026-01-01T00:00:05.605Z",
        "2026-01-01T00:00:05.855Z",
    ]


async def test_an_open_that_fetches_nothing_is_not_reported(scripted: Scripted) -> None:
    scripted.world.reactions[KIM] = (Reaction(deed="open", after=60.0),)
    scripted.send(KIM, html=HTML)
    scripted.pass_time(100)
    assert scripted.kinds() == ["Send", "Delivery"]
    assert [deed for _, _, deed in scripted.world.deeds] == ["open"]


@pytest.mark.parametrize("how", ["text only", "not tracked", "no link"])
async def test_what_is_not_tracked_is_not_reported(scripted: Scripted, how: str) -> None:
    scripted.world.reactions[KIM] = READS
    off = {"Tracking": {"OpenTrackingEnabled": "DISABLED", "ClickTrackingEnabled": "DISABLED"}}
    if how == "text only":
        scripted.send(KIM)
    elif how == "not tracked":
        scripted.send(KIM, html=HTML, ConfigurationOverrides=off)
    else:
        scripted.send(KIM, html="<p>Hi</p>")
    scripted.pass_time(100)
    assert scripted.kinds()[2:] == (["Open", "Open"] if how == "no link" else [])
    assert len(scripted.world.deeds) == len(READS)


URL = "http://127.0.0.1:9/u/abc"
HEADERS = {
    "List-Unsubscribe": f"<mailto:u@acme.example>, <{URL}>",
    "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
}


@pytest.fixture
def posted(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> list[HttpDelivery]:
    found: list[HttpDelivery] = []
    monkeypatch.setattr(scripted.account.events.outbox, "send", found.append)
    scripted.world.reactions[KIM] = (Reaction(deed="unsubscribe", after=60.0),)
    return found


async def test_a_reader_unsubscribes_with_one_click(scripted: Scripted, posted: list[HttpDelivery]) -> None:
    scripted.account.behaviour.world_unsubscribes = True
    scripted.send(KIM, headers=HEADERS)
    scripted.pass_time(59)
    assert not posted
    scripted.pass_time(2)
    [one] = posted
    assert (one.url, one.body) == (URL, b"List-Unsubscribe=One-Click")
    assert one.headers == {"Content-Type": "application/x-www-form-urlencoded"}
    assert [one.check(status, b"") for status in (200, 202, 302, 404, 429, 500)] == [
        *(True, True, False, None, False, False)
    ]


@pytest.mark.parametrize(
    ("switches", "url", "told"),
    [
        ((False, False), URL, False),
        ((False, True), URL, False),
        ((True, False), "http://localhost/u", True),
        ((True, False), "https://[::1]/u", True),
        ((True, False), "https://u.acme.example/u", False),
        ((True, False), "https://127.0.0.1.acme.example/u", False),
        ((True, True), "https://u.acme.example/u", True),
    ],
)
async def test_unsubscribing_is_off_and_local_unless_it_is_switched(
    scripted: Scripted, posted: list[HttpDelivery], switches: tuple[bool, bool], url: str, told: bool
) -> None:
    behaviour = scripted.account.behaviour
    behaviour.world_unsubscribes, behaviour.world_unsubscribes_anywhere = switches
    scripted.send(KIM, headers={**HEADERS, "List-Unsubscribe": f"<{url}>"})
    scripted.pass_time(61)
    assert [one.url for one in posted] == ([url] if told else [])


async def test_without_one_click_nothing_is_posted(scripted: Scripted, posted: list[HttpDelivery]) -> None:
    scripted.account.behaviour.world_unsubscribes = True
    scripted.send(KIM, headers={"List-Unsubscribe": f"<{URL}>"})
    scripted.pass_time(61)
    assert not posted


# what comes before the world


async def test_the_simulator_and_mailboxes_set_by_hand_come_first(scripted: Scripted) -> None:
    scripted.account.mailboxes.put(KIM, None, Mailbox("bounces"))
    scripted.send(KIM, "success@simulator.amazonses.com", "mo@gmail.com")
    scripted.pass_time(10)
    assert [envelope.recipient for _, _, envelope in scripted.world.attempts] == ["mo@gmail.com"]
    assert sorted(scripted.kinds()) == ["Bounce", "Delivery", "Delivery", "Send"]


async def test_a_mailbox_set_by_hand_opens_and_clicks(scripted: Scripted) -> None:
    scripted.account.mailboxes.put(KIM, None, Mailbox("delivers", opens=2, clicks=1))
    scripted.send(KIM, html=HTML)
    scripted.send("mo@gmail.com", html=HTML)
    scripted.pass_time(10)
    events = scripted.events()
    assert [event["eventType"] for event in events if event["mail"]["destination"] == [KIM]] == [
        *("Send", "Delivery", "Open", "Open", "Click")
    ]
    clicked = next(event for event in events if event["eventType"] == "Click")
    assert clicked["click"]["link"] == "https://acme.example/a"
    assert clicked["click"]["isBotEvent"] == "Unlikely"


async def test_a_mailbox_set_by_hand_opens_after_a_delay_and_complains_then(scripted: Scripted) -> None:
    address = "kim@yahoo.com"
    box = Mailbox("defers", then="complains", seconds=60, opens=1)
    scripted.account.mailboxes.put(address, None, box)
    scripted.send(address, html=HTML)
    scripted.pass_time(100)
    assert scripted.kinds() == ["Send", "DeliveryDelay", "Delivery", "Open", "Complaint"]


async def test_opens_set_by_hand_need_tracking(scripted: Scripted) -> None:
    scripted.account.mailboxes.put(KIM, None, Mailbox("delivers", opens=1, clicks=1))
    off = {"Tracking": {"OpenTrackingEnabled": "DISABLED", "ClickTrackingEnabled": "DISABLED"}}
    scripted.send(KIM, html=HTML, ConfigurationOverrides=off)
    scripted.send(KIM)  # no link to click
    scripted.pass_time(10)
    assert sorted(scripted.kinds()) == ["Delivery", "Delivery", "Open", "Send", "Send"]


async def test_auto_validation_looks_and_changes_nothing() -> None:
    scripted = Scripted()
    state = scripted.account.mailboxes.world = WorldState(WorldSettings(quality="bought"), START)
    before = state.world.opinions.keep()
    found = {assess(scripted.account, f"a{number}@gmail.com").mailbox_exists for number in range(100)}
    assert found == {"HIGH", "LOW"}
    assert state.world.opinions.keep() == before
    assert not state.truth.tables.cells
    assert scripted.account.clock.pending == 0


async def test_auto_validation_does_not_judge_by_the_sender(scripted: Scripted) -> None:
    scripted.world.answers[KIM] = [replace(REFUSED, cause="reputation")]
    scripted.world.answers["mo@gmail.com"] = [DEFERRED]
    scripted.world.answers["no@gmail.com"] = [REFUSED]
    found = [assess(scripted.account, address).mailbox_exists for address in (KIM, "mo@gmail.com", "no@gmail.com")]  # fmt: skip
    assert found == ["HIGH", "HIGH", "LOW"]


async def test_a_mail_is_delivered_if_the_world_is_removed_meanwhile(scripted: Scripted) -> None:
    scripted.world.answers[KIM] = [DEFERRED]
    scripted.world.reactions["mo@gmail.com"] = (Reaction(deed="open", after=3600.0, agent=AGENT),)
    scripted.send(KIM)
    scripted.send("mo@gmail.com", html=HTML)
    scripted.pass_time(10)
    assert sorted(scripted.kinds()) == ["Delivery", "DeliveryDelay", "Send", "Send"]
    scripted.account.mailboxes.world = None
    scripted.pass_time(14 * 3600)
    assert scripted.kinds() == ["Delivery"]
    assert scripted.account.clock.pending == 0


async def test_without_a_world_mail_is_delivered_as_ever(scripted: Scripted) -> None:
    scripted.account.mailboxes.world = None
    scripted.send(KIM, html=HTML)
    scripted.pass_time(10)
    assert scripted.events()[1]["delivery"] == {
        "timestamp": "2026-01-01T00:00:00.010Z",
        "processingTimeMillis": 10,
        "recipients": [KIM],
        "smtpResponse": "250 2.6.0 Message received",
        "reportingMTA": "mta.example.com",
        "remoteMtaIp": "192.0.2.80",
    }
    assert not scripted.world.attempts


async def test_the_ledger_says_that_the_world_decides(scripted: Scripted) -> None:
    scripted.account.mailboxes.put("mo@gmail.com", None, Mailbox("complains", opens=1))
    message_id = scripted.send(KIM, "mo@gmail.com")
    entry = scripted.account.mail.ledger.get(message_id)
    assert entry is not None
    assert entry.shown()["fates"] == {
        KIM: {"fate": "world", "subtype": None},
        "mo@gmail.com": {"fate": "complains", "subtype": "abuse"},
    }


async def test_each_recipient_has_an_answer_and_reactions_of_its_own(scripted: Scripted) -> None:
    other = "Mo@Gmail.com"
    scripted.world.answers[other.lower()] = [DEFERRED, REFUSED]
    scripted.send(KIM, other)
    scripted.pass_time(3600)
    told = [(event["eventType"], event) for event in scripted.events()]
    assert [kind for kind, _ in told] == ["Send", "Delivery", "DeliveryDelay", "Bounce"]
    assert told[1][1]["delivery"]["recipients"] == [KIM]
    assert told[3][1]["bounce"]["bouncedRecipients"][0]["emailAddress"] == other


async def test_a_recipient_who_is_given_twice_gets_one_mail(scripted: Scripted) -> None:
    scripted.world.answers[KIM] = [DEFERRED, ACCEPTED]
    message_id = scripted.send("Kim@GMAIL.com", KIM, "mo@gmail.com", KIM)
    scripted.pass_time(4 * 3600)
    truth = {mail.envelope.recipient: mail for mail in scripted.state.truth.find(message_id)}
    assert [(name, len(mail.attempts)) for name, mail in truth.items()] == [(KIM, 2), ("mo@gmail.com", 1)]
    events = scripted.events()
    assert [one["eventType"] for one in events].count("Delivery") == 2
    delivered = [one["delivery"]["recipients"] for one in events if one["eventType"] == "Delivery"]
    assert sorted(delivered) == [["Kim@GMAIL.com"], ["mo@gmail.com"]]
