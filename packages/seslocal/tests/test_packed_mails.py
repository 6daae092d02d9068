"""A mail that waits as packed bytes has the same events as one that waits as an object, byte for byte and in the same order."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from seslocal import Clock, Settings
from seslocal.sesv2 import bulk, configuration_sets, identities, sending, tenants
from seslocal.state import samples, under_way
from seslocal.state.access import Caller
from seslocal.state.account import Account
from seslocal.state.mail_under_way import MailUnderWay
from seslocal.state.mailboxes import Mailbox
from seslocal.state.outcomes import DELIVERS, bounce, delay
from seslocal.state.packed_mails import PackedMails

START = 1_767_225_600.0  # 2026-01-01T00:00:00Z
CALLER = Caller("test", "us-east-1", "127.0.0.1", "127.0.0.1:8005", "test")
KINDS = ["SEND", "REJECT", "DELIVERY", "BOUNCE", "COMPLAINT", "DELIVERY_DELAY", "RENDERING_FAILURE"]
EICAR = r"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


def account_of() -> Account:
    account = Account(Settings(seed=1, event_delay=0.25, rate=1e9), Clock(START, 0))
    identities.create(account, {"EmailIdentity": "acme.example"}, CALLER)
    configuration_sets.create(account, {"ConfigurationSetName": "s"}, CALLER)
    target = {"TopicArn": "arn:aws:sns:us-east-1:123456789012:events"}
    destination = {"Enabled": True, "MatchingEventTypes": KINDS, "SnsDestination": target}
    configuration_sets.create_destination(
        account,
        {"ConfigurationSetName": "s", "EventDestinationName": "e", "EventDestination": destination},
        CALLER,
    )
    suppression = {"SuppressionScope": "TENANT", "SuppressedReasons": ["BOUNCE", "COMPLAINT"]}
    tenants.create_tenant(account, {"TenantName": "acme", "SuppressionAttributes": suppression}, CALLER)
    for resource in ("identity/acme.example", "configuration-set/s"):
        tenants.associate(account, {"TenantName": "acme", "ResourceArn": account.arn(resource)}, CALLER)
    return account


def send(account: Account, *to: str, text: str = "Hello", **more: Any) -> None:
    content = {
        "Subject": {"Data": "Füür"},
        "Body": {"Html": {"Data": text}},
        "Headers": [{"Name": "X-A", "Value": "é"}],
    }
    call = {
        "FromEmailAddress": "Acme <a@acme.example>",
        "Destination": {"ToAddresses": list(to)},
        "ConfigurationSetName": "s",
        "TenantName": "acme",
        "Content": {"Simple": content},
    }
    sending.send_email(account, {**call, **more}, CALLER)


def send_broken(account: Account) -> None:
    template = {"TemplateContent": {"Subject": "{{name}}", "Text": "x"}, "TemplateData": "{}"}
    entries = [{"Destination": {"ToAddresses": ["broken@example.com"]}}]
    call = {
        "FromEmailAddress": "a@acme.example",
        "ConfigurationSetName": "s",
        "TenantName": "acme",
        "DefaultContent": {"Template": template},
        "BulkEmailEntries": entries,
    }
    bulk.send_bulk_email(account, call, CALLER)


def play(account: Account) -> list[str]:
    """Returns the bodies in the event queue, in order."""
    for address, mailbox in {
        "gone@example.com": Mailbox("bounces", None, None, 0.0, 1),
        "late@example.com": Mailbox("delivers", None, "bounces", 7200.0, 1),
        "angry@example.com": Mailbox("complains", None, None, 50.0, 1),
        "slow@example.com": Mailbox("defers", None, "delivers", 3000.0, 3),
        "full@example.com": Mailbox("defers", "MailboxFull", "nothing", 9000.0, 2, "smtp; 452 4.2.2 füll"),
    }.items():
        account.mailboxes.put(address, None, mailbox)
    everybody = [f"{name}@example.com" for name in ("gone", "late", "angry", "slow", "full")]
    send(account, *everybody, "kim@example.org", "lee@example.org")
    send(account, "slow@example.com")
    send(account, "slow@example.com")  # its events are due when those before are
    for address in everybody:
        send(account, address)
    send(account, "kim@example.com", text=EICAR)
    send_broken(account)
    account.clock.advance(0.25)
    send(account, "slow@example.com")
    account.clock.advance(1000.0)
    send(account, "gone@example.com")  # on the tenant's list by now
    associated = {"TenantName": "acme", "ResourceArn": account.arn("configuration-set/s")}
    tenants.dissociate(account, associated, CALLER)
    configuration_sets.delete(account, {"ConfigurationSetName": "s"}, CALLER)
    account.clock.advance(100_000.0)
    assert account.clock.pending == 0
    return [message.body for message in account.queues.by_name["events"].messages.values()]


async def test_packed_mails_have_the_same_events_as_others(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = 0
    pack = PackedMails.pack

    def counting(self: PackedMails, one: MailUnderWay) -> bytes | None:
        nonlocal packed
        packed += 1
        return pack(self, one)

    monkeypatch.setattr(PackedMails, "pack", counting)
    monkeypatch.setattr(under_way, "NEAR", 1e9)
    as_objects = play(account_of())
    assert packed == 0
    monkeypatch.setattr(under_way, "MOST_NEAR", 0)
    as_bytes = play(account_of())
    assert packed > 20
    assert len(as_objects) > 30
    for kind in ("Send", "Reject", "Delivery", "Bounce", "Complaint", "DeliveryDelay", "Rendering Failure"):
        assert any(f'eventType\\":\\"{kind}\\"' in body for body in as_objects), kind
    assert as_bytes == as_objects


@pytest.mark.parametrize("near", [0, 1000])
async def test_mails_whose_events_are_due_at_the_same_time_keep_the_order_of_their_sends(
    near: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(under_way, "MOST_NEAR", near)
    account = account_of()
    account.mailboxes.put("twice@example.com", None, Mailbox("defers", None, "delivers", 128.0, 2))
    account.mailboxes.put("once@example.com", None, Mailbox("defers", None, "delivers", 127.25, 1))
    send(account, "twice@example.com")
    account.clock.advance(1.0)
    send(account, "once@example.com")  # its delivery waits before that of the other does
    account.clock.advance(200.0)
    bodies = [message.body for message in account.queues.by_name["events"].messages.values()]
    delivered = [body for body in bodies if 'eventType\\":\\"Delivery\\"' in body]
    assert [("twice@" in body, "00:02:09.000Z" in body) for body in delivered] == [
        (True, True),
        (False, True),
    ]


async def one_mail() -> tuple[Account, MailUnderWay]:
    account = account_of()
    send(account, "kim@example.com")
    [found] = account.mail.under_way.waiting()
    return account, found


async def test_what_is_packed_comes_back_equal_and_shares_what_many_have() -> None:
    account, one = await one_mail()
    tried = msgspec.structs.replace(
        one,
        plans=[("kim@example.com", (delay(), bounce("General"))), ("lee@example.com", DELIVERS)],
        done={0, 2},
        left_at=START + 0.1,
        broken=("t", "no é"),
    )
    packer = PackedMails()
    first, second = packer.pack(one), packer.pack(tried)
    assert first is not None
    assert second is not None
    for packed, expected in ((first, one), (second, tried)):
        for found in (packer.read(packed), packer.take(packed)):
            assert found.configuration_set is account.configuration_sets["s"]
            assert found.suppression is account.tenants["acme"].suppression
            for name in ("plans", "scope", "reasons", "infected", "broken", "done", "left_at"):
                assert getattr(found, name) == getattr(expected, name), name
            assert found.mail.shown({}) == one.mail.shown({})
            assert found.plans[-1][1] is DELIVERS
    with pytest.raises(KeyError):
        packer.read(first)  # what they shared was forgotten with the last of them


async def test_a_value_that_cannot_be_written_keeps_its_mail_an_object(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(under_way, "MOST_NEAR", 0)
    account, one = await one_mail()
    odd = msgspec.structs.replace(one, broken=("half a pair: \ud800", "x"))
    assert PackedMails().pack(odd) is None
    account.mail.under_way.schedule(START + 1000.0, odd)
    assert [type(thing) for _, _, thing in account.clock.waiting("mail")].count(MailUnderWay) == 1


async def test_only_mails_with_the_same_set_and_list_share() -> None:
    account, one = await one_mail()
    without_set = msgspec.structs.replace(one, configuration_set=None)
    other_list = msgspec.structs.replace(one, suppression=account.suppression.list)
    packer = PackedMails()
    packed = [packer.pack(mail) for mail in (one, without_set, other_list)]
    for mail, each in zip((one, without_set, other_list), packed, strict=True):
        found = packer.take(each or b"")
        assert found.configuration_set is mail.configuration_set
        assert found.suppression is mail.suppression


async def test_many_senders_share_one_dictionary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "_MOST", 2)
    _, one = await one_mail()
    packer = PackedMails()
    mails = [msgspec.structs.replace(one, scope="ACCOUNT", reasons=(str(number),)) for number in range(5)]
    packed = [packer.pack(mail) for mail in mails]
    assert [packer.take(each or b"").reasons for each in packed] == [mail.reasons for mail in mails]


async def test_an_account_that_was_replaced_schedules_nothing() -> None:
    account, one = await one_mail()
    account.clock.reset()
    account.mail.under_way.schedule(START + 5, one)
    assert account.clock.pending == 0
