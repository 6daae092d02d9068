"""Webhooks: endpoints, what was sent to them, and why it did not arrive (docs/webhooks.md)."""

from mailcordon.messages.catalogue import example

# Endpoints ------------------------------------------------------------------------------------------------------------------


@example("acme-app")
def no_endpoint(name: str) -> str:
    """A webhook is named that does not exist, or is not the key's tenant's."""
    return f"there is no webhook {name}"


@example("acme-app")
def endpoint_exists(name: str) -> str:
    """A webhook is added with a name that is taken."""
    return f"there is a webhook {name} already"


@example(10)
def too_many_endpoints(most: int) -> str:
    """A webhook is added to a tenant, or to the platform, that has the most."""
    return f"there are {most} webhooks already, which is the most of one tenant and of the platform"


@example("ses-sns")
def no_secret_of_form(form: str) -> str:
    """A signing secret is given, or changed, of a webhook whose form has none."""
    return f"a webhook of the form {form} is signed with a certificate and has no signing secret"


@example()
def no_public_url() -> str:
    """A webhook in SES's form, while receivers could not fetch the certificate that it is signed with."""
    return (
        "messages in SNS's form name the address of their certificate: set MAILCORDON_PUBLIC_URL to the URL under which apps"
        " reach this API"
    )


@example("acme-app")
def is_paused(name: str) -> str:
    """A webhook is paused that is paused."""
    return f"webhook {name} is paused already"


@example("acme-app")
def is_not_paused(name: str) -> str:
    """A webhook is resumed that is not paused."""
    return f"webhook {name} is not paused"


@example("msg_0hb3c5zqg0400")
def no_such_mail(id: str) -> str:
    """Events of a message are to be sent again that does not exist, or is not of the webhook's tenant."""
    return f"there is no message {id} of this webhook's tenant"


@example()
def replay_of_nothing() -> str:
    """Events are to be sent again from a time that is after their end."""
    return "must be before the end"


@example()
def bad_replay() -> str:
    """A replay names a message and a time, or neither."""
    return "give either `since`, or `message`"


@example()
def no_certificate() -> str:
    """The certificate of webhooks in SNS's form is asked for under a name that it has not."""
    return "there is no such certificate"


# Sending --------------------------------------------------------------------------------------------------------------------


@example("acme-app")
def test(name: str) -> str:
    """What a test message of a webhook says."""
    return f"This is a test of the webhook {name} of Mailcordon"


@example()
def nothing_to_tell() -> str:
    """Why an event was not sent: its rows are past retention, or what it told of is over."""
    return "what it is about is not recorded any more"


@example()
def of_another_tenant() -> str:
    """Why an event was not sent: its webhook belongs to another tenant by now."""
    return "the webhook was changed and does not get this tenant's events any more"


@example()
def endpoint_gone() -> str:
    """Why an event was not sent: its webhook was removed."""
    return "the webhook was removed"


@example("the receiver answered 503")
def failed_too_long(problem: str) -> str:
    """Why a webhook is paused: nothing arrived at it for a day."""
    return f"nothing arrived for a day; the last problem: {problem}"


@example("the receiver answered 410")
def gone(problem: str) -> str:
    """Why a webhook is paused: its receiver wants nothing more."""
    return f"the receiver wants no more messages: {problem}"


@example("acme-app", "hooks.acme.example", "nothing arrived for a day", paused=True)
@example("platform", "hooks.platform.example", "the receiver answered 503", paused=False)
def endpoint_fails(name: str, target: str, problem: str, *, paused: bool) -> str:
    """The alarm that nothing is sent to a webhook any more, or that nothing arrives."""
    if paused:
        return f"Webhook {name} ({target}) is paused: {problem}"
    return f"Nothing arrives at webhook {name} ({target}): {problem}"


@example("acme-app", paused=True)
@example("platform", paused=False)
def endpoint_fails_next(name: str, *, paused: bool) -> str:
    """What to do about a webhook at which nothing arrives."""
    if paused:
        return (
            "Have its receiver repaired, then `mailcordon webhook resume` it: what happened in the last 7 days is kept, and what"
            " was given up can be replayed"
        )
    return f"Have its receiver repaired. It is tried by itself, and {name} is paused after a day"


@example("hooks.acme.example")
def receiver(target: str) -> str:
    """Who is at fault if a webhook does not work."""
    return f"the receiver at {target}"


# The command line -----------------------------------------------------------------------------------------------------------


@example("acme-app", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
@example("acme-app", None)
def endpoint_made(name: str, secret: str | None) -> str:
    """After a webhook was added."""
    said = f"Webhook {name} gets events from now on. Try it: mailcordon webhook test {name}"
    return said if secret is None else f"{said}\nThe signing secret, shown once:\n\n  {secret}"


@example("acme-app", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "24 h")
def secret_rotated(name: str, secret: str, overlap: str) -> str:
    """After a webhook got another signing secret."""
    return f"Webhook {name} is signed with both secrets for {overlap}. The new one, shown once:\n\n  {secret}"


@example("acme-app", "hooks.acme.example", paused=False)
@example("acme-app", "hooks.acme.example", paused=True)
def endpoint_changed(name: str, target: str, *, paused: bool) -> str:
    """After a webhook was changed."""
    next = (
        f"It is paused: mailcordon webhook resume {name}"
        if paused
        else f"Try it: mailcordon webhook test {name}"
    )
    return f"Webhook {name} leads to {target}. {next}"


@example()
def no_change_of_an_endpoint() -> str:
    """`webhook change` without anything to change."""
    return "name at least one thing to change"


@example("acme-app", None)
@example("acme-app", "the receiver answered 503")
def endpoint_tried(name: str, problem: str | None) -> str:
    """After a test message was sent to a webhook."""
    return f"The test message arrived at {name}" if problem is None else f"{name} does not work: {problem}"


@example("acme-app")
def endpoint_paused(name: str) -> str:
    """After a webhook was paused."""
    return f"Nothing is sent to {name}. What happens meanwhile is kept for 7 days"


@example("acme-app")
def endpoint_resumed(name: str) -> str:
    """After a webhook was resumed."""
    return f"What waits for {name} is sent now"


@example("acme-app")
def endpoint_removed(name: str) -> str:
    """After a webhook was removed."""
    return f"Webhook {name} is removed, and its secrets are deleted"


@example("acme-app", 412)
def replayed(name: str, messages: int) -> str:
    """After events were sent again."""
    return f"{messages} messages are sent to {name} again, with the ids that they had"


@example()
def no_endpoints() -> str:
    """There is no webhook."""
    return (
        "There is no webhook: no program is told of events. Add one with `mailcordon webhook add NAME URL`."
    )


@example("acme-app")
def log_empty(name: str) -> str:
    """The log of a webhook has nothing to show."""
    return f"Nothing was sent to {name} in the last 7 days"


@example()
def state_works() -> str:
    """`webhook list`: an endpoint that gets its messages."""
    return "works"


@example("the receiver answered 503")
def state_fails(problem: str) -> str:
    """`webhook list`: an endpoint at which nothing arrives."""
    return f"fails: {problem}"


@example("nothing arrived for a day")
def state_paused(because: str) -> str:
    """`webhook list`: an endpoint that is paused."""
    return f"paused: {because}"


@example()
def log_arrived() -> str:
    """`webhook log`: a message that arrived."""
    return "arrived"


@example(None)
@example("the receiver answered 503")
def log_waiting(problem: str | None) -> str:
    """`webhook log`: a message that is sent, or sent again, at the time beside it."""
    return "waiting" if problem is None else f"waiting: {problem}"


@example("the receiver answered 503")
@example(None)
def log_given_up(problem: str | None) -> str:
    """`webhook log`: a message that is not tried any more."""
    return "given up" if problem is None else f"given up: {problem}"


@example()
def bad_state() -> str:
    """`webhook replay` with a message and times."""
    return "--message goes without --since, --until and --all"
