"""What the REST API says when it refuses a request; what it says of mail, keys, holds and the door has modules of its own."""

from mailcordon.messages import example

# A server under load ----------------------------------------------------------------------------------------------------


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


# Quarantine -------------------------------------------------------------------------------------------------------------


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


# Things that do not exist -----------------------------------------------------------------------------------------------


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


# Requests in general ----------------------------------------------------------------------------------------------------


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


@example(10)
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


# Suppressions -----------------------------------------------------------------------------------------------------------


@example("class")
def only_with_scope(scope: str) -> str:
    """A suppression names a class or type that does not fit its scope."""
    return f"is required with the scope {scope}, and not allowed with another"


# Message types ----------------------------------------------------------------------------------------------------------


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


# Onboarding -------------------------------------------------------------------------------------------------------------


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


# Database ---------------------------------------------------------------------------------------------------------------


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


# Erasing ----------------------------------------------------------------------------------------------------------------


@example()
def erased() -> str:
    """In the audit trail, in place of an address or a reason that was erased with the other personal data of its tenant."""
    return "[erased]"


# Cancelling one message -------------------------------------------------------------------------------------------------


def _deliveries(number: int) -> str:
    return f"{number} {'delivery' if number == 1 else 'deliveries'}"


def _stays(left: int) -> str:
    if not left:
        return "Nothing of it has left."
    verb = "has" if left == 1 else "have"
    return f"{_deliveries(left)} of it {verb} left, or ended already: nothing recalls that."


@example("msg_0r4tq2v6k7m8n", 2, 1)
@example("msg_0r4tq2v6k7m8n", 0, 1)
def would_cancel(message: str, gone: int, left: int) -> str:
    """The preview of cancelling one message: what would never leave, and what cannot be recalled."""
    what = (
        f"{_deliveries(gone)} of {message} would never leave"
        if gone
        else f"Nothing of {message} waits any more"
    )
    return f"{what}. {_stays(left)}"


@example("msg_0r4tq2v6k7m8n", 2, 1)
def cancelled(message: str, gone: int, left: int) -> str:
    """One message was cancelled."""
    return f"{_deliveries(gone)} of {message} will never leave. {_stays(left)}"
