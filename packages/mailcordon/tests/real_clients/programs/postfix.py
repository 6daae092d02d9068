"""Postfix, which relays what an application hands it: an instance of its own, in a temporary directory. Needs root."""

import contextlib
import os
import smtplib
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from email.policy import SMTP
from pathlib import Path
from typing import Any

from real_clients.programs import building
from real_clients.world import Absence

_PATIENCE = 60.0
#: The services of a relay: https://www.postfix.org/master.5.html
_SERVICES = """
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 1 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""
_SETTINGS = """
compatibility_level = 3.6
queue_directory = {home}/queue
data_directory = {home}/data
maillog_file = {home}/mail.log
maillog_file_prefixes = {home}
myhostname = relay.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
relayhost = [{host}]:{to}
message_size_limit = 50000000
smtp_sasl_auth_enable = yes
smtp_sasl_password_maps = static:{username}:{password}
smtp_sasl_security_options =
smtp_sasl_mechanism_filter = plain
smtp_tls_security_level = none
alias_maps =
alias_database =
"""


def send(given: dict[str, Any]) -> None:
    if os.geteuid() != 0:
        raise Absence("Postfix starts as root only")
    with _relay(given["smtp"]) as (port, queue):
        with smtplib.SMTP("127.0.0.1", port, timeout=60) as smtp:
            for mail in given["mails"]:
                smtp.sendmail(
                    mail["from"], building.recipients(mail), building.message(mail).as_bytes(policy=SMTP)
                )
        began = time.monotonic()
        while any(
            path.is_file()
            for name in ("incoming", "active", "deferred")
            for path in queue.glob(f"{name}/**/*")
        ):
            assert time.monotonic() - began < _PATIENCE, (queue.parent / "mail.log").read_text()[-3000:]
            time.sleep(0.05)


@contextlib.contextmanager
def _relay(door: dict[str, Any]) -> Iterator[tuple[int, Path]]:
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as probing:
        home, port = Path(folder), probing.getsockname()[1]
        home.chmod(0o755)
        (home / "queue").mkdir()
        (home / "data").mkdir()
        subprocess.run(["chown", "postfix", home / "data"], check=True)
        (home / "master.cf").write_text(_SERVICES.format(port=port))
        (home / "main.cf").write_text(
            _SETTINGS.format(
                home=home, to=door["port"], **{name: door[name] for name in ("host", "username", "password")}
            )
        )
        probing.close()
        subprocess.run(["postfix", "-c", home, "start"], check=True, capture_output=True)
        try:
            yield port, home / "queue"
            log = (home / "mail.log").read_text()
            assert "status=bounced" not in log, log[-3000:]
        finally:
            subprocess.run(["postfix", "-c", home, "stop"], check=False, capture_output=True)
