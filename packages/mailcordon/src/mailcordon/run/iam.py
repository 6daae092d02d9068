"""`mailcordon iam`: prints the policies of a Mailcordon on AWS, and the CloudFormation template that has them. Calls nothing."""

import json
import os
import re
from collections.abc import Callable
from importlib import resources
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import typer

from mailcordon import config as configs
from mailcordon.config import Config
from mailcordon.core.errors import BadConfig
from mailcordon.messages import aws, queues
from mailcordon.run import iam_policies
from mailcordon.run.iam_policies import Document, Place

TEMPLATE = "cloudformation.yaml"

Account = Annotated[
    str | None,
    typer.Option(
        metavar="ID", help="AWS account, 12 digits.", show_default="that of the settings' topics, else zeros"
    ),
]
Region = Annotated[
    str | None, typer.Option(metavar="REGION", help="AWS region.", show_default="MAILCORDON_REGION")
]
SendRoles = Annotated[
    list[str] | None,
    typer.Option(
        metavar="ARN",
        help="Role that may send; can be repeated.",
        show_default="the send role of the CloudFormation template",
    ),
]


def send(account: Account = None, region: Region = None) -> None:
    """Print the policy of the role that sends: `dispatch`.

    It may send through SES tenants of Mailcordon, and do nothing else; a send without a tenant is denied.
    """
    _print(iam_policies.send(_place(account, region)))


def administer(account: Account = None, region: Region = None) -> None:
    """Print the policy of the role that administers SES: `control`.

    It may do what keeps SES as it should be, and read the queue of management events. Every way of sending is denied.
    """
    _print(iam_policies.administer(_place(account, region)))


def observe(account: Account = None, region: Region = None) -> None:
    """Print the policy of the role that reads events: `observe`.

    It may read and delete the messages of the two queues of events about mail.
    """
    _print(iam_policies.observe(_place(account, region)))


def assess() -> None:
    """Print the policy of a role that can only read: for `mailcordon assess`.

    It may read SES's settings, lists and counts in the whole account, whose names are not Mailcordon's yet. Nothing can be
    changed or sent with it.
    """
    _print(iam_policies.assess())


def app(account: Account = None, region: Region = None) -> None:
    """Print a policy for the roles of applications, so that they cannot send past Mailcordon.

    Attach it beside their own policies. It denies every way of sending of SES v1, v2 and SMTP, and forging events about mail.
    """
    _print(iam_policies.app(_place(account, region)))


def scp(account: Account = None, region: Region = None, send_role_arn: SendRoles = None) -> None:
    """Print a service control policy by which only the send role sends.

    Attach it to the account in AWS Organizations. It denies every way of sending to everybody else, administrators too; it does
    not apply to the organization's management account.
    """
    arns = send_role_arn or [_place(account, region).role("send")]
    for arn in arns:
        if not re.fullmatch(r"arn:aws[a-z-]*:iam::(\d{12}|\*):role/[\w+=,.@/*?-]+", arn, re.ASCII):
            raise BadConfig(aws.not_a_role(arn=arn))
    _print(iam_policies.scp(arns))


def cloudformation() -> None:
    """Print the CloudFormation template with topics, queues, rules, roles and alarms.

    docs/aws.md says how to deploy it. Its roles have the policies that the other commands print.
    """
    print(resources.files("mailcordon.run").joinpath(TEMPLATE).read_text(), end="")


def queue_policy(
    queue: Annotated[
        Literal["outcome", "engagement", "management"],
        typer.Argument(metavar="QUEUE", help="outcome, engagement or management."),
    ] = "outcome",
) -> None:
    """Print the policy of an event queue, by which only the topics of the settings write to it.

    It lets those topics send, and denies everybody else, the account's own users and roles too. With a rule of EventBridge, add
    the rule's ARN to both conditions, and a statement that allows events.amazonaws.com. The queue of SES's management events
    has no topic: its policy lets the rule named mailcordon-management send.
    """
    config = configs.read(os.environ)
    url = getattr(config, f"{queue}_queue_url")
    topic = getattr(config, "outcome_topic_arn" if queue == "management" else f"{queue}_topic_arn")
    setting = f"MAILCORDON_{queue.upper()}_QUEUE_URL"
    if url is None:
        raise BadConfig(queues.queue_not_set(queue=queue, name=setting))
    from mailcordon.adapters.ses import queue_policy as policies

    try:
        arn = policies.queue_arn(url, region=config.region, topic=topic)
    except ValueError:
        raise BadConfig(queues.queue_url_without_account(url=url, name=setting)) from None
    found = (
        policies.rule_policy(arn, policies.rule_arn(arn, configs.MANAGEMENT_QUEUE))
        if queue == "management"
        else policies.policy(arn, {topic, *config.identity_topic_arns})
    )
    _print(found)


#: In the order of the help, with their examples.
COMMANDS: tuple[tuple[str, Callable[..., None], str], ...] = (
    (
        "send",
        send,
        "mailcordon iam send --account 123456789012 --region eu-west-1",
    ),
    ("administer", administer, "mailcordon iam administer --account 123456789012"),
    ("observe", observe, "mailcordon iam observe --account 123456789012"),
    ("assess", assess, "mailcordon iam assess > read-mail.json"),
    (
        "app",
        app,
        "mailcordon iam app --account 123456789012 > no-sending.json\n"
        "aws iam put-role-policy --role-name shop --policy-name no-sending \\\n"
        "    --policy-document file://no-sending.json",
    ),
    (
        "scp",
        scp,
        "mailcordon iam scp --account 123456789012\n"
        "mailcordon iam scp --send-role-arn arn:aws:iam::123456789012:role/mail",
    ),
    (
        "queue-policy",
        queue_policy,
        "mailcordon iam queue-policy engagement\n"
        "mailcordon iam queue-policy | jq '{Policy: tojson}' > attributes.json\n"
        'aws sqs set-queue-attributes --queue-url "$MAILCORDON_OUTCOME_QUEUE_URL" \\\n'
        "    --attributes file://attributes.json",
    ),
    ("cloudformation", cloudformation, "mailcordon iam cloudformation > mailcordon.yaml"),
)


def _place(account: str | None, region: str | None) -> Place:
    """Of the settings, unless an option says otherwise. Raises BadConfig."""
    config = configs.read(os.environ)
    if account is not None and not re.fullmatch(r"\d{12}", account, re.ASCII):
        raise BadConfig(aws.not_an_account(given=account))
    region = region or config.region
    if not re.fullmatch(configs.REGION, region, re.ASCII):
        raise BadConfig(aws.not_a_region(given=region))
    return place_of(config, account=account or _parts(config.outcome_topic_arn)[4], region=region)


def place_of(config: Config, *, account: str, region: str) -> Place:
    """With the queues and topics of the settings."""
    return Place(
        account=account,
        region=region,
        partition=_partition(region),
        queues=_queues(config),
        topics={kind: _parts(getattr(config, f"{kind}_topic_arn"))[5] for kind in configs.QUEUES},
    )


def _queues(config: Config) -> dict[str, str]:
    names = {**configs.QUEUES, "management": configs.MANAGEMENT_QUEUE}
    for kind in names:
        url: str | None = getattr(config, f"{kind}_queue_url")
        if url:
            names[kind] = urlsplit(url).path.rstrip("/").rpartition("/")[2] or names[kind]
    return names


def _parts(arn: str | None) -> list[str]:
    assert arn is not None  # config.read made sure
    return arn.split(":", 5)


def _partition(region: str) -> str:
    for prefix, partition in (("cn-", "aws-cn"), ("us-gov-", "aws-us-gov")):
        if region.startswith(prefix):
            return partition
    return "aws"


def _print(document: Document | dict[str, Any]) -> None:
    print(json.dumps(document, indent=2))
