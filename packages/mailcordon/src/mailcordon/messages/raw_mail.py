"""Why a whole MIME message, a time to send at, an app's own tag or a batch is refused at a door.

A problem with one header is a phrase that follows its name: `raw.From: must have exactly one address`.
"""

from mailcordon.messages import example


@example(31_457_280)
def too_large(most: int) -> str:
    """A MIME message is larger than SES takes it."""
    return f"must be at most {most:,} bytes, which is SES's limit of 40 MB after base64"


@example()
def no_end_of_header() -> str:
    """A MIME message has no blank line after its headers."""
    return "must be a MIME message: headers, a blank line, the body"


@example(131_072)
def header_too_large(most: int) -> str:
    """The headers of a MIME message, or of one of its parts, are too large together."""
    return f"the headers must be at most {most:,} bytes together"


@example(500)
def too_many_fields(most: int) -> str:
    """A MIME message has too many headers."""
    return f"must have at most {most} headers"


@example(3)
def not_a_header(line: int) -> str:
    """A line before the blank line is no header: it has no colon, a space before the colon, or continues nothing."""
    return (
        f"line {line} is not a header; a header is a name, a colon and a value, and each line that continues it starts with a "
        "space"
    )


@example()
def bare_cr() -> str:
    """A MIME message has a carriage return that no line feed follows."""
    return "must not have a carriage return (CR) without a line feed (LF): programs disagree whether a line ends there"


@example()
def has_nul() -> str:
    """A MIME message has a NUL byte."""
    return "must not have NUL bytes; encode binary parts as base64"


@example(12, 998)
def line_too_long(line: int, most: int) -> str:
    """A line of a MIME message is longer than SES and RFC 5322 allow."""
    return f"line {line} is longer than {most} bytes (RFC 5322 section 2.1.1); use quoted-printable or base64"


@example()
def header_not_ascii() -> str:
    """A header of a MIME message has other bytes than ASCII."""
    return "must be ASCII; encode other letters as RFC 2047 says"


@example()
def header_missing() -> str:
    """A MIME message has no From."""
    return "is required"


@example()
def header_repeated() -> str:
    """A MIME message has a header twice that SES takes once only."""
    return "appears twice; SES takes it once only"


@example()
def not_an_address_list() -> str:
    """A header of a MIME message that has addresses cannot be read as a list of them."""
    return "must be addresses as RFC 5322 section 3.4 writes them: Name <name@domain>, separated by commas"


@example()
def not_one_address() -> str:
    """From or Sender of a MIME message has no address, or several."""
    return "must have exactly one address"


@example()
def word_unreadable() -> str:
    """The display name of a mailbox has an encoded word in a charset that is not known, or something that looks like one."""
    return "has an encoded word (=?...?=) that cannot be read"


@example("mail.acme.example", "mail.zen.example")
def sender_elsewhere(own: str, given: str) -> str:
    """Sender of a MIME message, or the sender that came beside it, is in another domain than From."""
    return f"must be in the domain of From, {own}, not in {given}"


@example()
def no_recipients() -> str:
    """A MIME message came without recipients, and has none in To, Cc and Bcc."""
    return "names no recipient; give `to`, or To, Cc or Bcc in the message"


@example(500)
def too_many_parts(most: int) -> str:
    """A MIME message has more parts than SES takes, or they are inside each other too deeply."""
    return f"must have at most {most} MIME parts"


@example(30)
def nested_too_deeply(most: int) -> str:
    """The parts of a MIME message are inside each other too deeply."""
    return f"MIME parts must be at most {most} inside each other"


@example()
def no_boundary() -> str:
    """A multipart message does not say what separates its parts."""
    return "is multipart and has no valid boundary parameter"


@example("=_b1")
def boundary_not_found(boundary: str) -> str:
    """A multipart message has no part, or no end."""
    return (
        f"the parts of a multipart message must be between lines --{boundary}, the last of which ends in --"
    )


@example("setup.exe", "exe")
def refused_file(name: str, ending: str) -> str:
    """A file in a MIME message is of a type that SES refuses."""
    return f"has the file {name}: SES refuses files that end in .{ending}"


# A later time, and tags -------------------------------------------------------------------------------------------------


@example()
def not_a_time() -> str:
    """`send_at` of a message is no time."""
    return "must be a time in ISO 8601 with its distance from UTC, as in 2026-12-01T09:00:00Z"


@example()
def send_at_is_over() -> str:
    """`send_at` of a message is in the past."""
    return "is in the past; leave it out to send at once"


@example(30)
def send_at_too_far(days: int) -> str:
    """`send_at` of a message is too far ahead."""
    return f"must be at most {days} days ahead"


@example(20)
def too_many_tags(most: int) -> str:
    """A message has too many tags of the app's own."""
    return f"must be at most {most} tags"


@example()
def bad_tag_key() -> str:
    """The key of a tag of the app's own has other characters than it may have."""
    return "a key must be 1 to 64 letters, digits, _ and -"


@example(256)
def bad_tag_value(longest: int) -> str:
    """The value of a tag of the app's own is empty, too long, or has characters that are not printable."""
    return f"must be 1 to {longest} printable characters"


@example()
def not_a_tag() -> str:
    """A search asks for a tag that has no value."""
    return "must be a tag: key=value"


# Batches ----------------------------------------------------------------------------------------------------------------


@example()
def not_messages() -> str:
    """The body of a batch has something else than a list of messages."""
    return "must be a list of messages"


@example(1000)
def bad_number_of_messages(most: int) -> str:
    """A batch has no message, or too many."""
    return f"must be 1 to {most:,} messages"


@example(400_000)
def too_many_brackets(most: int) -> str:
    """A batch has more objects and lists in it than its messages can need."""
    return f"a batch must have at most {most:,} objects and lists"


@example()
def key_is_a_header() -> str:
    """A message that came alone has its idempotency key in its body."""
    return "is for the messages of a batch; a single message has the header Idempotency-Key"


@example()
def batch_has_no_key() -> str:
    """A batch came with the header Idempotency-Key."""
    return "a batch takes no Idempotency-Key header; give each message its own `idempotency_key`"
