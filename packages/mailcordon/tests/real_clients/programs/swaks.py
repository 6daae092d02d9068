"""swaks."""

import subprocess
from email.policy import SMTP
from typing import Any

from real_clients.programs import building


def send(given: dict[str, Any]) -> None:
    door = given["smtp"]
    for mail in given["mails"]:
        command = [
            *("swaks", "--server", door["host"], "--port", str(door["port"]), "--silent", "2"),
            *("--auth", "PLAIN", "--auth-user", door["username"], "--auth-password", door["password"]),
            *("--from", mail["from"], "--to", ",".join(building.recipients(mail))),
            *("--no-data-fixup", "--data", "-"),
        ]
        # It adds the dots that SMTP needs only to data that it may change otherwise, too.
        data = b"\r\n".join(
            b"." + line if line.startswith(b".") else line
            for line in building.message(mail).as_bytes(policy=SMTP).split(b"\r\n")
        )
        done = subprocess.run(command, input=data + b".", capture_output=True, timeout=120, check=False)
        assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]
