"""Rehearsals: what a planned change would do to the coming week, played over the installation's own last week. Pure.

`change` is the document that says what is planned, `week` last week's counters taken as the coming week's mail, `providers` how
mailbox providers and SES react, `mailing` the bought list, `play` one week under the policy or without it, `move` a rollout,
`trust` how far all that can be believed, and `job` puts them together (docs/rehearse.md).
"""
