"""The dialogue of submission, on real connections and a real database."""

import asyncio
import base64
import smtplib
from email.message import EmailMessage
from typing import Any

from mailcordon.adapters.smtp import connection
from mailcordon.core import ids
from mailcordon_fixtures.smtp_client import MAIL, Client, Smtp

SMUGGLED = ("\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r.\r\n", "\r\n.\r", "\n\n", "\r\r\n.\r\n")


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def message_of(text: str) -> int:
    """The id in a reply."""
    return ids.parse_message_id(text.split()[1])


# Greeting and login ---------------------------------------------------------------------------------------------------------


async def test_a_client_is_told_what_is_offered(smtp: Smtp) -> None:
    client = await smtp.connect()
    assert await client.reply() == (220, "mailcordon ESMTP submission")
    code, text = await client.say("EHLO app.example")
    assert code == 250
    assert text.splitlines() == [
        "mailcordon",
        f"SIZE {smtp.door.most_bytes}",
        "PIPELINING",
        "8BITMIME",
        "ENHANCEDSTATUSCODES",
        "STARTTLS",
        "AUTH PLAIN LOGIN",
    ]
    assert await client.say("HELO app.example") == (250, "mailcordon")
    assert (await client.say("NOOP"))[0] == 250
    assert (await client.say("VRFY kim"))[0] == 252
    assert (await client.say("EXPN all"))[0] == 502
    assert (await client.say("BDAT 3"))[0] == 502
    assert (await client.say("FROBNICATE"))[0] == 500
    assert (await client.say("QUIT"))[0] == 221
    assert await client.is_closed()


async def test_each_form_of_login_works(smtp: Smtp) -> None:
    token = smtp.tokens["acme"]
    plain = b64(f"\0acme\0{token}")
    for lines in (
        [f"AUTH PLAIN {plain}"],
        ["AUTH PLAIN", plain],
        [f"auth plain {b64(chr(0).join(('acme', 'acme', token)))}"],
        ["AUTH LOGIN", b64("acme"), b64(token)],
        [f"AUTH LOGIN {b64('acme+receipt')}", b64(token)],
    ):
        client = await smtp.greeted()
        replies = [await client.say(line) for line in lines]
        assert [code for code, _ in replies] == [334] * (len(lines) - 1) + [235], replies
        assert (await client.say(f"AUTH PLAIN {plain}"))[0] == 503


async def test_what_is_no_login_is_refused_with_its_sentence(smtp: Smtp) -> None:
    token = smtp.tokens["acme"]
    client = await smtp.connect()
    await client.reply()
    assert (await client.say("AUTH PLAIN"))[0] == 503
    await client.say("EHLO test")
    assert await client.say("MAIL FROM:<a@acme.example>") == (
        530,
        "5.7.0 Log in first: AUTH with the tenant as user name, an API key as password.",
    )
    assert (await client.say("AUTH CRAM-MD5"))[0] == 504
    assert (await client.say("AUTH PLAIN !!!"))[0] == 501
    assert (await client.say(f"AUTH PLAIN {b64('no nul')}"))[0] == 501
    assert (await client.say(f"AUTH PLAIN {b64(chr(0).join(('zen', 'acme', token)))}"))[0] == 501
    assert (await client.say("AUTH LOGIN"))[0] == 334
    assert (await client.say("*"))[0] == 501
    assert (await client.say("AUTH LOGIN ="))[0] == 334
    assert (await client.say(b64(token)))[0] == 535


async def test_a_key_counts_as_at_the_other_doors(smtp: Smtp) -> None:
    await smtp.key("reader", "acme", "read")
    await smtp.key("elsewhere", "acme", networks=("10.0.0.0/8",))
    await smtp.key("receipts", "acme", types=("receipt",))
    for user, password, says in (
        ("acme", "mck_aaaaaaaa_" + "a" * 43, "unknown or was revoked"),
        ("acme", "hunter2", "The password is no API key"),
        ("zen", smtp.tokens["acme"], "works for acme and no other tenant"),
        ("Acme Inc", smtp.tokens["acme"], "The user name is the tenant"),
        ("acme+", smtp.tokens["acme"], "The user name is the tenant"),
        ("acme", smtp.tokens["reader"], "needs the scope send"),
        ("acme", smtp.tokens["elsewhere"], "does not work from 127.0.0.1"),
        ("acme+newsletter", smtp.tokens["receipts"], "does not send newsletter"),
    ):
        client = await smtp.greeted()
        code, text = await client.login(user, password)
        assert code == 535
        assert text.startswith("5.7.8 ")
        assert says in text
        assert password not in text


async def test_after_three_failed_logins_a_connection_is_closed(smtp: Smtp) -> None:
    client = await smtp.greeted()
    for _ in range(3):
        assert (await client.login("acme", "wrong"))[0] == 535
    assert await client.is_closed()


async def test_an_address_with_many_failed_logins_waits_but_known_keys_work(smtp: Smtp) -> None:
    known = await smtp.logged_in()
    for _ in range(5):
        failing = await smtp.greeted()
        for _ in range(2):
            assert (await failing.login("acme", "mck_aaaaaaaa_" + "a" * 43))[0] == 535
    client = await smtp.greeted()
    code, text = await client.login("acme", "mck_bbbbbbbb_" + "b" * 43)
    assert code == 454
    assert "Try again in a minute" in text
    assert smtp.door.facts.refused["failed-logins"] == 1
    assert (await known.send())[0] == 250
    assert (await (await smtp.logged_in()).send())[0] == 250


# Mail -----------------------------------------------------------------------------------------------------------------------


async def test_a_mail_is_stored_once_when_it_is_answered(smtp: Smtp) -> None:
    client = await smtp.logged_in()
    code, text = await client.send(to=("kim@example.com", "lee@example.com", "KIM@example.com"))
    assert code == 250, text
    row = await smtp.world.connection.fetchrow("select * from message where id = $1", message_of(text))
    assert await smtp.world.count("message") == 1
    assert await smtp.world.count("ready") == 2
    assert "hello@receipt.acme.example" in row["from_address"]


async def test_user_name_header_and_key_say_the_type(smtp: Smtp) -> None:
    async def type_of(client: Client, mail: str) -> str:
        code, text = await client.send(mail)
        assert code == 250, text
        return await smtp.world.connection.fetchval(
            "select t.name from message m join lane l on l.id = m.lane join message_type t on t.id = l.type where m.id = $1",
            message_of(text),
        )

    by_user = await smtp.logged_in("acme+receipt")
    assert await type_of(by_user, MAIL) == "receipt"
    by_header = await smtp.logged_in("acme")
    assert (
        await type_of(by_header, "X-Mailcordon-Type: receipt\r\n" + MAIL.replace("<1@", "<2@")) == "receipt"
    )
    code, text = await by_header.send()
    assert code == 550
    assert "has no type" in text
    code, text = await by_user.send("x-mailcordon-type: newsletter\r\n" + MAIL)
    assert code == 550
    assert "The user name says receipt, and X-Mailcordon-Type says newsletter" in text
    code, text = await by_user.send("X-Mailcordon-Type: \x1breceipt\r\n" + MAIL)
    assert code == 550
    assert "\\x1breceipt" in text
    twice = "X-Mailcordon-Type: receipt\r\n" * 2
    assert "more than once" in (await by_header.send(twice + MAIL))[1]
    await smtp.key("receipts", "acme", types=("receipt",))
    narrow = await smtp.logged_in("acme", "receipts")
    code, text = await narrow.send("X-Mailcordon-Type: newsletter\r\n" + MAIL)
    assert code == 550
    assert "does not send newsletter" in text


async def test_a_mail_with_the_message_id_and_recipients_of_another_is_that_one_for_an_hour(
    smtp: Smtp,
) -> None:
    client = await smtp.logged_in()
    _, first = await client.send()
    assert await client.send() == (250, first.replace("accepted", "was accepted before"))
    code, text = await client.send(MAIL.replace("Thank you", "Thanks"))
    assert code == 554
    assert "needs its own Message-ID" in text
    # A relay sends the same message to other recipients on its own.
    assert (await client.send(to=("lee@example.com",)))[1] != first
    assert await smtp.world.count("message") == 2
    later = 61 * 60_000
    await smtp.world.connection.execute(
        "update idempotency set message = message - ($1::bigint << 22)", later
    )
    code, text = await client.send(MAIL.replace("Thank you", "Thanks"))
    assert code == 250, text
    assert text.endswith(" accepted")
    code, again = await client.send(MAIL.replace("Thank you", "Thanks"))
    assert again == text.replace("accepted", "was accepted before")
    assert await smtp.world.count("message") == 3


async def test_mail_without_a_message_id_is_never_a_repetition(smtp: Smtp) -> None:
    client = await smtp.logged_in()
    without = MAIL.replace("Message-ID: <1@acme.example>\r\n", "")
    assert (await client.send(without))[1] != (await client.send(without))[1]
    assert await smtp.world.count("message") == 2


async def test_a_refused_recipient_is_named_and_a_mail_without_others_is_refused(smtp: Smtp) -> None:
    await smtp.world.suppress("acme", "kim@example.com")
    client = await smtp.logged_in()
    code, text = await client.send()
    assert code == 550
    assert text.startswith("5.7.1 msg_")
    assert "is not sent: " in text
    code, text = await client.send(to=("kim@example.com", "lee@example.com"))
    assert code == 250
    assert "accepted; 1 of 2 recipients refused: " in text


async def test_a_lane_at_its_bound_is_a_reason_to_try_again(smtp: Smtp) -> None:
    await smtp.world.lane("full", "receipt", backlog_deliveries=0)
    await smtp.key("full", "full")
    client = await smtp.logged_in("full+receipt", "full")
    code, text = await client.send(MAIL.replace("acme", "full"))
    assert code == 451
    assert text.startswith("4.7.1 ")


async def test_what_is_wrong_with_a_mail_is_said_as_at_the_other_doors(smtp: Smtp) -> None:
    client = await smtp.logged_in()
    for wrong, code, says in (
        (MAIL.replace("receipt.acme", "receipt.zen"), 550, "receipt.zen.example"),
        (MAIL.replace("From:", "X-From:"), 554, "From"),
        (MAIL.replace("Subject:", "no colon"), 554, "raw"),
        ("", 554, "raw"),
    ):
        replied, text = await client.send(wrong)
        assert replied == code, text
        assert says in text
    platform = await smtp.logged_in("nobody+receipt", "platform")
    code, text = await platform.send()
    assert code == 550
    assert "nobody" in text
    assert await smtp.world.count("message") == 0


async def test_a_fifty_first_recipient_is_to_be_sent_on_its_own(smtp: Smtp) -> None:
    client = await smtp.logged_in()
    await client.say("MAIL FROM:<a@acme.example>")
    for n in range(50):
        assert (await client.say(f"RCPT TO:<r{n}@example.com>"))[0] == 250
    code, text = await client.say("RCPT TO:<one.more@example.com>")
    assert (code, text[:5]) == (452, "4.5.3")
    assert (await client.say("RCPT TO:<R0@example.com>"))[0] == 250
    assert (await client.say("DATA"))[0] == 354
    assert (await client.say(MAIL + "."))[0] == 250
    assert await smtp.world.count("ready") == 50


async def test_commands_in_a_wrong_order_or_form_are_refused(smtp: Smtp) -> None:
    client = await smtp.logged_in()
    for line, code, status in (
        ("RCPT TO:<kim@example.com>", 503, "5.5.1"),
        ("DATA", 503, "5.5.1"),
        ("MAIL TO:<a@acme.example>", 501, "5.5.4"),
        ("MAIL FROM:<>", 550, "5.7.1"),
        ("MAIL FROM:<not an address>", 553, "5.1.7"),
        ("MAIL FROM:<a@acme.example> SMTPUTF8", 555, "5.6.7"),
        ("MAIL FROM:<a@acme.example> BODY=BINARYMIME", 555, "5.5.4"),
        ("MAIL FROM:<a@acme.example> RET=HDRS", 555, "5.5.4"),
        ("MAIL FROM:<a@acme.example> SIZE=99999999999999999999", 552, "5.3.4"),
        ("MAIL FROM:<\u00e9@acme.example>", 500, "5.6.7"),
        ("mail from: a@acme.example size=1000 BODY=8BITMIME AUTH=<>", 250, "2.1.0"),
        ("MAIL FROM:<a@acme.example>", 503, "5.5.1"),
        ("RCPT TO:<kim@example.com> NOTIFY=NEVER", 555, "5.5.4"),
        ("RCPT TO:<kim>", 553, "5.1.3"),
        ("RCPT TO:<>", 501, "5.5.4"),
        ("DATA", 554, "5.5.1"),
        ("RCPT TO:<@relay.example:kim@example.com>", 250, "2.1.5"),
        ("DATA now", 501, "5.5.4"),
        ("RSET", 250, "2.0.0"),
        ("DATA", 503, "5.5.1"),
    ):
        replied, text = await client.say(line)
        assert (replied, text[:5]) == (code, status), line


async def test_commands_that_come_together_are_answered_in_order(smtp: Smtp) -> None:
    client = await smtp.logged_in()
    one = "MAIL FROM:<a@acme.example>\r\nRCPT TO:<kim@example.com>\r\nDATA\r\n"
    await client.write(one)
    assert [(await client.reply())[0] for _ in range(3)] == [250, 250, 354]
    second = MAIL.replace("<1@", "<2@")
    await client.write(f"{MAIL}.\r\n{one}{second}.\r\nQUIT\r\n")
    assert [(await client.reply())[0] for _ in range(6)] == [250, 250, 250, 354, 250, 221]
    assert await client.is_closed()
    assert await smtp.world.count("message") == 2


async def test_bytes_of_a_mail_are_kept_and_dots_are_not_doubled(smtp: Smtp) -> None:
    client = await smtp.logged_in()
    body = "..one dot\r\n...two dots\r\nh\u00e9llo\r\n"
    code, text = await client.send(MAIL.replace("Thank you.\r\n", body))
    assert code == 250, text
    await client.say("NOOP")


# Line endings ---------------------------------------------------------------------------------------------------------------


async def test_a_mail_with_a_cr_or_lf_alone_is_refused_and_its_connection_closed(smtp: Smtp) -> None:
    hidden = "MAIL FROM:<a@acme.example>\r\nRCPT TO:<lee@example.com>\r\nDATA\r\n" + MAIL.replace(
        "<1@", "<2@"
    )
    for ending in SMUGGLED:
        client = await smtp.logged_in()
        for line in ("MAIL FROM:<a@acme.example>", "RCPT TO:<kim@example.com>", "DATA"):
            await client.say(line)
        await client.write(MAIL + "one" + ending + hidden + ".\r\n")
        code, text = await client.reply()
        assert (code, text[:5]) == (521, "5.5.2")
        assert "CR or LF alone" in text
        assert await client.is_closed()
    assert await smtp.world.count("message") == 0
    assert smtp.door.facts.refused["malformed-request"] == len(SMUGGLED)


async def test_a_command_with_a_cr_or_lf_alone_closes_the_connection(smtp: Smtp) -> None:
    for line in ("NOOP\nQUIT\r\n", "NOOP\n", "NOOP\rQUIT\r\n", "NOOP\r\r\n"):
        client = await smtp.greeted()
        await client.write(line)
        assert (await client.reply())[0] == 521
        assert await client.is_closed()


# TLS ------------------------------------------------------------------------------------------------------------------------


async def test_tls_begins_on_request_or_with_the_connection(smtp: Smtp) -> None:
    def send(implicit: bool) -> str:
        message = EmailMessage()
        message["From"] = "hello@receipt.acme.example"
        message["To"] = "kim@example.com"
        message["Subject"] = "Your receipt"
        message.set_content("Thank you.\n" * 20_000)
        kind: Any = smtplib.SMTP_SSL if implicit else smtplib.SMTP
        port = smtp.tls_port if implicit else smtp.port
        with kind("localhost", port, **({"context": smtp.trusting} if implicit else {})) as client:
            if not implicit:
                client.starttls(context=smtp.trusting)
            client.ehlo()
            assert "starttls" not in client.esmtp_features
            client.login("acme+receipt", smtp.tokens["acme"])
            client.send_message(message)
        return "sent"

    for implicit in (False, True):
        assert await asyncio.to_thread(send, implicit) == "sent"
    assert await smtp.world.count("message") == 2


async def test_what_follows_starttls_in_clear_text_is_not_taken(smtp: Smtp) -> None:
    client = await smtp.greeted()
    await client.write("STARTTLS\r\nNOOP\r\n")
    assert (await client.reply())[0] == 501
    assert await client.is_closed()


async def test_a_login_before_tls_does_not_count_after_it(smtp: Smtp) -> None:
    def replies() -> list[int]:
        with smtplib.SMTP("localhost", smtp.port) as client:
            client.login("acme+receipt", smtp.tokens["acme"])
            client.starttls(context=smtp.trusting)
            client.ehlo()
            found = [client.mail("a@acme.example")[0]]
            client.login("acme+receipt", smtp.tokens["acme"])
            return [*found, client.mail("a@acme.example")[0]]

    assert await asyncio.to_thread(replies) == [530, 250]


async def test_without_tls_keys_are_taken_from_this_machine_only(smtp: Smtp, monkeypatch: Any) -> None:
    assert connection.is_loopback("127.0.0.1")
    assert connection.is_loopback("::1")
    assert connection.is_loopback("::ffff:127.0.0.1")
    assert not connection.is_loopback("10.0.0.1")
    assert not connection.is_loopback("")
    monkeypatch.setattr(connection, "is_loopback", lambda client: False)
    client = await smtp.greeted()
    code, text = await client.login("acme", smtp.tokens["acme"])
    assert (code, text[:6]) == (538, "5.7.11")
    assert "Send STARTTLS first" in text
    assert (await client.say("MAIL FROM:<a@acme.example>"))[0] == 530
    assert "AUTH" not in (await client.say("EHLO test"))[1]
    smtp.door.tls = None
    client = await smtp.greeted()
    assert (await client.say("STARTTLS"))[0] == 502
    assert "has no certificate" in (await client.login("acme", smtp.tokens["acme"]))[1]
