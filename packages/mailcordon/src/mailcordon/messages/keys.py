"""Why an API key, or a request to make or change one, is refused."""

from mailcordon.messages import example, phrases


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
    return f"The key {prefix} does not send {type}; it is for {phrases.listed(types)} only."


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


@example("receipt")
def default_type_not_allowed(type: str) -> str:
    """A key gets a type by default that it may not send."""
    return f"{type} is none of the types that the key may send"


@example()
def bad_key_name() -> str:
    """A key has no name or holder, too long a one, or one with control characters."""
    return "must be 1 to 100 printable characters: the audit trail shows it"


@example(["send", "read", "operate", "admin", "events"])
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
    concern = "concerns" if len(scopes) == 1 else "concern"
    return f"can only be set for a key with send and read: {phrases.listed(scopes)} {concern} every type"


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
    return f"A key gives only scopes that it holds: the key {prefix} holds {phrases.listed(held)}, not {phrases.listed(missing)}."


@example("k7pq2m9d", ["invoice"])
def types_not_held(prefix: str, types: list[str]) -> str:
    """A key that is for some message types was to make a key for others (403)."""
    return f"The key {prefix} makes keys for {phrases.listed(types)} only."


@example()
def time_without_zone() -> str:
    """A time has no time zone."""
    return "must have a time zone, as in 2027-01-31T12:00:00Z"


@example()
def time_in_the_past() -> str:
    """The end of a new key is over already."""
    return "must be in the future"
