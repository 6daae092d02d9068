"""A message resolves to its lane's route or is refused: there are no defaults."""

import hashlib
from dataclasses import replace

import pytest

from mailcordon.core import path_choice
from mailcordon.core.errors import Invalid
from mailcordon.core.lane import Lane
from mailcordon.core.priority import Class
from mailcordon.core.route import Route
from mailcordon.send import raw_mail, submission
from mailcordon.send.resolve import Entry, Lanes, fixed_path, resolve

HASHES = [hashlib.blake2b(b"%d" % n, digest_size=16).digest() for n in range(60)]
ENTRY = Entry(
    route=Route(
        lane=Lane(id=7, tenant=1, tenant_key="mc-acme0000", type="receipt", class_=Class.TRANSACTIONAL),
        turn=3,
        path="isolated",
        ses_tenant="mc-acme0000",
        domain="mail.acme.example",
        configuration_set="mc-transactional",
    ),
    share=100,
    policy_version=1,
    expiry_ms=1,
    backlog_deliveries=1,
    backlog_bytes=1,
    backlog_age_ms=1,
)
NEWS = replace(
    ENTRY,
    route=replace(
        ENTRY.route, lane=replace(ENTRY.route.lane, id=8, type="newsletter", class_=Class.MARKETING)
    ),
)
LANES = Lanes(tenant=1, slug="acme", entries={"receipt": (ENTRY,), "newsletter": (NEWS,)})


def mail(**over):
    return submission.check(
        **{
            "type": "receipt",
            "sender": "Acme <hello@mail.acme.example>",
            "to": ["kim@example.com"],
            "subject": "x",
            "text": "x",
            "html": None,
            "reply_to": [],
            "headers": {},
            "campaign": None,
            "list": None,
            **over,
        }
    )


def fault(lanes, message):
    with pytest.raises(Invalid) as caught:
        resolve(lanes, "acme", message, HASHES[:1], local=True)
    (one,) = caught.value.faults
    return one.field, one.code


def test_a_tenants_type_leads_to_its_route():
    assert resolve(LANES, "acme", mail(), HASHES[:1], local=True) == (ENTRY, None)


def test_no_tenant_no_route():
    assert fault(None, mail()) == ("tenant", "unknown-tenant")


def test_a_retired_tenant_and_a_retired_lane_take_no_mail_and_others_do():
    retired = replace(LANES, retired=True)
    assert fault(retired, mail()) == ("tenant", "tenant-retired")
    lanes = replace(LANES, entries={"receipt": (replace(ENTRY, retired=True),), "newsletter": (NEWS,)})
    assert fault(lanes, mail()) == ("type", "lane-retired")
    with pytest.raises(Invalid, match="its lanes are: newsletter$"):
        resolve(lanes, "acme", mail(type="invoice"), HASHES[:1], local=True)


@pytest.mark.parametrize("type", ["invoice", "", "RECEIPT", "receipt ", "default"])
def test_no_lane_no_route(type):
    assert fault(LANES, mail(type=type)) == ("type", "unknown-type")


@pytest.mark.parametrize(
    "sender",
    [
        "hello@acme.example",  # above
        "hello@x.mail.acme.example",  # below
        "hello@zen.example",
        "hello@mail.acme.example.evil.example",
        "hello@evilmail.acme.example",
    ],
)
def test_a_from_of_any_other_domain_is_refused(sender):
    assert fault(LANES, mail(sender=sender)) == ("from", "foreign-domain")


def test_the_from_domain_is_compared_without_letter_case():
    assert resolve(LANES, "acme", mail(sender="hello@MAIL.Acme.Example"), HASHES[:1], local=True) == (
        ENTRY,
        None,
    )


def test_marketing_needs_a_one_click_unsubscribe():
    assert fault(LANES, mail(type="newsletter")) == ("headers.List-Unsubscribe", "one-click-missing")
    headers = {
        "List-Unsubscribe": "<https://acme.example/u/1>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    assert resolve(LANES, "acme", mail(type="newsletter", headers=headers), HASHES[:1], local=True) == (
        NEWS,
        None,
    )


def test_marketing_without_a_link_gets_ours_unless_there_is_none_or_the_app_forbids_it():
    news, own_host = (
        mail(type="newsletter"),
        replace(NEWS, route=replace(NEWS.route, unsubscribe_host="u.example")),
    )
    assert resolve(LANES, "acme", news, HASHES[:1], local=True, links=True) == (NEWS, None)
    hosted = replace(LANES, entries={"newsletter": (own_host,)})
    assert resolve(hosted, "acme", news, HASHES[:1], local=True) == (own_host, None)
    for message, links in ((news, False), (mail(type="newsletter", unsubscribe=False), True)):
        with pytest.raises(Invalid) as caught:
            resolve(LANES, "acme", message, HASHES[:1], local=True, links=links)
        assert [one.code for one in caught.value.faults] == ["one-click-missing"]


def test_a_newsletter_that_gets_our_link_has_room_for_its_two_headers():
    own = {f"X-Own-{n}": "1" for n in range(13)} | {"List-Unsubscribe": "<mailto:stop@mail.acme.example>"}
    news = mail(type="newsletter", headers=own)
    assert resolve(LANES, "acme", news, HASHES[:1], local=True, links=True) == (NEWS, None)
    crowded = mail(type="newsletter", headers={f"X-Own-{n}": "1" for n in range(14)})
    with pytest.raises(Invalid, match="at most 13 headers"):
        resolve(LANES, "acme", crowded, HASHES[:1], local=True, links=True)
    assert resolve(LANES, "acme", crowded._replace(type="receipt"), HASHES[:1], local=True, links=True) == (
        ENTRY,
        None,
    )


def two_paths(isolated):
    shared = replace(
        ENTRY,
        route=replace(ENTRY.route, path="shared", domain="mail.platform.example", ses_tenant="platform"),
        share=100 - isolated,
    )
    return Lanes(tenant=1, slug="acme", entries={"receipt": (replace(ENTRY, share=isolated), shared)})


def test_each_recipient_of_a_message_takes_the_path_of_its_hash():
    for sender in ("hello@mail.acme.example", "hello@mail.platform.example"):
        news = mail(to=[f"a{n}@example.com" for n in range(50)], individually=True, sender=sender)
        for share in (0, 25, 100):
            entry, others = resolve(two_paths(share), "acme", news, HASHES[:50], local=True)
            paths = [path_choice.path_of(entry.route.path, others, n) for n in range(1, 51)]
            assert paths == [path_choice.path("mc-acme0000", hash, share) for hash in HASHES[:50]]
            assert entry.route.path == paths[0]
            assert others is not None
            assert not others & path_choice.KEEPS_ITS_PATH
    assert len({path_choice.path("mc-acme0000", hash, 25) for hash in HASHES[:50]}) == 2


def test_recipients_who_see_each_other_follow_the_first_and_stay():
    for hashes in (HASHES[:3], HASHES[3:6], HASHES[6:9], HASHES[9:12]):
        seen = mail(to=["a@example.com"], cc=["b@example.com"], bcc=["c@example.com"])
        entry, others = resolve(two_paths(50), "acme", seen, hashes, local=True)
        assert entry.route.path == path_choice.path("mc-acme0000", hashes[0], 50)
        assert others == path_choice.KEEPS_ITS_PATH


def test_a_raw_message_takes_the_path_of_its_from_and_stays():
    for domain, path in (("mail.acme.example", "isolated"), ("mail.platform.example", "shared")):
        mime = f"From: hello@{domain}\r\nTo: kim@example.com\r\nSubject: x\r\n\r\nx\r\n".encode()
        raw = raw_mail.check(mime, type="receipt", recipients=["kim@example.com"])
        entry, others = resolve(two_paths(50), "acme", raw, HASHES[:1], local=True)
        assert (entry.route.path, others) == (path, path_choice.KEEPS_ITS_PATH | path_choice.OF_ITS_FROM)
        assert "its From decides" in (fixed_path(path, others) or "")


def test_a_from_of_neither_path_is_refused_with_both_domains():
    with pytest.raises(Invalid, match="mail.acme.example or mail.platform.example"):
        resolve(two_paths(50), "acme", mail(sender="hello@zen.example"), HASHES[:1], local=True)


def test_a_whole_newsletter_does_not_show_its_list_either():
    head = b"From: hello@mail.acme.example\r\nTo: kim@example.com, lee@example.com\r\nSubject: x\r\n\r\nx\r\n"
    shown = raw_mail.check(head, type="newsletter", recipients=["kim@example.com"])
    assert fault(LANES, shown) == ("to", "visible-recipients")
    hidden = raw_mail.check(
        head.replace(b"kim@example.com, lee@example.com", b"undisclosed-recipients:;"),
        type="newsletter",
        recipients=["kim@example.com", "lee@example.com"],
    )
    assert resolve(LANES, "acme", hidden, HASHES[:1], local=True, links=True) == (NEWS, None)


def test_a_newsletter_does_not_show_its_list():
    many = {"type": "newsletter", "to": ["kim@example.com", "lee@example.com"]}
    assert fault(LANES, mail(**many)) == ("to", "visible-recipients")
    copies = mail(type="newsletter", cc=["lee@example.com"])
    assert fault(LANES, copies) == ("to", "visible-recipients")
    each = [
        {
            "List-Unsubscribe": f"<https://a.example/{n}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        }
        for n in range(2)
    ]
    assert resolve(LANES, "acme", mail(**many, own_headers=each), HASHES[:1], local=True) == (NEWS, None)
    assert resolve(LANES, "acme", mail(to=many["to"]), HASHES[:1], local=True) == (ENTRY, None)
