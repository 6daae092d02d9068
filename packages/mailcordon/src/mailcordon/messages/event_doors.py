"""What the doors for events answer: SNS over HTTPS, Firehose, EventBridge, and the replay of files (docs/events.md)."""

from mailcordon.messages import example, phrases, times

# SNS over HTTPS -------------------------------------------------------------------------------------------------------------


@example()
def no_sns_message() -> str:
    """`POST /v1/events/sns`: the body is no message of SNS, or not of a kind that we know."""
    return "This address takes messages of SNS: a Notification, a SubscriptionConfirmation or an UnsubscribeConfirmation"


@example()
def raw_delivery() -> str:
    """`POST /v1/events/sns`: the subscription has raw message delivery, which has no signature."""
    return (
        "Raw message delivery has no signature, so nothing proves that SNS sent it. Switch it off: "
        "aws sns set-subscription-attributes --attribute-name RawMessageDelivery --attribute-value false"
    )


@example("2020-05-07T07:25:25.364Z")
@example("")
def not_of_now(timestamp: str) -> str:
    """`POST /v1/events/sns`: a signed message is older than SNS would still send it, or comes from the future."""
    if not timestamp:
        return "The message has no Timestamp"
    return (
        f"The message is of {timestamp}. Only messages of the last 75 minutes are taken here; "
        "`mailcordon events replay` reads older ones from a file"
    )


@example("sns.us-east-1.amazonaws.com", "HTTP 403")
def sns_unreachable(host: str, why: str) -> str:
    """A subscription could not be confirmed; SNS asks again."""
    return f"{host} did not confirm the subscription: {why}"


@example("arn:aws:sns:us-east-1:123456789012:mailcordon-outcome")
def subscription_confirmed(topic: str) -> str:
    """In the log of the API: SNS asked, the topic is one of ours, and we confirmed."""
    return f"subscription to {topic} confirmed"


@example("arn:aws:sns:us-east-1:123456789012:mailcordon-outcome")
def subscription_cancelled(topic: str) -> str:
    """In the log of the API: somebody cancelled the subscription of this address."""
    return f"subscription to {topic} was cancelled: its events do not come here any more"


@example(topic="arn:aws:sns:us-east-1:123456789012:mailcordon-outcome", at=1_795_879_380_000)
def subscription_ended(*, topic: str, at: int) -> str:
    """An incident's sentence: the subscription of our address was cancelled."""
    return (
        f"The subscription of this installation's address to {topic} was cancelled at {times.minute(at)}: "
        "events of that topic do not come here any more"
    )


@example(topic="arn:aws:sns:us-east-1:123456789012:mailcordon-outcome")
def subscription_ended_next(*, topic: str) -> str:
    """What to do about it."""
    return f"Subscribe it again; it is confirmed by itself. If nobody wants {topic} here, take it out of the settings"


@example(topic="arn:aws:sns:us-east-1:123456789012:mailcordon-outcome")
def subscribe_command(*, topic: str) -> str:
    """The command of that incident."""
    return f"aws sns subscribe --topic-arn {topic} --protocol https --notification-endpoint https://HOST/v1/events/sns"


@example(topic="arn:aws:sns:us-east-1:123456789012:mailcordon-outcome")
def subscription_culprit(*, topic: str) -> str:
    """The culprit of that incident. SNS does not say who did it; CloudTrail does."""
    return f"whoever called Unsubscribe for {topic} (CloudTrail names the caller)"


@example(count=12, codes="foreign-topic 10, not-signed 2", last="29 Nov 2026 14:00 UTC")
def status_refused(*, count: int, codes: str, last: str) -> str:
    """In the status: what somebody sent as SNS in the last ten minutes was not believed."""
    return (
        f"Since they started, the API processes have refused {count:,} messages that were sent as SNS's ({codes}); "
        f"the last was at {last}."
    )


@example()
def status_refused_next() -> str:
    """What to do about it."""
    return (
        "If one of your topics is meant, it loses these events: docs/events.md says what each code wants. Else nothing: "
        "anybody can send to the address."
    )


# Firehose and EventBridge ---------------------------------------------------------------------------------------------------


@example()
def access_key_missing() -> str:
    """`POST /v1/events/firehose`: the delivery stream has no access key."""
    return (
        "X-Amz-Firehose-Access-Key is missing. Set the stream's access key to an API key with the scope events: "
        "mailcordon key create --platform --scope events"
    )


@example()
def no_firehose_batch() -> str:
    """`POST /v1/events/firehose`: the body is no batch of Firehose."""
    return "The body is no batch of Firehose: an object with requestId, timestamp and records"


@example(60_000)
def too_many_in_batch(most: int) -> str:
    """`POST /v1/events/firehose`: a batch has more events than Firehose would put into one."""
    return f"The batch has more than {most:,} events. Give the stream a buffer of 1 to 5 MiB"


@example()
def request_ids_differ() -> str:
    """`POST /v1/events/firehose`: the header and the body name different requests."""
    return "X-Amz-Firehose-Request-Id and the body's requestId differ"


@example("br")
def unknown_encoding(encoding: str) -> str:
    """`POST /v1/events/firehose`: the body is compressed in another way than Firehose does it."""
    return f"Content-Encoding {encoding} is not supported: Firehose sends gzip or none"


@example()
def not_gzip() -> str:
    """`POST /v1/events/firehose`: the body cannot be decompressed."""
    return "The body is not gzip, or is cut off"


@example()
def not_base64() -> str:
    """Why a record of Firehose is in quarantine."""
    return "its data is not base64"


@example()
def no_event_bridge_event() -> str:
    """`POST /v1/events/eventbridge`: the body is no event of EventBridge."""
    return "The body is no event of EventBridge: an object with detail-type, source and detail"


# Files ----------------------------------------------------------------------------------------------------------------------


@example(1000)
def bad_number_of_documents(most: int) -> str:
    """`POST /v1/events/replay`: nothing in the body, or too much."""
    return f"must have 1 to {most} texts"


@example(file="events.jsonl.gz", why="it is cut off")
def file_not_read(*, file: str, why: str) -> str:
    """`mailcordon events replay` could not read a file to its end."""
    return f"{file} cannot be read: {why}"


@example(file="events.jsonl.gz", documents=12000)
def replaying(*, file: str, documents: int) -> str:
    """`mailcordon events replay`, while it works."""
    return f"{file}: {documents:,} documents handed in"


@example(file="events.jsonl.gz", documents=12000)
def how_to_resume(*, file: str, documents: int) -> str:
    """`mailcordon events replay` ended before the end of its files."""
    return (
        f"The first {phrases.count(documents, 'document')} of {file} are stored. Run it again: what is stored counts once. "
        f"--skip {documents} leaves them out"
    )


@example(new=1200, copies=30, quarantined=2, unmapped=0)
@example(new=1200, copies=30, quarantined=2, unmapped=60)
def replayed(*, new: int, copies: int, quarantined: int, unmapped: int) -> str:
    """The result of `mailcordon events replay`."""
    counted = f"{phrases.count(new, 'new event')}, {phrases.count(copies, 'copy')} of known ones, {quarantined} in quarantine"
    return (
        f"{counted}, {unmapped} of no known tenant (`mailcordon observe unmapped`)" if unmapped else counted
    )


@example(left_out=2, most=900000)
def too_long(*, left_out: int, most: int) -> str:
    """`mailcordon events replay`: some texts are longer than the API takes."""
    return f"{phrases.count(left_out, 'document')} of more than {most:,} bytes left out"


# All doors ------------------------------------------------------------------------------------------------------------------


@example()
def not_stored() -> str:
    """A door could not store an event, and not even quarantine it."""
    return "An event could not be stored. Send it again"


@example(60000)
def too_many_events(most: int) -> str:
    """Events arrive faster than they are stored."""
    return f"{phrases.count(most, 'event')} wait to be stored. Send these again later"


@example("the database does not respond")
def database_away(why: str) -> str:
    """The database is unavailable: whoever sends events keeps them and tries again."""
    return f"The events were not stored: {why}. Send them again"


@example()
def stopping() -> str:
    """The process is stopping, and the events are not confirmed."""
    return "The events were not stored: this process is stopping. Send them again"


@example("the certificate cannot be had at present")
def certificate_awaited(why: str) -> str:
    """Whether SNS signed a message is not known yet, since its certificate is not here."""
    return f"Whether SNS signed this is not known yet: {why}. Send it again"


@example("wrong-signature", "SNS did not sign it")
def refused(code: str, why: str) -> str:
    """In the log of the API, once a minute for each code: a request that a door for events did not believe."""
    return f"an event was refused ({code}): {why}"
