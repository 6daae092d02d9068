"""What `observe`, `status` and `doctor` say of the queues that bring SES's events, and of their policies."""

from mailcordon.messages import example, phrases

_PRINT_QUEUE_POLICY = "mailcordon iam queue-policy prints one that fits"


@example(queue="mailcordon-outcome", error="JSON is malformed: invalid character (byte 0)")
def queue_response_invalid(*, queue: str, error: str) -> str:
    """SQS returned something other than its JSON to `observe`; the call is retried."""
    return f"the queue {queue} returned an invalid response: {error}"


@example(
    queue="mailcordon-outcome",
    status=400,
    code="QueueDoesNotExist",
    text="The specified queue does not exist.",
)
def queue_error(*, queue: str, status: int, code: str, text: str) -> str:
    """SQS refused a call of `observe`; the call is retried."""
    return f"the queue {queue} returned {status} {code}: {text}"


@example(queue="mailcordon-outcome", why="no response within 30 s")
def queue_call_failed(*, queue: str, why: str) -> str:
    """SQS did not respond to a call of `observe`, or there are no credentials for it; the call is retried."""
    return f"the queue {queue} cannot be reached: {why}"


@example(why="ungoverned", documents=12)
def quarantine_not_kept(*, why: str, documents: int) -> str:
    """In the log of `observe`: a kind of quarantine has no room for documents that arrived."""
    return f"no room for {why}: {phrases.count(documents, 'document')} in this batch only counted"


@example(topic="arn:aws:sns:us-east-1:123456789012:mailcordon-outcome")
def queue_policy_lacks_topic(*, topic: str) -> str:
    """`doctor`: the policy of an event queue does not let a topic write."""
    return f"Its policy does not let {topic} send, so its events do not arrive. {_PRINT_QUEUE_POLICY}"


@example(sid="TopicsSend")
@example(sid="")
def queue_policy_without_source(*, sid: str) -> str:
    """`doctor`: a statement of an event queue's policy names no topic."""
    named = f'The statement "{sid}"' if sid else "A statement"
    return (
        f"{named} of its policy has no aws:SourceArn, so any account's topics may send. {_PRINT_QUEUE_POLICY}"
    )


@example(sid="TopicsSend", who="arn:aws:sns:*:123456789012:*")
@example(sid="", who="arn:aws:iam::123456789012:role/app")
def queue_policy_lets_others(*, sid: str, who: str) -> str:
    """`doctor`: a statement of an event queue's policy lets others write than our topics."""
    named = f'The statement "{sid}"' if sid else "A statement"
    return (
        f"{named} of its policy lets {who} send, which is not a topic of the settings. {_PRINT_QUEUE_POLICY}"
    )


@example()
def queue_policy_leaves_users() -> str:
    """`doctor`: the policy of an event queue does not deny anybody."""
    return f"Its policy does not keep out the account's own users and roles. {_PRINT_QUEUE_POLICY}"


@example()
def queue_policy_unreadable() -> str:
    """`doctor`: the policy of an event queue is not a policy document."""
    return f"Its policy cannot be read. {_PRINT_QUEUE_POLICY}"


@example()
def queue_policy_ok() -> str:
    """`doctor`: only the topics of the settings write to an event queue."""
    return "Only the topics of the settings may send to it."


@example()
def queue_policy_lacks_rule() -> str:
    """`doctor`: no rule of EventBridge may write to the queue of SES's management events."""
    return (
        "Its policy lets no rule of EventBridge send, so no event arrives. mailcordon iam queue-policy management prints one that"
        " fits."
    )


@example()
def management_queue_ok() -> str:
    """`doctor`: rules of EventBridge may write to the queue of SES's management events, and nobody else."""
    return "Only rules of EventBridge may send to it."


@example()
def management_queue_missing() -> str:
    """`doctor` on AWS: no queue of SES's management events is set."""
    return (
        "None is set (MAILCORDON_MANAGEMENT_QUEUE_URL), so what others change at SES is found by the rolling check only, not"
        " within minutes. docs/operations.md says how to set one up."
    )


@example(why="the queue mailcordon-outcome returned 403 AccessDenied: not authorized")
def queue_policy_not_read(*, why: str) -> str:
    """`doctor` cannot read the policy of an event queue; it needs sqs:GetQueueAttributes."""
    return f"Its policy was not checked (this needs sqs:GetQueueAttributes): {why}."


@example(url="https://sqs/x", name="MAILCORDON_OUTCOME_QUEUE_URL")
def queue_url_without_account(*, url: str, name: str) -> str:
    """`mailcordon iam queue-policy` cannot tell the queue's ARN."""
    return f'{name} is "{url}": it does not end in an account and a name.'


@example(queue="outcome", name="MAILCORDON_OUTCOME_QUEUE_URL")
def queue_not_set(*, queue: str, name: str) -> str:
    """`mailcordon iam queue-policy` is asked about a queue that the settings do not have."""
    return f"The {queue} queue is not known here: set {name}."


@example(url="http://127.0.0.1:8005", why="Connection refused")
def events_not_signed(*, url: str, why: str) -> str:
    """`up` cannot make the local SES sign its events."""
    return f"The local SES at {url} does not sign events: {why}."


@example(url="http://127.0.0.1:8005", why="HTTP Error 404: Not Found")
def management_not_reported(*, url: str, why: str) -> str:
    """`up` cannot make the local SES report its management calls. Changes at SES are then found later, by the rolling check."""
    return f"The local SES at {url} does not report its management calls: {why}."


@example(why="the queue mailcordon-management cannot be reached: no response within 20 s")
def management_not_read(*, why: str) -> str:
    """In the control process's log, once a minute at most: it cannot read the queue of SES's management events, or store them."""
    return f"SES's management events cannot be read: {why}. Until then only the rolling check finds changes at SES"
