"""Mail that goes round us, on a running system: a real client sends, and the incident names who it was. One test for each net."""

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest

from mailcordon_fixtures import systems, traffic
from mailcordon_fixtures.receiver import Receiver
from mailcordon_fixtures.traffic import Traffic

MINUTE = 60_000


@dataclass
class Around:
    """Somebody who sends without us, with a key of its own."""

    mail: Traffic
    user: str
    key: str
    client: Any
    sent_at: list[int] = field(default_factory=list[int])

    async def call(self, operation: str, **members: Any) -> Any:
        return await asyncio.to_thread(lambda: getattr(self.client, operation)(**members))

    async def send(
        self, domain: str, count: int, subject: str = "Kim, your invoice 4711 is ready"
    ) -> list[str]:
        self.sent_at.append(round(time.time() * 1000))
        made: list[str] = []
        for n in range(count):
            answer = await self.call(
                "send_email",
                FromEmailAddress=f"shop@{domain}",
                Destination={"ToAddresses": [f"kim{n}@example.com"]},
                Content={"Simple": {"Subject": {"Data": subject}, "Body": {"Text": {"Data": "hello"}}}},
            )
            made.append(answer["MessageId"])
        return made

    async def refused_by(self, policy: Any, domain: str) -> None:
        """The policy stops this caller, as user or role, and no other."""
        allowed = {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
        }
        stopped = (f"user/{self.user}", f"role/app/{self.user}")
        for name in (*stopped, "user/other"):
            await self.mail.ses(
                "PUT",
                f"/keys/{self.key}/policies",
                {
                    "policies": [{"document": allowed}, {"document": policy}],
                    "principal": f"arn:aws:iam::123456789012:{name}",
                },
            )
            if name in stopped:
                with pytest.raises(self.client.exceptions.ClientError, match="not authorized"):
                    await self.send(domain, 1)
            else:
                await self.send(domain, 1)

    async def incident(self, cause: str, where: str = "true") -> dict[str, Any]:
        async def opened() -> Any:
            return await self.mail.db.fetchrow(
                f"select *, (select slug from tenant t where t.id = i.tenant) as slug from incident i"
                f" where kind = 'ungoverned' and cause = $1 and {where} order by id desc limit 1",
                cause,
            )

        row = dict(await self.mail.until(opened, f"the incident {cause} is there"))
        return row | {"evidence": json.loads(row["evidence"])}


@pytest.fixture
async def around(system: systems.System, mail: Traffic) -> AsyncIterator[Around]:
    user = f"shop-{secrets.token_hex(3)}"
    key = f"AKIA{user.upper().replace('-', '')}"
    await mail.ses("PUT", f"/keys/{key}", {"secret": "s", "user": user})
    client = boto3.client(
        "sesv2",
        endpoint_url=system.ses_url,
        region_name="us-east-1",
        aws_access_key_id=key,
        aws_secret_access_key="s",
    )
    yield Around(mail, user, key, client)
    client.close()


async def test_mail_of_a_tenants_domain_that_somebody_else_sends_is_one_incident_with_his_name(
    around: Around, mail: Traffic, receiver: Receiver, run: Callable[..., tuple[int, str, str]]
) -> None:
    channel = f"unga-{around.user}"
    await mail.call("POST", "/v1/alert-channels", {"name": channel, "form": "webhook", "url": receiver.url})
    slug = f"unga-{secrets.token_hex(3)}"
    await mail.onboard({slug: ["password-reset"]})
    domain = traffic.domain(slug, "password-reset")

    async def has_default_set() -> bool:
        found = await around.call("get_email_identity", EmailIdentity=domain)
        return found.get("ConfigurationSetName") == "ungoverned"

    await mail.until(has_default_set, "the domain's default set is the one for ungoverned mail")
    await around.send(domain, 12)
    cause = f"ungoverned:{domain}/{around.user}"
    found = await around.incident(cause, "(evidence ->> 'mails')::int = 12")
    assert found["identified_at"] - around.sent_at[0] < MINUTE
    assert (found["slug"], found["severity"], found["name"]) == (slug, "high", domain)
    assert found["culprit"] == f"caller {around.user}"
    assert f"sends as {domain} ({slug}) past Mailcordon" in found["sentence"]
    evidence = found["evidence"]
    assert evidence["subjects"] == ["… your invoice # is ready"]
    assert (evidence["source_ips"], evidence["nets"]) == (["127.0.0.1"], ["events"])
    assert evidence["configuration_sets"] == ["ungoverned"]
    assert evidence["services"] == ["SES API (SendEmail)"]
    print(f"identified after {found['identified_at'] - around.sent_at[0]} ms")

    code, out, _ = await asyncio.to_thread(run, *found["command"].split()[1:])
    assert (code, around.user in out) == (0, True)
    assert '"ses:Send*"' in out
    await around.refused_by(evidence["policy"], domain)

    # Declared as expected, it closes. It was one incident, and people were told once.
    words = ("expect", domain, "--caller", around.user, "--until", "1d", "--because", "moves soon")
    code, out, _ = await asyncio.to_thread(run, "ungoverned", *words)
    assert code == 0, out
    await around.incident(cause, "closed_at is not null")
    assert await mail.db.fetchval("select count(*) from incident where cause = $1", cause) == 1
    status, said = await mail.call("DELETE", f"/v1/alert-channels/{channel}?because=told")
    assert status in (200, 204), said
    told = [got.json["type"] for got in receiver.got if around.user in got.body.decode()]
    assert told.count("incident.opened") == 1
    assert set(told) <= {"incident.opened", "incident.mitigated", "incident.closed"}


async def test_mail_that_was_declared_is_counted_and_is_an_incident_again_after_its_end(
    around: Around, mail: Traffic, run: Callable[..., tuple[int, str, str]]
) -> None:
    slug = f"ungb-{secrets.token_hex(3)}"
    await mail.onboard({slug: ["password-reset"]})
    domain = traffic.domain(slug, "password-reset")

    async def has_default_set() -> bool:
        found = await around.call("get_email_identity", EmailIdentity=domain)
        return found.get("ConfigurationSetName") == "ungoverned"

    await mail.until(has_default_set, "the domain's default set is the one for ungoverned mail")
    words = (
        "ungoverned",
        "expect",
        domain,
        "--caller",
        around.user,
        "--until",
        "1d",
        "--because",
        "moves soon",
    )
    code, out, _ = await asyncio.to_thread(run, *words)
    assert code == 0, out
    await around.send(domain, 2)

    async def counted() -> Any:
        return await mail.db.fetchrow(
            "select id, seen_at from ungoverned where identity = $1 and mails = 2", domain
        )

    await mail.until(counted, "it is counted")
    rounds = "select max(beat) from role_health where role = 'control'"
    before = await mail.db.fetchval(rounds)

    async def later() -> bool:
        return await mail.db.fetchval(rounds) > before + 2_000

    await mail.until(later, "rounds have passed")
    cause = f"ungoverned:{domain}/{around.user}"
    assert await mail.db.fetchval("select count(*) from incident where cause = $1", cause) == 0
    await mail.db.execute(
        "update ungoverned_expected set since = since - 86400000, until = now_ms() where identity = $1",
        domain,
    )
    await around.send(domain, 1)
    found = await around.incident(cause)
    assert "it was expected until" in found["sentence"]

    code, out, _ = await asyncio.to_thread(run, "ungoverned", "list", "--json")
    [shown] = [each for each in json.loads(out)["items"] if each["identity"] == domain]
    _, out, _ = await asyncio.to_thread(run, "ungoverned", "show", str(shown["id"]), "--json")
    assert json.loads(out)["policy"]["Statement"][0]["Effect"] == "Deny"
    _, out, _ = await asyncio.to_thread(run, "ungoverned", *words[1:], "--json")
    made = json.loads(out)
    words = ("unexpect", str(made["id"]), "--because", "it moved")
    code, out, _ = await asyncio.to_thread(run, "ungoverned", *words, "--json")
    assert (code, json.loads(out)["valid"]) == (0, False)
    _, out, _ = await asyncio.to_thread(run, "ungoverned", "expected", "--json")
    listed = [each for each in json.loads(out)["items"] if each["identity"] == domain]
    assert [each["valid"] for each in listed] == [False, False]
    assert (shown["mails"], shown["expected"]["valid"]) == (3, False)


async def foreign_identity(around: Around, mail: Traffic, domain: str) -> None:
    """One that Mailcordon did not make, without a set: its mail leaves no event."""
    await around.call("create_email_identity", EmailIdentity=domain)
    await mail.ses("PUT", f"/identities/{domain}", {"status": "SUCCESS"})


async def test_mail_that_leaves_no_event_is_seen_by_the_calls_that_cloudtrail_reports(
    around: Around, mail: Traffic
) -> None:
    slug = f"ungc-{secrets.token_hex(3)}"
    await mail.onboard({slug: ["password-reset"]})
    domain = f"old-{secrets.token_hex(3)}.example"
    await foreign_identity(around, mail, domain)
    await mail.ses("PUT", "/account", {"data_events": True})
    try:
        await mail.fill(slug, "password-reset", 5)
        await mail.all_final(slug)
        sent = await around.send(domain, 3)
        cause = f"ungoverned:{domain}/{around.user}"
        found = await around.incident(cause, "(evidence ->> 'mails')::int = 3")
    finally:
        await mail.ses("PUT", "/account", {"data_events": False})
    assert found["identified_at"] - around.sent_at[0] < MINUTE
    assert found["culprit"] == f"user {around.user}"
    evidence = found["evidence"]
    assert set(evidence["examples"]) == set(sent)
    assert evidence["nets"] == ["cloudtrail"]
    assert evidence["arns"] == [f"arn:aws:iam::123456789012:user/{around.user}"]
    assert evidence["services"] == ["boto3 (Python)"]
    assert "subjects" not in evidence  # CloudTrail hides them
    ours = traffic.domain(slug, "password-reset")
    assert await mail.db.fetchval("select count(*) from ungoverned where identity = $1", ours) == 0
    print(f"identified after {found['identified_at'] - around.sent_at[0]} ms")


async def test_mail_that_nothing_names_is_seen_by_ses_own_count(around: Around, mail: Traffic) -> None:
    domain = f"unseen-{secrets.token_hex(3)}.example"
    await foreign_identity(around, mail, domain)

    async def compared() -> bool:
        return bool(
            await mail.db.fetchval(
                "select exists (select from ses_count where compared)"
                " and exists (select from finding where kind = 'extra-identity' and resource = $1)",
                domain,
            )
        )

    await mail.until(compared, "SES's count is compared")
    before = await mail.db.fetchval(
        "select excess from ses_count where judged_at is not null order by at desc limit 1"
    )
    # What other tests left can hide as much: mail to SES's simulator, which its figure leaves out; outcomes that are not known;
    # and mail that SES never had, of which they made up the events.
    hidden = await mail.db.fetchval(
        "select (select count(*) from message, unnest(recipients) one where one like '%@simulator.amazonses.com')"
        " + (select count(*) from waiting where why = 2)"
        " + (select coalesce(sum(documents), 0) from elsewhere)"
        " + (select coalesce(sum(recipients), 0) from ungoverned_hour)"
    )
    await around.send(domain, 8 + int(hidden))
    found = await around.incident(
        "ungoverned:count/default",
        f"(evidence ->> 'excess')::int >= {before + 8} and evidence::text like '%{domain}%'",
    )
    took = await mail.db.fetchval("select max(at) from incident_entry where incident = $1", found["id"])
    assert took - around.sent_at[0] < MINUTE
    assert "SES counts" in found["sentence"]  # it lists the first of the identities, the evidence all
    print(f"seen after {took - around.sent_at[0]} ms, culprit {found['culprit']}")
