"""`aws` for pages that are tried without AWS: the options are read by botocore's models, the calls go to a local SES.

What a local SES has not is played: of CloudFormation the resources of our template that matter to mail, of IAM and Organizations
the policies that are put, which become those of access keys. An option that AWS does not have is an error, as with AWS's own.
"""

import json
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import jmespath
import yaml
from botocore import xform_name

ACCOUNT, REGION = "123456789012", "eu-west-1"
KINDS = ("send", "administer", "observe")
_FULL: Mapping[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
}
_PLAYED = ("cloudformation", "iam", "organizations")


class Wrong(Exception):
    """The command line is none of AWS's. The message says why."""


@dataclass
class AwsProgram:
    """Of an account at the local SES of this URL. `bystander` is an access key of an administrator of the account."""

    url: str
    bystander: str = "admin"
    said: list[str] = field(default_factory=list[str])
    _settings: str = ""
    _scp: Any = None

    def run(self, words: Sequence[str], directory: Path) -> str:
        """What it prints. Raises Wrong, or botocore's ClientError."""
        service, operation, *rest = words
        self.said.append(f"{service} {operation}")
        if (service, operation) == ("cloudformation", "deploy"):  # it is no operation of the service
            return self._deploy(dict(zip(rest[::2], rest[1::2], strict=False)), directory)
        client = self._client(service)
        method = operation.replace("-", "_")
        model = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[method])
        given, query, output = _read(model, rest, directory)
        answer = (
            self._play(service, method, given) if service in _PLAYED else getattr(client, method)(**given)
        )
        answer.pop("ResponseMetadata", None)
        shown: Any = answer if query is None else jmespath.search(query, answer)
        if output == "text":
            return "\t".join(map(str, shown if isinstance(shown, list) else [shown])) + "\n"  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
        return json.dumps(shown, indent=4, default=str) + "\n"

    def admin(self, method: str, path: str, body: object = None) -> Any:
        request = urllib.request.Request(
            f"{self.url}/_seslocal/{path}",
            None if body is None else json.dumps(body).encode(),
            {"content-type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b"null")

    def key(self, name: str, *policies: object, **more: object) -> None:
        """An access key that these policies are attached to. Its secret is its name."""
        self.admin("PUT", f"keys/{name}", {"secret": name})
        self.admin("PUT", f"keys/{name}/policies", {"policies": list(policies), **more})

    def _client(self, service: Any) -> Any:
        session = boto3.session.Session("test", "test", region_name=REGION)
        return session.client(service, endpoint_url=self.url)  # pyright: ignore[reportUnknownMemberType]

    def _play(self, service: str, method: str, given: Mapping[str, Any]) -> dict[str, Any]:
        match service, method:
            case "cloudformation", "describe_stacks":
                outputs = [{"OutputKey": "Settings", "OutputValue": self._settings}]
                return {"Stacks": [{"StackName": given["StackName"], "Outputs": outputs}]}
            case "cloudformation", "delete_stack":
                return {}
            case "iam", "put_role_policy":
                document = json.loads(given["PolicyDocument"])
                self.key(given["RoleName"], {"document": _FULL}, {"document": document})
                return {}
            case "organizations", "create_policy":
                self._scp = json.loads(given["Content"])
                return {"Policy": {"PolicySummary": {"Id": "p-1"}}}
            case "organizations", "attach_policy" | "detach_policy":
                limits = [self._scp] if method == "attach_policy" else []
                scps = [{"kind": "scp", "document": one} for one in (_FULL, *limits)]
                self.key(self.bystander, {"document": _FULL}, *scps)
                return {}
            case _:
                raise Wrong(f"{service} {method} is not played")

    def _deploy(self, given: Mapping[str, str], directory: Path) -> str:
        unknown = given.keys() - {
            "--stack-name",
            "--template-file",
            "--capabilities",
            "--parameter-overrides",
        }
        if unknown:
            raise Wrong(f"cloudformation deploy has no {sorted(unknown)}")
        stack = _Stack(yaml.load((directory / given["--template-file"]).read_text(), _Loader))
        sns, sqs = self._client("sns"), self._client("sqs")
        for name, properties in stack.of("AWS::SNS::Topic"):
            stack.made[name] = sns.create_topic(Name=properties["TopicName"])["TopicArn"]
        for name, properties in stack.of("AWS::SQS::Queue"):
            retention = {"MessageRetentionPeriod": str(properties["MessageRetentionPeriod"])}
            url = sqs.create_queue(QueueName=properties["QueueName"], Attributes=retention)["QueueUrl"]
            stack.made[name] = url
            stack.arns[name] = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{properties['QueueName']}"
        for _, properties in stack.of("AWS::SQS::QueuePolicy"):
            for url in properties["Queues"]:
                policy = json.dumps(properties["PolicyDocument"])
                sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        for _, properties in stack.of("AWS::SNS::TopicPolicy"):
            for arn in properties["Topics"]:
                policy = json.dumps(properties["PolicyDocument"])
                sns.set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=policy)
        for _, properties in stack.of("AWS::SNS::Subscription"):
            sns.subscribe(**{name: properties[name] for name in ("TopicArn", "Protocol", "Endpoint")})
        for _, properties in stack.of("AWS::IAM::Role"):
            arn = f"arn:aws:iam::{ACCOUNT}:role/{properties['RoleName']}"
            [policy] = properties["Policies"]
            self.key(policy["PolicyName"], {"document": policy["PolicyDocument"]}, principal=arn)
        self.admin("PUT", "account", {"management_queue": "mailcordon-management"})
        self._settings = stack.resolved(stack.template["Outputs"]["Settings"]["Value"])
        return "Successfully created/updated stack - mailcordon\n"


def _read(model: Any, words: Sequence[str], directory: Path) -> tuple[dict[str, Any], str | None, str | None]:
    members = {xform_name(name, "-"): (name, shape) for name, shape in model.input_shape.members.items()}
    given: dict[str, Any] = {}
    shared: dict[str, str] = {}
    left = list(words)
    while left:
        option = left.pop(0)
        name = option.removeprefix("--")
        if name in ("query", "output"):
            shared[name] = left.pop(0)
            continue
        if name not in members:
            raise Wrong(f"{model.name} has no option {option}")
        member, shape = members[name]
        if shape.type_name == "boolean":
            given[member] = True
            continue
        values: list[str] = []
        while left and not left[0].startswith("--"):
            value = left.pop(0)
            values.append((directory / value[7:]).read_text() if value.startswith("file://") else value)
        given[member] = values if shape.type_name == "list" else values[0]
    return given, shared.get("query"), shared.get("output")


class _Loader(yaml.SafeLoader):
    """Reads the short forms of CloudFormation's functions."""


def _function(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return {suffix: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {suffix: loader.construct_sequence(node, deep=True)}
    assert isinstance(node, yaml.MappingNode)
    return {suffix: loader.construct_mapping(node, deep=True)}


_Loader.add_multi_constructor("!", _function)


@dataclass
class _Stack:
    template: Any
    made: dict[str, str] = field(default_factory=dict[str, str])  #: what Ref gives
    arns: dict[str, str] = field(default_factory=dict[str, str])

    def of(self, type: str) -> list[tuple[str, Any]]:
        """Resources of a type whose condition is not that a trail is made. A role's trust is left out."""
        found: list[tuple[str, Any]] = []
        for name, resource in self.template["Resources"].items():
            if resource["Type"] == type and "Condition" not in resource:
                kept = {k: v for k, v in resource["Properties"].items() if k != "AssumeRolePolicyDocument"}
                found.append((name, self.resolved(kept)))
        return found

    def resolved(self, value: Any) -> Any:
        match value:
            case {"Ref": name}:
                return self._named(name)
            case {"GetAtt": name}:
                return self.arns[name.removesuffix(".Arn")]
            case {"Sub": text}:
                for name in [*_PSEUDO, *self.made]:
                    text = text.replace(f"${{{name}}}", self._named(name))
                return text
            case dict():
                return {key: self.resolved(one) for key, one in value.items()}
            case list():
                return [self.resolved(one) for one in value]
            case _:
                return value

    def _named(self, name: str) -> str:
        return _PSEUDO.get(name) or self.made[name]


_PSEUDO: Mapping[str, str] = {
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::AccountId": ACCOUNT,
}
