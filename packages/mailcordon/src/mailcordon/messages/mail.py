"""Why mail is refused at the door: whom it is for, how much waits, and what is wrong with its fields.

A problem with one field is a phrase that follows the field's name: `subject: must be 1 to 900 characters`.
"""

from mailcordon.messages import example

# Handing in mail --------------------------------------------------------------------------------------------------------


@example("acme")
def tenant_unknown(slug: str) -> str:
    """A message, or a request about one tenant, names a tenant that does not exist."""
    return f"there is no tenant {slug}; create it with `mailcordon tenant onboard`"


@example("acme", "newsletter", ["invoice", "password-reset"])
@example("acme", "newsletter", [])
def no_lane_for_type(slug: str, type: str, lanes: list[str]) -> str:
    """A message has a type for which the tenant has no lane."""
    have = f"its lanes are: {', '.join(lanes)}" if lanes else "it has no lanes yet"
    return f"{slug} has no lane for {type}; {have}"


@example("acme")
def tenant_takes_no_mail(slug: str) -> str:
    """A message is handed in for a tenant that was retired (422)."""
    return f"{slug} is retired and takes no new mail; `mailcordon tenant unretire {slug}` brings it back"


@example("acme", "newsletter")
def lane_takes_no_mail(slug: str, type: str) -> str:
    """A message is handed in for a lane that was retired (422)."""
    return f"the lane {type} of {slug} is retired and takes no new mail; `mailcordon lane unretire {slug} {type}` brings it back"


@example("acme", "newsletter", "news.acme.example", "mail.zen.example")
def from_another_domain(slug: str, type: str, domain: str, given: str) -> str:
    """The From address of a message is not in the domain of its lane."""
    return f"{slug} sends {type} from {domain}, not from {given}"


@example("newsletter")
def one_click_missing(type: str) -> str:
    """A marketing message has no one-click unsubscribe, and says that Mailcordon shall add none."""
    return (
        f"{type} is marketing mail: it needs a List-Unsubscribe header with an https address and the header "
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click (RFC 8058), for each recipient with a link of their own. Without "
        "`unsubscribe: false`, Mailcordon adds both"
    )


@example("newsletter")
def one_click_unavailable(type: str) -> str:
    """A marketing message has no one-click unsubscribe, and the installation has no address for links of its own."""
    return (
        f"{type} is marketing mail: it needs a List-Unsubscribe header with an https address and the header "
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click (RFC 8058), for each recipient with a link of their own. Mailcordon "
        "adds both once MAILCORDON_UNSUBSCRIBE_URL is set"
    )


@example("acme", "newsletter", 1_000_000)
def backlog_deliveries(slug: str, type: str, deliveries: int) -> str:
    """The lane has as many deliveries waiting as it may have (429)."""
    return f"The {type} lane of {slug} is full: {deliveries:,} deliveries wait. Retry later; other lanes still accept mail."


@example("acme", "newsletter", 2_147_483_648)
def backlog_bytes(slug: str, type: str, size: int) -> str:
    """The lane has as many bytes waiting as it may have (429)."""
    return (
        f"The {type} lane of {slug} is full: {size:,} bytes wait. Retry later; other lanes still accept mail."
    )


@example("acme", "newsletter")
def backlog_age(slug: str, type: str) -> str:
    """The oldest waiting delivery of the lane is older than the lane allows (429)."""
    return f"The {type} lane of {slug} is full: its oldest mail has waited too long. Retry later; other lanes still accept mail."


@example()
def lanes_keep_changing() -> str:
    """Tenants, lanes or keys changed several times while a batch was being stored (429)."""
    return "Tenants and lanes are changing too fast to accept mail. Retry."


@example("acme")
def messages_wait(slug: str) -> str:
    """A tenant hands in messages faster than they can be stored, and too many wait for their commit (429)."""
    return f"Too many messages of {slug} wait to be stored. Retry later, with fewer requests at once."


@example()
def large_messages_wait() -> str:
    """A key hands in large messages faster than they can be checked, and too many wait (429)."""
    return (
        "Too many large messages with this key wait to be checked. Retry later, with fewer requests at once."
    )


@example()
def too_many_messages_wait() -> str:
    """All tenants together hand in messages faster than they can be stored (503)."""
    return "Too many messages wait to be stored, and this one was not confirmed. Retry with the same Idempotency-Key."


@example("messages", "key", "mck_ab12cd34", 1000.0, 0.2, 10.2)
@example("bytes", "tenant", "acme", 33_554_432.0, 3.0, 13.0)
@example("reads", "key", "mck_ab12cd34", 0.5, 2.0, 12.0)
def bucket_empty(what: str, owner: str, name: str, per_second: float, room_in: float, full_in: float) -> str:
    """A key or a tenant uses more messages, bytes of bodies or reads than its rate gives (429)."""
    rate = f"{per_second:,.0f}" if per_second >= 10 else f"{per_second:.2g}"
    return (
        f"The rate of the {owner} {name}, {rate} {what} a second, is used up: there is room again in {room_in:.1f} s, "
        f"and all of it in {full_in:.0f} s."
    )


@example()
def same_key_interrupted() -> str:
    """Two requests with the same Idempotency-Key came together, and the first was interrupted (409)."""
    return "Another request with this Idempotency-Key was interrupted. Retry."


@example()
def key_used_with_another_body() -> str:
    """The Idempotency-Key of a message was used before for another one (409)."""
    return "This Idempotency-Key was already used with a different body. Use a new key for a new message."


# Fields of a message ----------------------------------------------------------------------------------------------------


@example(10)
def too_many_addresses(most: int) -> str:
    """A field has more addresses than it may have."""
    return f"must be at most {most} addresses"


@example(50)
def bad_recipient_count(most: int) -> str:
    """`to` is empty or too long."""
    return f"must be 1 to {most} recipients"


@example("kim@example.com")
def recipient_twice(address: str) -> str:
    """`to` has the same address twice, ignoring letter case."""
    return f"{address} appears twice"


@example(253)
def domain_too_long(longest: int) -> str:
    """A domain, or the domain of an address, is too long."""
    return f"a domain has at most {longest} characters"


@example("localhost")
def not_a_domain(text: str) -> str:
    """A domain, or the domain of an address, is not a host name with a dot."""
    return f"{text} is not a domain such as mail.example.com"


@example()
def domain_ends_in_digit() -> str:
    """A domain, or the domain of an address, is an IP address."""
    return "a domain ends in a letter, as in mail.example.com; IP addresses are not accepted"


@example("stra\\xdfe.example")
def domain_ambiguous(text: str) -> str:
    """A domain, or the domain of an address, has letters that IDNA 2003 and IDNA 2008 encode differently."""
    return f"{text} has letters that mail systems encode differently; write its xn-- form"


@example()
def several_addresses() -> str:
    """A field for one address has several."""
    return "must be one address; give several as a list"


@example()
def not_an_address() -> str:
    """A text is not an address."""
    return "must be an address of the form name@domain"


@example()
def local_part_not_ascii() -> str:
    """The part of an address before @ has other letters than ASCII."""
    return "the part before @ must be ASCII: SES does not send to internationalised mailboxes"


@example(64)
def local_part_too_long(longest: int) -> str:
    """The part of an address before @ is too long."""
    return f"the part before @ must be at most {longest} characters"


@example(254)
def too_long(longest: int) -> str:
    """A text is too long."""
    return f"must be at most {longest} characters"


@example()
def not_one_mailbox() -> str:
    """A sender or Reply-To has more than one mailbox in it, or none."""
    return "must be one mailbox: Name <name@domain>"


@example()
def name_encoded() -> str:
    """The display name of a mailbox is encoded already."""
    return "must have the name in plain text, without `=?`: Mailcordon encodes it"


@example()
def name_needs_quotes() -> str:
    """The display name of a mailbox could be read as another mailbox."""
    return 'must be one mailbox; a name with a comma, a quote or @ must be in "quotes"'


@example(320)
def mailbox_too_long(longest: int) -> str:
    """An address with its display name is too long."""
    return f"must be at most {longest} characters, including the name"


@example(900)
def bad_length(longest: int) -> str:
    """A text is empty or too long."""
    return f"must be 1 to {longest} characters"


@example()
def has_line_breaks() -> str:
    """A text that becomes part of a header has a line break or a control character in it."""
    return "must not contain line breaks or control characters"


@example(128)
def bad_label(longest: int) -> str:
    """The name of a campaign or list has other characters than it may have."""
    return f"must be 1 to {longest} letters, digits, spaces and . _ : / + -, starting with a letter or digit"


@example()
def has_hidden_letters() -> str:
    """A display name, a reason or another text for people has a control of direction or a letter without width."""
    return "must not contain letters that are not shown or that change the direction of others"


@example()
def has_encoded_line_break() -> str:
    """A text that becomes part of a header has a line break in encoded form."""
    return "must not contain an encoded line break"


@example("ceo@bank.com")
def name_shows_address(address: str) -> str:
    """The display name of a mailbox contains another address than the mailbox's own."""
    return (
        f"the name must not show {address}: many mail programs show the name alone, as if it were the sender"
    )


@example(998)
def mailbox_line_too_long(longest: int) -> str:
    """A mailbox, with its name encoded, does not fit into a header line."""
    return f"the header line would be longer than {longest} bytes with the name encoded; shorten the name"


@example(998)
def reply_to_line_too_long(longest: int) -> str:
    """The mailboxes of Reply-To together do not fit into a header line."""
    return f"the header line would be longer than {longest} bytes; give fewer addresses or shorter names"


@example("example", "RFC 6761", for_tests=True)
@example("local", "RFC 6762", for_tests=False)
def sender_domain_reserved(name: str, by: str, *, for_tests: bool) -> str:
    """The domain of a new lane or of a From address is, or is below, a name that no mail can be sent from."""
    only = "; only the local SES accepts it" if for_tests else ""
    return f"{name} is reserved by {by}, so no mail can be sent from it{only}"


@example("xn--a")
def sender_label_invalid(label: str) -> str:
    """The domain of a new lane or of a From address has a label that starts with xn-- and encodes no name."""
    return f"{label} is not a valid encoding of an international name"


@example()
def no_content() -> str:
    """A message has neither text nor HTML."""
    return "text or html is required"


@example()
def has_control_characters() -> str:
    """A body has control characters in it."""
    return "must not contain control characters other than tab and line breaks"


@example(10_485_760)
def content_too_large(most: int) -> str:
    """Text and HTML together are too large."""
    return f"text and html together must be at most {most:,} bytes"


@example(1024 * 1024)
def too_much_beside_texts(most: int) -> str:
    """Everything in a message but its texts and its files is too large."""
    return f"a message must have at most {most:,} bytes beside its text, html, raw and files"


@example(15)
def too_many_headers(most: int) -> str:
    """A message has too many headers of its own."""
    return f"must be at most {most} headers"


@example(13)
def too_many_beside_ours(most: int) -> str:
    """Marketing mail without a link to unsubscribe gets ours, and has no room for its two headers."""
    return (
        f"must be at most {most} headers: this mail has no link to unsubscribe of its own, Mailcordon adds two headers for one, "
        "and SES takes 15"
    )


@example()
def bad_header_name() -> str:
    """The name of a header cannot be one."""
    return "the name must be 1 to 126 printable ASCII characters without a colon"


@example()
def bad_header_value() -> str:
    """The value of a header is empty, or has other characters than printable ASCII."""
    return "the value must be printable ASCII; encode other letters as RFC 2047 says"


@example(986)
def header_value_too_long(longest: int) -> str:
    """The value of a header is longer than SES takes it. References is trimmed if it has message ids only."""
    return f"the value must be at most {longest} characters"


@example("X-Google-Original-From", "X-Google-*", "Google")
def header_of_a_family(name: str, family: str, whose: str) -> str:
    """A message sets a header of a family that belongs to somebody else."""
    return f"{name} cannot be set: {family} headers belong to {whose}"


@example("Disposition-Notification-To")
def header_not_allowed(name: str) -> str:
    """A message sets a header that is not on the list of those that may be set."""
    return (
        f"{name} cannot be set; allowed are List-*, References, In-Reply-To, Auto-Submitted, Precedence, Comments, Keywords, "
        "Importance, and X- names of your own"
    )


@example()
def unsubscribe_shared() -> str:
    """Two recipients of a message have the same one-click unsubscribe link."""
    return (
        "one link for several recipients does not say who unsubscribes (RFC 8058 section 3.1): give each their own, as in "
        '`"to": [{"address": "kim@example.com", "headers": {"List-Unsubscribe": "<https://...>"}}]`'
    )


@example()
def header_controls_ses() -> str:
    """A message sets an X-SES-* header."""
    return "X-SES-* headers control SES and cannot be set"


@example()
def header_resent() -> str:
    """A message sets a Resent-* header."""
    return "Resent-* headers name another sender and cannot be set"


@example("Subject")
def header_is_a_field(name: str) -> str:
    """A message sets a header that is a field of the request body."""
    return f"{name} cannot be set as a header: it is a field of the request body"


@example("Cc")
def header_names_recipients(name: str) -> str:
    """A message sets Cc or Bcc."""
    return f"{name} cannot be set: put these recipients in the field `{name.lower()}`"


@example("Message-ID")
def header_set_by_ses(name: str) -> str:
    """A message sets a header that SES sets."""
    return f"{name} cannot be set: SES sets it"


@example("Content-Type")
def header_follows_from_content(name: str) -> str:
    """A message sets a header that describes its MIME parts."""
    return f"{name} cannot be set: it follows from text and html"


@example("Feedback-ID")
def header_set_by_mailcordon(name: str) -> str:
    """A message sets a header that Mailcordon sets."""
    return f"{name} cannot be set: Mailcordon sets it"


@example()
def header_twice() -> str:
    """A message has a header twice, ignoring letter case."""
    return "appears twice"
