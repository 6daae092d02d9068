"""Every sentence that a user can read, one module per surface.

- `reasons`: why mail, a lane or an address is in the state it is in. The API, the CLI and the log show the same text.
- `drift`: what was found at SES that differs from what is desired, and why a finding ended.
- `api`: what the REST API says when it refuses a request.
- `cli`: what the command line prints.
- `system`: what `up`, `down`, `migrate`, `doctor` and the role processes print, and what is wrong with a setting.
- `plans`: what a plan does, and why a step cannot be planned or applied. The API and the CLI show the same text.
- `lifecycle`: what it means to move, retire, bring back or erase a lane, a domain or a tenant. The API and the CLI show the same.

A message is a function of plain values that returns the text. Its docstring says when the user sees it, and `@example`
gives values to show it with. `./dev messages` prints all of them into docs/reference/messages.md, so that a reviewer reads
them in one place. This package imports the standard library only, so that every layer may import it.
"""

from mailcordon.messages.catalogue import example

__all__ = ["example"]
