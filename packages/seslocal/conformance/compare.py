"""What a local SES answers to the same few calls, for the table in the README: `python conformance/compare.py [URL]`, with boto3
installed. Without a URL it asks moto inside this process."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

HELLO = {"Simple": {"Subject": {"Data": "Hi"}, "Body": {"Text": {"Data": "Hello"}}}}
ONCE = Config(retries={"total_max_attempts": 1}, read_timeout=15)


class Asked:
    def __init__(self, url: str | None) -> None:
        self._url = url
        self.ses, self.sns, self.sqs = self.client("sesv2"), self.client("sns"), self.client("sqs")

    def client(self, service: str, secret: str = "test") -> Any:
        return boto3.client(  # pyright: ignore[reportUnknownMemberType, reportCallIssue, reportUnknownVariableType]
            service,  # pyright: ignore[reportArgumentType]
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key=secret,
            endpoint_url=self._url,
            config=ONCE,
        )

    def send(
        self,
        to: str = "kim@example.com",
        sender: str = "a@acme.example",
        secret: str | None = None,
        **more: Any,
    ) -> str:
        destination = {"ToAddresses": to.split()}
        ses = self.client("sesv2", secret) if secret else self.ses
        ses.send_email(FromEmailAddress=sender, Destination=destination, **{"Content": HELLO, **more})
        return "accepted"

    def publish(self) -> str:
        """Publishes events to a queue."""
        self.ses.create_configuration_set(ConfigurationSetName="news")
        topic = self.sns.create_topic(Name="events")["TopicArn"]
        queue = self.sqs.create_queue(QueueName="events")["QueueUrl"]
        asked = self.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
        self.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=asked["Attributes"]["QueueArn"])
        self.ses.create_configuration_set_event_destination(
            ConfigurationSetName="news",
            EventDestinationName="events",
            EventDestination={
                "Enabled": True,
                "MatchingEventTypes": ["BOUNCE"],
                "SnsDestination": {"TopicArn": topic},
            },
        )
        return "done"

    def events(self) -> str:
        queue = self.sqs.get_queue_url(QueueName="events")["QueueUrl"]
        got = self.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        texts = [json.loads(one["Body"])["Message"] for one in got]
        return ", ".join(json.loads(text)["eventType"] for text in texts if text.startswith("{")) or "none"

    def suppress(self) -> str:
        self.ses.put_suppressed_destination(EmailAddress="sam@example.com", Reason="BOUNCE")
        return self.send("sam@example.com", ConfigurationSetName="news") + ", event: " + self.events()

    def template(self) -> str:
        content = {"Subject": "Hi {{name}}", "Text": "Dear {{name}}"}
        self.ses.create_email_template(TemplateName="hello", TemplateContent=content)
        return self.send(Content={"Template": {"TemplateName": "hello", "TemplateData": "{}"}})


def say(what: str, ask: Callable[[], object]) -> None:
    try:
        said = ask()
    except ClientError as error:
        said = f"refused: {error.response.get('Error', {}).get('Code')}"
    except Exception as error:
        said = f"{type(error).__name__}: {str(error).splitlines()[0]}"
    print(f"{what:36} {str(said)[:90]}")


def ask(asked: Asked) -> None:
    say(
        "CreateEmailIdentity",
        lambda: asked.ses.create_email_identity(EmailIdentity="acme.example") and "done",
    )
    say("SendEmail", asked.send)
    say(
        "raw mail",
        lambda: asked.send(Content={"Raw": {"Data": b"From: a@acme.example\nTo: k@example.com\n\nhi"}}),
    )
    say("a sender that is not verified", lambda: asked.send(sender="a@nobody.example"))
    say("51 recipients", lambda: asked.send(" ".join(f"k{n}@example.com" for n in range(51))))
    say("an unknown configuration set", lambda: asked.send(ConfigurationSetName="unknown"))
    say("a wrong secret", lambda: asked.send(secret="wrong"))
    say("a template with a missing name", asked.template)
    say("events to SNS and SQS", asked.publish)
    say(
        "mail to bounce@simulator",
        lambda: asked.send("bounce@simulator.amazonses.com", ConfigurationSetName="news"),
    )
    say("its events in the queue", asked.events)
    say("mail to a suppressed address", asked.suppress)
    say("CreateTenant", lambda: asked.ses.create_tenant(TenantName="acme") and "done")


def main() -> int:
    url = sys.argv[1] if len(sys.argv) > 1 else None
    within: Any = nullcontext()
    if url is None:
        from moto import mock_aws  # pyright: ignore

        within = mock_aws()
    with within:
        ask(Asked(url))
    return 0


if __name__ == "__main__":
    sys.exit(main())
