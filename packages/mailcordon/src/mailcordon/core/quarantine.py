"""Why an event is set aside: the kinds of quarantine. How much of each is kept stands in the table `quarantine_kind`."""

MALFORMED = "malformed"
UNVERIFIED = "unverified"  #: nothing proves that it comes from SES
UNGOVERNED = "ungoverned"  #: mail of the account that did not pass through us
DISAGREEMENT = "disagreement"
UNKNOWN_DELIVERY = "unknown-delivery"
DOUBLE = "double"

KINDS = (MALFORMED, UNVERIFIED, UNGOVERNED, DISAGREEMENT, UNKNOWN_DELIVERY, DOUBLE)
