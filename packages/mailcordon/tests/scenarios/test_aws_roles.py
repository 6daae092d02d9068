"""The drill on a system whose processes have keys with exactly the printed policies: each may do what it needs."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mailcordon.run import iam_policies
from mailcordon_fixtures import systems

KINDS = ("send", "administer", "observe")
PLACE = iam_policies.Place(account="123456789012", region="us-east-1")


@contextmanager
def local_ses(directory: Path) -> Iterator[str]:
    """A local SES with a key for each role, started as docs/aws.md says."""
    options: list[str] = []
    for kind in KINDS:
        file = directory / f"{kind}.json"
        file.write_text(json.dumps(getattr(iam_policies, kind)(PLACE)))
        options += ["--key", f"{kind}:secret-of-{kind}", "--policy", f"{kind}={file}"]
    ready = directory / "ready.json"
    process = subprocess.Popen(
        [sys.executable, "-m", "seslocal", "--port", "0", "--ready-file", str(ready), *options],
        env=systems.environment(directory),
    )
    try:
        systems.wait_until(ready.exists, "the local SES is ready")
        yield json.loads(ready.read_text())["url"]
    finally:
        process.terminate()
        process.wait(systems.PATIENCE)


def policies(url: str, key: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{url}/_seslocal/keys/{key}/policies", timeout=30) as answer:
        return json.loads(answer.read())


def test_the_drill_and_a_proof_pass_with_keys_that_have_exactly_the_printed_policies(
    tmp_path: Path, short_home: Callable[[], AbstractContextManager[Path]]
) -> None:
    credentials = tmp_path / "credentials"
    credentials.write_text(
        "".join(
            f"[mailcordon-{kind}]\naws_access_key_id = {kind}\naws_secret_access_key = secret-of-{kind}\n"
            for kind in KINDS
        )
    )
    settings = {
        "AWS_SHARED_CREDENTIALS_FILE": str(credentials),
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        **{f"MAILCORDON_{kind.upper()}_PROFILE": f"mailcordon-{kind}" for kind in KINDS},
    }
    with (
        short_home() as home,
        local_ses(tmp_path) as url,
        # The port of a local SES does not matter where one is named, not even that it is in use.
        systems.running(
            home, "--ses-port", str(urlsplit(url).port), MAILCORDON_SES_ENDPOINT=url, **settings
        ) as system,
    ):
        done = system.cli("drill", "--patience", "60", "--json")
        assert done.returncode == 0, (
            done.stdout + done.stderr + system.log("control") + system.log("dispatch")
        )
        slug = json.loads(done.stdout)["deliveries"][0]["tenant"]
        proved = system.cli("prove", slug, "--json")
        assert proved.returncode == 0, proved.stdout + proved.stderr
        used = {kind: policies(url, kind)["used"] for kind in KINDS}
        assert set(used["send"]) == {"ses:SendEmail"}
        assert set(used["observe"]) <= {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}
        assert {"sqs:ReceiveMessage", "sqs:DeleteMessage"} <= set(used["observe"])
        assert {"ses:CreateTenant", "ses:CreateEmailIdentity", "sqs:ReceiveMessage"} <= set(
            used["administer"]
        )
        denied = [system.log(name).count("not authorized") for name in ("dispatch", "observe", "control")]
        assert denied == [0, 0, 0]
