"""The comparison sees what a reader would see otherwise, and nothing else."""

import base64

from real_clients import comparing
from real_clients.mails import all_of
from real_clients.programs import building

MARKS = ("meant", "arrived")


def mail(name: str, marker: str) -> bytes:
    [found] = [one for one in all_of(2000) if one.name == name]
    return building.message(found.json("acme.example", marker)).as_bytes()


def test_how_a_mail_is_written_makes_no_difference():
    for one in all_of(2000):
        arrived = mail(one.name, "arrived").replace(b"\n", b"\r\n")
        boundary = comparing.email.message_from_bytes(arrived).get_boundary()
        if boundary:
            arrived = arrived.replace(boundary.encode(), b"another-boundary")
        arrived = b"Message-ID: <1@ses>\r\nDate: Sun, 29 Nov 2026 10:00:00 +0000\r\n" + arrived
        assert comparing.differences(mail(one.name, "meant"), arrived, marks=MARKS) == [], one.name


def test_what_a_reader_would_see_otherwise_is_named():
    changes = {
        "text": (b"three lines", b"four lines"),
        "cc-and-bcc": (b"Cc: Pat", b"Cc: Mat"),
        "names": (b"To: =?", b"X-To: =?"),
        "references": (b"References", b"X-References"),
        "picture": (b"<pixel@acme>", b"<other@acme>"),
        "attachment": (b"application/pdf", b"application/zip"),
    }
    for name, (old, new) in changes.items():
        arrived = mail(name, "arrived")
        assert old in arrived, name
        assert comparing.differences(mail(name, "meant"), arrived.replace(old, new, 1), marks=MARKS), name


def test_one_byte_of_a_file_is_a_difference():
    content = bytes(range(256)) * 7 + bytes(range(208))
    assert base64.b64encode(content)[:40] in mail("attachment", "meant")
    changed = mail("attachment", "arrived").replace(base64.b64encode(content)[:40], b"B" * 40, 1)
    [line] = comparing.differences(mail("attachment", "meant"), changed, marks=MARKS)
    assert "application/pdf" in line


def test_a_header_too_many_is_a_difference():
    arrived = b"X-Mailcordon-Type: receipt\n" + mail("text", "arrived")
    [line] = comparing.differences(mail("text", "meant"), arrived, marks=MARKS)
    assert line.startswith("x-mailcordon-type")
