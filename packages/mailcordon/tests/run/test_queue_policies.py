"""`doctor` and `iam queue-policy` about the event queues of an installation on AWS, over SQS's real protocol."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import boto3
import pytest

import seslocal
from mailcordon.run import doctor, iam
from seslocal.iam import documents
from seslocal.iam.decision import Attached, Policy
from seslocal.wire.access_keys import Key

TOPICS = {kind: f"arn:aws:sns:us-east-1:123456789012:{kind}" for kind in ("outcome", "engagement")}
Check = Callable[..., Awaitable[dict[str, tuple[str, str]]]]


@pytest.fixture
async def local() -> AsyncIterator[seslocal.Local]:
    async with seslocal.running() as local:
        yield local


@pytest.fixture
def client(local: seslocal.Local) -> Any:
    return boto3.client(
        "sqs",
        endpoint_url=local.url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


@pytest.fixture
async def settings(
    local: seslocal.Local, client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    found = {
        "MAILCORDON_HOME": str(tmp_path),
        "MAILCORDON_SES": "aws",
        "MAILCORDON_INSTALLATION": "prod",
        "MAILCORDON_SECRET_KEYS": "a" * 43 + "=",
        "MAILCORDON_SES_ENDPOINT": local.url,
        "MAILCORDON_SQS_ENDPOINT": local.url,
    }
    for kind, topic in TOPICS.items():
        made = await asyncio.to_thread(client.create_queue, QueueName=kind)
        found[f"MAILCORDON_{kind.upper()}_QUEUE_URL"] = made["QueueUrl"]
        found[f"MAILCORDON_{kind.upper()}_TOPIC_ARN"] = topic
    for name, value in (found | {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}).items():
        monkeypatch.setenv(name, value)
    return found


@pytest.fixture
def check(settings: dict[str, str]) -> Check:
    async def check(**more: str) -> dict[str, tuple[str, str]]:
        found = await doctor.find(settings | more)
        about_queues = [one for one in found if one.about.endswith(("queue", "queues"))]
        worst = sorted(about_queues, key=lambda one: ("ok", "warn", "bad").index(one.state))
        return {one.about: (one.state, one.says) for one in worst}

    return check


async def test_the_printed_policy_is_the_one_that_doctor_wants(
    client: Any, settings: dict[str, str], check: Check, capsys: pytest.CaptureFixture[str]
) -> None:
    for proof in ("signature", "queue-policy"):
        said = await check(MAILCORDON_EVENT_PROOF=proof)
        assert {said[f"{kind} queue"][0] for kind in TOPICS} == {"bad"}, "no event arrives without a policy"
        assert "iam queue-policy" in said["outcome queue"][1]
    policy = ""
    for kind in TOPICS:
        iam.queue_policy(kind)  # type: ignore[arg-type]
        policy = capsys.readouterr().out
        assert json.loads(policy)["Statement"][0]["Resource"] == f"arn:aws:sqs:us-east-1:123456789012:{kind}"
        url = settings[f"MAILCORDON_{kind.upper()}_QUEUE_URL"]
        await asyncio.to_thread(client.set_queue_attributes, QueueUrl=url, Attributes={"Policy": policy})
    for proof in ("signature", "queue-policy"):
        said = await check(MAILCORDON_EVENT_PROOF=proof)
        assert {said[f"{kind} queue"][0] for kind in TOPICS} == {"ok"}
    url, copied = settings["MAILCORDON_ENGAGEMENT_QUEUE_URL"], policy.replace(":engagement", ":other")
    await asyncio.to_thread(client.set_queue_attributes, QueueUrl=url, Attributes={"Policy": copied})
    same_topic = TOPICS["engagement"].replace(":engagement", ":other")
    said = await check(MAILCORDON_ENGAGEMENT_TOPIC_ARN=same_topic)
    assert said["engagement queue"][0] == "bad", "the policy is another queue's"


async def test_management_events_are_optional_and_their_queue_lets_a_rule_write(
    local: seslocal.Local,
    client: Any,
    check: Check,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    state, says = (await check())["management queue"]
    assert (state, "MAILCORDON_MANAGEMENT_QUEUE_URL" in says) == ("warn", True)
    url = (await asyncio.to_thread(client.create_queue, QueueName="changes"))["QueueUrl"]
    monkeypatch.setenv("MAILCORDON_MANAGEMENT_QUEUE_URL", url)
    state, says = (await check(MAILCORDON_MANAGEMENT_QUEUE_URL=url))["management queue"]
    assert (state, "iam queue-policy management" in says) == ("bad", True)
    iam.queue_policy("management")
    policy = capsys.readouterr().out
    allowed = json.loads(policy)["Statement"][0]
    assert allowed["Principal"] == {"Service": "events.amazonaws.com"}
    assert allowed["Condition"] == {
        "ArnEquals": {"aws:SourceArn": ["arn:aws:events:us-east-1:123456789012:rule/mailcordon-management"]}
    }
    await asyncio.to_thread(client.set_queue_attributes, QueueUrl=url, Attributes={"Policy": policy})
    assert (await check(MAILCORDON_MANAGEMENT_QUEUE_URL=url))["management queue"][0] == "ok"


async def test_who_else_may_write_is_worse_where_the_policy_is_the_proof(
    client: Any, settings: dict[str, str], check: Check
) -> None:
    anybody = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "sns.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": "*",
            }
        ],
    }
    url = settings["MAILCORDON_OUTCOME_QUEUE_URL"]
    await asyncio.to_thread(
        client.set_queue_attributes, QueueUrl=url, Attributes={"Policy": json.dumps(anybody)}
    )
    assert (await check())["outcome queue"][0] == "warn"
    state, says = (await check(MAILCORDON_EVENT_PROOF="queue-policy"))["outcome queue"]
    assert (state, "aws:SourceArn" in says) == ("bad", True)


async def test_a_policy_that_cannot_be_read_is_a_warning(settings: dict[str, str], check: Check) -> None:
    said = await check(MAILCORDON_OUTCOME_QUEUE_URL=settings["MAILCORDON_OUTCOME_QUEUE_URL"] + "-none")
    assert said["outcome queue"][0] == "warn"
    assert "NonExistentQueue" in said["outcome queue"][1] or "QueueDoesNotExist" in said["outcome queue"][1]


async def test_each_queue_is_read_with_the_role_of_its_process(
    local: seslocal.Local,
    client: Any,
    settings: dict[str, str],
    check: Check,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    queues = {"observe": ("outcome", "engagement"), "administer": ("management",)}
    found = dict(settings)
    for role, names in queues.items():
        arns = [f"arn:aws:sqs:us-east-1:123456789012:{name}" for name in names]
        statement = {"Effect": "Allow", "Action": "sqs:GetQueueAttributes", "Resource": arns}
        document = documents.read({"Statement": statement})
        local.account.access.keys.put(Key(id=role, secret="s", user=role))
        local.account.access.policies[role] = Attached(
            (Policy(name=role, kind="identity", source={}, document=document),)
        )
        found[f"MAILCORDON_{role.upper()}_PROFILE"] = role
    made = await asyncio.to_thread(client.create_queue, QueueName="management")
    found["MAILCORDON_MANAGEMENT_QUEUE_URL"] = made["QueueUrl"]
    file = tmp_path / "credentials"
    file.write_text(
        "".join(f"[{role}]\naws_access_key_id = {role}\naws_secret_access_key = s\n" for role in queues)
    )
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    said = await check(**found)
    assert {about for about, (_, says) in said.items() if "was not checked" in says} == set()
    assert set(said) == {"outcome queue", "engagement queue", "management queue"}
    swapped = {"MAILCORDON_OBSERVE_PROFILE": "administer", "MAILCORDON_ADMINISTER_PROFILE": "observe"}
    said = await check(**{**found, **swapped})
    assert {about for about, (_, says) in said.items() if "was not checked" in says} == set(said)


async def test_a_profile_that_this_host_does_not_have_is_named(
    check: Check, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    state, says = (await check(MAILCORDON_OBSERVE_PROFILE="mailcordon-observe"))["event queues"]
    assert (state, "The AWS profile mailcordon-observe" in says) == ("bad", True)
