"""Whether a message of an event queue comes from SES: its envelope's topic is ours, and SNS signed it (ses.md 4.7).

The tags on a mail prove to which attempt an event belongs, not what kind of event it is: everybody who has seen one event has
its tags. The kind is proved by SNS's signature, over the whole document, or by the queue's policy, which lets only our topics
write to the queue. Raw delivery and EventBridge have no signature, so they need the queue's policy.
"""

import binascii
from collections.abc import Set

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from mailcordon.adapters.ses.certificates import Certificates, SigningKey, check_address
from mailcordon.adapters.ses.event_document import SnsMessage
from mailcordon.messages import reasons
from mailcordon.observe.ports import Undecided

_PADDING = padding.PKCS1v15()
# SNS's version 1 is SHA-1: forging needs a second document with the same digest as one that SNS signed, which nobody can make.
_HASHES: dict[str, hashes.HashAlgorithm] = {"1": hashes.SHA1(), "2": hashes.SHA256()}  # noqa: S303


class Proof:
    """What proves an event. `certificates` None: the queue's policy does; then only the topic is checked."""

    def __init__(self, topics: Set[str], certificates: Certificates | None = None) -> None:
        self._topics = topics
        self._certificates = certificates
        #: Topics that sign with version 1, as `doctor` warns.
        self.version_1_topics: set[str] = set()

    @property
    def is_signature(self) -> bool:
        return self._certificates is not None

    def check(self, message: SnsMessage) -> str | Undecided | None:
        """Returns None if the message is proved, else why not, or the certificate that must be fetched first."""
        topic = message.TopicArn
        if topic not in self._topics:
            return reasons.foreign_topic((topic or "")[:300])
        if self._certificates is None:
            return None
        assert topic is not None
        return self._check_signature(message, topic, self._certificates)

    def without_envelope(self) -> str | None:
        """Returns why a message without SNS's envelope is not believed, or None."""
        return reasons.not_signed() if self.is_signature else None

    async def fetch(self, certificates: Set[str]) -> None:
        if self._certificates is not None:
            await self._certificates.fetch(certificates)

    def _check_signature(
        self, message: SnsMessage, topic: str, certificates: Certificates
    ) -> str | Undecided | None:
        text, hash = signed_text(message), _HASHES.get(message.SignatureVersion or "")
        url = message.SigningCertURL
        if text is None or hash is None or message.Signature is None or url is None:
            return reasons.not_signed()
        found = certificates.find(url)
        if not isinstance(found, SigningKey):  # only addresses that passed are asked
            wrong = check_address(url, topic)
            if wrong is not None:
                return wrong
            return Undecided(url, certificates.why_not_yet(url)) if found is None else found
        assert message.Timestamp is not None
        try:
            signature = binascii.a2b_base64(message.Signature)
            found.key.verify(signature, text, _PADDING, hash)
        except (InvalidSignature, ValueError):
            if certificates.is_stale(url):
                return Undecided(url, certificates.why_not_yet(url))
            return reasons.wrong_sns_signature()
        except UnsupportedAlgorithm as error:  # a system whose policy forbids SHA-1
            return reasons.signature_not_checked(str(error))
        if not found.is_valid_at(message.Timestamp):
            return reasons.certificate_not_valid_then(message.Timestamp[:40])
        if message.SignatureVersion == "1":
            self.version_1_topics.add(topic)
        return None


def signed_text(message: SnsMessage) -> bytes | None:
    """What SNS signs: names and values by line, in the order of the names. None if a member is missing."""
    if message.Type == "Notification":
        subject = "" if message.Subject is None else f"Subject\n{message.Subject}\n"
        needed = (message.Message, message.MessageId, message.Timestamp, message.TopicArn)
        if None in needed:
            return None
        text = (
            f"Message\n{message.Message}\nMessageId\n{message.MessageId}\n{subject}"
            f"Timestamp\n{message.Timestamp}\nTopicArn\n{message.TopicArn}\nType\nNotification\n"
        )
    else:
        needed = (
            message.Message,
            message.MessageId,
            message.SubscribeURL,
            message.Timestamp,
            message.Token,
            message.TopicArn,
        )
        if None in needed:
            return None
        text = (
            f"Message\n{message.Message}\nMessageId\n{message.MessageId}\nSubscribeURL\n{message.SubscribeURL}\n"
            f"Timestamp\n{message.Timestamp}\nToken\n{message.Token}\nTopicArn\n{message.TopicArn}\nType\n{message.Type}\n"
        )
    return text.encode(errors="surrogatepass")
