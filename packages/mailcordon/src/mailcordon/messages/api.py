"""What the REST API says when it refuses a request.

A problem with one field is a phrase that follows the field's name: `subject: must be 1 to 900 characters`.
"""

from mailcordon.messages import example

# Handing in mail ---------------------------------------------------------------------------------------------------------


@example("acme")
def tenant_unknown(slug: str) -> str:
    """A message, or a request about one tenant, names a tenant that does not exist."""
    return f"there is no tenant {slug}; create it with `mailcordon tenant onboard`"


@example("acme", "newsletter", ["invoice", "password-reset"])
@example("acme", "newsletter", [])
def no_lane_for_type(slug: str, type: str, lanes: list[str]) -> str:
    """A message has a type for which the tenant has no lane."""
    return f"{slug} has no lane for {type}; its lanes are: {', '.join(lanes) or 'none yet'}"


@example("acme", "newsletter", "news.acme.example", "mail.zen.example")
def from_another_domain(slug: str, type: str, domain: str, given: str) -> str:
    """The From address of a message is not in the domain of its lane."""
    return f"{slug} sends {type} from {domain}, not from {given}"


@example("newsletter")
def one_click_missing(type: str) -> str:
    """A marketing message has no one-click unsubscribe."""
    return (
        f"{type} is marketing mail: it needs a List-Unsubscribe header with an https address and the header "
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click (RFC 8058)"
    )


@example("newsletter")
def no_route(type: str) -> str:
    """The shares of a lane's routes do not add up to 100 %, and this message falls into the gap."""
    return f"the routes of the lane {type} do not cover all of its traffic"


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


@example()
def server_stopping() -> str:
    """The API process stops before a message was confirmed (503)."""
    return "The server is stopping, and this message was not confirmed. Retry with the same Idempotency-Key."


@example()
def same_key_interrupted() -> str:
    """Two requests with the same Idempotency-Key came together, and the first was interrupted (409)."""
    return "Another request with this Idempotency-Key was interrupted. Retry."


@example()
def key_used_with_another_body() -> str:
    """The Idempotency-Key of a message was used before for another one (409)."""
    return "This Idempotency-Key was already used with a different body. Use a new key for a new message."


# Fields of a message -----------------------------------------------------------------------------------------------------


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


@example(15)
def too_many_headers(most: int) -> str:
    """A message has too many headers of its own."""
    return f"must be at most {most} headers"


@example()
def bad_header_name() -> str:
    """The name of a header cannot be one."""
    return "the name must be 1 to 126 printable ASCII characters without a colon"


@example()
def bad_header_value() -> str:
    """The value of a header cannot be one."""
    return "the value must be 1 to 995 printable ASCII characters"


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
    return f"{name} cannot be set: put each recipient in `to`, each gets a mail of their own"


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


# Quarantine --------------------------------------------------------------------------------------------------------------


@example(12)
def not_in_quarantine(id: int) -> str:
    """Quarantine has no entry with this number."""
    return f"There is no entry {id} in quarantine."


@example(12, "the database: connection refused")
def not_replayed(id: int, error: str) -> str:
    """An entry could not be replayed because the database was unavailable (503)."""
    return f"Entry {id} was not replayed: {error}. Retry."


@example("value out of range")
def replay_still_malformed(error: str) -> str:
    """The resolution of a replayed entry that the database refuses to store."""
    return f"still malformed: storing it failed: {error}"


# Keys --------------------------------------------------------------------------------------------------------------------


@example()
def key_missing() -> str:
    """A request has no Authorization header (401)."""
    return "An API key is required. Send the header `Authorization: Bearer mck_...`."


@example()
def key_malformed() -> str:
    """The Authorization header of a request has no key in it (401)."""
    return "The Authorization header has no API key. Send `Authorization: Bearer mck_...`."


@example()
def key_unknown() -> str:
    """The key of a request does not exist, was revoked, or belongs to a retired tenant (401)."""
    return "This API key is unknown or was revoked."


@example("k7pq2m9d")
def key_expired(prefix: str) -> str:
    """The key of a request has expired (401)."""
    return f"The API key {prefix} has expired."


# Database ----------------------------------------------------------------------------------------------------------------


@example("connection refused")
def database_unreachable(error: str) -> str:
    """Why a quarantine entry was not replayed, and in the log of `observe`: the database refuses or does not answer."""
    return f"the database is unavailable: {error}"


@example("deadlock detected")
def batch_always_blocked(error: str) -> str:
    """Why a quarantine entry was not replayed, and in the log of `observe`: every retry met another transaction's locks."""
    return f"other transactions blocked every retry: {error}"
