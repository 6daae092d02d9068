"""The AWS CLI: the same calls as boto3's, as commands; and one mail sent as a person would type it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from awscli.clidriver import create_clidriver
from botocore import xform_name
from local import DOMAIN, KEYS, REGION, Local

from conformance import probe

ACTING = json.loads(os.environ["SESLOCAL_ACTING"])
_ERROR = re.compile(r"An error occurred \((\w+)\) when calling the \w+ operation(?: \(.*?\))?: (.*)", re.S)


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    return {
        "AWS_ACCESS_KEY_ID": KEYS["aws_access_key_id"],
        "AWS_SECRET_ACCESS_KEY": KEYS["aws_secret_access_key"],
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": os.environ["SESLOCAL_URL"],
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_MAX_ATTEMPTS": "1",
    }


@pytest.fixture(scope="module")
def answers(environment: dict[str, str]) -> dict[str, dict[str, Any] | probe.Refusal]:
    Local(os.environ["SESLOCAL_URL"]).admin("POST", "/reset")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        # One driver for all commands: a process per command would take a second each.
        driver = create_clidriver()

        def call(operation: str, given: dict[str, Any]) -> dict[str, Any] | probe.Refusal:
            text = json.dumps(given, default=lambda moment: moment.isoformat())
            out, err = io.StringIO(), io.StringIO()
            command = ["sesv2", xform_name(operation, "-"), "--cli-input-json", text, "--output", "json"]
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = driver.main(command)
            if code == 0:
                return json.loads(out.getvalue() or "{}")
            found = _ERROR.search(err.getvalue())
            assert found, f"{' '.join(command)} ended with {code}: {err.getvalue()}"
            return probe.Refusal(found[1], 0, found[2].strip())

        return probe.run(ACTING, call)


@pytest.mark.parametrize("operation", ACTING)
def test_a_minimal_command_succeeds_or_is_refused_as_documented(
    answers: dict[str, dict[str, Any] | probe.Refusal], operation: str
):
    probe.check_outcome(operation, answers[operation])


def test_a_typed_send_command_sends_a_mail(local: Local, environment: dict[str, str]):
    aws = Path(sys.executable).parent / "aws"
    words = [
        *("sesv2", "send-email", "--from-email-address", f"hello@{DOMAIN}"),
        *("--destination", "ToAddresses=zoe@reader.example"),
        *("--content", "Simple={Subject={Data=Hi},Body={Text={Data=Hello}}}"),
    ]
    done = subprocess.run(
        [sys.executable, aws, *words], env={**os.environ, **environment}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    [mail] = local.sent()
    assert json.loads(done.stdout)["MessageId"] == mail["message_id"]
    assert mail["recipients"] == ["zoe@reader.example"]
