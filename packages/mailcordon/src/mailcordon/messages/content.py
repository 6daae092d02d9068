"""Why the content of a message is refused: its files, its size, and who would see whom.

A problem with one field is a phrase that follows the field's name: `attachments[0].filename: must be 1 to 255 characters`.
"""

from mailcordon.messages import example


@example(100)
def too_many_attachments(most: int) -> str:
    """A message has too many files."""
    return f"must be at most {most} files"


@example(255)
def bad_filename(longest: int) -> str:
    """A file has no name, or one that is too long."""
    return f"must be 1 to {longest} characters"


@example()
def filename_has_line_breaks() -> str:
    """The name of a file has a control character."""
    return "must not have line breaks or control characters"


@example()
def filename_has_hidden_letters() -> str:
    """The name of a file has letters that change the direction of others, so that it shows another ending."""
    return "must not have letters that hide what the name says"


@example("exe")
def refused_file_type(ending: str) -> str:
    """SES takes no files with this ending (422)."""
    return f"SES refuses files of the type .{ending}; put the file into an archive, or send a link to it"


@example(78)
def bad_content_type(longest: int) -> str:
    """The type of a file is no media type, or names the file."""
    return f"must be a media type such as application/pdf, at most {longest} characters, without a file name"


@example("message")
def composite_content_type(main: str) -> str:
    """The type of a file is one of parts or messages, which may not be base64 (RFC 2046)."""
    return f"must not be {main}/*; send such a file as application/octet-stream, or the whole message as raw MIME"


@example(78)
def bad_content_id(longest: int) -> str:
    """The Content-ID of a file has other characters than it may have."""
    return f"must be 1 to {longest} ASCII characters without spaces and angle brackets"


@example()
def content_id_twice() -> str:
    """Two files have the same Content-ID."""
    return "is the Content-ID of another file"


@example()
def bad_disposition() -> str:
    """The disposition of a file is neither of the two that exist."""
    return "must be attachment or inline"


@example()
def not_base64() -> str:
    """The content of a file is not base64."""
    return "must be base64 with the standard alphabet and padding; line breaks are allowed"


@example(41_943_040, 44_040_192)
def too_large_for_ses(most: int, size: int) -> str:
    """A message with its files is larger than SES takes (422)."""
    return f"the message has {size:,} bytes as SES counts it, with its files in base64; SES takes {most:,}"


@example()
def not_beside_raw() -> str:
    """A message is given as raw MIME, and a part of its content beside it."""
    return "is part of `raw`, and cannot stand beside it"


@example()
def no_copies_of_a_mailing() -> str:
    """A message of which each recipient sees only themselves has cc or bcc."""
    return "is not possible if each recipient sees only themselves (`individually`, or recipients with headers of their own)"


@example("newsletter", 3)
def mailing_shows_its_list(type: str, visible: int) -> str:
    """A marketing message would show its recipients to each other (422)."""
    return (
        f'{type} is marketing mail, and {visible} recipients would see each other: set "individually": true, so that '
        "each sees only themselves"
    )


@example(100)
def too_many_placeholders(most: int) -> str:
    """Text and HTML have the placeholder of the unsubscribe link too often (422)."""
    return (
        f"must have the placeholder of the unsubscribe link at most {most} times, in text and HTML together"
    )
