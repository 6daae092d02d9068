"""Looking into the content of accepted mail."""

from mailcordon.messages import example


@example("password-reset")
def urgent(type: str) -> str:
    """Somebody wants to see the content of urgent mail."""
    return (
        f"The content of {type} is never shown, since mail of the class urgent has codes and links that let people in. It is"
        " deleted as soon as its last delivery has ended."
    )


@example()
def observed() -> str:
    """Somebody wants to see the content of mail that did not pass through us."""
    return "This mail did not pass through Mailcordon: SES reported it, and its content was never here."


@example()
def erased() -> str:
    """Somebody wants to see the content of mail of a tenant whose data were erased."""
    return "Its content was erased, with everything else that named people in this tenant's mail."


@example(7)
def deleted(days: int) -> str:
    """Somebody wants to see content that is past its retention."""
    return (
        f"Its content is not stored any more: content is deleted {days} days after a mail was accepted"
        " (MAILCORDON_KEEP_BODIES_DAYS). What became of the mail is kept longer."
    )


@example()
def never_kept() -> str:
    """Somebody wants to see content that is not there, though it is young enough."""
    return "No content is stored of this mail."


@example(21.5, 8)
def too_large(megabytes: float, most: int) -> str:
    """Somebody wants to see content that has too many bytes."""
    return f"The mail has {megabytes:g} MB as it is stored. Content of more than {most} MB is not shown."


@example()
def unreadable() -> str:
    """The stored content cannot be read."""
    return "The stored content cannot be read as a mail."


@example("kim@example.com")
def audited(person: str) -> str:
    """Beside the content: that looking is recorded."""
    return f"Mail is somebody's letter. The audit trail has that {person} looked into this one."


@example()
def nothing_runs() -> str:
    """Above the HTML of a mail."""
    return (
        "This is the mail's own HTML, kept apart: scripts, forms and links in it do nothing, and pictures from elsewhere are not"
        " loaded, so its sender does not learn that somebody looked."
    )


@example(262_144, 1_000_000)
def cut(shown: int, all: int) -> str:
    """A part of the mail is too long."""
    return f"Only its first {shown:,} of {all:,} characters are shown."


@example(3)
def more_files(number: int) -> str:
    """The list of files is too long."""
    return f"And {number} more."


@example()
def frame_only() -> str:
    """The address of a mail's HTML was opened by itself."""
    return "The HTML of a mail is shown only within the page of its content, where its links lead nowhere."


@example()
def no_text() -> str:
    """A mail has neither text nor HTML."""
    return "The mail has neither a text nor HTML."


@example("msg_0r4tq2v6k7m8n", 5_120)
def html_source(message: str, characters: int) -> str:
    """`message preview` shows the text: how to get the HTML."""
    return f"{characters:,} characters: mailcordon message preview {message} --html"


@example()
def no_such_part() -> str:
    """`message preview` of a part that the mail does not have."""
    return "The mail has no such part."
