"""`mailcordon doctor --aws` against a strict local SES in the sandbox: what is well, and each thing that can be wrong.

Real boto3, real policies of roles, a real database. STS, IAM's simulation and EventBridge's rule are the local SES's too.
"""

import asyncio
import contextlib
import json
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

import mailcordon
from mailcordon import config as configs
from mailcordon.adapters.db import engine
from mailcordon.adapters.db.health_store import HealthStore
from mailcordon.core.health import Role
from mailcordon.run import doctor_aws, iam_policies
from mailcordon.run.finding import Finding
from mailcordon_fixtures import systems

KINDS = ("send", "administer", "observe")
ACCOUNT, REGION = "123456789012", "us-east-1"
PLACE = iam_policies.Place(account=ACCOUNT, region=REGION)
SECRET = "secret-of-{}"
TOPIC, QUEUE = f"arn:aws:sns:{REGION}:{ACCOUNT}:{{}}", f"arn:aws:sqs:{REGION}:{ACCOUNT}:{{}}"
MANAGEMENT = "mailcordon-management"
NAMES = {"outcome": "mailcordon-outcome", "engagement": "mailcordon-engagement"}


@dataclass(frozen=True)
class Ses:
    url: str
    dns_port: int

    def client(self, service: str) -> Any:
        """As an administrator, who has all rights."""
        session = boto3.session.Session("test", "test", region_name=REGION)
        return session.client(service, endpoint_url=self.url)  # pyright: ignore[reportUnknownMemberType, reportArgumentType, reportCallIssue]

    def queue_url(self, kind: str) -> str:
        return f"{self.url}/{ACCOUNT}/{NAMES[kind]}"

    @contextlib.contextmanager
    def fault(self, fault: str, **which: object) -> Iterator[None]:
        made = self.admin("POST", "faults", {"fault": fault, **which})
        try:
            yield
        finally:
            self.admin("DELETE", f"faults/{made['id']}")

    @contextlib.contextmanager
    def allowing(self, kind: str, *actions: str) -> Iterator[None]:
        """The role may do this beside what is printed."""
        printed = {"name": "printed", "document": getattr(iam_policies, kind)(PLACE)}
        statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
        more = {"name": "more", "document": {"Version": "2012-10-17", "Statement": [statement]}}
        self.admin("PUT", f"keys/{kind}/policies", {"policies": [printed, more]})
        try:
            yield
        finally:
            self.admin("PUT", f"keys/{kind}/policies", {"policies": [printed]})

    def admin(self, method: str, path: str, body: object = None) -> Any:
        request = urllib.request.Request(
            f"{self.url}/_seslocal/{path}",
            None if body is None else json.dumps(body).encode(),
            {"content-type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or b"null")


@pytest.fixture(scope="module")
def ses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ses]:
    """Started as `./dev seslocal --strict --sandbox` with a key for each role."""
    directory = tmp_path_factory.mktemp("ses")
    options: list[str] = []
    for kind in KINDS:
        file = directory / f"{kind}.json"
        file.write_text(json.dumps(getattr(iam_policies, kind)(PLACE)))
        options += ["--key", f"{kind}:{SECRET.format(kind)}", "--policy", f"{kind}={file}"]
    ready = directory / "ready.json"
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "seslocal", "--port", "0", "--strict", "--sandbox"),
            *("--ready-file", str(ready), *options),
        ],
        env=systems.environment(directory),
    )
    try:
        systems.wait_until(ready.exists, "the local SES is ready")
        said = json.loads(ready.read_text())
        yield Ses(said["url"], said["dns_port"])
    finally:
        process.terminate()
        process.wait(systems.PATIENCE)


@pytest.fixture
def account(ses: Ses) -> Iterator[Ses]:
    """Topics, queues and subscriptions as the stack of docs/aws.md makes them."""
    sns, sqs = ses.client("sns"), ses.client("sqs")
    for name in NAMES.values():
        sqs.create_queue(QueueName=name, Attributes={"MessageRetentionPeriod": "1209600"})
        sns.create_topic(Name=name)
        sns.subscribe(TopicArn=TOPIC.format(name), Protocol="sqs", Endpoint=QUEUE.format(name))
    sqs.create_queue(QueueName=MANAGEMENT)
    ses.admin("PUT", "account", {"management_queue": MANAGEMENT})
    yield ses
    ses.admin("PUT", "account", {"management_queue": None})
    sqs.delete_queue(QueueUrl=f"{ses.url}/{ACCOUNT}/{MANAGEMENT}")
    for name in NAMES.values():
        sns.delete_topic(TopicArn=TOPIC.format(name))
        sqs.delete_queue(QueueUrl=f"{ses.url}/{ACCOUNT}/{name}")


@pytest.fixture
def settings(account: Ses, database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    file = tmp_path / "credentials"
    file.write_text(
        "".join(
            f"[mailcordon-{kind}]\naws_access_key_id = {kind}\naws_secret_access_key = {SECRET.format(kind)}\n"
            for kind in KINDS
        )
    )
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    return {
        "MAILCORDON_HOME": str(tmp_path),
        "MAILCORDON_SES": "aws",
        "MAILCORDON_INSTALLATION": "prod",
        "MAILCORDON_SECRET_KEYS": "q" * 43 + "=",
        "MAILCORDON_REGION": REGION,
        "MAILCORDON_SES_ENDPOINT": account.url,
        "MAILCORDON_SQS_ENDPOINT": account.url,
        "MAILCORDON_DNS_SERVERS": f"127.0.0.1:{account.dns_port}",
        **{f"MAILCORDON_{kind.upper()}_QUEUE_URL": account.queue_url(kind) for kind in NAMES},
        "MAILCORDON_MANAGEMENT_QUEUE_URL": f"{account.url}/{ACCOUNT}/{MANAGEMENT}",
        **{f"MAILCORDON_{kind.upper()}_TOPIC_ARN": TOPIC.format(name) for kind, name in NAMES.items()},
        **{f"MAILCORDON_{kind.upper()}_PROFILE": f"mailcordon-{kind}" for kind in KINDS},
        **{f"MAILCORDON_DATABASE_URL_{login.upper()}": database.dsn(login) for login in configs.LOGINS},
    }


async def found(settings: dict[str, str], **changes: str) -> dict[str, list[Finding]]:
    """By what they are about."""
    all_ = await doctor_aws.find(configs.read({**settings, **changes}))
    by: dict[str, list[Finding]] = {}
    for one in all_:
        assert "secret-of-" not in one.says
        by.setdefault(one.about, []).append(one)
    return by


async def one(settings: dict[str, str], about: str, **changes: str) -> Finding:
    [found_] = (await found(settings, **changes))[about]
    return found_


async def test_what_is_well_is_said_of_what_was_asked_only(settings: dict[str, str]) -> None:
    by = await found(settings)
    states = {about: [each.state for each in findings] for about, findings in by.items()}
    assert states == {
        "AWS region": ["ok"],
        **{f"AWS credentials, {kind}": ["ok"] for kind in KINDS},
        "clock": ["ok"],
        "SES account": ["warn"],
        "outcome queue attributes": ["ok"],
        "engagement queue attributes": ["ok"],
        "outcome topic": ["ok"],
        "engagement topic": ["warn"],  # no role may read it
        "EventBridge rule": ["warn"],
        "IAM, send": ["warn"],  # nothing harmless tells
        "IAM, administer": ["ok"],
        "IAM, observe": ["ok"],
        "DNS resolver": ["ok"],
        "database server": states["database server"],  # that of the tests has no autovacuum
        "schema": ["ok"],
        "versions": ["warn"],  # none runs
        "links to unsubscribe, TLS": ["warn"],
        "public URL, TLS": ["warn"],
    }
    assert by["SES account"][0].says.startswith(
        "The account is in SES's sandbox: 200 recipients a day, 1 a second, only verified ones and the simulator. Do: "
    )
    assert by["IAM, administer"][0].says == (
        "The role to administer may do what was asked, by harmless calls (6 actions)"
    )
    assert by["AWS credentials, send"][0].says.endswith(f"they are arn:aws:iam::{ACCOUNT}:user/send")
    assert by["EventBridge rule"][0].says.startswith("Cannot read EventBridge's rule, because ")


async def test_what_each_role_may_do_is_simulated_where_that_is_allowed(
    settings: dict[str, str], account: Ses
) -> None:
    with contextlib.ExitStack() as stack:
        for kind in KINDS:
            stack.enter_context(account.allowing(kind, "iam:SimulatePrincipalPolicy"))
        by = await found(settings)
        said = {kind: (by[f"IAM, {kind}"][0].state, by[f"IAM, {kind}"][0].says) for kind in KINDS}
        for kind in KINDS:
            statements: Any = getattr(iam_policies, kind)(PLACE)["Statement"]
            actions = sum(len(one["Action"]) for one in statements if one["Effect"] == "Allow")
            count = f"{actions} action{'' if actions == 1 else 's'}"
            assert said[kind] == (
                "ok",
                f"The role to {kind} may do what was asked, by SimulatePrincipalPolicy ({count})",
            )
        # What the role to observe has is too little to administer, and each missing action is named.
        other = await one(settings, "IAM, administer", MAILCORDON_ADMINISTER_PROFILE="mailcordon-observe")
        assert other.state == "bad"
        assert "may not ses:CreateDedicatedIpPool, ses:DeleteDedicatedIpPool" in other.says
    # The role to send may not send otherwise; this one may, with a tenant or without one.
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    document = {"Version": "2012-10-17", "Statement": [everything]}
    account.admin("PUT", "keys/observe/policies", {"policies": [{"document": document}]})
    try:
        by = await found(settings, MAILCORDON_SEND_PROFILE="mailcordon-observe")
    finally:
        with account.allowing("observe", "ses:GetAccount"):
            pass  # puts the printed policy back
    assert [(one.state, "which goes past every limit" in one.says) for one in by["IAM, observe"]] == [
        ("bad", True)
    ]
    assert "ses:SendEmail without a tenant" in by["IAM, send"][0].says
    assert by["AWS credentials"][0].says.startswith("Send and observe are one identity")


async def test_the_rule_of_management_events_is_read_where_that_is_allowed(
    settings: dict[str, str], account: Ses
) -> None:
    with account.allowing("administer", "events:DescribeRule", "events:ListTargetsByRule"):
        said = await one(settings, "EventBridge rule")
        assert (said.state, said.says.partition(" is ")[0]) == (
            "ok",
            "EventBridge's rule mailcordon-management",
        )
        elsewhere = f"{account.url}/{ACCOUNT}/another"
        said = await one(settings, "EventBridge rule", MAILCORDON_MANAGEMENT_QUEUE_URL=elsewhere)
        assert said.state == "bad"
        assert "does not feed arn:aws:sqs:us-east-1:123456789012:another" in said.says
        account.admin("PUT", "account", {"management_queue": None})
        said = await one(settings, "EventBridge rule")
        assert (said.state, said.says.startswith("There is no rule arn:aws:events:")) == ("bad", True)


async def test_processes_of_another_version_are_named(settings: dict[str, str], database: Any) -> None:
    versions: tuple[tuple[Role, str | None], ...] = (
        ("control", mailcordon.__version__),
        ("dispatch", "0.0.1"),
        ("smtp", None),
    )
    for role, version in versions:
        store = HealthStore(database.dsn("control"), role=role, instance=role, host="mail-2", pid=41)
        await store.beat({} if version is None else {"version": version})
        await store.close()
        said = await one(settings, "versions")
        assert said.state == ("ok" if role == "control" else "warn"), said
    said = await one(settings, "versions")
    assert "dispatch on mail-2 (pid 41), 0.0.1 and smtp on mail-2 (pid 41), unknown" in said.says


async def test_a_queue_that_forgets_or_redrives_is_named(settings: dict[str, str], account: Ses) -> None:
    sqs = account.client("sqs")
    url = account.queue_url("outcome")
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"MessageRetentionPeriod": "3600"})
    said = await one(settings, "outcome queue attributes")
    assert (said.state, said.retryable) == ("warn", False)
    assert said.says.startswith("The outcome queue keeps events for 1 h only")
    sqs.create_queue(QueueName="dead")
    redrive = json.dumps({"deadLetterTargetArn": QUEUE.format("dead"), "maxReceiveCount": 3})
    sqs.set_queue_attributes(
        QueueUrl=url, Attributes={"MessageRetentionPeriod": "1209600", "RedrivePolicy": redrive}
    )
    said = await one(settings, "outcome queue attributes")
    assert said.state == "bad"
    assert "remove its redrive policy" in said.says


async def test_a_queue_or_topic_that_is_missing_is_named(settings: dict[str, str], account: Ses) -> None:
    sns, sqs = account.client("sns"), account.client("sqs")
    [subscription] = sns.list_subscriptions_by_topic(TopicArn=TOPIC.format("mailcordon-outcome"))[
        "Subscriptions"
    ]
    sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
    said = await one(settings, "outcome topic")
    assert said.state == "bad"
    assert "is not subscribed to it. Do: aws sns subscribe --topic-arn" in said.says
    sns.delete_topic(TopicArn=TOPIC.format("mailcordon-outcome"))
    sqs.delete_queue(QueueUrl=account.queue_url("engagement"))
    by = await found(settings)
    assert by["outcome topic"][0].says.startswith("Cannot check outcome topic, because ")
    assert "Do: create it (docs/aws.md)" in by["outcome topic"][0].says
    assert by["engagement queue attributes"][0].state == "bad"
    assert by["IAM, observe"][0].state == "bad"
    sqs.create_queue(QueueName="mailcordon-engagement")  # the fixture takes it away again


async def test_wrong_roles_and_missing_credentials_are_named(settings: dict[str, str]) -> None:
    by = await found(
        settings, MAILCORDON_ADMINISTER_PROFILE="mailcordon-observe", MAILCORDON_OBSERVE_PROFILE="nobody"
    )
    assert by["SES account"][0].state == "bad"
    assert by["IAM, administer"][0].says.startswith("The role to administer may not ses:GetAccount")
    assert by["AWS credentials, observe"][0].state == "bad"
    assert "log in to the profile nobody" in by["AWS credentials, observe"][0].says
    assert by["outcome queue attributes"][0].says.startswith(
        "Cannot check outcome queue attributes, because "
    )


async def test_another_region_and_a_wrong_clock_are_named(settings: dict[str, str], account: Ses) -> None:
    other = TOPIC.format("mailcordon-outcome").replace(REGION, "eu-west-1")
    said = await one(settings, "AWS region", MAILCORDON_OUTCOME_TOPIC_ARN=other)
    assert said.says.startswith(
        "MAILCORDON_OUTCOME_TOPIC_ARN is in eu-west-1, and MAILCORDON_REGION is us-east-1."
    )
    for seconds, state in ((100, "warn"), (-100, "warn"), (270, "bad")):
        with account.fault("clock_skew", seconds=seconds):
            said = await one(settings, "clock")
        assert (said.state, said.retryable) == (state, True), seconds
        assert "Do: let NTP set it" in said.says
    with account.fault("clock_skew", seconds=400):  # every call is refused
        by = await found(settings)
    assert [one.state for one in by["clock"]] == ["bad"]
    assert "Do: correct this host's clock" in by["SES account"][0].says


async def test_what_does_not_answer_is_named_and_may_be_asked_again(settings: dict[str, str]) -> None:
    nobody = "http://127.0.0.1:9"
    by = await found(
        settings,
        MAILCORDON_SES_ENDPOINT=nobody,
        MAILCORDON_DNS_SERVERS="127.0.0.1:9",
        MAILCORDON_DNS_TIMEOUT_SECONDS="1",
        MAILCORDON_UNSUBSCRIBE_URL="https://127.0.0.1:9",
        MAILCORDON_DATABASE_URL_CONTROL="postgresql://x:y@127.0.0.1:9/x",
    )
    for about in ("SES account", "DNS resolver", "database server", "schema", "links to unsubscribe, TLS"):
        assert [(each.state, each.retryable) for each in by[about]] == [("bad", True)], by[about]
        assert by[about][0].says.startswith(f"Cannot check {about}, because "), by[about]
        assert " Do: " in by[about][0].says


async def test_an_old_schema_and_the_database_of_a_newer_version_are_named(
    settings: dict[str, str], database: Any
) -> None:
    owner = await engine.connect(database.dsn("owner"))
    try:
        await owner.execute(
            "update public._pogo_migration set migration_id = '0999-later' where migration_id like '0064%'"
        )
        said = await one(settings, "schema")
        await owner.execute(
            "insert into public._pogo_migration (migration_id, migration_hash, applied, schema_name)"
            " select '0064-restorations', 'x', applied, schema_name from public._pogo_migration limit 1"
        )
        newer = await one(settings, "schema")
    finally:
        await owner.close()
    assert newer.state == "warn"
    assert newer.says.startswith("The database has 0999-later, which this version does not know")
    assert said.state == "bad"
    assert (
        said.says
        == "The database lacks 0064-restorations. Do: mailcordon migrate, before processes of this version start"
    )


@pytest.fixture
async def self_signed(tmp_path: Path) -> AsyncIterator[int]:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        [
            *(
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
            ),
            *("-keyout", str(key), "-out", str(certificate), "-days", "9", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=DNS:localhost"),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_a_certificate_that_nobody_trusts_or_that_ends_soon_is_named(
    self_signed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"https://localhost:{self_signed}"
    check = doctor_aws.address_check("MAILCORDON_UNSUBSCRIBE_URL", url)
    [said] = await check()
    assert (said.state, said.retryable) == ("bad", False)
    assert "CERTIFICATE_VERIFY_FAILED" in said.says
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    soon, not_ours = await check()
    assert soon.state == "warn"
    assert soon.says.endswith("Do: renew it")
    assert "answers 502: it does not lead to an API that can accept mail" in not_ours.says
