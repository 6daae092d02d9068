"""Journeys that wait are packed, small and bounded, and continue as they were."""

from __future__ import annotations

import random
import tracemalloc

import msgspec
import pytest

from seslocal import Clock
from seslocal.state import journeys, samples
from seslocal.state.accepted_mail import Mail
from seslocal.state.journeys import Journey, Journeys
from seslocal.world.envelope import Envelope
from seslocal_fixtures.scripted_world import ACCEPTED, START

MOST_BYTES = 300  #: of a journey that waits
COUNT = 3000


def journey(number: int, *, tenant: str = "acme", subject: str = "") -> Journey:
    """A mail of a campaign, with what differs in reality: ids, tokens, times, recipient, name."""
    draw = random.Random(number)
    recipient, token = f"spring.{number:06d}@gmail.com", f"{draw.getrandbits(192):048x}"
    subject = subject or f"Kim{number}, our spring news"
    ids = f"{draw.getrandbits(32):08x}-{draw.getrandbits(16):04x}-4{draw.getrandbits(12):03x}"
    message_id = f"0100019b76daa800-{ids}-{draw.getrandbits(64):016x}-000000"
    common = {"from": ["Acme <news@acme.example>"], "to": [recipient], "subject": subject}
    pairs = {
        "From": "Acme <news@acme.example>",
        "To": recipient,
        "Subject": subject,
        "MIME-Version": "1.0",
        "Content-Type": 'multipart/alternative; boundary="----=_Part_0_1"',
        "List-Unsubscribe": f"<https://u.acme.example/u/{token}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    mail = Mail(
        message_id=message_id,
        accepted_at=START + number / 100,
        source="Acme <news@acme.example>",
        source_arn="arn:aws:ses:us-east-1:123456789012:identity/acme.example",
        account_id="123456789012",
        destination=(recipient,),
        headers=[{"name": name, "value": value} for name, value in pairs.items()],
        common={**common, "messageId": message_id},
        tags={
            "ses:operation": ["SendEmail"],
            "ses:source-ip": ["127.0.0.1"],
            "ses:from-domain": ["acme.example"],
            "ses:caller-identity": ["test"],
            "ses:configuration-set": ["news"],
            "attempt": [f"{draw.getrandbits(128):032x}"],
        },
        tenant=tenant,
        max_delivery_seconds=None,
    )
    envelope = Envelope(
        key=f"{draw.getrandbits(72):018x}.1",
        recipient=recipient,
        from_domain="acme.example",
        signed_by="acme.example",
        spf=True,
        aligned=True,
        mail_from="bounce.acme.example",
        pool="ses-shared-pool",
        ip="192.0.2.25",
        content="0123456789ab",
        bulk=True,
        one_click=True,
        sender=tenant,
        configuration_set="news",
    )
    text = f"OK {int(START) + number} {draw.getrandbits(96):024x}si{number:08d}.123 - gsmtp"
    verdict = msgspec.structs.replace(ACCEPTED, text=text, why=f"{number % 90 + 9}% score, 42% needed")
    return Journey(
        mail,
        "news",
        "TENANT",
        ("BOUNCE", "COMPLAINT"),
        envelope,
        True,
        (("https://acme.example/offers", ""),),
        f"https://u.acme.example/u/{token}",
        START + 50_400,
        "later",
        1,
        START + number / 100,
        verdict,
        1,
    )


@pytest.fixture
def clock() -> Clock:
    return Clock(START, 0)


def test_a_journey_continues_as_it_was(clock: Clock) -> None:
    waiting, seen = Journeys(clock), list[Journey]()

    def note(one: Journey) -> bool:
        seen.append(one)
        return False

    waiting.attach(note)
    given = [journey(number) for number in range(50)]
    for number, one in enumerate(given):
        waiting.schedule(START + 3600 + number, one)
    assert sorted(one.name for _, one in waiting.waiting()) == sorted(one.name for one in given)
    assert not seen
    clock.advance(3700)
    assert seen == given
    assert not waiting._samples._by_number
    assert not waiting._samples._by_key


def test_a_waiting_journey_takes_few_bytes(clock: Clock) -> None:
    waiting = Journeys(clock)
    waiting.attach(lambda one: False)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(COUNT):
            waiting.schedule(START + 3600 + number % 60, journey(number))
        took = (tracemalloc.get_traced_memory()[0] - before) / COUNT
    finally:
        tracemalloc.stop()
    assert took < MOST_BYTES, took
    assert clock.pending == COUNT


def test_few_that_are_due_soon_wait_as_they_are(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journeys, "MOST_NEAR", 5)
    waiting, seen = Journeys(clock), list[str]()

    def note(one: Journey) -> bool:
        seen.append(one.name)
        return False

    waiting.attach(note)
    given = [journey(number) for number in range(12)]
    for one in given:
        waiting.schedule(START + 0.5, one)
    assert waiting._near == 5
    clock.advance(1)
    assert seen == [one.name for one in given]
    assert waiting._near == 0


def test_what_cannot_be_written_waits_as_it_is(clock: Clock) -> None:
    waiting, seen = Journeys(clock), list[Journey]()

    def note(one: Journey) -> bool:
        seen.append(one)
        return False

    waiting.attach(note)
    odd = journey(1, subject="half a pair \ud800")
    waiting.schedule(START + 3600, odd)
    clock.advance(3700)
    assert seen == [odd]


def test_many_senders_share_a_sample(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "_MOST", 3)
    waiting, seen = Journeys(clock), list[Journey]()

    def note(one: Journey) -> bool:
        seen.append(one)
        return False

    waiting.attach(note)
    given = [journey(number, tenant=f"tenant-{number}") for number in range(10)]
    for number, one in enumerate(given):
        waiting.schedule(START + 3600 + number, one)
    assert len({id(sample.encoded) for sample in waiting._samples._by_number.values()}) == 3
    clock.advance(3700)
    assert seen == given


def test_the_journeys_of_an_account_that_is_gone_are_not_scheduled(clock: Clock) -> None:
    waiting = Journeys(clock)
    waiting.attach(lambda one: False)
    clock.reset()
    waiting.schedule(START + 3600, journey(1))
    assert clock.pending == 0
