"""What the dashboard says of the platform's settings."""

from mailcordon.messages.catalogue import example


@example()
def keys_are() -> str:
    """Above the list of API keys."""
    return "Keys are stored hashed, so nobody can read one again. What a key may do can be taken from it at once."


@example(0, 0)
@example(1, 2)
def system_is(problems: int, notices: int) -> str:
    """The sentence on top of the page of the system."""
    if problems:
        return f"{problems} {'thing is' if problems == 1 else 'things are'} wrong."
    if notices:
        return f"It works, and {notices} {'thing needs' if notices == 1 else 'things need'} somebody."
    return "It works."


@example()
def types_are() -> str:
    """Above the catalogue of message types."""
    return "A type says what a mail is for. Its class decides how it is sent, and its criticality which lanes come first."


@example(0, 0)
@example(2, 1)
def channels_are(count: int, failing: int) -> str:
    """The sentence on top of the page of alert channels."""
    if not count:
        return "Nobody is told of incidents: there is no alert channel."
    if failing:
        return f"{failing} of {count} alert channels {'fails' if failing == 1 else 'fail'}: nobody is told there."
    return f"{count} {'channel is' if count == 1 else 'channels are'} told of incidents."


@example()
def name_a_tenant() -> str:
    """The page of contacts, before a tenant is named."""
    return "Name a tenant: its contacts are told of holds on its mail."


@example()
def people_need() -> str:
    """Somebody who is no admin opens the page of people."""
    return "Who is signed in is shown to admins."


@example()
def links_are() -> str:
    """Above the links to sign in."""
    return "A link works once, within 10 minutes, and is shown once: on the page that makes it."


@example()
def signals_are() -> str:
    """Above what others say of our mail."""
    return "Spam rates of Gmail's Postmaster Tools and DMARC reports, as they were imported."


@example(3, 1)
@example(0, 0)
def policy_is(version: int, waiting: int) -> str:
    """The sentence on top of the page of the policy."""
    said = f"Version {version} is in force" if version else "What is built in is in force"
    if not waiting:
        return f"{said}."
    return f"{said}; {waiting} {'plan waits' if waiting == 1 else 'plans wait'} for a person."


@example(0)
@example(3)
def policy_plan_changes(changes: int) -> str:
    """What a plan of the policy changes."""
    if not changes:
        return "It changes no lane."
    return f"It changes {changes:,} {'value' if changes == 1 else 'values'} that lanes go by. Others stay as they are."


@example()
def policy_stays() -> str:
    """The preview of rejecting a plan of the policy."""
    return "The policy stays as it is."


@example()
def tiers_are() -> str:
    """Above the list of tiers."""
    return "A tier decides the caps of a tenant. The suggestion follows from what is known of it; nobody is moved by it."


@example()
def nothing_of_that_name() -> str:
    """The page of an action on something that is not there."""
    return "There is nothing of that name any more."


@example("4k2p9x7m", "billing", "invoices", "acme")
@example("4k2p9x7m", "kim@example.com", "cli", None)
def will_revoke(prefix: str, holder: str, name: str, tenant: str | None) -> str:
    """The preview of revoking a key."""
    of = f"of {tenant}" if tenant else "of the platform"
    return (
        f"The key {prefix} ({name}, {of}), which {holder} uses, ends at once and for good. Other keys stay."
    )


@example()
def key_is_used() -> str:
    """A key that is to be revoked is in use."""
    return (
        "It is in use: whoever uses it gets 401 from now on. Replacing it instead gives them time to change."
    )


@example("kim@example.com")
def will_end_session(person: str) -> str:
    """The preview of ending a session."""
    return f"{person} is signed out at once, and can sign in again."


@example()
def will_test() -> str:
    """The preview of testing a channel or a webhook."""
    return "One message is sent that says that it is a test. No incident is made, and no mail is concerned."


@example("connection refused")
def did_not_arrive(problem: str) -> str:
    """A test did not arrive."""
    return f"The test did not arrive: {problem}"


@example("ops")
def will_remove_channel(name: str) -> str:
    """The preview of removing an alert channel."""
    return f"Nobody is told of incidents over {name} any more, also of those that are open."


@example("crm")
def will_remove_webhook(name: str) -> str:
    """The preview of removing a webhook."""
    return f"{name} gets no events any more. Those that wait for it are dropped."


@example("crm")
def will_pause(name: str) -> str:
    """The preview of pausing a webhook."""
    return f"{name} gets nothing until it is resumed. Its events are kept meanwhile, as long as those of one that fails."


@example("crm")
def will_resume(name: str) -> str:
    """The preview of resuming a webhook."""
    return f"{name} gets its events again, those that wait first."


@example()
def access_keys_are() -> str:
    """Above the access keys of an API key."""
    return "AWS's SDKs sign with an access key what they send to the SES door. It may do what the API key may, and ends with it."


@example()
def no_access_key() -> str:
    """The page of an API key's access keys, before there is one."""
    return "The API key has no access key."


@example("MCAKX7QK2M6DPW4H6TZC", "4k2p9x7m")
def will_revoke_access_key(id: str, prefix: str) -> str:
    """The preview of revoking an access key."""
    return f"What is signed with {id} is refused at once and for good. The API key {prefix} and its other access keys stay."


@example()
def sets_are() -> str:
    """Above the names of configuration sets that stand for message types."""
    return (
        "Apps that send through SES's API name a configuration set. The name says of which message type their mail is; a tenant's"
        " own row stands before that of all tenants."
    )


@example("acme")
@example(None)
def no_set(tenant: str | None) -> str:
    """The list of names of configuration sets is empty."""
    if tenant:
        return f"{tenant} has no name of its own. Those for all tenants are listed without a tenant."
    return "No name stands for a message type yet."


@example()
def where_access_keys_are() -> str:
    """The page of the SES door."""
    return "Each access key belongs to an API key, whose page of access keys lists, makes and revokes them."


@example("receipts", "receipt", "acme")
@example("receipts", "receipt", None)
def will_forget_set(name: str, type: str, tenant: str | None) -> str:
    """The preview of forgetting what the name of a configuration set stands for."""
    whose = f"of {tenant}" if tenant else "of every tenant without a row of its own"
    return (
        f"Mail {whose} that names {name} is not of the type {type} by that any more. If nothing else says its type, it is"
        " refused."
    )
