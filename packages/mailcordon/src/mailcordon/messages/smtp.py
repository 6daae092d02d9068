"""What a client of submission by SMTP is told (docs/smtp.md). Refusals of mail itself have the same sentences at every door."""

from collections.abc import Sequence

from mailcordon.messages import example, phrases

# Greeting and end -----------------------------------------------------------------------------------------------------------


@example()
def greeting() -> str:
    """The first line on a connection (220)."""
    return "mailcordon ESMTP submission"


@example()
def goodbye() -> str:
    """The answer to QUIT (221)."""
    return "Goodbye."


@example()
def ok() -> str:
    """The answer to a command that worked (250)."""
    return "OK"


@example()
def shutting_down() -> str:
    """The process stops; the connection is closed (421)."""
    return "The server is stopping. Connect again."


@example(300)
def idle_too_long(seconds: float) -> str:
    """A connection sent no command for a long time, and is closed (421)."""
    return f"No command came within {seconds:g} s."


@example(60)
def login_too_slow(seconds: float) -> str:
    """A connection has not logged in for a long time, and is closed (421)."""
    return f"The connection did not log in within {seconds:g} s."


@example(20)
def too_many_errors(most: int) -> str:
    """A connection sent too many commands that failed, and is closed (421)."""
    return f"The connection sent {most} commands that failed, which is its limit."


# Commands -------------------------------------------------------------------------------------------------------------------


@example()
def bare_line_ending() -> str:
    """A line has a CR without LF, or an LF without CR: the connection is closed (521). It may hide a second message."""
    return (
        "Lines must end with CR LF: a CR or LF alone is not taken, since programs disagree on what it ends."
    )


@example(2048)
def command_too_long(most: int) -> str:
    """A command line is too long, and the connection is closed (500)."""
    return f"A command must be at most {most:,} bytes."


@example()
def command_not_ascii() -> str:
    """A command has bytes beyond ASCII (500)."""
    return "Commands are ASCII: SMTPUTF8 is not offered. Write a domain in punycode; local parts beyond ASCII cannot be mailed."


@example("VRFX")
def command_unknown(verb: str) -> str:
    """A command that does not exist here (500, 502)."""
    return f"The command {verb} is not offered."


@example("MAIL FROM:<address>")
def bad_syntax(form: str) -> str:
    """A command has another form than it should (501)."""
    return f"Write `{form}`."


@example("EHLO")
@example("MAIL")
def command_first(verb: str) -> str:
    """A command came before another that it needs (503)."""
    return f"Send {verb} first."


@example()
def transaction_open() -> str:
    """MAIL or AUTH came after MAIL (503)."""
    return "A message has been begun. Finish it with DATA, or send RSET."


@example("RET")
def parameter_unknown(name: str) -> str:
    """MAIL or RCPT has a parameter of an extension that is not offered (555)."""
    return f"The parameter {name} is not offered."


@example()
def utf8_not_offered() -> str:
    """MAIL has the parameter SMTPUTF8 (555)."""
    return (
        "SMTPUTF8 is not offered, because SES takes addresses in ASCII only. Write a domain in punycode; names in headers may be "
        "encoded (RFC 2047)."
    )


@example(41_943_040)
def too_large(most: int) -> str:
    """A message is larger than any may be, by its announced or its real size (552)."""
    return f"A message must be at most {most:,} bytes, with its attachments in base64."


@example()
def null_sender() -> str:
    """MAIL has the empty sender, which stands for bounces (550)."""
    return (
        "Bounces and automatic answers with an empty sender are not sent: SES reports what bounces by events."
    )


@example(50)
def too_many_recipients(most: int) -> str:
    """RCPT came more often than a message may have recipients; the client sends the rest as another message (452)."""
    return f"A message has at most {most} recipients. Send the others as another message."


@example()
def no_recipients() -> str:
    """DATA came although no recipient was taken (554)."""
    return "No recipient was taken."


@example()
def begin_data() -> str:
    """The answer to DATA (354)."""
    return "Send the message; end it with a line that has only a dot."


@example()
def cannot_verify() -> str:
    """The answer to VRFY (252)."""
    return "Addresses are not verified here; a message is checked when it is sent."


# Login ----------------------------------------------------------------------------------------------------------------------


@example()
def login_needed() -> str:
    """MAIL came before AUTH (530)."""
    return "Log in first: AUTH with the tenant as user name, an API key as password."


@example(offered=True)
@example(offered=False)
def tls_needed(*, offered: bool) -> str:
    """AUTH or MAIL came without TLS, from another machine (538, 530)."""
    what = (
        "Send STARTTLS first"
        if offered
        else "This server has no certificate, so it takes keys from its own machine only"
    )
    return f"{what}: an API key must not travel unencrypted."


@example()
def login_done() -> str:
    """The answer to AUTH that worked (235)."""
    return "Logged in."


@example()
def logged_in_already() -> str:
    """AUTH came a second time (503)."""
    return "The connection is logged in."


@example()
def mechanism_unknown() -> str:
    """AUTH names another mechanism (504)."""
    return "AUTH takes PLAIN and LOGIN."


@example()
def login_malformed() -> str:
    """The answer to a challenge of AUTH is not as its mechanism wants it (501)."""
    return "The answer is no base64 of user name and password."


@example()
def login_cancelled() -> str:
    """The client cancelled AUTH (501)."""
    return "AUTH was cancelled."


@example()
def password_is_no_key() -> str:
    """The password has not the form of an API key (535)."""
    return "The password is no API key: send the whole key, which begins with mck_."


@example()
def user_without_tenant() -> str:
    """The user name is no tenant with an optional message type (535)."""
    return "The user name is the tenant, or the tenant and a message type: `acme` or `acme+newsletter`."


@example()
def tls_not_offered() -> str:
    """STARTTLS came although there is no certificate, or TLS is on already (502)."""
    return "STARTTLS is not offered here."


@example()
def tls_begins() -> str:
    """The answer to STARTTLS (220)."""
    return "Begin TLS."


@example()
def tls_injected() -> str:
    """Something came in clear text after STARTTLS; the connection is closed (501)."""
    return "Nothing may follow STARTTLS before TLS begins."


# Messages -------------------------------------------------------------------------------------------------------------------


@example("msg_01hq2v7k8m3np", [])
@example("msg_01hq2v7k8m3np", ["Received", "X-SES-CONFIGURATION-SET"])
def accepted(message: str, removed: Sequence[str]) -> str:
    """The message is stored (250), without the headers that are not the app's to set."""
    without = f" without {phrases.listed(removed)}" if removed else ""
    return f"{message} accepted{without}"


@example("msg_01hq2v7k8m3np")
def accepted_before(message: str) -> str:
    """The message was stored within the last hour: it came again with the same Message-ID and recipients (250)."""
    return f"{message} was accepted before"


@example("msg_01hq2v7k8m3np", 1, 3, "kim@example.com bounced: mailbox does not exist")
def accepted_in_part(message: str, refused: int, all: int, why: str) -> str:
    """The message is stored, but some of its recipients are refused (250)."""
    return f"{message} accepted; {refused} of {all} recipients refused: {why}"


@example("msg_01hq2v7k8m3np", "kim@example.com bounced: mailbox does not exist")
def all_refused(message: str, why: str) -> str:
    """Every recipient of the message is refused; it is recorded and not sent (550)."""
    return f"{message} is not sent: {why}"


@example("acme")
def no_type(tenant: str) -> str:
    """Nothing says which message type a message has (550)."""
    return (
        f"The message has no type: log in as `{tenant}+type`, or give it the header X-Mailcordon-Type, or give the key a default "
        "type."
    )


@example("newsletter", "invoice")
def two_types(user: str, header: str) -> str:
    """User name and header name different message types (550)."""
    return f"The user name says {user}, and X-Mailcordon-Type says {header}: log in without a type, or leave the header out."


@example()
def type_twice() -> str:
    """A message has the header X-Mailcordon-Type more than once (550)."""
    return "X-Mailcordon-Type is there more than once."


@example()
def message_id_used() -> str:
    """A message has the Message-ID and the recipients of another one of the last hour, but other content (554)."""
    return (
        "Another message with this Message-ID went to the same recipients within the last hour. Each message needs its own "
        "Message-ID."
    )


# The process ----------------------------------------------------------------------------------------------------------------


@example()
def switched_off() -> str:
    """`mailcordon run smtp` while MAILCORDON_SMTP says off: it does not start."""
    return "MAILCORDON_SMTP is off, so there is nothing for this role to do."


@example("127.0.0.1:8587", tls_first=False)
@example("127.0.0.1:8465", tls_first=True)
def listening(address: str, *, tls_first: bool) -> str:
    """The log of the role smtp names each address on which it listens."""
    return f"submission by SMTP{' over TLS' if tls_first else ''} on {address}"


@example()
def no_certificate() -> str:
    """The log of the role smtp, which has no certificate."""
    return (
        "There is no certificate (MAILCORDON_SMTP_TLS_CERTIFICATE): neither STARTTLS nor TLS is offered, and keys are taken "
        "from this machine only."
    )
