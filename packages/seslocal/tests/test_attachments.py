"""Attachments: which are refused, and how the others arrive."""

from __future__ import annotations

from email.message import EmailMessage
from typing import Any

import pytest

from seslocal_fixtures.world import World


def simple(*files: dict[str, Any]) -> dict[str, Any]:
    return {"Simple": {"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "t"}}, "Attachments": list(files)}}


def raw(name: str) -> dict[str, Any]:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@mail.acme.example", "kim@example.com", "s"
    message.set_content("t")
    message.add_attachment(b"x", maintype="application", subtype="octet-stream", filename=name)
    return {"Raw": {"Data": message.as_bytes()}}


@pytest.mark.parametrize("name", ["run.exe", "a.b.JS", ".scr", "page.hta", "data.mdb", "x.wsf", "päck.vbs"])
def test_file_names_that_ses_does_not_allow_are_refused(world: World, name: str) -> None:
    world.ready()
    for content in (simple({"FileName": name, "RawContent": b"x"}), raw(name)):
        refused = world.refused(lambda content=content: world.send("kim@example.com", Content=content))
        assert refused == (400, "BadRequestException", f"Illegal filename '{name}'.")


@pytest.mark.parametrize("name", ["exe", "run.exe.pdf", "a.zip", "notes", "x.txt"])
def test_other_file_names_are_accepted(world: World, name: str) -> None:
    world.ready()
    world.send("kim@example.com", Content=simple({"FileName": name, "RawContent": b"x"}))
    world.send("kim@example.com", Content=raw(name))
    assert len(world.sent()) == 2


def test_a_file_name_in_the_text_of_raw_mail_is_ignored(world: World) -> None:
    world.ready()
    head = b"From: a@mail.acme.example\r\nTo: kim@example.com\r\nContent-Type: text/html\r\n\r\n"
    world.send("kim@example.com", Content={"Raw": {"Data": head + b'<input name="run.exe"> name=run.exe'}})
    assert len(world.sent()) == 1


@pytest.mark.parametrize(
    ("encoding", "arrives"),
    [(None, b"PDF ???"), ("SEVEN_BIT", b"PDF ???"), ("BASE64", b"PDF \xff\x80\xe9")],
)
def test_bytes_beyond_seven_bits_are_corrupted_without_a_transfer_encoding(
    world: World, encoding: str | None, arrives: bytes
) -> None:
    world.ready()
    named = {"ContentTransferEncoding": encoding} if encoding else {}
    file = {"FileName": "a.pdf", "RawContent": b"PDF \xff\x80\xe9", **named}
    message_id = world.send("kim@example.com", Content=simple(file))
    assert world.http("GET", f"/mail/{message_id}/files/0")[1] == arrives


def test_a_mail_has_at_most_five_hundred_parts(world: World) -> None:
    world.ready()
    files = [{"FileName": "a.txt", "RawContent": b"x"}] * 499
    refused = world.refused(lambda: world.send("kim@example.com", Content=simple(*files)))
    assert refused == (400, "BadRequestException", "The message has more than 500 MIME parts.")


def test_raw_mail_has_at_most_five_hundred_parts(world: World) -> None:
    world.ready()
    head = b"From: a@mail.acme.example\r\nTo: kim@example.com\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    part = b"--b\r\n\r\nx\r\n"
    world.send("kim@example.com", Content={"Raw": {"Data": head + part * 499 + b"--b--\r\n"}})
    for body in (part * 500, b"--b\r\n" + b"Content-Type: message/rfc822\r\n\r\n" * 2000):
        content = {"Raw": {"Data": head + body}}
        refused = world.refused(lambda content=content: world.send("kim@example.com", Content=content))
        assert refused == (400, "BadRequestException", "The message has more than 500 MIME parts.")


def test_dashes_in_the_text_of_raw_mail_do_not_count_as_parts(world: World) -> None:
    world.ready()
    head = b"From: a@mail.acme.example\r\nTo: kim@example.com\r\n\r\n"
    world.send("kim@example.com", Content={"Raw": {"Data": head + b"-- \r\n" * 600}})
    assert len(world.sent()) == 1
