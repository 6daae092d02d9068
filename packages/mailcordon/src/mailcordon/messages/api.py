"""What the REST API says when it refuses a request, before it acts, and of what lanes share.

A problem with one field is a phrase that follows the field's name: `subject: must be 1 to 900 characters`.
"""

from mailcordon.messages import example


def _with_lanes(mail: str, lanes: list[str]) -> str:
    # `newsletter mail of acme (newsletter)` would say the same twice.
    return mail if len(lanes) == 1 and mail.startswith(f"{lanes[0]} ") else f"{mail} ({_and(lanes)})"


def _not_recalled(sending: int) -> str:
    if not sending:
        return ""
    are = "is" if sending == 1 else "are"
    return f" {_deliveries(sending)} {are} being sent already and cannot be recalled."


def _sharing(types: list[str], others: bool) -> str:
    return f"shared with {_and(types)}" if others else _and(types)


def _deliveries(count: int) -> str:
    return "1 delivery" if count == 1 else f"{count:,} deliveries"


def _and(words: list[str]) -> str:
    return "".join(words) if len(words) < 2 else f"{', '.join(words[:-1])} and {words[-1]}"


# Handing in mail ---------------------------------------------------------------------------------------------------------


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
    """A marketing message has no one-click unsubscribe."""
    return (
        f"{type} is marketing mail: it needs a List-Unsubscribe header with an https address and the header "
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click (RFC 8058), for each recipient with a link of their own"
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


@example(256)
def too_many_reads(most: int) -> str:
    """A caller has too many requests waiting for their turn to read (429)."""
    return f"{most} requests of this caller wait already. Retry later, with fewer requests at once."


@example()
def reads_full() -> str:
    """Too many requests of all callers wait for their turn to read (503)."""
    return "Too many requests wait. Retry later."


@example("canceling statement due to statement timeout")
def query_too_slow(error: str) -> str:
    """The database ended a request's statement because it took too long (503)."""
    return (
        f"The database did not finish this in time ({error}), and nothing was stored. Ask for less at once, such as a smaller "
        "`limit` or a shorter time, or retry later."
    )


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
    """Everything in a message but its text and html is too large."""
    return f"a message must have at most {most:,} bytes beside its text and html"


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


@example(["malformed", "ungoverned"])
def unknown_quarantine_kind(kinds: list[str]) -> str:
    """A filter of the quarantine names no kind of it."""
    return f"It is one of: {', '.join(kinds)}."


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


@example("operate", "k7pq2m9d", ["read", "send"])
def scope_missing(scope: str, prefix: str, scopes: list[str]) -> str:
    """The key does not have the scope that the request needs (403)."""
    return f"This needs the scope {scope}; the key {prefix} has {', '.join(scopes)}."


@example("k7pq2m9d", "newsletter", ["invoice", "receipt"])
def type_not_allowed(prefix: str, type: str, types: list[str]) -> str:
    """The key is for some message types, and the message to send or cancel has another one (403)."""
    return f"The key {prefix} does not send {type}; it is for {_and(types)} only."


@example("k7pq2m9d")
def key_changed(prefix: str) -> str:
    """The message types or addresses of the key were changed while its message was being stored (503)."""
    return f"The key {prefix} was changed while the message was being stored, and nothing was stored. Retry."


@example("k7pq2m9d", "198.51.100.7")
@example("k7pq2m9d", "")
def address_not_allowed(prefix: str, client: str) -> str:
    """The key is for some client addresses, and the request comes from another one (403)."""
    return f"The key {prefix} does not work from {client or 'an unknown address'}: it is limited to other addresses."


@example()
def platform_key_needed() -> str:
    """A tenant's key was used for something that belongs to the platform (403)."""
    return "This needs a platform key; a tenant's key cannot do it."


@example("k7pq2m9d", "acme")
def key_of_another_tenant(prefix: str, slug: str) -> str:
    """A tenant's key was used to send for another tenant (403)."""
    return f"The key {prefix} works for {slug} and no other tenant."


@example()
def tenant_missing() -> str:
    """A platform key was used without a tenant."""
    return "is required: a platform key must name the tenant"


@example("Acme Inc")
@example("")
def bad_tenant_name(text: str) -> str:
    """A request names a tenant with characters that no tenant's name has."""
    return f"{text or 'an empty text'} cannot be a tenant's name"


@example()
def bad_key_name() -> str:
    """A key has no name or holder, too long a one, or one with control characters."""
    return "must be 1 to 100 printable characters: the audit trail shows it"


@example(["send", "read", "operate", "admin"])
def bad_scopes(scopes: list[str]) -> str:
    """A new key has no scope, or an unknown one."""
    return f"must be one or more of {', '.join(scopes)}"


@example(["send", "read"])
def bad_tenant_scopes(scopes: list[str]) -> str:
    """A new key of a tenant has a scope that only platform keys can have."""
    return f"can only be {' and '.join(scopes)} for a tenant's key"


@example(100)
def bad_number_of_types(most: int) -> str:
    """A key that is for some message types names none, or too many."""
    return f"must name 1 to {most} message types; without it the key is for all of them"


@example(["admin", "operate"])
def types_with_power(scopes: list[str]) -> str:
    """A key that is for some message types has a scope that concerns all of them."""
    return f"can only be set for a key with send and read: {_and(scopes)} concern{'s' if len(scopes) == 1 else ''} every type"


@example(["fax"])
def key_types_unknown(types: list[str]) -> str:
    """A key is to be for message types that do not exist."""
    return f"names unknown message types: {', '.join(types)}"


@example(100)
def too_many_networks(most: int) -> str:
    """A key has too many address ranges."""
    return f"must be at most {most} address ranges"


@example("10.0.0.1/8", "10.0.0.1/8 has host bits set")
def bad_network(text: str, problem: str) -> str:
    """An address range of a key is not one."""
    return f"must be an address range such as 192.0.2.0/24 or 2001:db8::/32, not {text}: {problem}"


@example(0.01, 1e9)
def bad_key_limit(least: float, most: float) -> str:
    """A rate of a key is out of range."""
    return f"must be from {least:g} to {most:,.0f} a second; null takes the installation's default"


@example(36_525)
def key_lives_too_long(days: int) -> str:
    """The end of a key is further away than a time can be."""
    return f"must be within {days:,} days; without it the key does not end"


@example("k7pq2m9d")
def successors_end_missing(prefix: str) -> str:
    """A key that ends is rotated, and the request does not say when its successor ends."""
    return f"is required, since the key {prefix} has an end: say when its successor ends, or null for never"


@example("k7pq2m9d")
def key_is_revoked(prefix: str) -> str:
    """A revoked key was to be changed or rotated (409)."""
    return f"The key {prefix} is revoked. Create a new key instead."


@example("k7pq2m9d", "w4r8t2xz")
def key_has_successor(prefix: str, successor: str) -> str:
    """A key was rotated that has a valid successor already (409)."""
    return f"The key {prefix} was rotated already: {successor} replaces it. To rotate it again, revoke {successor} first."


@example("k7pq2m9d", ["send"], ["admin", "read"])
def scopes_not_held(prefix: str, missing: list[str], held: list[str]) -> str:
    """A key was to give a scope to another key that it does not hold itself (403)."""
    return f"A key gives only scopes that it holds: the key {prefix} holds {_and(held)}, not {_and(missing)}."


@example("k7pq2m9d", ["invoice"])
def types_not_held(prefix: str, types: list[str]) -> str:
    """A key that is for some message types was to make a key for others (403)."""
    return f"The key {prefix} makes keys for {_and(types)} only."


@example()
def time_without_zone() -> str:
    """A time has no time zone."""
    return "must have a time zone, as in 2027-01-31T12:00:00Z"


@example()
def time_in_the_past() -> str:
    """The end of a new key is over already."""
    return "must be in the future"


# Things that do not exist ------------------------------------------------------------------------------------------------


@example("acme")
def no_tenant(slug: str) -> str:
    """There is no such tenant, or the key may not see it (404)."""
    return f"There is no tenant {slug}."


@example("acme", "newsletter")
def no_lane(slug: str, type: str) -> str:
    """The tenant has no lane of this message type (404)."""
    return f"{slug} has no lane {type}."


@example("mail.acme.example")
def no_identity(domain: str) -> str:
    """There is no such domain, or the key may not see it (404)."""
    return f"There is no identity {domain}."


@example("acme", 17)
def no_hold(slug: str, id: int) -> str:
    """The tenant has no hold with this number (404)."""
    return f"{slug} has no hold {id}."


@example("k7pq2m9d")
def no_key(prefix: str) -> str:
    """There is no key with this prefix (404)."""
    return f"There is no key {prefix}."


@example("msg_0r4tq2v6k7m8n")
def no_message(id: str) -> str:
    """There is no such message, or the key may not see it (404)."""
    return f"There is no message {id}."


@example("hello", "a message id starts with msg_, a delivery id with dlv_")
def not_a_message_id(text: str, problem: str) -> str:
    """The id in the URL cannot be a message's (404)."""
    return f"There is no message {text}: {problem}."


@example("acme", "kim@example.com", "lane")
def not_suppressed(slug: str, address: str, scope: str) -> str:
    """A suppression that is to be removed does not exist (404)."""
    return f"{slug} has no suppression of {address} in the scope {scope}."


@example(13)
def bad_id(length: int) -> str:
    """The id in the URL has other characters than an id, or more or fewer."""
    return f"an id is {length} letters and digits in Crockford's base 32"


@example()
def bad_id_prefix() -> str:
    """The id in the URL is not a message's or delivery's."""
    return "a message id starts with msg_, a delivery id with dlv_"


@example()
def no_such_url() -> str:
    """The API has nothing at this URL (404)."""
    return "There is nothing at this URL."


# Requests in general -----------------------------------------------------------------------------------------------------


@example()
def method_not_allowed() -> str:
    """The URL exists, but not for this method (405)."""
    return "This URL does not support this method."


@example("trailing characters")
def body_not_json(problem: str) -> str:
    """The body of a request is not JSON (400)."""
    return f"The body is not valid JSON: {problem}"


@example()
def body_not_utf8() -> str:
    """The body of a request is not UTF-8 (400)."""
    return "The body is not UTF-8."


@example("'because'")
def json_member_twice(name: str) -> str:
    """An object in the body of a request has two members of one name (400)."""
    return f"The body has the member {name} twice in one object."


@example(8)
def json_too_deep(most: int) -> str:
    """The body of a request has more arrays and objects inside each other than any request needs (400)."""
    return f"The body has more than {most} arrays and objects inside each other."


@example()
def json_not_a_number() -> str:
    """The body of a request has NaN or Infinity (400)."""
    return "The body has NaN or Infinity, which JSON does not have."


@example()
def json_number_out_of_range() -> str:
    """The body of a request has a number that no double and no 64-bit integer can hold (400)."""
    return "The body has a number that is out of range: integers have 64 bits, other numbers are doubles."


@example()
def json_lone_surrogate() -> str:
    """A string in the body of a request has one half of a surrogate pair (400)."""
    return "The body has half of a surrogate pair in a string, which is no character."


@example("Host")
def header_given_twice(name: str) -> str:
    """A request has a header twice of which there may be one (400)."""
    return f"The request has more than one {name} header."


@example()
def body_cut_off() -> str:
    """The connection ended before the whole body was received (400)."""
    return "The connection ended before the whole body was received."


@example(25_165_824)
def body_too_large(most: int) -> str:
    """The body of a request is too large (413)."""
    return f"The body must be at most {most:,} bytes."


@example()
def internal_error() -> str:
    """An error that is a bug in Mailcordon (500). The log has the details."""
    return "An internal error occurred, and the request was not confirmed. Retry."


@example(["urgent", "transactional", "marketing"])
def not_one_of(words: list[str]) -> str:
    """A field has a value that is not in its list."""
    return f"must be one of {', '.join(words)}"


@example()
def field_required() -> str:
    """A request lacks a field."""
    return "is required"


@example()
def field_unknown() -> str:
    """A request has a field that does not exist."""
    return "is not a field of this request"


@example(1000)
def bad_reason(longest: int) -> str:
    """A change has no reason, or too long a one."""
    return f"must say why, in 1 to {longest} characters"


@example()
def reason_missing() -> str:
    """A hold, its lifting or a cancel has no reason."""
    return "must say why: everyone affected can read it"


@example(1, 316_224_000)
def bad_seconds(least: float, most: int) -> str:
    """A duration is out of range."""
    return f"must be {least:g} to {most} seconds"


@example(255)
def bad_idempotency_key(longest: int) -> str:
    """The Idempotency-Key cannot be one."""
    return f"must be 1 to {longest} printable characters"


# Holds -------------------------------------------------------------------------------------------------------------------


@example()
def class_beside_type() -> str:
    """A hold or cancel names both a message type and a class."""
    return "cannot be combined with type: a type has one class already"


@example(100)
def bad_hold_ids(most: int) -> str:
    """Holds are to be lifted by number, and there are no numbers, too many, or impossible ones."""
    return f"must be 1 to {most} hold numbers"


@example()
def hold_ids_and_target() -> str:
    """Holds are to be lifted both by number and by what they hold."""
    return "cannot be combined with type, class, provider, campaign or list"


@example(0.001, 1_000_000)
def bad_rate(least: float, most: int) -> str:
    """The rate of a lane, or of a hold that slows it, is out of range."""
    return f"must be {least:g} to {most:,} deliveries per second; to stop a lane, cordon it"


@example()
def rate_of_a_part() -> str:
    """A hold is to slow only the mail to a mailbox provider, or of a campaign or list."""
    return (
        "can be set for whole lanes only; mail to a provider, of a campaign or of a list can only be stopped"
    )


@example("acme", type="newsletter")
@example("acme", class_="marketing", provider="gmail")
@example("acme", campaign="spring-sale", list="imported")
def mail_of(
    slug: str,
    *,
    type: str | None = None,
    class_: str | None = None,
    provider: str | None = None,
    campaign: str | None = None,
    list: str | None = None,
) -> str:
    """Names the mail that a hold, its lifting or a cancel covers, inside other sentences and in the audit trail."""
    kind = type or class_
    words = f"{kind} mail of {slug}" if kind else f"all mail of {slug}"
    if provider is not None:
        words += f" to {provider}"
    if campaign is not None:
        words += f", campaign {campaign}"
    if list is not None:
        words += f", list {list}"
    return words


@example("acme")
def covers_no_lane(slug: str) -> str:
    """A preview: the tenant has no lane that the action would change."""
    return f"{slug} has no such lane. Nothing would change."


@example("marketing mail of acme", ["announcement", "newsletter"], 1204, 2)
@example("newsletter mail of acme", ["newsletter"], 0, 0)
def cordon_effect(mail: str, lanes: list[str], queued: int, sending: int) -> str:
    """A preview of a cordon: what it will stop."""
    waiting = f"{_deliveries(queued)} in the queue and all new ones wait" if queued else "new deliveries wait"
    return (
        f"Holds {_with_lanes(mail, lanes)}: {waiting} until the hold is lifted or they expire."
        + _not_recalled(sending)
    )


@example("newsletter mail of acme, campaign spring-sale", ["newsletter"], 1204, 1)
def cancel_effect(mail: str, lanes: list[str], queued: int, sending: int) -> str:
    """A preview of a cancel: what it will drop."""
    return (
        f"Drops {_deliveries(queued)} of {_with_lanes(mail, lanes)} for good. New mail is not affected."
        + _not_recalled(sending)
    )


@example(['hold 7 "wrong list" by ann'], 1204, ["newsletter"], [])
@example(['hold 7 "wrong list" by ann'], 0, [], ['hold 8 "bounces" by breaker'])
def uncordon_effect(holds: list[str], queued: int, freed: list[str], others: list[str]) -> str:
    """A preview of an uncordon: the holds that it will lift, what can leave then, and the holds that stay."""
    said = f"Lifts {_and(holds)}"
    if freed:
        said += f": {_deliveries(queued)} of {_and(freed)} can leave."
    else:
        said += ", but the mail stays held."
    return said + (f" Not lifted: {_and(others)}." if others else "")


@example("newsletter mail of acme", [])
@example("newsletter mail of acme", ['hold 8 "bounces" by breaker'])
def nothing_to_lift(mail: str, others: list[str]) -> str:
    """A preview of an uncordon for which there is no hold."""
    if not others:
        return f"Nothing holds {mail}. Nothing would change."
    return f"Nobody has cordoned exactly {mail}. Nothing would change. Lift another hold by its number: {_and(others)}."


@example(12, "The configuration set mc-urgent is paused at SES, for all lanes that use it")
def numbered_stop(id: int, because: str) -> str:
    """Names a stop in a preview."""
    return f'stop {id} "{because}"'


@example(['stop 12 "SES has paused this tenant"'], 1204, ["newsletter"], 0)
@example(['stop 12 "The configuration set mc-urgent is paused at SES"'], 0, ["password-reset"], 38)
@example(['stop 12 "SES has paused this tenant"'], 0, [], 0)
def end_effect(stops: list[str], queued: int, freed: list[str], others: int) -> str:
    """A preview of an uncordon of what SES stops: the stops that end, what can leave then, and whom else that concerns."""
    said = f"Ends {_and(stops)}"
    said += f": {_deliveries(queued)} of {_and(freed)} can leave" if freed else ", but holds keep the mail"
    if others:
        said += f", and so can the mail of {others} other lane{'' if others == 1 else 's'} that use the same"
    return said + ". If SES still refuses, the next call stops it again."


@example("newsletter mail of acme")
def nothing_stopped(mail: str) -> str:
    """A preview of an uncordon of what SES stops, if it stops nothing."""
    return f"No stop covers {mail}. Nothing would change."


@example()
def stops_cover_lanes() -> str:
    """An uncordon of what SES stops, for a part of a lane."""
    return "must be left out beside a provider, campaign or list: a stop covers whole lanes"


@example(7, "ann (key k7pq2m9d)", "wrong list")
def numbered_hold(id: int, who: str, because: str) -> str:
    """Names a hold in a preview."""
    return f'hold {id} "{because}" by {who}'


@example("acme", ["invoice", "password-reset"], [])
@example("acme", [], ["newsletter"])
@example("acme", [], [])
def left_alone(slug: str, lanes: list[str], partly: list[str]) -> str:
    """A preview: what the action does not touch. `partly` are lanes of which only a part is meant."""
    words = [f"{_and(lanes)} of {slug}"] if lanes else []
    if partly:
        words.append(f"all other mail of {_and(partly)}")
    return f"{'; '.join(words)}; every other tenant." if words else "Every other tenant."


# Suppressions ------------------------------------------------------------------------------------------------------------


@example("class")
def only_with_scope(scope: str) -> str:
    """A suppression names a class or type that does not fit its scope."""
    return f"is required with the scope {scope}, and not allowed with another"


# Message types -----------------------------------------------------------------------------------------------------------


@example()
def bad_slug() -> str:
    """The name of a new tenant or message type has other characters than it may have."""
    return "must be 1 to 63 lower-case letters, digits and hyphens, starting with a letter or digit"


@example()
def bad_criticality() -> str:
    """The criticality of a message type is out of range."""
    return "must be from 1 (hardly missed) to 5 (somebody is locked out)"


@example()
def bad_description() -> str:
    """The description of a message type is missing or too long."""
    return "must say what the mail is for, in 1 to 500 characters"


@example(14)
def bad_duration(days: int) -> str:
    """A duration of a message type is out of range."""
    return f"must be 0.001 seconds to {days} days"


# Onboarding --------------------------------------------------------------------------------------------------------------


@example()
def types_missing() -> str:
    """Onboarding names no message type."""
    return "is required: name at least one message type and the domain it is sent from"


@example(100)
def too_many_types(most: int) -> str:
    """Onboarding names too many message types at once."""
    return f"must be at most {most} at a time"


@example(["invoice", "newsletter"])
def unknown_type(types: list[str]) -> str:
    """Onboarding names a message type that does not exist."""
    return f"there is no such message type; there are: {', '.join(types)}"


@example("mail.acme.example")
def domain_taken(domain: str) -> str:
    """Onboarding names a domain that overlaps with one of another tenant, whose name is not given."""
    return f"{domain} cannot be used: it is equal to, above or below a domain of another tenant"


@example("acme")
def tenant_retired(slug: str) -> str:
    """Onboarding names a tenant that was retired (409)."""
    return f"The tenant {slug} was retired. Bring it back with `mailcordon tenant unretire {slug}`, or take another name."


@example("acme", "newsletter", "news.acme.example", "mail.acme.example")
def lane_on_another_domain(slug: str, type: str, domain: str, wanted: str) -> str:
    """Onboarding names another domain for a lane that exists (409)."""
    return f"{slug} sends {type} from {domain} already. Onboarding does not move it to {wanted}."


@example("acme", dedicated=True)
@example("acme", dedicated=False)
def other_configuration_sets(slug: str, *, dedicated: bool) -> str:
    """Onboarding asks for dedicated configuration sets of a tenant that has shared ones, or the other way round (409)."""
    return f"{slug} has {'dedicated' if dedicated else 'shared'} configuration sets. Onboarding does not change that."


@example(7_999, 3, 8_000, 10_000)
def too_many_configuration_sets(existing: int, more: int, most: int, cap: int) -> str:
    """Onboarding would use up the configuration sets that SES allows (422)."""
    return (
        f"{existing:,} configuration sets exist and this tenant needs {more} more. Mailcordon makes at most {most:,} of the "
        f"{cap:,} that SES allows. Onboard without dedicated sets, or in another cell."
    )


@example()
def step_pending() -> str:
    """A resource of a tenant is not at SES yet."""
    return "not applied yet"


@example("LimitExceeded: Too many identities", 1)
@example("LimitExceeded: Too many identities", 3)
def step_failing(error: str, attempts: int) -> str:
    """SES refuses a resource of a tenant."""
    return error if attempts < 2 else f"{error} ({attempts} attempts so far; it is retried)"


# The document of tenants -------------------------------------------------------------------------------------------------


@example(version=1)
def unknown_document_version(version: int) -> str:
    """A document of tenants names another version of its format."""
    return f"this server reads version {version}."


@example(most=20000)
def too_many_tenants_in_document(most: int) -> str:
    """A document has more tenants than one may have."""
    return f"a document has at most {most:,} tenants. Split it: what a document does not name is left alone."


@example()
def not_a_mapping() -> str:
    """A member of a document has names and values under it, and something else was given."""
    return "needs names with values under it."


@example()
def lane_needs_domain() -> str:
    """A type of a tenant has neither a domain nor a mapping as its value."""
    return "needs the domain that its mail comes from, such as mail.acme.example."


@example()
def not_text() -> str:
    """A member of a document must be text."""
    return "must be text."


@example()
def not_true_or_false() -> str:
    """A member of a document must be true or false."""
    return "must be true or false."


@example(domain="acme.example")
def domain_written_twice(domain: str) -> str:
    """A document has one domain in two spellings."""
    return f"{domain} stands here twice, in two spellings."


@example(names=["types", "domains"])
def unknown_member(names: list[str]) -> str:
    """A document has a member that its format does not know."""
    return f"is not known here. Known are {_and(names)}."


# What lanes share --------------------------------------------------------------------------------------------------------


@example("mail.acme.example", ["invoice", "receipt"])
@example("mail.acme.example", ["receipt"], others=True)
def domain_shared(domain: str, types: list[str], *, others: bool = False) -> str:
    """Several lanes of a tenant send from one domain. `others`: said of one lane, the types are the other lanes."""
    return f"domain {domain} and its reputation: {_sharing(types, others)}"


@example("acme.example", "news.acme.example", "newsletter")
def parent_domain_shared(domain: str, other: str, type: str) -> str:
    """One lane's domain is above or below another's."""
    return f"parent domain: some mailbox providers treat {domain} and {other} ({type}) as one"


@example("mc-k3m8p2q7r4s9", ["invoice", "newsletter"])
@example("mc-k3m8p2q7r4s9", ["newsletter"], others=True)
def ses_tenant_shared(name: str, types: list[str], *, others: bool = False) -> str:
    """Several lanes use one SES tenant."""
    return f"SES tenant {name}: {_sharing(types, others)}; when SES pauses it, all of them stop"


@example("mc-marketing", "marketing")
def configuration_set_of_class(name: str, class_: str) -> str:
    """A lane uses the configuration set of its class."""
    return f"configuration set {name}: shared with the {class_} lanes of other tenants"


@example("mc-k3m8p2q7r4s9-marketing", ["announcement", "newsletter"])
@example("mc-k3m8p2q7r4s9-marketing", ["newsletter"], others=True)
def configuration_set_shared(name: str, types: list[str], *, others: bool = False) -> str:
    """Several lanes use one dedicated configuration set."""
    return f"configuration set {name}: {_sharing(types, others)}"


@example("mc-marketing", ["announcement", "newsletter"])
def configuration_set_of_tenants(name: str, types: list[str]) -> str:
    """Lanes of a tenant use the configuration set of their class."""
    return f"configuration set {name}: {_and(types)}, and lanes of other tenants"


@example("pool-1", ["invoice"])
def ip_pool_shared(name: str, types: list[str]) -> str:
    """A lane uses the same dedicated IP pool as other lanes."""
    return f"IP pool {name}: {_sharing(types, True)}"


@example([])
@example(["invoice", "newsletter"])
def ip_pool_of_ses(types: list[str]) -> str:
    """Lanes use SES's shared IP addresses. Without types: said of one lane."""
    users = f"{_and(types)}, and" if types else "shared with"
    return f"SES's shared IP pool: {users} every other sender in the region"


# Database ----------------------------------------------------------------------------------------------------------------


@example("connection refused")
def database_unreachable(error: str) -> str:
    """Why a quarantine entry was not replayed, and in the log of `observe`: the database refuses or does not answer."""
    return f"the database is unavailable: {error}"


@example("deadlock detected")
def batch_always_blocked(error: str) -> str:
    """Why a quarantine entry was not replayed, and in the log of `observe`: every retry met another transaction's locks."""
    return f"other transactions blocked every retry: {error}"


@example("connection refused")
def database_away(error: str) -> str:
    """A request that reads or changes something other than mail, while the database is down (503)."""
    return f"The database does not respond ({error}), and nothing was confirmed. Retry."


@example("connection refused")
def mail_not_confirmed(error: str) -> str:
    """A message is handed in while the database is down (503), and in the log of `dispatch`."""
    return f"The database does not respond ({error}), and nothing was confirmed. Retry with the same Idempotency-Key."


@example("connection refused")
def database_not_responding(error: str) -> str:
    """In `GET /v1/health`, as the state of the database."""
    return f"does not respond ({error})"


@example("canceling statement due to lock timeout")
def database_busy(error: str) -> str:
    """Other transactions block a request for too long (503)."""
    return f"The database is too busy ({error}), and nothing was stored. Retry."


@example()
def not_storable() -> str:
    """A request has a text or number that PostgreSQL cannot store, such as a NUL character (422)."""
    return "has a text or number that cannot be stored"


@example(128)
def too_many_accepting_processes(most: int) -> str:
    """More processes accept mail on one database than there are node numbers for their ids (503)."""
    return f"All {most} node numbers are in use, so this process cannot accept mail. Run fewer processes of the role api."


@example()
def lanes_locked() -> str:
    """A hold could not be placed or lifted, or a plan not applied, because other transactions kept the lanes locked (503)."""
    return "Other transactions have kept these lanes locked; nothing was changed. Retry."


@example()
def tenant_gone() -> str:
    """A tenant was deleted while its lanes were being changed (404)."""
    return "There is no such tenant."


@example()
def lane_of_tenant_unknown() -> str:
    """A hold or a rate is meant for a lane that the tenant does not have (404)."""
    return "This tenant has no such lane."


@example()
def type_of_another_class() -> str:
    """A cordon names a message type and a class that the type does not belong to (422)."""
    return "is not the class of this message type; name the type without a class"


@example("newsletter")
def type_exists(name: str) -> str:
    """A message type is created under a name that is taken (409)."""
    return f"There is already a message type {name}."


@example("newsletter")
def no_type(name: str) -> str:
    """There is no such message type (404)."""
    return f"There is no message type {name}."


@example()
def not_a_cursor() -> str:
    """The parameter `after` of a list is not a value that a list returned as `next` (422)."""
    return "must be a `next` value from this list"


# Limits of the door ------------------------------------------------------------------------------------------------------


@example(32_768)
def head_too_large(most: int) -> str:
    """The request line and headers of a request, or what surrounds the chunks of its body, are too long (431)."""
    return f"The request line and headers must be at most {most:,} bytes."


@example(100)
def too_many_header_fields(most: int) -> str:
    """A request has too many header fields (431)."""
    return f"A request may have at most {most} header fields."


@example(10)
def head_too_slow(seconds: float) -> str:
    """A connection did not finish the headers of a request in time (408)."""
    return f"The headers of the request did not arrive within {seconds:g} s."


@example(120, 8192)
def body_too_slow(seconds: float, pace: int) -> str:
    """The body of a request did not arrive in time, or more slowly than it may (408)."""
    return f"The body of a request must arrive within {seconds:g} s, and at {pace:,} bytes a second or more."


@example(30)
def response_not_read(seconds: float) -> str:
    """A client does not read a response; its connection is closed, so only the count is ever seen."""
    return f"The response was not read within {seconds:g} s."


@example()
def body_memory_full() -> str:
    """All bodies that are being received take as much memory as they may, or those of this caller do (503)."""
    return "The server is receiving as many bytes as it can hold. Retry later."


@example(4096)
def connections_full(most: int) -> str:
    """The process has as many connections as it can have (503)."""
    return f"The server has {most:,} open connections, which is its limit. Retry later."


@example(512)
def too_many_connections_of_address(most: int) -> str:
    """A client address has too many connections (429)."""
    return f"Your address has {most:,} open connections, which is its limit. Close some, or reuse them."


@example(512)
def too_many_connections_of_key(most: int) -> str:
    """An API key is used on too many connections (429)."""
    return f"Your key is in use on {most:,} connections, which is its limit. Close some, or reuse them."


@example(64)
def too_many_requests_of_address(most: int) -> str:
    """A client address has too many requests without a known key in flight (429)."""
    return f"Your address has {most:,} unanswered requests, which is its limit. Wait for an answer before you send more."


@example(256)
def too_many_requests_of_key(most: int) -> str:
    """An API key has too many requests in flight (429)."""
    return f"Your key has {most:,} unanswered requests, which is its limit. Wait for an answer before you send more."


@example(16)
def too_many_pipelined(most: int) -> str:
    """A client sent too many requests on one connection without waiting; it is closed, so only the count is ever seen."""
    return f"A connection may have at most {most} requests that wait for the answer to another."


@example()
def not_http() -> str:
    """What a connection sent is not an HTTP/1 request (400)."""
    return "This is not an HTTP/1 request."


@example()
def erased() -> str:
    """In the audit trail, in place of an address or a reason that was erased with the other personal data of its tenant."""
    return "[erased]"
