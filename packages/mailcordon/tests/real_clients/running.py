"""One client, sent both ways and compared."""

import secrets
from dataclasses import dataclass, field
from typing import Any

from real_clients import comparing, mails
from real_clients.clients import Client, django_settings
from real_clients.world import Direct, Ledger, Sink, Through, header, recipients_of


@dataclass
class Ends:
    direct: Direct
    sink: Sink
    through: Through
    ledger: Ledger = field(init=False)

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.direct.url)
        self.direct.verify(self.through.domain)


def differences(client: Client, ends: Ends, attachment: int) -> list[str]:
    """One line for each mail, header, part or recipient that differs. Raises Absence if the client cannot be started."""
    meant, arrived = secrets.token_hex(6), secrets.token_hex(6)
    chosen = mails.all_of(attachment)
    _send(client, ends, chosen, meant, direct=True)
    _send(client, ends, chosen, arrived, direct=False)
    expected = [one for one in ends.sink.got if meant in header(one.source, "subject")] + ends.ledger.arrived(
        meant
    )
    deliveries = len(recipients_of(expected))
    got = ends.through.ledger.wait(deliveries, arrived)
    found: list[str] = []
    for mail in chosen:
        direct = [one for one in expected if f"{meant}/{mail.name}" in header(one.source, "subject")]
        through = [one for one in got if f"{arrived}/{mail.name}" in header(one.source, "subject")]
        if not direct:
            found.append(f"{mail.name}: the client sent nothing")
            continue
        if recipients_of(direct) != recipients_of(through):
            found.append(f"{mail.name}: recipients {recipients_of(direct)} became {recipients_of(through)}")
        for one in through:
            if len(one.recipients) != 1:
                found.append(f"{mail.name}: one call of SES for {one.recipients}")
            found += [
                f"{mail.name} to {one.recipients[0]}: {line}"
                for line in comparing.differences(direct[0].source, one.source, marks=(meant, arrived))
            ]
    return found


def _send(client: Client, ends: Ends, chosen: tuple[mails.Mail, ...], marker: str, *, direct: bool) -> None:
    given: dict[str, Any] = {"mails": [mail.json(ends.through.domain, marker) for mail in chosen]}
    if client.door == "ses":
        given["ses"] = ends.direct.ses if direct else ends.through.ses
    elif client.door == "smtp" or direct:
        given["smtp"] = ends.sink.smtp if direct else ends.through.smtp
    given["django"] = (
        ends.through.django() if client.door == "django" and not direct else django_settings(client, given)
    )
    client.start(given)
