"""What is counted of a cohort: the mail that was handed to SES in one minute (docs/decisions/032-cohorts.md).

A delivery counts once for each column, whatever is repeated. Counts may fall: a delivery moves to another cohort when SES reports
an earlier attempt, or when its recipient's mailbox provider becomes known.
"""

#: In the order of `cohort_change.counts`. Bounces are counted by the group of their reason as well, hard and soft together.
COLUMNS = (
    "sent",  #: handed to SES, by our own ledger, in the minute of the call
    "send_events",  #: of these, how many SES's Send event was seen of
    "delivered",
    "hard_bounced",
    "soft_bounced",
    "complained",
    "delayed",
    "rejected",
    "suppressed_at_ses",
    "opened",  #: by people
    "clicked",
    "machine_opened",  #: by scanners, proxies and other programs, as SES tells
    "machine_clicked",
    "unclear",  #: calls that SES gave no clear answer to, and of which it never reported anything
    "recipient_gone",
    "recipient_full",
    "sender_reputation",
    "sender_auth",
    "content",
    "throttled",
    "policy",
    "infrastructure",
    "undetermined",
)
