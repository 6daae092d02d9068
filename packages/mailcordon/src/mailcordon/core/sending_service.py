"""What kind of program sent a mail, as far as SES's events and CloudTrail's records show. Pure. A guess for people: everybody can
write a user agent and a header.
"""

import re

_LONGEST = 80
_ADDRESS = re.compile(r"[^\s@<>()]+@[^\s@<>()]+")  #: some programs name their user
_AWS_SERVICE = re.compile(r"^[a-z0-9.-]+\.amazonaws\.com$")
#: Part of a user agent -> what it is. The first that is found counts.
_AGENTS = (
    ("console.amazonaws.com", "AWS console"),
    ("signin.amazonaws.com", "AWS console"),
    ("aws-internal", "AWS console or service"),
    ("aws-cli/", "AWS CLI"),
    ("boto3/", "boto3 (Python)"),
    ("botocore/", "boto3 (Python)"),
    ("aws-sdk-js/", "AWS SDK for JavaScript"),
    ("aws-sdk-nodejs/", "AWS SDK for JavaScript"),
    ("aws-sdk-java/", "AWS SDK for Java"),
    ("aws-sdk-php/", "AWS SDK for PHP"),
    ("aws-sdk-ruby", "AWS SDK for Ruby"),
    ("aws-sdk-go", "AWS SDK for Go"),
    ("aws-sdk-dotnet", "AWS SDK for .NET"),
    ("aws-sdk-rust/", "AWS SDK for Rust"),
    ("terraform", "Terraform"),
)
_PLACES = (
    ("exec-env/aws_lambda", "AWS Lambda"),
    ("exec-env/aws_ecs", "Amazon ECS"),
    ("exec-env/cloudshell", "AWS CloudShell"),
)


def of_call(user_agent: str | None, invoked_by: str | None) -> str | None:
    """Of a call that CloudTrail reports. `invoked_by`: the AWS service that called for somebody."""
    if invoked_by:
        return invoked_by[:_LONGEST]
    agent = (user_agent or "").lower()
    if not agent:
        return None
    if _AWS_SERVICE.match(agent) and "console" not in agent and "signin" not in agent:
        return agent[:_LONGEST]
    found = next((name for part, name in _AGENTS if part in agent), agent.split(" ", 1)[0][:_LONGEST])
    place = next((name for part, name in _PLACES if part in agent), None)
    return found if place is None else f"{found} on {place}"


def of_mail(operation: str | None, mailer: str | None) -> str | None:
    """Of a mail: the operation in SES's tag, and the mail's own X-Mailer or User-Agent header."""
    way = None
    if operation:
        way = "SMTP" if "smtp" in operation.lower() else f"SES API ({operation})"
    named = _ADDRESS.sub("@", (mailer or "").strip()[:400])[:_LONGEST]
    return " by ".join(part for part in (way, named) if part) or None
