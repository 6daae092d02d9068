"""The AWS CLI: `aws sesv2 send-email`, with text and HTML as simple content and everything else raw."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from real_clients.programs import boto3_v2, building


def send(given: dict[str, Any]) -> None:
    ses = given["ses"]
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_ACCESS_KEY_ID": ses["key"],
        "AWS_SECRET_ACCESS_KEY": ses["secret"],
        "AWS_DEFAULT_REGION": ses["region"],
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    aws = Path(sys.executable).with_name("aws")
    for mail in given["mails"]:
        if mail["inline"] or mail["attachment"] or mail["references"]:
            data = building.message(mail).as_bytes().decode()  # it encodes it itself
            asked: dict[str, Any] = {
                "FromEmailAddress": mail["from"],
                "Destination": {"ToAddresses": building.recipients(mail)},
                "Content": {"Raw": {"Data": data}},
            }
        else:
            asked = boto3_v2.request(mail)
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(asked, file)
            file.flush()
            command = [str(aws), "sesv2", "send-email", "--endpoint-url", ses["endpoint"]]
            done = subprocess.run(
                [*command, "--cli-input-json", f"file://{file.name}"],
                env=environment,
                check=False,
                capture_output=True,
                text=True,
            )
            if done.returncode:
                raise RuntimeError(done.stderr)
