"""The rules over the words of a text, in the order in which they are asked: the first that matches decides.

A rule that tells of one cause with certainty comes before one whose words are also used for other causes: a full mailbox is
"unavailable" too, and a blocked host is "rejected" like an unknown recipient.
"""

from mailcordon.observe.bounce_reasons import host_phrases, message_phrases, recipient_phrases, sender_phrases
from mailcordon.observe.bounce_reasons.phrase import Phrase

PHRASES: tuple[Phrase, ...] = (
    sender_phrases.GREYLISTED,
    host_phrases.VERIFICATION_IN_PROGRESS,
    sender_phrases.SENDERS_OF_A_GROUP,
    recipient_phrases.RESTRICTED_RECIPIENT,
    sender_phrases.REPUTATION,
    message_phrases.LINK_LISTS,
    sender_phrases.ADDRESS_LISTS,
    sender_phrases.SENDING_QUOTA,
    recipient_phrases.MAILBOX_FULL,
    sender_phrases.TOO_MANY_AT_ONCE,
    message_phrases.TOO_LARGE,
    sender_phrases.RELAYING,
    message_phrases.SPAM_BY_NAME,
    sender_phrases.AUTHENTICATION,
    recipient_phrases.RECIPIENT_OWN_RULES,
    sender_phrases.SENDER,
    sender_phrases.CLIENT_HOST,
    sender_phrases.SENDING_SIDE,
    message_phrases.SPAM_AND_MALWARE,
    message_phrases.SYNTAX,
    message_phrases.POLICY,
    host_phrases.NAME_SERVER_TROUBLE,
    recipient_phrases.NO_SUCH_DOMAIN,
    host_phrases.NETWORK,
    recipient_phrases.UNKNOWN_RECIPIENT,
    recipient_phrases.DISABLED_MAILBOX,
    message_phrases.REFUSED,
)
#: Asked after the statuses that say that an address is wrong: words that hosts also use when they explain it.
BROAD_PHRASES: tuple[Phrase, ...] = (
    host_phrases.PROTOCOL,
    host_phrases.GAVE_UP,
    recipient_phrases.ANY_QUOTA,
    host_phrases.TEMPORARY_TROUBLE,
)
#: Asked after the codes: words that any refusal may have.
LAST_PHRASES: tuple[Phrase, ...] = (recipient_phrases.RECIPIENT_REFUSED, message_phrases.MESSAGE_REFUSED)
