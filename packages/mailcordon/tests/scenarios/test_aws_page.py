"""docs/aws.md as a reader types it, every block in its order and to its end, against a strict local SES in the sandbox.

CloudFormation, IAM and Organizations are played from the page's own documents (mailcordon_fixtures/aws_program.py); the processes
sign with keys that have exactly the policies of the stack's roles. The domain is one that AWS would take.
"""

import asyncio
import json
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import boto3
import pytest
from botocore.exceptions import ClientError

from mailcordon.adapters.db import roles
from mailcordon_fixtures import served_programs, systems
from mailcordon_fixtures.aws_program import ACCOUNT, KINDS, REGION, AwsProgram
from mailcordon_fixtures.served_programs import Shell
from seslocal import options as seslocal_options

PAGE = (Path(__file__).parents[4] / "docs" / "aws.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.M | re.S)
DOMAIN = "mail.acme-mail.com"
START = "mailcordon up --aws"
MAIL: dict[str, Any] = {
    "FromEmailAddress": f"hello@{DOMAIN}",
    "Destination": {"ToAddresses": ["success@simulator.amazonses.com"]},
    "Content": {"Simple": {"Subject": {"Data": "Hi"}, "Body": {"Text": {"Data": "Hello"}}}},
}


@pytest.fixture
def ses(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """Started as `./dev seslocal --strict --sandbox`, in the account and region of the page."""
    ready = tmp_path / "ready.json"
    options = ["--port", "0", "--strict", "--sandbox", "--account", ACCOUNT, "--region", REGION]
    process = subprocess.Popen(
        [sys.executable, "-m", "seslocal", *options, "--ready-file", str(ready)],
        env=systems.environment(tmp_path),
    )
    try:
        systems.wait_until(ready.exists, "the local SES is ready")
        yield json.loads(ready.read_text())
    finally:
        process.terminate()
        process.wait(systems.PATIENCE)


@pytest.fixture
def database_url(postgres: Any) -> Iterator[str]:
    name = f"mct_aws_{secrets.token_hex(4)}"
    yield postgres.database_dsn(name)

    async def drop() -> None:
        admin = await asyncpg.connect(postgres.dsn)
        await admin.execute(f"drop database if exists {name} with (force)")
        for role in roles.role_names(name).values():
            await admin.execute(f"drop role if exists {role}")
        await admin.close()

    asyncio.run(drop())


class Reader:
    """Somebody who follows the page, with what lies outside of it: a DNS console, and a terminal in which `up` runs."""

    def __init__(self, aws: AwsProgram, home: Path, directory: Path, database_url: str, ses: Any) -> None:
        self.aws, self.home, self._database_url = aws, home, database_url
        credentials = directory / "credentials"
        credentials.write_text(
            "".join(
                f"[mailcordon-{kind}]\naws_access_key_id = mailcordon-{kind}\naws_secret_access_key = mailcordon-{kind}\n"
                for kind in KINDS
            )
        )
        self._outside = {
            "AWS_SHARED_CREDENTIALS_FILE": str(credentials),
            "AWS_CONFIG_FILE": str(directory / "none"),
            "MAILCORDON_SES_ENDPOINT": ses["url"],
            "MAILCORDON_SQS_ENDPOINT": ses["url"],
            "MAILCORDON_DNS_SERVERS": f"127.0.0.1:{ses['dns_port']}",
            # SNS's certificates are at AWS only: events are proved by the queues' policies, which the stack has put.
            "MAILCORDON_EVENT_PROOF": "queue-policy",
            "MAILCORDON_DNS_TIMEOUT_SECONDS": "30",  # a machine may have much else to do
            # Two roles that the page does not need cost as much as the rest of it.
            **dict.fromkeys(("MAILCORDON_SMTP", "MAILCORDON_DASHBOARD"), "off"),
        }
        self.shell = Shell(
            directory,
            {"mailcordon": served_programs.mailcordon, "aws": self._aws, "seslocal": self._seslocal},
            systems.environment(home, self._outside),
        )
        self._directory = directory
        self.up: subprocess.Popen[bytes] | None = None

    def follow(self, block: str) -> str:
        """A block as it stands, but for the domain, the database and the terminal that `up` takes."""
        text = block.replace("mail.acme.example", DOMAIN).replace(
            "links.platform.example", "links.platform.com"
        )
        text = re.sub(r"postgresql://admin:\S+", f"'{self._database_url}'", text)
        # It ends with 1: nothing answers yet at the name of the links to unsubscribe. A reader's shell goes on.
        text = text.replace("mailcordon doctor --aws\n", "mailcordon doctor --aws || true\n")
        said = ""
        before, start, after = text.partition(START)
        said += self.shell.run(before)
        if start:
            self._start()
            said += self.shell.run(after.partition("\n")[2])
        return said

    def _start(self) -> None:
        variables = self.shell.run("env -0 | tr '\\n\\0' ' \\n'")
        settings = dict(
            line.split("=", 1) for line in variables.splitlines() if line.startswith(("MAILCORDON_", "AWS_"))
        )
        with (self._directory / "up.txt").open("wb") as said:
            self.up = subprocess.Popen(
                [sys.executable, "-m", "mailcordon", *START.split()[1:], "--port", "0"],
                env=systems.environment(self.home, settings),
                stdout=said,
                stderr=said,
            )
        up = self.up
        systems.wait_until(
            lambda: (self.home / "run.json").exists() or up.poll() is not None, "the processes are up", 240
        )
        assert up.poll() is None, (self._directory / "up.txt").read_text()

    def _aws(self, words: list[str]) -> int:
        print(self.aws.run(words, self._directory), end="")
        return 0

    def _seslocal(self, words: list[str]) -> int:
        """Its options and files are read; it would not come to an end."""
        seslocal_options.parser().parse_args(words)
        return 0

    def publish(self) -> None:
        """The records that the page prints, as a DNS console takes them."""
        records = json.loads(self.shell.run(f"mailcordon identity records {DOMAIN} --json"))
        found = [
            {"name": one["name"], "type": one["type"], "value": one["value"]}
            for one in records.get("records") or records["items"]
        ]
        self.aws.admin("PUT", "dns", {"records": found})

    def is_delivered(self, message: str) -> bool:
        return "delivered" in self.shell.run(f"mailcordon why {message}")

    def is_ready(self) -> bool:
        found = json.loads(self.shell.run("mailcordon tenant show acme --json"))
        return all(lane["state"] == "open" for lane in found["lanes"])


@pytest.mark.timeout(900)  # as long as a machine with much else to do takes for a start of all processes
@pytest.mark.skipif(shutil.which("sh") is None, reason="the page is for a shell")
def test_each_block_of_the_page_works_in_its_order(
    ses: dict[str, Any],
    database_url: str,
    tmp_path: Path,
    short_home: Callable[[], AbstractContextManager[Path]],
) -> None:
    aws = AwsProgram(ses["url"])
    directory = tmp_path / "reader"
    directory.mkdir()
    with short_home() as home:
        reader = Reader(aws, home, directory, database_url, ses)
        try:
            _follow(reader, aws)
        finally:
            reader.shell.close()
            if reader.up is not None and reader.up.poll() is None:
                reader.up.terminate()
                reader.up.wait(systems.PATIENCE)


def _follow(reader: Reader, aws: AwsProgram) -> None:
    message = ""
    for language, block in BLOCKS:
        if language == "ini":  # profiles: those of the keys that have the roles' policies lie there already
            assert re.findall(r"^\[profile (.*)\]$", block, re.M) == [f"mailcordon-{kind}" for kind in KINDS]
            continue
        if "mailcordon down" in block:
            may_not_send(aws, "shop")
            may_not_send(aws, aws.bystander)
        before, why, after = block.partition("mailcordon why MESSAGE")
        said = reader.follow(before)
        if why:
            [message] = set(re.findall(r"msg_\w+", said))
            try:
                systems.wait_until(partial(reader.is_delivered, message), "the mail is delivered")
            except AssertionError as late:
                late.add_note(reader.shell.run(f"mailcordon why {message}; mailcordon status || true"))
                raise
            said += reader.follow(f"mailcordon why {message}{after}")
        if "doctor --aws" in block:
            assert "sandbox: 200 recipients a day" in said
            assert re.findall(r"\[BAD \] ([^:]*):", said) == ["links to unsubscribe, TLS"], said
            assert f"assumed-role/mailcordon-send-{REGION}" in said
        if "identity records" in block:
            reader.publish()
            systems.wait_until(reader.is_ready, "SES has verified the domain and the lane is open", 240)
        if "put-account-details" in block:
            assert "PENDING" in said
    assert message
    assert reader.up is not None
    assert reader.up.wait(systems.PATIENCE) == 0
    assert {line for line in aws.said if line.startswith("cloudformation")} == {
        *("cloudformation deploy", "cloudformation describe-stacks", "cloudformation delete-stack")
    }


def may_not_send(aws: AwsProgram, key: str) -> None:
    session = boto3.session.Session(key, key, region_name=REGION)
    client = session.client("sesv2", endpoint_url=aws.url)  # pyright: ignore[reportUnknownMemberType]
    with pytest.raises(ClientError) as refused:
        client.send_email(**MAIL)
    said: Any = refused.value.response
    assert said["Error"]["Code"] == "AccessDeniedException", key
