"""Django's own tests of mail backends, for ours: `python -m real_clients.django_tests SOURCE`, with the ends as JSON on standard
input.

SOURCE is Django's source distribution: its tests are not installed with it. They send from example.com, and look into a mailbox,
which is the local SES behind Mailcordon. `OUTSIDE` lists the tests that ask for something else than a mail that reads the same.
"""

import json
import sys
import unittest
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.utils import format_datetime
from pathlib import Path
from typing import Any, Final

import django
from django.conf import settings

from mailcordon_client.django import EmailBackend
from real_clients import world

#: Test -> why it does not apply.
OUTSIDE: Final = {
    "test_send_long_lines": "SES chooses the encoding of a text that is given as a field",
    "test_send_unicode": "SES encodes a subject that is given as a field",
    "test_recipient_without_domain": "SES takes no address without a domain",
    "test_lazy_addresses": "SES takes no address without a domain",
}
IDN: Final = "test_idn_send"  # it sends from another domain, which is another type's


class Backend(EmailBackend):
    """Ours, which remembers how many mails must arrive."""

    deliveries = 0

    def send_messages(self, email_messages: Any) -> int:
        kept = list(email_messages)
        sent = super().send_messages(kept)
        for message in kept:
            if accepted := getattr(message, "mailcordon_accepted", None):
                Backend.deliveries += len(accepted.deliveries)
        return sent


def suite(source: Path, given: dict[str, Any]) -> unittest.TestSuite:
    sys.path.insert(0, str(source / "tests"))
    settings.configure(
        DEFAULT_FROM_EMAIL="from@example.com",
        SERVER_EMAIL="from@example.com",
        MAILCORDON_URL=given["url"],
        MAILCORDON_KEY=given["key"],
        MAILCORDON_TYPE=given["type"],
    )
    django.setup()
    from django.test import SimpleTestCase
    from django.test.utils import override_settings
    from mail import tests  # pyright: ignore[reportMissingImports]

    ledger = world.Ledger(given["ses"])
    base: Any = tests.BaseEmailBackendTests  # pyright: ignore[reportUnknownMemberType]

    class MailcordonTests(base, SimpleTestCase):
        email_backend = f"{__name__}.Backend"

        def setUp(self) -> None:
            super().setUp()
            self.flush_mailbox()
            if self._testMethodName == IDN:
                self.enterContext(override_settings(MAILCORDON_TYPE=given["idn_type"]))

        def flush_mailbox(self) -> None:
            self.before = len(ledger.all())
            Backend.deliveries = 0

        def get_mailbox_content(self) -> list[Any]:
            """One mail a message, though SES gets one for each of its recipients."""
            got = ledger.wait(self.before + Backend.deliveries)[self.before :]
            sources = sorted({one.source for one in got}, key=lambda source: world.header(source, "to"))
            return [_read(one) for one in sources]

    found = unittest.TestSuite()
    for test in unittest.defaultTestLoader.loadTestsFromTestCase(MailcordonTests):
        name = getattr(test, "_testMethodName")  # noqa: B009
        if name in OUTSIDE:
            print(f"{name}: does not apply: {OUTSIDE[name]}")
        else:
            found.addTest(test)
    return found


def _read(source: bytes) -> Any:
    message = message_from_bytes(source, policy=policy.default)
    if "date" not in message:  # SES adds it
        message["Date"] = format_datetime(datetime.now(UTC))
    for part in message.walk():
        if part.get_content_maintype() == "text" and part["content-transfer-encoding"] == "7bit":
            # SES ends the last line of a text that is given as a field.
            part.set_payload(str(part.get_payload()).removesuffix("\r\n").removesuffix("\n"))
    return message


if __name__ == "__main__":
    outcome = unittest.TextTestRunner(verbosity=2).run(suite(Path(sys.argv[1]), json.load(sys.stdin)))
    sys.exit(not outcome.wasSuccessful())
