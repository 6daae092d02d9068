"""What the SES door answers (docs/ses-door.md), inside SES's own error shapes, and what its keys and names are refused for.

Refusals of the mail itself are those of every door (mail.py).
"""

from mailcordon.messages import example, phrases

# Signatures ----------------------------------------------------------------------------------------------------------------


@example()
def no_signature() -> str:
    """A request to the SES door has no AWS signature (403)."""
    return (
        "The request is not signed. The SES door takes requests that an AWS SDK signed with an access key of ours: "
        "mailcordon key create TENANT --ses"
    )


@example()
def bearer_at_ses_door() -> str:
    """A request to the SES door has an API key instead of a signature (403)."""
    return (
        "The SES door takes AWS signatures, not API keys. Give the SDK an access key of ours "
        "(mailcordon key create TENANT --ses), or send to /v1/messages with the API key."
    )


@example("Credential, Signature")
def signature_incomplete(parts: str) -> str:
    """Parts are missing in the Authorization header of a signed request (403)."""
    return f"The Authorization header is incomplete: {parts}."


@example("AWS4-ECDSA-P256-SHA256")
def unknown_algorithm(algorithm: str) -> str:
    """A request is signed in another way than SigV4 (403)."""
    return f"The signature has the algorithm {algorithm}; only AWS4-HMAC-SHA256 is taken."


@example("s3")
def wrong_service(service: str) -> str:
    """A request is signed for another AWS service (403)."""
    return f"The request is signed for the service {service}; it must be ses."


@example()
def host_not_signed() -> str:
    """The signature does not cover the Host header (403)."""
    return "The signature must cover the Host header."


@example("20261129T170000Z", "20261129T171200Z")
def signature_expired(signed: str, now: str) -> str:
    """A request was signed more than five minutes ago, or will be, by the server's clock (403)."""
    return (
        f"The request was signed at {signed} and the server's clock says {now}; at most five minutes may lie between. "
        "Set the clock of the sender."
    )


@example("yesterday")
def bad_date(text: str) -> str:
    """The date of a signed request cannot be read (403)."""
    return f"The date {text} of the signature is not of the form 20261129T170000Z, or is not the day of its credential."


@example("MCAKX7QK2M9DPW4H6TZC")
def access_key_unknown(id: str) -> str:
    """The access key of a request is unknown, revoked or expired, or its API key is (403)."""
    return f"The access key {id} is unknown, was revoked or has ended."


@example("AKIAIOSFODNN7EXAMPLE")
def access_key_of_aws(id: str) -> str:
    """A request to the SES door is signed with a key of AWS (403)."""
    return f"{id} is no access key of ours, which begin with MCAK. Give the SDK one: mailcordon key create TENANT --ses"


@example()
def signature_mismatch() -> str:
    """The signature of a request is not the one that its secret gives (403)."""
    return (
        "The request signature we calculated does not match the signature you provided. Check the secret access key, "
        "and that no proxy changes the path, the Host header or the body."
    )


# Requests ------------------------------------------------------------------------------------------------------------------


@example("CreateEmailIdentity")
@example("")
def no_such_operation(operation: str) -> str:
    """An operation of SES that the SES door does not have (404, or InvalidAction)."""
    return (
        f"{operation or 'This operation'} is not available here: the SES door sends mail, and reads and changes what belongs to "
        "it. Tenants, identities and configuration sets are Mailcordon's to manage (docs/ses-door.md)."
    )


@example("2 validation errors")
def bad_request_body(problem: str) -> str:
    """The body of a request to the SES door cannot be read (400)."""
    return f"The request cannot be read: {problem}."


@example()
def bad_form() -> str:
    """The form of a request of SES's API v1 cannot be read (400)."""
    return "The form of the request is not UTF-8 or has too many fields."


@example("Raw.Data")
def not_base64(field: str) -> str:
    """A member of a request to the SES door is not base64 (400)."""
    return f"{field} is not base64."


@example(10485760)
def raw_too_large(most: int) -> str:
    """A message of SES's API v1 is larger than that API takes (400)."""
    return f"A message of API v1 has {most // 1024 // 1024} MB at most. API v2 takes larger ones."


@example()
def too_many_members() -> str:
    """A large request to the SES door is not one of a few long texts (400)."""
    return "it has more than 1 MB beside its long texts"


@example()
def number_for_text() -> str:
    """A request to the SES door has a number in the place of a text (400)."""
    return "it has a number where a text belongs"


@example("Content")
def member_missing(name: str) -> str:
    """A required member of a request to the SES door is missing (400)."""
    return f"{name} is required."


@example(["Simple", "Raw", "Template"])
def one_of_members(names: list[str]) -> str:
    """A request to the SES door must have exactly one of some members (400)."""
    return f"Exactly one of {', '.join(names)} is required."


@example("ListManagementOptions")
def member_not_taken(name: str) -> str:
    """A member of a request that the SES door cannot do what it says (400)."""
    return f"{name} is not taken here (docs/ses-door.md): leave it out."


@example("campaign")
def tag_twice(name: str) -> str:
    """A request to the SES door has two tags of one name (400)."""
    return f"The tag {name} is there twice."


@example("X-Entity")
def header_twice(name: str) -> str:
    """A message of the SES door has two headers of one name (400)."""
    return f"The header {name} is there twice."


@example(["marketing", "receipts"])
@example([])
def type_not_resolved(sets: list[str]) -> str:
    """The message type of a mail that came through the SES door is not known (400)."""
    named = (
        f" The names of configuration sets that stand for types are {phrases.listed(sets)}." if sets else ""
    )
    return (
        "The message type is not known. Add the email tag type, name a configuration set that stands for one "
        "(mailcordon ses-door map SET TYPE), or give the key a default (mailcordon key change PREFIX --type-by-default TYPE)."
        f"{named}"
    )


@example("old-set")
def set_not_mapped(name: str) -> str:
    """A request names a configuration set that stands for no message type, and nothing else says the type (400)."""
    return (
        f"Configuration set <{name}> does not exist: no message type stands behind this name. "
        f"Map it (mailcordon ses-door map {name} TYPE), or add the email tag type."
    )


@example("acme", "zen")
def tenants_differ(one: str, other: str) -> str:
    """A request names two tenants: TenantName and the email tag tenant (400)."""
    return f"TenantName is {one} and the email tag tenant is {other}."


@example()
def not_our_message_id() -> str:
    """A MessageId that is not one of those that the SES door answers."""
    return "is not a message id of ours"


@example("0100019ff189d429-e4511161-032f-4588-82f8-53f2b862e736-000000")
def message_not_found(id: str) -> str:
    """GetMessageInsights: there is no such message, or the key may not read it (404)."""
    return f"Message <{id}> not found."


@example("user@example.com")
def not_on_list(address: str) -> str:
    """GetSuppressedDestination, DeleteSuppressedDestination: the tenant has no such suppression (404)."""
    return f"Email address {address} does not exist on your tenant suppression list."


@example(["BOUNCE", "COMPLAINT"])
def bad_reason(reasons: list[str]) -> str:
    """PutSuppressedDestination: a reason that SES does not have (400)."""
    return f"Reason must be one of {', '.join(reasons)}."


@example("acme", "BOUNCE")
def put_on_list(slug: str, reason: str) -> str:
    """The evidence of a suppression that an app made through the SES door."""
    return f"put on the suppression list of {slug} through the SES door, reason {reason}"


@example("yesterday")
def bad_time(text: str) -> str:
    """StartDate or EndDate of ListSuppressedDestinations cannot be read (400)."""
    return f"{text} is not a time."


@example(1000)
def bad_page_size(most: int) -> str:
    """PageSize of a list is out of its range (400)."""
    return f"PageSize must be between 1 and {most}."


@example()
def bad_token() -> str:
    """NextToken of a list is none that the SES door gave (400)."""
    return "The NextToken is not one that was given here."


@example("receipt")
def template_exists(name: str) -> str:
    """CreateEmailTemplate: the name is taken (400)."""
    return f"Template {name} already exists."


@example("receipt")
def template_absent(name: str) -> str:
    """There is no such template, of the tenant or of the platform (404)."""
    return f"Template {name} does not exist."


@example()
def bad_template_data() -> str:
    """TemplateData of a request to the SES door is not a JSON object (400)."""
    return "TemplateData is not a JSON object."


@example(50)
def bad_number_of_entries(most: int) -> str:
    """SendBulkEmail has no entries, or too many (400)."""
    return f"BulkEmailEntries must have 1 to {most} entries."


# Keys and names ------------------------------------------------------------------------------------------------------------


@example("k7pq2m9d")
def key_of_access_key_revoked(prefix: str) -> str:
    """An access key was asked for, for an API key that is revoked (409)."""
    return f"The key {prefix} is revoked and cannot get an access key."


@example("k7pq2m9d", 10)
def too_many_access_keys(prefix: str, most: int) -> str:
    """An API key has as many access keys as it may (409)."""
    return f"The key {prefix} has {most} access keys, which is the limit. Revoke one first."


@example("MCAKX7QK2M9DPW4H6TZC")
def no_access_key(id: str) -> str:
    """There is no such access key (404)."""
    return f"There is no access key {id}."


@example()
def bad_set_name() -> str:
    """A name that no configuration set can have."""
    return "must be 1 to 64 letters, digits, hyphens or underscores"


@example("old-set")
def no_set(name: str) -> str:
    """`ses-door unmap`: the name stands for nothing (404)."""
    return f"The configuration set name {name} stands for no message type."


@example(500)
def too_many_sets(most: int) -> str:
    """A tenant, or the platform, has as many names of configuration sets as it may (409)."""
    return f"There are {most} names of configuration sets already, which is the limit."
