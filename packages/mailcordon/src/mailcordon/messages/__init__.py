"""Every sentence that a user can read, one module per subject.

What the API, the CLI and the log show in the same words:

- `reasons`: why mail, a lane or an address is in the state it is in.
- `drift`: what was found at SES that differs from what is desired, and why a finding ended.
- `plans`: what a plan does, and why a step cannot be planned or applied.
- `policies`: what is wrong with a policy, what a plan of it changes, and why a tier or a limit is suggested.
- `lifecycle`: what it means to move, retire, bring back or erase a lane, a domain or a tenant.
- `document`: what is wrong with a document of tenants.
- `proofs`: what a proof of attribution shows, and what did not come back.
- `sharing`: what the lanes of a tenant share. `isolation` says it by dimension, with what would end it.
- `identities`: the DNS records of a domain, whose it is, and what is wrong with what is published.
- `search`: what a search did not find, and why something is as it is.
- `holds`: what placing, lifting or cancelling would do.
- `status`: what is not well, and what to do about it. `queues` and `audit` say the same of SES's events and of the audit trail.

What one surface says:

- `api`, `mail`, `keys`, `door`: why the REST API refuses a request, a mail, a key or a connection.
- `cli`, `drill`: what the command line prints.
- `system`, `settings`, `database`: what `up`, `down`, `migrate`, `doctor` and the role processes print.

A message is a function of plain values that returns the text. Its docstring says when the user sees it, and `@example`
gives values to show it with. `./dev messages` prints all of them into docs/reference/messages.md, so that a reviewer reads
them in one place. This package imports the standard library only, so that every layer may import it.
"""

from mailcordon.messages.catalogue import example

__all__ = ["example"]
