"""msmtp, as a program that stands in for sendmail."""

import os
import subprocess
from typing import Any

from real_clients.programs import building


def send(given: dict[str, Any]) -> None:
    door = given["smtp"]
    for mail in given["mails"]:
        command = [
            *("msmtp", "--file=/dev/null", f"--host={door['host']}", f"--port={door['port']}", "--tls=off"),
            *("--auth=plain", f"--user={door['username']}", '--passwordeval=printf %s "$SMTP_PASSWORD"'),
            *(f"--from={mail['from']}", "--", *building.recipients(mail)),
        ]
        done = subprocess.run(
            command,
            input=building.message(mail).as_bytes(),
            env={**os.environ, "SMTP_PASSWORD": door["password"]},
            capture_output=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]
