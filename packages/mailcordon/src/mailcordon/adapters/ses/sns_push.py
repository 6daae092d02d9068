"""What SNS sends to our own address: whether SNS sent it, and the answer to its question whether we want it (ses.md 4.7).

Anybody can send to the address, so SNS's signature is checked whatever proves the events of the queues. What costs least is
looked at first: the topic, the time, the address of the certificate, and then the signature. A subscription is confirmed by a
request of our own, to the host of SNS in the topic's region; no address that the message names is ever asked, except that of the
certificate, which must be on the same host (certificates.py).
"""

import asyncio
import http.client
import ssl
from collections.abc import Callable, Set
from urllib.parse import urlencode, urlsplit

from mailcordon.adapters.ses.certificates import host_of
from mailcordon.adapters.ses.event_document import SnsMessage
from mailcordon.adapters.ses.event_values import milliseconds
from mailcordon.adapters.ses.feedback import decode_with_envelope
from mailcordon.adapters.ses.sns_signature import Proof
from mailcordon.core.queue import Unreachable
from mailcordon.messages import event_doors as messages
from mailcordon.messages import reasons
from mailcordon.observe.door import Asked, Body, Cancelled, NotBelieved, Pushed, Told
from mailcordon.observe.ports import Undecided

#: How old a message may be. SNS tries for an hour at most (its delivery policies allow no more), and clocks differ.
OLDEST_MS = 75 * 60_000
AHEAD_MS = 15 * 60_000
CONFIRM_SECONDS = 5.0
LARGEST_ANSWER = 64 * 1024
LONGEST_TOKEN = 4096


class SnsPush:
    """Implements `observe.door.SnsMessages`. `proof` must check signatures."""

    def __init__(self, proof: Proof, topics: Set[str]) -> None:
        assert proof.is_signature
        self._proof = proof
        self._topics = topics

    def is_ours(self, topic: str) -> bool:
        return topic in self._topics

    def read(self, body: Body, now: int) -> Told:
        decoded, envelope = decode_with_envelope(body)
        if envelope is None:
            return NotBelieved("no-message", messages.no_sns_message())
        topic = envelope.TopicArn
        if topic is None or topic not in self._topics:
            return NotBelieved("foreign-topic", reasons.foreign_topic((topic or "")[:300]))
        at = milliseconds(envelope.Timestamp)
        if at is None or not now - OLDEST_MS <= at <= now + AHEAD_MS:
            return NotBelieved("too-old", messages.not_of_now((envelope.Timestamp or "")[:40]))
        verdict = self._proof.check(envelope)
        if isinstance(verdict, Undecided):
            return verdict
        if verdict is not None:
            return NotBelieved("not-signed", verdict)
        if envelope.Type == "Notification":
            return Pushed(decoded, topic, at)
        if envelope.Type == "UnsubscribeConfirmation":
            return Cancelled(decoded, topic, at)
        return _asked(envelope, topic, at)

    async def fetch(self, certificates: Set[str]) -> None:
        await self._proof.fetch(certificates)


def _asked(envelope: SnsMessage, topic: str, at: int) -> Told:
    token = envelope.Token or ""
    if envelope.Type != "SubscriptionConfirmation" or not 0 < len(token) <= LONGEST_TOKEN:
        return NotBelieved("no-message", messages.no_sns_message())
    return Asked(topic, token, at)


#: One GET: host, port, whether it is https, path -> status and body. Follows no redirect.
Request = Callable[[str, int | None, bool, str], tuple[int, bytes]]


class SnsConfirmer:
    """Implements `observe.door.Confirmer`. `endpoint`: the local SES's, instead of AWS's hosts."""

    def __init__(self, endpoint: str | None = None, *, request: Request | None = None) -> None:
        self._endpoint = None if endpoint is None else urlsplit(endpoint)
        self._request = request or _get

    async def confirm(self, topic: str, token: str) -> None:
        query = urlencode(
            {"Action": "ConfirmSubscription", "TopicArn": topic, "Token": token, "Version": "2010-03-31"}
        )
        local = self._endpoint
        if local is not None:
            assert local.hostname is not None
            place = (local.hostname, local.port, local.scheme == "https")
        else:
            place = (host_of(topic), None, True)
        try:
            status, body = await asyncio.to_thread(self._request, *place, f"/?{query}")
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(
                messages.sns_unreachable(place[0], str(error) or type(error).__name__)
            ) from error
        if status != 200 or b"<SubscriptionArn>" not in body:
            raise Unreachable(messages.sns_unreachable(place[0], reasons.http_status(status)))


def _get(host: str, port: int | None, secure: bool, path: str) -> tuple[int, bytes]:
    if secure:
        context = ssl.create_default_context()
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            host, port, timeout=CONFIRM_SECONDS, context=context
        )
    else:
        connection = http.client.HTTPConnection(host, port, timeout=CONFIRM_SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read(LARGEST_ANSWER)
    finally:
        connection.close()
